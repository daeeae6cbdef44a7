//! The operator: a QdrantCluster becomes a running database. Delivered as a managed release of its own.
//!
//! * [`settings`] — what the chart's `settings` say
//! * [`database`] — pure: a QdrantCluster that was read and found sound
//! * [`unsupported`] — pure: what is refused of it
//! * [`desired`] — pure: the objects that a database is made of
//! * [`status`] — pure: what is reported of it
//! * [`reconcile`] — observe, apply, report; woken by watches
//! * [`metrics`] — how many databases are in which phase
//! * [`run`] — the process

pub mod database;
pub mod desired;
pub mod metrics;
pub mod reconcile;
pub mod run;
pub mod settings;
pub mod status;
pub mod unsupported;

/// The field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "qdrant-operator";
