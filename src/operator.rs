//! The operator: a QdrantCluster becomes a running database. Delivered as a managed release of its own.
//!
//! * [`settings`] — what the chart's `settings` say
//! * [`database`] — pure: a QdrantCluster that was read and found sound
//! * [`desired`] — pure: the objects that a database is made of
//! * [`status`] — pure: what is reported of it
//! * [`reconcile`] — observe, apply, report; woken by watches
//! * [`run`] — the process

pub mod database;
pub mod desired;
pub mod reconcile;
pub mod run;
pub mod settings;
pub mod status;

/// The field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "qdrant-operator";
