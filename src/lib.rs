//! Pinnace, in reading order, along the way of a pin:
//!
//! 1. [`console`] keeps environments and signs what each of them should run.
//! 2. [`agent`] opens the one connection out, checks the signature and writes HelmRelease objects.
//! 3. [`controller`] sees them: observe, decide, act.
//! 4. `pinnace_registry` pulls the chart by digest; `pinnace_engine` renders it.
//! 5. [`release`] keeps Helm's records and runs its actions.
//! 6. [`cluster`] applies objects, waits for them and removes them.
//! 7. [`agent`] reports what it sees, and the Console shows it.
//!
//! [`operator`] is what is delivered this way: it turns QdrantCluster objects into databases.
//! [`model`] and [`api`] are the words that all of them share.

pub mod agent;
pub mod api;
pub mod cli;
pub mod cluster;
pub mod console;
pub mod controller;
pub mod model;
pub mod operator;
pub mod proto;
pub mod release;
pub mod telemetry;

/// Programs of many small allocations that come and go: the C library's allocator takes longer for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
