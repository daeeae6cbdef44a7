//! The agent upgrades itself, and a broken version cannot undo that. So the version that works leaves a Job of its own
//! image behind before it begins: the Job puts the revision before back, unless the new agent confirms in time that
//! it leads, has finished the release, and has reached the Console (if that was reachable before).
//!
//! * [`guard`] — leaves the Job, and waits until it runs, before the upgrade begins
//! * [`job`] — pure: the Job
//! * [`confirm`] — a good agent takes the Job away
//! * [`act`] — the process in the Job: waits, takes the Lease from whoever has it, puts the revision before back

pub mod act;
pub mod confirm;
pub mod guard;
pub mod job;
