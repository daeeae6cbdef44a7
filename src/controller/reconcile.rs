//! One HelmRelease, from what is wanted to what is: observe, decide, act, and again until nothing is left to do.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use super::{Settings, decide, preempt, report::Report, source, unsupported, values};
use crate::api::helm_release::HelmRelease;
use crate::api::{FINALIZER, annotation};
use crate::cluster::events::Events;
use crate::cluster::{self, Cluster, error};
use crate::model::condition::reason;
use crate::release;

/// What all reconciliations share.
pub struct Context {
    pub(super) client: Client,
    pub(super) cluster: Cluster,
    pub(super) identity: String,
    pub(super) sources: source::Sources,
    pub(super) newest: preempt::Newest,
    pub(super) shutdown: CancellationToken,
    events: Events,
    /// Attempts in a row that did not get as far as a release record, by name.
    errors: Mutex<HashMap<String, u64>>,
}

impl Context {
    pub fn new(
        client: Client,
        settings: Settings,
        cache: pinnace_registry::Cache,
        newest: preempt::Newest,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            cluster: Cluster::new(client.clone()),
            sources: source::Sources::new(client.clone(), cache, settings.concurrency),
            events: Events::new(client.clone(), "helm-controller", &settings.identity),
            identity: settings.identity,
            errors: Mutex::default(),
            client,
            newest,
            shutdown,
        }
    }

    /// The pause before the next attempt: it doubles with each error in a row, with up to half of it left to
    /// chance. Never shorter than what a server asked for.
    pub(super) fn pause(&self, name: &str, asked: Option<Duration>) -> Duration {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let count = errors.entry(name.to_owned()).or_insert(0);
        *count += 1;
        let pause = decide::pause(*count).mul_f64(0.5 + rand::random::<f64>() / 2.0);
        pause.max(asked.unwrap_or_default())
    }

    pub(super) fn no_error(&self, name: &str) {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// Why a reconciliation ended before it could even say so in the object's status.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", error::explain(.0))]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Release(#[from] release::Error),
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
}

/// Reconciles one object. It may be dropped at any await: whoever comes next resumes.
pub fn run(
    release: Arc<HelmRelease>,
    context: Arc<Context>,
) -> BoxFuture<'static, Result<Action, Infallible>> {
    // Boxed, or the compiler cannot prove that this much nesting is Send.
    reconcile_or_stop(release, context).boxed()
}

async fn reconcile_or_stop(
    release: Arc<HelmRelease>,
    context: Arc<Context>,
) -> Result<Action, Infallible> {
    let name = release.name_any();
    let reconciled = tokio::select! {
        result = reconcile(&release, &context).boxed() => result,
        () = context.shutdown.cancelled() => return Ok(Action::await_change()),
    };
    Ok(reconciled.unwrap_or_else(|error| {
        let pause = context.pause(&name, None);
        tracing::warn!(release = name, %error, "will be tried again in {}s", pause.as_secs());
        Action::requeue(pause)
    }))
}

async fn reconcile(release: &HelmRelease, context: &Context) -> Result<Action, Error> {
    let mut report = Report::new(context.client.clone(), context.events.clone(), release);
    let release_name = match release.release_name() {
        Ok(name) => name,
        Err(invalid) => return refuse(&mut report, &format!("spec.releaseName: {invalid}")).await,
    };
    let finalized = release.finalizers().iter().any(|f| f == FINALIZER);
    if release.metadata.deletion_timestamp.is_some() {
        if !finalized {
            return Ok(Action::await_change());
        }
        return finalize(Session::new(release, &release_name, context, report), release, context)
            .boxed()
            .await;
    }
    if release.is_suspended() {
        return Ok(Action::await_change());
    }
    if !finalized {
        set_finalizer(&context.client, release, true).await?;
    }
    if let Some(unsupported) = unsupported::first(release) {
        return refuse(&mut report, &unsupported.to_string()).await;
    }
    let Some(template) = &release.spec.chart else {
        return refuse(&mut report, "spec.chart is not set: name a chart").await;
    };
    requests(&mut report, release);
    report.status.storage_namespace = Some(release.storage_namespace());
    let chart_object = format!("{}/{}", release.helm_chart_namespace(), release.helm_chart_name());
    report.status.helm_chart = Some(chart_object);
    let values = match values::read(&context.client, release).boxed().await {
        Ok(values) => values,
        Err(error) => {
            let message = format!("could not resolve values: {error}");
            return not_ready(report, context, reason::VALUES_ERROR, &message, None).await;
        }
    };
    report.redactor = values.redactor.clone();
    let pulled = context.sources.chart(release, &template.spec).boxed().await;
    let outcome = pulled.as_ref().map_err(|e| (e.reason(), e.to_string()));
    let outcome = outcome.as_ref().map(|p| *p).map_err(|(r, m)| (*r, m.as_str()));
    super::helm_chart::publish(&context.client, release, template, outcome).boxed().await?;
    let pulled = match pulled {
        Ok(pulled) => pulled,
        Err(error) => {
            let asked = error.retry_after();
            return not_ready(report, context, error.reason(), &error.to_string(), asked).await;
        }
    };
    Session::new(release, &release_name, context, report).run(&pulled, &values.merged).boxed().await
}

/// Notes the annotations by which people ask for something.
fn requests(report: &mut Report, release: &HelmRelease) {
    let requested = release.request(annotation::REQUESTED_AT).map(str::to_owned);
    let reset = release.request(annotation::RESET_AT).map(str::to_owned);
    if reset.is_some() && reset == requested && report.status.last_handled_reset_at != reset {
        report.draft().forget_failures();
        report.status.last_handled_reset_at = reset;
    }
    if requested.is_some() {
        report.status.last_handled_reconcile_at = requested;
    }
}

/// The spec cannot be honoured: nothing until it changes.
async fn refuse(report: &mut Report, message: &str) -> Result<Action, Error> {
    let known = report.status.conditions.iter().any(|c| c.message == message);
    report.draft().stalled(reason::UNSUPPORTED, message);
    report.save().await?;
    if !known {
        report.event(false, reason::UNSUPPORTED, message).await;
    }
    Ok(Action::await_change())
}

/// What is wanted cannot be had for now. The release stays as it is.
async fn not_ready(
    mut report: Report,
    context: &Context,
    reason: &str,
    message: &str,
    asked: Option<Duration>,
) -> Result<Action, Error> {
    let pause = context.pause(report.name(), asked);
    let known = report.status.conditions.iter().any(|c| c.reason == reason && c.message == message);
    report.draft().not_ready(reason, message);
    report.save().await?;
    if !known {
        report.event(false, reason, message).await;
    }
    Ok(Action::requeue(pause))
}

/// The object is being deleted: uninstalls the release, unless it is suspended or never was taken in hand.
async fn finalize(
    mut session: Session<'_>,
    release: &HelmRelease,
    context: &Context,
) -> Result<Action, Error> {
    if !release.is_suspended() && !session.uninstall().await? {
        let pause = context.pause(&release.name_any(), None);
        return Ok(Action::requeue(pause));
    }
    set_finalizer(&context.client, release, false).await?;
    context.no_error(&release.name_any());
    Ok(Action::await_change())
}

/// Adds or removes the finalizer; fails if someone else has changed the object since it was read.
async fn set_finalizer(
    client: &Client,
    release: &HelmRelease,
    on: bool,
) -> Result<(), kube::Error> {
    let api: Api<HelmRelease> = Api::namespaced(client.clone(), &release.own_namespace());
    let mut finalizers = release.finalizers().to_vec();
    finalizers.retain(|f| f != FINALIZER);
    if on {
        finalizers.push(FINALIZER.to_owned());
    }
    let patch = json!({
        "metadata": {"finalizers": finalizers, "resourceVersion": release.metadata.resource_version},
    });
    let merge = Patch::Merge(&patch);
    match api.patch_metadata(&release.name_any(), &PatchParams::default(), &merge).await {
        Err(error) if on || !error::is_code(&error, 404) => Err(error),
        _ => Ok(()),
    }
}
