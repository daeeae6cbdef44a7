//! Genuine Helm charts to manifests: chart and values in, the bytes of `helm template` out.
//! No I/O, no async, no Kubernetes client.

pub mod chart;
mod functions;
pub mod lint;
pub mod path_pattern;
pub mod render;
pub mod template;
mod unicode;
pub mod values;
pub mod version;
mod warning;
pub mod yaml;

pub use chart::Chart;
pub use render::{Rendered, render};
pub use warning::{Level, Warning};
