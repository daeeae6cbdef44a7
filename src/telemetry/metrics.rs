//! The metrics of one process, in Prometheus' text format.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry},
};

/// Label names and values known at compile time, so that their number is bounded.
pub type Labels<const N: usize> = [(&'static str, &'static str); N];

/// A cheap handle to the process's metrics; clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Mutex<Registry>>);

/// Buckets for the time a step takes, in seconds.
const SECONDS: [f64; 12] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 180.0, 600.0];

impl Metrics {
    /// Metrics of `component` at `version`, with its start time (now) and a build info.
    pub fn new(component: &'static str, version: &str) -> Self {
        let metrics = Self(Arc::new(Mutex::new(Registry::default())));
        let start = Gauge::<f64, AtomicU64>::default();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        start.set(since_epoch.as_secs_f64());
        metrics.register(
            "process_start_time_seconds",
            "Start time of the process since the Unix epoch in seconds",
            start,
        );
        let build = [("component", component.to_owned()), ("version", version.to_owned())];
        metrics.register("pinnace_build", "What is running", Info::new(build));
        metrics
    }

    /// Registers any metric. Names are given without `_total` or `_info`, which the format adds.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.lock().register(name, help, metric);
    }

    /// Registers numbers that are counted when they are asked for.
    pub fn collect(&self, collector: impl Collector) {
        self.lock().register_collector(Box::new(collector));
    }

    /// A counter without labels.
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.register(name, help, counter.clone());
        counter
    }

    /// A gauge without labels.
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.register(name, help, gauge.clone());
        gauge
    }

    /// A histogram of seconds, from 10 ms to 10 min.
    pub fn seconds(&self, name: &str, help: &str) -> Histogram {
        let histogram = Histogram::new(SECONDS);
        self.register(name, help, histogram.clone());
        histogram
    }

    /// Counters that differ by their labels: `counters.get_or_create(&[("reason", "x")]).inc()`.
    pub fn counters<const N: usize>(&self, name: &str, help: &str) -> Family<Labels<N>, Counter> {
        let family = Family::default();
        self.register(name, help, family.clone());
        family
    }

    /// Gauges that differ by their labels.
    pub fn gauges<const N: usize>(&self, name: &str, help: &str) -> Family<Labels<N>, Gauge> {
        let family = Family::default();
        self.register(name, help, family.clone());
        family
    }

    /// All metrics as text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.lock())?;
        Ok(text)
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_holds_what_was_counted() {
        let metrics = Metrics::new("test", "1.2.3");
        let pulls = metrics.counters::<1>("pulls", "Chart pulls");
        pulls.get_or_create(&[("result", "ok")]).inc_by(2);
        metrics.gauge("leading", "1 if this one leads").set(1);
        metrics.seconds("step_seconds", "Time of a step").observe(0.2);
        let text = metrics.text().unwrap();
        for line in [
            "pinnace_build_info{component=\"test\",version=\"1.2.3\"} 1",
            "pulls_total{result=\"ok\"} 2",
            "leading 1",
            "step_seconds_bucket{le=\"0.25\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        assert!(text.contains("\nprocess_start_time_seconds 1"), "{text}");
    }
}
