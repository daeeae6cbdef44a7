//! The wire contracts, generated from proto/ by build.rs.
//!
//! Module paths follow package names: `proto::pinnace::agent::v1` is package `pinnace.agent.v1`.
#![allow(clippy::all, unused_qualifications, rust_2018_idioms)]

pub mod pinnace {
    pub mod agent {
        pub mod v1 {
            tonic::include_proto!("pinnace.agent.v1");
            include!(concat!(env!("OUT_DIR"), "/pinnace.agent.v1.serde.rs"));
        }
    }
}

/// Every descriptor of proto/, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
