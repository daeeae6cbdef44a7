//! What every long-running binary has in common: logs, metrics, probes and a clean end.
//!
//! The order in a `main`: [`logs::init`], [`shutdown::signal`], [`metrics::Metrics::new`],
//! [`admin::Health::new`], [`admin::serve`]; and [`last_words`] when it ends with an error.

pub mod admin;
mod last_words;
pub mod logs;
pub mod metrics;
pub mod shutdown;

pub use last_words::last_words;
