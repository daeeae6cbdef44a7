//! What the object of `spec.chartRef` says of itself: which chart a release has found by it, or why none.

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::report::FIELD_MANAGER;
use super::source::Pulled;
use crate::api::helm_chart::HelmChart;
use crate::api::helm_release::{ChartReference, ChartReferenceKind};
use crate::api::oci_repository::OciRepository;
use crate::cluster::error::retried;
use crate::model::condition::READY;

/// Writes what came of it, if it is news. An object that is not there says nothing.
pub async fn publish(
    client: &Client,
    namespace: &str,
    reference: &ChartReference,
    outcome: Result<&Pulled, (&str, &str)>,
) -> Result<(), kube::Error> {
    let resource = match reference.kind {
        ChartReferenceKind::HelmChart => ApiResource::erase::<HelmChart>(&()),
        _ => ApiResource::erase::<OciRepository>(&()),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let name = &reference.name;
    let Some(live) = retried(|| api.get_opt(name)).await? else { return Ok(()) };
    let generation = live.metadata.generation.unwrap_or(1);
    let before = &live.data["status"];
    let after = status(before, generation, reference.kind, outcome, Timestamp::now());
    if *before == after {
        return Ok(());
    }
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
        "status": after,
    });
    let (params, apply) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&patch));
    retried(|| api.patch_status(name, &params, &apply)).await.map(|_| ())
}

fn status(
    before: &Value,
    generation: i64,
    kind: ChartReferenceKind,
    outcome: Result<&Pulled, (&str, &str)>,
    now: Timestamp,
) -> Value {
    let mut status = if before.is_object() { before.clone() } else { json!({}) };
    let (value, reason, message) = match outcome {
        Ok(pulled) => {
            let (name, version) = (pulled.chart.name(), pulled.chart.version());
            let of_chart = kind == ChartReferenceKind::HelmChart;
            let plain = version.split('+').next().unwrap_or_default();
            let revision =
                if of_chart { version.to_owned() } else { format!("{plain}@{}", pulled.digest) };
            if status["artifact"]["revision"] != json!(revision) {
                status["artifact"] = json!({
                    "digest": pulled.digest,
                    "lastUpdateTime": now.to_string(),
                    "path": "",
                    "revision": revision,
                    "size": pulled.size,
                    "url": format!("{}@{}", pulled.url, pulled.digest),
                });
            }
            status["url"] = json!(pulled.url);
            match of_chart {
                true => {
                    status["observedChartName"] = json!(name);
                    let told = format!("pulled '{name}' chart with version '{version}'");
                    ("True", "ChartPullSucceeded", told)
                }
                false => ("True", "Succeeded", format!("stored artifact for digest '{revision}'")),
            }
        }
        Err((reason, message)) => ("False", reason, message.to_owned()),
    };
    let ready = |c: &&Value| c["type"] == READY && c["status"] == value;
    let known = before["conditions"].as_array().and_then(|all| all.iter().find(ready));
    let since = known.map_or_else(|| json!(now.to_string()), |c| c["lastTransitionTime"].clone());
    status["conditions"] = json!([{
        "type": READY, "status": value, "reason": reason, "message": message,
        "observedGeneration": generation, "lastTransitionTime": since,
    }]);
    status["observedGeneration"] = json!(generation);
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_and_keeps_what_was_found_before() {
        let before = json!({"artifact": {"revision": "1"}, "conditions": []});
        let kind = ChartReferenceKind::OciRepository;
        let failed = Err(("ArtifactFailed", "NotFound: x"));
        let first = status(&before, 2, kind, failed, Timestamp::UNIX_EPOCH);
        assert_eq!(first["artifact"]["revision"], "1");
        assert_eq!(first["conditions"][0]["reason"], "ArtifactFailed");
        let later = Timestamp::from_second(99).expect("a time");
        assert_eq!(status(&first, 2, kind, failed, later), first, "no news");
    }
}
