//! Stages 2 and 7: opens the one connection out, writes what was pinned, reports what is there.
//!
//! * [`config`] — what the agent is told at start
//! * [`link`] — the connection to the Console: desired state in, observations and telemetry out
//! * [`accepted`] — the last desired state, kept for the next start
//! * [`pins`] — pure: a desired state as Kubernetes objects; [`enforce`] — keeps them that way
//! * [`report`] — what is there, to the Console and into QdrantCloudRegion.status
//! * telemetry — events, usage and databases, into the ring
//! * [`run`] — the process: what starts when, and how it ends
//! * [`world`] — the watches that enforcement, reports and telemetry share

pub mod accepted;
pub mod config;
pub mod enforce;
pub mod link;
pub mod pins;
pub mod report;
pub mod run;
mod telemetry;
pub mod world;

use std::error::Error;

use crate::cluster::error::explain;

/// The field manager of everything that the agent writes.
pub const FIELD_MANAGER: &str = "qdrant-cloud-agent";

/// An error and its causes on one line, for logs and statuses.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<kube::Error>() {
            return format!("{text}: {}", explain(error));
        }
        let more = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
