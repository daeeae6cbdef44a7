//! Stages 1 and 7: keeps environments, signs what each should run, and shows what agents report.
//!
//! Pure: [`validate`], [`mask`], [`pins`], [`bootstrap`], [`status`], [`transitions`]. Everything else acts.

pub mod accounts;
pub mod auth;
pub mod bootstrap;
pub mod catalogue;
pub mod clusters;
pub mod command;
pub mod desk;
pub mod hybrid;
pub mod identity;
pub mod keys;
pub mod link;
pub mod live;
pub mod mask;
pub mod pages;
pub mod pins;
pub mod rest;
pub mod serve;
pub mod settings;
pub mod status;
pub mod store;
pub mod transitions;
pub mod turns;
pub mod validate;
pub mod versions;
