//! One HelmRelease, from what is wanted to what is: observe, decide, act, and again until nothing is left to do.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::api::Api;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt as _};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

mod finalize;
mod unmet;

use finalize::{finalize, has_finalizer, set_finalizer};
use unmet::{not_ready, refuse};

use super::Settings;
use super::burst::Burst;
use super::guard::Guard;
use super::inventory::Inventory;
use super::memory::{Memory, Rest};
use super::metrics::Reconciliations;
use super::redactor::Redactor;
use super::session::Session;
use super::target::Targets;
use super::{
    act, dependencies, helm_chart, plan, post_render, preempt, report::Report, selector, source,
    status, unsupported, values,
};
use crate::api::annotation;
use crate::api::helm_release::HelmRelease;
use crate::api::reference::ValuesKind;
use crate::cluster::clock;
use crate::cluster::events::Events;
use crate::cluster::{self, Cluster, error};
use crate::model::condition::reason;
use crate::release;

/// After this time a dependency that is not ready is looked at again (Flux's `--requeue-dependency`).
const ASKED_AGAIN: Duration = Duration::from_secs(30);

type Lock = tokio::sync::Mutex<()>;

/// What all reconciliations share.
pub struct Context {
    pub(super) client: Client,
    pub(super) inventory: Inventory,
    pub(super) targets: Targets,
    pub(super) identity: String,
    pub(super) sources: Arc<source::Sources>,
    pub(super) newest: preempt::Newest,
    /// The live HelmReleases of the namespace.
    pub(super) releases: Store<HelmRelease>,
    pub(super) memory: Memory,
    burst: Burst,
    /// Bounds the memory and processor time that rendering and applying take at one time. No wait counts.
    pub(super) at_work: Arc<Semaphore>,
    pub(super) guard: Option<Arc<dyn Guard>>,
    pub(super) shutdown: CancellationToken,
    events: Events,
    reconciliations: Reconciliations,
    /// One for each Helm release that is being worked on.
    locks: Mutex<HashMap<String, Weak<Lock>>>,
}

/// What a [`Context`] watches.
pub struct Watched {
    pub newest: preempt::Newest,
    pub releases: Store<HelmRelease>,
    pub memory: Memory,
    pub sources: Arc<source::Sources>,
    /// Has every HelmRelease look whether there is something new.
    pub wake: mpsc::Sender<()>,
}

impl Context {
    pub fn new(
        client: Client,
        settings: Settings,
        watched: Watched,
        shutdown: CancellationToken,
    ) -> Self {
        let (releases, memory) = (watched.releases, watched.memory);
        let cluster = Cluster::new(client.clone());
        let stop = shutdown.child_token();
        Self {
            inventory: Inventory::new(cluster.clone(), memory.clone(), watched.wake, stop),
            reconciliations: Reconciliations::new(
                &settings.metrics,
                releases.clone(),
                memory.clone(),
            ),
            targets: Targets::new(client.clone(), cluster, settings.fence),
            sources: watched.sources,
            events: Events::new(client.clone(), "helm-controller", &settings.identity),
            burst: Burst::of(settings.concurrency * 2),
            at_work: Arc::new(Semaphore::new(settings.concurrency.max(1))),
            identity: settings.identity,
            guard: settings.guard,
            locks: Mutex::default(),
            client,
            newest: watched.newest,
            releases,
            memory,
            shutdown,
        }
    }

    /// Of two objects that name the same Helm release, one at a time is at work.
    fn lock(&self, release: &str) -> Arc<Lock> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(release).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(Lock::default());
        locks.insert(release.to_owned(), Arc::downgrade(&lock));
        lock
    }

    /// On the heap: it goes from hand to hand, and each would have a place for it in its future.
    fn report(&self, release: &HelmRelease) -> Box<Report> {
        let (client, events) = (self.client.clone(), self.events.clone());
        Box::new(Report::new(client, events, self.memory.clone(), release))
    }

    /// The object as it is now, if the copy at hand is known to be older. None: it is gone.
    async fn fresh(
        &self,
        release: Arc<HelmRelease>,
    ) -> Result<Option<Arc<HelmRelease>>, kube::Error> {
        let uid = release.uid().unwrap_or_default();
        let newer = release.metadata.deletion_timestamp.is_none()
            && self.newest.outdated(&uid, release.metadata.generation.unwrap_or(0));
        if !newer && !self.memory.is_stale(&release) {
            return Ok(Some(release));
        }
        let api: Api<HelmRelease> = Api::namespaced(self.client.clone(), &release.own_namespace());
        let name = release.name_any();
        let found = error::retried(|| api.get_opt(&name)).await?;
        Ok(found.filter(|found| found.uid() == release.uid()).map(Arc::new))
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

impl Error {
    /// The reason of the Ready condition.
    fn reason(&self) -> &'static str {
        match self {
            Self::Release(_) => reason::STATE_ERROR,
            Self::Api(_) | Self::Cluster(_) => reason::RECONCILE_ERROR,
        }
    }

    /// Whether the cluster was out of reach or busy, or another writer was met.
    fn is_of_cluster(&self) -> bool {
        match self {
            Self::Release(error) => error.leaves_pending(),
            Self::Api(error) => error::transient(error) || error::is_code(error, 409),
            Self::Cluster(error) => error.transient() || error.stopped(),
        }
    }

    /// Whether two writers met, which the next look settles: nobody needs to be told.
    fn passes(&self) -> bool {
        match self {
            Self::Release(error) => {
                matches!(error, release::Error::Conflict { .. } | release::Error::Missing { .. })
            }
            Self::Api(error) => error::is_code(error, 409),
            Self::Cluster(_) => false,
        }
    }
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
    let uid = release.uid().unwrap_or_default();
    let print = context.memory.fingerprint(&release);
    if let Some(rest) = context.memory.resting(&uid, &print) {
        return Ok(rest.into());
    }
    tokio::select! {
        rest = context.burst.run(|| attempt(release, &context)) => Ok(rest.into()),
        () = context.shutdown.cancelled() => Ok(Action::await_change()),
    }
}

/// One attempt, and when the next one is due.
async fn attempt(release: Arc<HelmRelease>, context: &Context) -> Rest {
    let _counted = context.reconciliations.begin();
    let (uid, name) = (release.uid().unwrap_or_default(), release.name_any());
    let release = match context.fresh(release).await {
        Ok(Some(release)) => release,
        Ok(None) => {
            context.memory.forget(&uid);
            return Rest::UNTIL_CHANGE;
        }
        Err(error) => {
            let pause = context.memory.short_pause(&uid);
            let error = error::explain(&error);
            tracing::warn!(release = name, error, "cannot be read: again in {}s", pause.as_secs());
            return Rest::of(pause);
        }
    };
    // Taken before anything is read, so that whatever changes from now on is looked at.
    let print = context.memory.fingerprint(&release);
    let mut redactor = Redactor::default();
    let rest = match reconcile(&release, context, &mut redactor).boxed().await {
        Ok(rest) => rest,
        Err(error) => {
            let pause = match error.is_of_cluster() {
                true => context.memory.short_pause(&uid),
                false => context.memory.pause(&uid, None),
            };
            let next = status::time_of_day(clock::now() + pause);
            let message = redactor.redact(&format!("{error}; next attempt at {next}"));
            tracing::warn!(release = name, message, "not reconciled");
            if !error.passes() {
                tell(context, &release, error.reason(), &message).boxed().await;
            }
            Rest::of(pause)
        }
    };
    if release.metadata.deletion_timestamp.is_some() && rest == Rest::UNTIL_CHANGE {
        context.memory.forget(&uid);
    } else {
        context.memory.rest(&uid, print, rest);
    }
    rest
}

/// Says in the status why an attempt ended early, as far as the cluster can be reached.
async fn tell(context: &Context, release: &HelmRelease, reason: &str, message: &str) {
    let api: Api<HelmRelease> = Api::namespaced(context.client.clone(), &release.own_namespace());
    // The attempt may have written the status itself: only what is there now may be added to.
    let told = async {
        let name = release.name_any();
        let Some(release) = error::retried(|| api.get_opt(&name)).await? else { return Ok(()) };
        let mut report = context.report(&release);
        report.draft().not_ready(reason, message);
        report.save().await
    };
    if let Err(error) = told.await {
        tracing::warn!(release = release.name_any(), error = error::explain(&error), "not told");
    }
}

async fn reconcile(
    release: &HelmRelease,
    context: &Context,
    redactor: &mut Redactor,
) -> Result<Rest, Error> {
    let mut report = context.report(release);
    if release.metadata.deletion_timestamp.is_some() {
        return match has_finalizer(release) {
            true => finalize(release, context, report, redactor).boxed().await,
            false => Ok(Rest::UNTIL_CHANGE),
        };
    }
    let release_name = match release.release_name() {
        Ok(name) => name,
        Err(invalid) => {
            let message = format!("spec.releaseName: {invalid}");
            return refuse(&mut report, reason::UNSUPPORTED, &message).await;
        }
    };
    if plan::answer(release, release_name.as_str(), context, &mut report).boxed().await {
        report.save().await?;
    }
    if release.is_suspended() {
        return Ok(Rest::UNTIL_CHANGE);
    }
    if let Some(unsupported) = unsupported::first(release) {
        return refuse(&mut report, reason::UNSUPPORTED, &unsupported.to_string()).await;
    }
    if let Err(invalid) = selector::check(release).and_then(|()| post_render::check(&release.spec))
    {
        return refuse(&mut report, reason::UNSUPPORTED, &invalid).await;
    }
    if let Err(invalid) = act::checks(release) {
        return refuse(&mut report, reason::INVALID_CEL_EXPRESSION, &invalid).await;
    }
    if release.spec.chart.is_none() && release.spec.chart_ref.is_none() {
        let message = "neither spec.chart nor spec.chartRef is set: name a chart";
        return refuse(&mut report, reason::UNSUPPORTED, message).await;
    }
    let lock = context.lock(release_name.as_str());
    let _alone = lock.lock().await;
    if !has_finalizer(release) {
        set_finalizer(context, release, true).boxed().await?;
    }
    let target = match context.targets.of(release).boxed().await {
        Ok(target) => target,
        Err(error) => {
            let (reason, message) = (reason::REST_CLIENT_ERROR, error.to_string());
            return not_ready(&mut report, context, release, reason, &message, None).await;
        }
    };
    let mut session = Session::new(release, release_name.as_str(), context, target, report);
    let outcome = steps(&mut session, release, context).await;
    let paid = session.pay().await;
    *redactor = session.report.redactor.clone();
    outcome.and_then(|rest| paid.map(|()| rest))
}

/// Values, chart, and what follows from them; but first what needs neither.
async fn steps(
    session: &mut Session<'_>,
    release: &HelmRelease,
    context: &Context,
) -> Result<Rest, Error> {
    session.forced = requests(&mut session.report, release);
    name_chart(&mut session.report, release, context).await?;
    let values = read_values(session, release, context).await;
    if let Some(rest) = session.begin().boxed().await? {
        return Ok(rest);
    }
    session.report.status.storage_namespace = Some(release.storage_namespace());
    if let Some(rest) = waits(session, release, context).await? {
        return Ok(rest);
    }
    let values = match values {
        Ok(values) => values,
        Err(error) => {
            let message = format!("could not resolve values: {error}");
            let (report, reason) = (&mut session.report, reason::VALUES_ERROR);
            return not_ready(report, context, release, reason, &message, None).await;
        }
    };
    let pulled = context.sources.chart(release).boxed().await;
    if let Some(template) = &release.spec.chart {
        let published = helm_chart::publish(&context.client, release, template, pulled.as_ref());
        if let Err(error) = published.boxed().await {
            // It is there for people to read; nothing depends on it.
            let error = error::explain(&error);
            tracing::warn!(release = release.name_any(), error, "the HelmChart was not written");
        }
    }
    let pulled = match pulled {
        Ok(pulled) => pulled,
        Err(error) => {
            let (reason, asked) = (error.reason(), error.retry_after());
            let (report, message) = (&mut session.report, error.to_string());
            return not_ready(report, context, release, reason, &message, asked).await;
        }
    };
    session.run(&pulled, &values.merged).boxed().await
}

/// The status names the HelmChart of the template. Of one that is no longer meant, nothing is left.
async fn name_chart(
    report: &mut Report,
    release: &HelmRelease,
    context: &Context,
) -> Result<(), Error> {
    let name = format!("{}/{}", release.helm_chart_namespace(), release.helm_chart_name());
    let meant = release.spec.chart.is_some();
    if !meant && report.status.helm_chart.as_ref() == Some(&name) {
        helm_chart::remove(&context.client, release).boxed().await?;
    }
    report.status.helm_chart = meant.then_some(name);
    Ok(())
}

/// Says so if a dependency is not ready. Its changes are watched; of other namespaces it is asked again.
async fn waits(
    session: &mut Session<'_>,
    release: &HelmRelease,
    context: &Context,
) -> Result<Option<Rest>, Error> {
    let Err(error) = dependencies::ready(&context.client, release).await else { return Ok(None) };
    let report = &mut session.report;
    let message = error.to_string();
    if error.for_good() {
        return refuse(report, reason::INVALID_CEL_EXPRESSION, &message).await.map(Some);
    }
    let known = report.status.conditions.iter().any(|c| c.message == message);
    report.draft().not_ready(reason::DEPENDENCY_NOT_READY, &message);
    report.save().await?;
    if !known {
        report.event(false, reason::DEPENDENCY_NOT_READY, &message).await;
    }
    Ok(Some(Rest::of(ASKED_AGAIN)))
}

/// Reads the values, so that the session knows which texts are secret.
async fn read_values(
    session: &mut Session<'_>,
    release: &HelmRelease,
    context: &Context,
) -> Result<values::Values, values::Error> {
    let values = values::read(&context.client, release).boxed().await;
    match &values {
        Ok(values) => session.report.redactor = values.redactor.clone(),
        Err(_) => {
            let references = &release.spec.values_from;
            session.secrets_unknown = references.iter().any(|r| r.kind == ValuesKind::Secret);
        }
    }
    values
}

/// Notes the annotations by which people ask for something. Some: an upgrade by force is asked for.
fn requests(report: &mut Report, release: &HelmRelease) -> Option<String> {
    let requested = release.request(annotation::REQUESTED_AT).map(str::to_owned);
    let reset = release.request(annotation::RESET_AT).map(str::to_owned);
    if reset.is_some() && reset == requested && report.status.last_handled_reset_at != reset {
        report.draft().forget_failures();
        report.status.last_handled_reset_at = reset;
    }
    let forced = release.request(annotation::FORCE_AT).map(str::to_owned);
    let forced = forced.filter(|at| {
        requested.as_ref() == Some(at) && report.status.last_handled_force_at.as_ref() != Some(at)
    });
    if requested.is_some() {
        report.status.last_handled_reconcile_at = requested;
    }
    forced
}
