//! Real clusters, vendors and links for tests. Each is made by a script in the
//! folder above (`cluster`, `network`, `image`) and goes when its handle drops, or,
//! if the test process is killed before that, within a second of its end.
//!
//! Whatever goes wrong here fails the test: functions panic with what the script
//! said. They block; from async code, call them in `tokio::task::spawn_blocking`.
//!
//! ```no_run
//! use pinnace_testbed::{Cluster, Image, Link, Vendor};
//!
//! let vendor = Vendor::start("vendor");
//! let customer = Cluster::start("customer");
//! let link = Link::new(&customer, &vendor);
//! Image::new("registry.vendor.test/app:1").file("target/app").push(vendor.space());
//! let namespace = customer.namespace("app"); // dumped if the test fails, then deleted
//! let pods = customer.kubectl(&["get", "pods", "-n", namespace.name()]);
//! link.cut();
//! ```

mod cluster;
mod dump;
mod image;
mod link;
mod namespace;
mod script;
mod space;
mod vendor;

pub use cluster::Cluster;
pub use dump::dump_namespace;
pub use image::Image;
pub use link::{Connection, Link, Report};
pub use namespace::Namespace;
pub use script::tool;
pub use space::Space;
pub use vendor::Vendor;
