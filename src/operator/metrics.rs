//! How many databases are in which phase, counted when somebody asks.

use std::{collections::BTreeMap, fmt};

use kube::{api::DynamicObject, runtime::reflector::Store};
use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder},
    metrics::{MetricType, gauge::ConstGauge},
};

/// What a database without a status counts as.
const UNREPORTED: &str = "Unreported";

/// A gauge with the label `phase`, over the objects that the operator watches.
pub struct ClustersByPhase(pub Store<DynamicObject>);

impl EncodeMetric for ClustersByPhase {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let objects = self.0.state();
        for (phase, count) in counts(objects.iter().map(AsRef::as_ref)) {
            let labels = [("phase", phase.as_str())];
            ConstGauge::new(count).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

impl fmt::Debug for ClustersByPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClustersByPhase")
    }
}

/// Only phases that exist become labels, so their number is bounded.
fn counts<'a>(objects: impl Iterator<Item = &'a DynamicObject>) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for object in objects {
        let phase = super::reconcile::status_of(object).phase;
        let phase = phase.map_or_else(|| UNREPORTED.to_owned(), |phase| format!("{phase:?}"));
        *counts.entry(phase).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use kube::runtime::{reflector::store::Writer, watcher::Event};
    use serde_json::json;

    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn each_database_counts_once() {
        let resource = super::super::reconcile::resource();
        let mut writer = Writer::new(resource.clone());
        let metrics = Metrics::new("test", "1");
        metrics.register("operator_clusters", "x", ClustersByPhase(writer.as_reader()));
        for (name, phase) in [("a", "Healthy"), ("b", "Healthy"), ("c", "invented"), ("d", "")] {
            let mut object = DynamicObject::new(name, &resource).within("n");
            if !phase.is_empty() {
                object.data = json!({ "status": { "phase": phase } });
            }
            writer.apply_watcher_event(&Event::Apply(object));
        }
        let text = metrics.text().expect("text");
        for line in [
            r#"operator_clusters{phase="Healthy"} 2"#,
            r#"operator_clusters{phase="Unreported"} 2"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }
}
