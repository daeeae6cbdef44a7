//! The messages about actions: pure. They are Flux's.

use crate::model::condition::reason;
use crate::release::record::Record;

/// `<namespace>/<name>.v<revision>`, as Flux's messages name a revision.
pub fn full_name(record: &Record) -> String {
    format!("{}/{}.v{}", record.namespace, record.name, record.version)
}

/// `<chart>@<version>`.
pub fn chart(record: &Record) -> String {
    format!("{}@{}", record.chart_name(), record.chart_version())
}

pub fn succeeded(verb: &str, record: &Record) -> String {
    format!("Helm {verb} succeeded for release {} with chart {}", full_name(record), chart(record))
}

pub fn failed(verb: &str, record: &Record, why: &str) -> String {
    let name = format!("{}/{}", record.namespace, record.name);
    format!("Helm {verb} failed for release {name} with chart {}: {why}", chart(record))
}

pub fn rolled_back(record: &Record, good: bool, why: &str) -> (&'static str, String) {
    let (namespace, name, target) =
        (&record.namespace, &record.name, record.info.rollback_revision);
    let what = format!(
        "Helm rollback to previous release {namespace}/{name}.v{target} with chart {}",
        chart(record)
    );
    if good {
        (reason::ROLLBACK_SUCCEEDED, format!("{what} succeeded"))
    } else {
        (reason::ROLLBACK_FAILED, format!("{what} failed: {why}"))
    }
}
