//! Stages 2 and 7: opens the one connection out, writes what was pinned, reports what is there.
//!
//! * [`config`] — what the agent is told at start
//! * [`link`] — the connection to the Console: desired state in, observations and telemetry out
//! * [`accepted`] — the last desired state, kept for the next start
//! * [`pins`] — pure: a desired state as Kubernetes objects; [`enforce`] — keeps them that way
//! * [`report`] — what is there, to the Console and into QdrantCloudRegion.status
//! * [`rescue`] — a broken version of the agent is undone by the one before it
//! * telemetry — events, usage and databases, into the ring
//! * [`run`] — the process: what starts when, and how it ends
//! * [`world`] — the watches that enforcement, reports and telemetry share

pub mod accepted;
pub mod config;
pub mod enforce;
pub mod link;
pub mod pins;
pub mod report;
pub mod rescue;
pub mod run;
mod telemetry;
pub mod world;

/// The field manager of everything that the agent writes.
pub const FIELD_MANAGER: &str = "qdrant-cloud-agent";

pub use crate::cluster::error::chain;
