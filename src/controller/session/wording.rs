//! The messages about actions: pure. They are Flux's.

use crate::cluster::crd::{Fate, Outcome};
use crate::model::condition::reason;
use crate::release::record::{Phase, Record};
use crate::release::test;

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

pub fn awaiting_tests(record: &Record) -> String {
    format!("Helm release {} with chart {} is awaiting tests", full_name(record), chart(record))
}

/// What became of a chart's definitions; None if there is no news.
pub fn definitions(outcomes: &[Outcome]) -> Option<String> {
    let told = |fate: Fate, words: &str| {
        let names = outcomes.iter().filter(|o| o.fate == fate).map(|o| o.name.as_str());
        let names: Vec<&str> = names.collect();
        (!names.is_empty()).then(|| format!("{words} {}", names.join(", ")))
    };
    let all = [
        told(Fate::Created, "created"),
        told(Fate::Replaced, "replaced"),
        told(Fate::Kept, "left as they are, though the chart's differ:"),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    (!all.is_empty())
        .then(|| format!("definitions of the chart's crds/ folder: {}", all.join("; ")))
}

/// What came of the tests; `why` one failed.
pub fn tested(record: &Record, why: Option<&str>) -> String {
    let (name, chart) = (full_name(record), chart(record));
    if let Some(why) = why {
        return format!("Helm test failed for release {name} with chart {chart}: {why}");
    }
    let succeeded = test::hooks_of(record).filter(|h| h.last_run.phase == Phase::Succeeded);
    let told = match succeeded.count() {
        0 => "no test hooks".to_owned(),
        1 => "1 test hook completed successfully".to_owned(),
        n => format!("{n} test hooks completed successfully"),
    };
    format!("Helm test succeeded for release {name} with chart {chart}: {told}")
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
