//! The HelmChart object `<namespace>-<name>`: which chart a HelmRelease stands on, for people and tools.
//!
//! It is written for them to read. The HelmRelease's spec decides; garbage collection removes it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Resource as _, ResourceExt as _};
use pinnace_registry::verify::Verdict;
use serde_json::{Value, json};

use super::report::FIELD_MANAGER;
use super::source::Pulled;
use crate::api::helm_chart::{HelmChart, HelmChartStatus};
use crate::api::helm_release::{HelmChartTemplate, HelmRelease};
use crate::api::{ORIGIN_NAME, ORIGIN_NAMESPACE};
use crate::cluster::error::retried;
use crate::model::condition::READY;

/// The longest value of a label (Kubernetes' `LabelValueMaxLength`), in bytes.
const MAX_LABEL: usize = 63;
const PULLED: &str = "ChartPullSucceeded";
/// Whether the chart is signed as is asked for; not there if nobody asks.
const VERIFIED: &str = "SourceVerified";

/// Makes the object say which chart was pulled, or why none was. Writes nothing if it says so already.
pub async fn publish(
    client: &Client,
    release: &HelmRelease,
    template: &HelmChartTemplate,
    outcome: Result<&Pulled, (&str, &str)>,
) -> Result<(), kube::Error> {
    let api: Api<HelmChart> = Api::namespaced(client.clone(), &release.helm_chart_namespace());
    let name = release.helm_chart_name();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let wanted = object(release, template, &name);
    // What a new spec says is written without a look at what is there.
    let attempted = release.status.as_ref().and_then(|status| status.last_attempted_generation);
    let live = match attempted == release.metadata.generation {
        true => retried(|| api.get_opt(&name)).await?,
        false => None,
    };
    let says_so = |chart: &HelmChart| {
        serde_json::to_value(chart).is_ok_and(|current| contains(&current, &wanted))
    };
    let apply = Patch::Apply(&wanted);
    let live = match live.filter(says_so) {
        Some(live) => live,
        None => retried(|| api.patch(&name, &params, &apply)).await?,
    };
    let generation = live.metadata.generation.unwrap_or(1);
    let before = live.status.unwrap_or_default();
    let status = status(&before, generation, template, outcome, Timestamp::now());
    if status == before {
        return Ok(());
    }
    let patch = json!({
        "apiVersion": "cd.qdrant.io/v1",
        "kind": "HelmChart",
        "metadata": {"name": name},
        "status": status,
    });
    let apply = Patch::Apply(&patch);
    retried(|| api.patch_status(&name, &params, &apply)).await.map(|_| ())
}

fn object(release: &HelmRelease, template: &HelmChartTemplate, name: &str) -> Value {
    let spec = &template.spec;
    let metadata = template.metadata.clone().unwrap_or_default();
    let mut labels = metadata.labels;
    // A name that is too long for a label is told by the owner reference alone.
    let origin = release.name_any();
    if origin.len() <= MAX_LABEL {
        labels.insert(ORIGIN_NAME.into(), origin);
    }
    labels.insert(ORIGIN_NAMESPACE.into(), release.own_namespace());
    let interval = spec.interval.clone().unwrap_or_else(|| release.spec.interval.clone());
    let owner = release.owner_ref(&());
    json!({
        "apiVersion": "cd.qdrant.io/v1",
        "kind": "HelmChart",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": metadata.annotations,
            "ownerReferences": owner.into_iter().collect::<Vec<_>>(),
        },
        "spec": {
            "chart": spec.chart,
            "version": spec.version(),
            "sourceRef": {"kind": spec.source_ref.kind, "name": spec.source_ref.name},
            "interval": interval,
            "reconcileStrategy": spec.reconcile_strategy.unwrap_or_default(),
        },
    })
}

fn status(
    before: &HelmChartStatus,
    generation: i64,
    template: &HelmChartTemplate,
    outcome: Result<&Pulled, (&str, &str)>,
    now: Timestamp,
) -> HelmChartStatus {
    let mut status = before.clone();
    status.observed_generation = Some(generation);
    let (value, reason, message) = match outcome {
        Ok(pulled) => {
            let (name, version) = (pulled.chart.name(), pulled.chart.version());
            let same = before.artifact.as_ref().is_some_and(|a| a.digest == pulled.digest);
            if !same {
                status.artifact = serde_json::from_value(json!({
                    "digest": pulled.digest,
                    "lastUpdateTime": Time(now),
                    "path": "",
                    "revision": version,
                    "size": pulled.size,
                    "url": format!("{}@{}", pulled.url, pulled.digest),
                }))
                .ok();
            }
            status.url = Some(pulled.url.clone());
            status.observed_chart_name = Some(name.to_owned());
            ("True", PULLED.to_owned(), format!("pulled '{name}' chart with version '{version}'"))
        }
        Err((reason, message)) => ("False", reason.to_owned(), message.to_owned()),
    };
    status.observed_source_artifact_revision =
        template.spec.digest.as_ref().map(ToString::to_string);
    let condition = |type_: &str, value: &str, reason: String, message: String| {
        let old = before.conditions.iter().find(|c| c.type_ == type_);
        let since = old.filter(|c| c.status == value).map(|c| c.last_transition_time.clone());
        Condition {
            type_: type_.into(),
            status: value.into(),
            reason,
            message,
            observed_generation: Some(generation),
            last_transition_time: since.unwrap_or(Time(now)),
        }
    };
    status.conditions = vec![condition(READY, value, reason, message)];
    if let Some((value, reason, message)) = outcome.ok().and_then(verified) {
        status.conditions.push(condition(VERIFIED, value, reason.to_owned(), message));
    }
    status
}

/// Status, reason and message of [`VERIFIED`].
fn verified(pulled: &Pulled) -> Option<(&'static str, &'static str, String)> {
    match pulled.signed.as_ref()? {
        Verdict::Signed(by) => Some(("True", "Succeeded", format!("signed: {by}"))),
        Verdict::Warned(why) => Some(("False", "VerificationError", why.clone())),
        Verdict::NotAsked => None,
    }
}

/// Whether the live object says everything that is wanted.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(name, value)| {
            let empty = value.as_object().is_some_and(|o| o.is_empty());
            empty || live.get(name).is_some_and(|l| contains(l, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| contains(l, w))
        }
        _ => live == wanted,
    }
}
