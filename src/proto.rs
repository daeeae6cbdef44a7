//! The wire contracts, generated from proto/ by build.rs.
//!
//! Module paths follow package names: `proto::pinnace::agent::v1` is package `pinnace.agent.v1`.
#![allow(clippy::all, unused_qualifications, rust_2018_idioms, deprecated)]

macro_rules! package {
    ($name:literal) => {
        tonic::include_proto!($name);
        include!(concat!(env!("OUT_DIR"), "/", $name, ".serde.rs"));
    };
}

pub mod pinnace {
    pub mod agent {
        pub mod v1 {
            package!("pinnace.agent.v1");
        }
    }
    pub mod console {
        pub mod v1 {
            package!("pinnace.console.v1");
        }
    }
}

pub mod qdrant {
    pub mod cloud {
        pub mod cluster {
            pub mod v1 {
                package!("qdrant.cloud.cluster.v1");
            }
        }
        pub mod common {
            pub mod v1 {
                package!("qdrant.cloud.common.v1");
            }
        }
        pub mod hybrid {
            pub mod v1 {
                package!("qdrant.cloud.hybrid.v1");
            }
        }
    }
}

/// Every descriptor of proto/, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
