//! Numbers about the controller, in the manner of Flux's; labels have static values.
//!
//! What can be counted from objects is counted when somebody asks.

use std::fmt;
use std::time::Instant;

use kube::ResourceExt as _;
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;

use super::memory::Memory;
use crate::api::helm_release::HelmRelease;
use crate::model::condition::{READY, RECONCILING, RELEASED, REMEDIATED, STALLED, TEST_SUCCESS};
use crate::telemetry::metrics::Metrics;

/// The condition types that are counted.
const TYPES: [&str; 6] = [READY, RECONCILING, STALLED, RELEASED, REMEDIATED, TEST_SUCCESS];
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// How long reconciliations take, and how many are at work.
pub struct Reconciliations {
    seconds: Histogram,
    active: Gauge,
}

impl Reconciliations {
    /// Registers all numbers of the controller.
    pub fn new(metrics: &Metrics, releases: Store<HelmRelease>, memory: Memory) -> Self {
        let seconds = metrics.seconds(
            "gotk_reconcile_duration_seconds",
            "How long reconciliations of HelmReleases took, waits included",
        );
        let active =
            metrics.gauge("controller_active_reconciles", "HelmReleases that are at work now");
        metrics.collect(Objects { releases, memory, active: active.clone() });
        Self { seconds, active }
    }

    /// Counts until it is dropped.
    pub fn begin(&self) -> Reconciliation<'_> {
        self.active.inc();
        Reconciliation { all: self, began: Instant::now() }
    }
}

/// One that is at work.
pub struct Reconciliation<'a> {
    all: &'a Reconciliations,
    began: Instant,
}

impl Drop for Reconciliation<'_> {
    fn drop(&mut self) {
        self.all.active.dec();
        self.all.seconds.observe(self.began.elapsed().as_secs_f64());
    }
}

/// Counts HelmReleases by what they say of themselves.
struct Objects {
    releases: Store<HelmRelease>,
    memory: Memory,
    active: Gauge,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let releases = self.releases.state();
        let count = |wanted: &dyn Fn(&HelmRelease) -> bool| {
            i64::try_from(releases.iter().filter(|r| wanted(r)).count()).unwrap_or(i64::MAX)
        };
        let mut family = encoder.encode_descriptor(
            "gotk_reconcile_condition",
            "HelmReleases by condition",
            None,
            MetricType::Gauge,
        )?;
        for type_ in TYPES {
            for status in STATUSES {
                let number = count(&|release| has(release, type_, status));
                let labels = [("kind", "HelmRelease"), ("type", type_), ("status", status)];
                ConstGauge::new(number).encode(family.encode_family(&labels)?)?;
            }
        }
        let suspended = count(&|release| release.is_suspended());
        let due = count(&|release| self.due(release)) - self.active.get();
        for (name, help, number) in [
            ("gotk_suspend_status", "HelmReleases that are suspended", suspended),
            ("controller_releases", "HelmReleases that are looked after", count(&|_| true)),
            ("controller_queue_depth", "HelmReleases that are due and not at work", due.max(0)),
        ] {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(number).encode(gauge)?;
        }
        Ok(())
    }
}

impl Objects {
    fn due(&self, release: &HelmRelease) -> bool {
        let uid = release.uid().unwrap_or_default();
        self.memory.resting(&uid, &self.memory.fingerprint(release)).is_none()
    }
}

fn has(release: &HelmRelease, type_: &str, value: &str) -> bool {
    let conditions = release.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|c| c.type_ == type_ && c.status == value)
}
