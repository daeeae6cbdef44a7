//! The Console in this process, over real TLS on loopback.
//!
//! - `harness`: a Console with a fixed catalogue, and clients of both transports
//! - `story`: the same story by gRPC and by REST, and what is refused
//! - `link`: what an agent sees
//! - `catalogue`: versions, digests and images, by the API and on the page
//! - `clusters`: a database cluster from creation to its end
#![allow(clippy::unwrap_used)] // helpers of tests are tests

#[path = "console/catalogue.rs"]
mod catalogue;
#[path = "console/clusters.rs"]
mod clusters;
#[path = "console/harness.rs"]
mod harness;
#[path = "console/link.rs"]
mod link;
#[path = "console/pages.rs"]
mod pages;
#[path = "console/story.rs"]
mod story;
