//! End to end: real clusters, pods, charts, registry and Console, the genuine helm, and a network in which the customer
//! can open the vendor's port and nothing else. Needs root; `make test` runs it.
//!
//! - `story`: the demo, with assertions: install, adopt, upgrade both, read Helm's history, delete.
//! - `page`: a person upgrades by clicking, in a real browser.
//! - `broken`: a version that never becomes ready is rolled back, and the Console shows it.
//! - `killed`: SIGKILL at ten moments of an upgrade, and one clean revision each time.
//! - `privilege`: the audit log of all that the agents did.
//! - `database`: a QdrantCluster made and deleted through the Console.
//! - `rescue`: the agent upgrades itself to broken versions, and is killed half-way.
//! - `monitoring`: the dashboard and the alerts show what is measured.
//! - `refused`: bad input, and what people are told.
//! - `situations`: upgrades with the vendor's registry, a mirror, the Console alone, and no network at all.

mod browser;
mod console;
mod world;

mod broken;
mod database;
mod killed;
mod monitoring;
mod page;
mod privilege;
mod refused;
mod rescue;
mod situations;
mod story;
