//! The HelmChart object `<namespace>-<name>`: which chart a HelmRelease stands on, for people and tools.
//!
//! It is written for them to read. The HelmRelease's spec decides; garbage collection removes it.

use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::report::FIELD_MANAGER;
use super::source::{Error, Pulled};
use super::source_status::helm_chart::status;
use crate::api::helm_chart::HelmChart;
use crate::api::helm_release::{HelmChartTemplate, HelmRelease};
use crate::api::{ORIGIN_NAME, ORIGIN_NAMESPACE};
use crate::cluster::clock;
use crate::cluster::error::{is_code, retried, unconditional};

/// The longest value of a label (Kubernetes' `LabelValueMaxLength`), in bytes.
const MAX_LABEL: usize = 63;

/// Makes the object say which chart was pulled, or why none was. Writes nothing if it says so already.
pub async fn publish(
    client: &Client,
    release: &HelmRelease,
    template: &HelmChartTemplate,
    found: Result<&Pulled, &Error>,
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
        None => unconditional(|| api.patch(&name, &params, &apply)).await?,
    };
    let generation = live.metadata.generation.unwrap_or(1);
    let before = live.status.unwrap_or_default();
    let (files, now) = (&template.spec.values_files, clock::timestamp());
    let mut status = status(before.clone(), generation, files, found, now);
    status.observed_source_artifact_revision =
        template.spec.digest.as_ref().map(ToString::to_string);
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
    unconditional(|| api.patch_status(&name, &params, &apply)).await.map(|_| ())
}

/// Removes the object, when the release's chart is no longer said by a template. It may be gone.
pub async fn remove(client: &Client, release: &HelmRelease) -> Result<(), kube::Error> {
    let api: Api<HelmChart> = Api::namespaced(client.clone(), &release.own_namespace());
    let (name, params) = (release.helm_chart_name(), DeleteParams::background());
    match unconditional(|| api.delete(&name, &params)).await {
        Err(error) if !is_code(&error, 404) => Err(error),
        _ => Ok(()),
    }
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
    let mut object = json!({
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
    });
    if !spec.values_files.is_empty() {
        object["spec"]["valuesFiles"] = json!(spec.values_files);
    }
    if let Some(ignore) = spec.ignore_missing_values_files {
        object["spec"]["ignoreMissingValuesFiles"] = json!(ignore);
    }
    if let Some(verify) = &spec.verify {
        object["spec"]["verify"] = json!(verify);
    }
    object
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
