//! `status.plan`: a preview that the annotation `cd.qdrant.io/plan` asks for. It is made once for each request, spec
//! and newest revision, of suspended releases as well: suspend, change the spec, read the plan, resume.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::claim;
use super::preview::{self, Preview, Question};
use super::reconcile::Context;
use super::report::Report;
use super::values;
use crate::api::annotation;
use crate::api::helm_release::{HelmRelease, Plan, PlannedChange};
use crate::cluster::clock;
use crate::cluster::events::shortened;
use crate::cluster::preview::Change;
use crate::release::storage::Storage;

/// The request for a plan of the spec as it is.
pub const SPEC: &str = "spec";
/// Entries of one list.
const MAX_ENTRIES: usize = 200;
/// Fields of one object.
const MAX_FIELDS: usize = 20;
/// Bytes of one reason.
const MAX_TEXT: usize = 1024;

/// Brings `status.plan` up to date. True: the status has to be written.
pub async fn answer(
    release: &HelmRelease,
    name: &str,
    context: &Context,
    report: &mut Report,
) -> bool {
    let Some(request) = release.request(annotation::PLAN).filter(|request| !request.is_empty())
    else {
        return report.status.plan.take().is_some();
    };
    let revision = report.status.history.first().map_or(0, |head| head.version);
    if report.status.plan.as_ref().is_some_and(|plan| is_answer(plan, release, request, revision)) {
        return false;
    }
    let mut plan = Plan {
        request: request.to_owned(),
        generation: release.metadata.generation.unwrap_or(0),
        revision,
        time: Time(clock::timestamp()),
        chart: None,
        chart_digest: None,
        create: Vec::new(),
        change: Vec::new(),
        delete: Vec::new(),
        refused: Vec::new(),
        definitions: Vec::new(),
        hooks: Vec::new(),
        unchanged: 0,
        error: None,
    };
    let filled = match asked(release, request) {
        Ok(asked) => fill(&mut plan, &asked, name, context, report).await,
        Err(refused) => Err(refused.to_string()),
    };
    if let Err(error) = filled {
        plan.error = Some(shortened(&report.redactor.redact(&error), MAX_TEXT));
    }
    report.status.plan = Some(plan);
    true
}

/// Whether a plan still answers what is asked.
fn is_answer(plan: &Plan, release: &HelmRelease, request: &str, revision: i64) -> bool {
    plan.request == request
        && Some(plan.generation) == release.metadata.generation
        && plan.revision == revision
}

/// The release as it would be.
pub fn asked(release: &HelmRelease, request: &str) -> Result<HelmRelease, OnlySpec> {
    if release.spec.chart_ref.is_some() && request != SPEC {
        return Err(OnlySpec);
    }
    let mut asked = release.clone();
    if let Some(chart) = asked.spec.chart.as_mut().filter(|_| request != SPEC) {
        chart.spec.version = Some(request.to_owned());
        // The digest is that of the version in the spec.
        chart.spec.digest = None;
    }
    Ok(asked)
}

/// Another object says the version.
#[derive(Debug, thiserror::Error)]
#[error(
    "the version is that of the object in spec.chartRef: ask about {SPEC:?}, and change the version there"
)]
pub struct OnlySpec;

async fn fill(
    plan: &mut Plan,
    release: &HelmRelease,
    name: &str,
    context: &Context,
    report: &mut Report,
) -> Result<(), String> {
    let values = values::read(&context.client, release).await.map_err(|e| e.to_string())?;
    report.redactor = values.redactor.clone();
    let pulled = context.sources.chart(release).await.map_err(|e| e.to_string())?;
    plan.chart = Some(format!("{}@{}", pulled.chart.name(), pulled.chart.version()));
    plan.chart_digest = Some(pulled.digest.clone());
    let cluster = context.targets.of(release).await.map_err(|e| e.to_string())?.cluster;
    let client = cluster.client().clone();
    let storage =
        Storage::new(client, &release.storage_namespace(), name).held_by(&claim::holder(release));
    let question = Question {
        release,
        storage: &storage,
        chart: pulled.chart.clone(),
        mirrors: &pulled.mirrors,
        values: &values.merged,
        redactor: &values.redactor,
    };
    let _permit = context.at_work.acquire().await;
    let found = preview::run(&cluster, &question).await.map_err(|e| e.to_string())?;
    tell(plan, &found);
    Ok(())
}

/// The preview in the status' words: names and pointers, no values.
fn tell(plan: &mut Plan, found: &Preview) {
    for object in &found.objects {
        let name = object.key.to_string();
        match &object.change {
            Change::Create => plan.create.push(name),
            Change::Delete => plan.delete.push(name),
            Change::Same => {}
            Change::Refused(why) => {
                plan.refused.push(shortened(&format!("{name}: {why}"), MAX_TEXT))
            }
            Change::Fields(fields) => {
                let fields = fields.iter().take(MAX_FIELDS).map(|f| f.field.clone()).collect();
                plan.change.push(PlannedChange { object: name, fields });
            }
        }
    }
    plan.unchanged = i64::try_from(found.unchanged()).unwrap_or(i64::MAX);
    let verb = |replaced: bool| if replaced { "replace" } else { "create" };
    plan.definitions =
        found.definitions.iter().map(|(key, old)| format!("{}: {key}", verb(*old))).collect();
    plan.hooks = found.hooks.iter().map(|(event, hook)| format!("{event}: {hook}")).collect();
    for list in [
        &mut plan.create,
        &mut plan.delete,
        &mut plan.refused,
        &mut plan.definitions,
        &mut plan.hooks,
    ] {
        list.truncate(MAX_ENTRIES);
    }
    plan.change.truncate(MAX_ENTRIES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release() -> HelmRelease {
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "web", "namespace": "n", "generation": 3},
            "spec": {"interval": "1m", "chart": {"spec": {
                "chart": "web", "version": "1.0.0", "digest": format!("sha256:{}", "0".repeat(64)),
                "sourceRef": {"kind": "HelmRepository", "name": "charts"},
            }}},
        }))
        .expect("a release")
    }

    #[test]
    fn what_is_asked_about() {
        let release = release();
        assert_eq!(asked(&release, SPEC).expect("may be asked"), release);
        let other =
            asked(&release, "2.0.0").expect("may be asked").spec.chart.expect("a chart").spec;
        assert_eq!((other.version.as_deref(), other.digest), (Some("2.0.0"), None));
        let mut by_reference = release;
        by_reference.spec.chart = None;
        by_reference.spec.chart_ref =
            serde_json::from_value(json!({"kind": "OCIRepository", "name": "a"})).ok();
        assert!(asked(&by_reference, SPEC).is_ok() && asked(&by_reference, "2.0.0").is_err());
    }

    #[test]
    fn a_plan_answers_one_request_one_spec_and_one_revision() {
        let plan: Plan = serde_json::from_value(json!({
            "request": "2.0.0", "generation": 3, "revision": 4, "time": "2026-01-01T00:00:00Z",
        }))
        .expect("a plan");
        let mut release = release();
        assert!(is_answer(&plan, &release, "2.0.0", 4));
        assert!(!is_answer(&plan, &release, "2.0.1", 4));
        assert!(!is_answer(&plan, &release, "2.0.0", 5));
        release.metadata.generation = Some(4);
        assert!(!is_answer(&plan, &release, "2.0.0", 4));
    }
}
