//! One reconciliation of one release: observe the storage, decide, act, report; until there is nothing to do.
//!
//! What a decision leads to, by name: [`deploy`] (install, upgrade), [`test`], [`resume`], [`rollback`],
//! [`uninstall`], [`note`] (revisions of others), [`idle`] (nothing but [`drift`]). [`work`] is an action while it lasts,
//! [`outcome`] notes what came of it, in the words of [`wording`].

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use pinnace_engine::values::merge;
use serde_json::{Map, Value};

use super::claim;
use super::decide::{self, Decision, Renamed, Situation};
use super::memory::Rest;
use super::observe::{self, Observation};
use super::post_render;
use super::reconcile::{Context, Error};
use super::report::Report;
use super::source::Pulled;
use super::state::{self, Observed, TestFailures, Wanted};
use super::status::Tests;
use super::target::Target;
use crate::api::helm_release::{AttemptedAction, ChartNameChangeStrategy, HelmRelease};
use crate::cluster::clock;
use crate::cluster::{Cluster, error};
use crate::model::condition::{RELEASED, REMEDIATED, reason};
use crate::release::record::{self, Status};
use crate::release::storage::{Storage, Stored};

mod deploy;
mod drift;
mod idle;
mod note;
mod outcome;
mod resume;
mod rollback;
mod test;
mod uninstall;
pub(super) mod wording;
mod work;

/// Actions in one reconciliation: more than any way through the states takes.
const MAX_STEPS: usize = 10;

pub struct Session<'a> {
    release: &'a HelmRelease,
    context: &'a Context,
    /// Where the release is, and as whom it is reached.
    cluster: Cluster,
    /// Whether that is the cluster that this process watches.
    watched: bool,
    storage: Storage,
    pub(super) report: Box<Report>,
    object: String,
    uid: String,
    /// Values of Secrets may be in the release, and cannot be read: no value of the release is to be told.
    pub(super) secrets_unknown: bool,
    /// The request for one upgrade by force that is not yet fulfilled.
    pub(super) forced: Option<String>,
    /// The values of the deployed revision, if they are to be kept (`upgrade.preserveValues`).
    preserved: Option<Map<String, Value>>,
    /// What was found in the storage, as long as nothing was done since.
    observed: Option<Observation>,
    /// Whether nothing can happen to the release's objects unseen.
    settled: bool,
    /// The revision that this session has just applied in full.
    applied: Option<u32>,
    /// Whether the status may lack what came of an action ([`Session::pay`]).
    owed: bool,
}

/// What comes after a step.
enum Next {
    Again,
    Done(Rest),
}

impl<'a> Session<'a> {
    /// `name` is Helm's name of the release.
    pub fn new(
        release: &'a HelmRelease,
        name: &str,
        context: &'a Context,
        target: Target,
        report: Box<Report>,
    ) -> Self {
        let client = target.cluster.client().clone();
        let storage = Storage::new(client, &release.storage_namespace(), name)
            .held_by(&claim::holder(release))
            .noted_in(context.memory.written());
        Self {
            release,
            context,
            cluster: target.cluster,
            watched: !target.remote,
            storage,
            report,
            object: release.name_any(),
            uid: release.uid().unwrap_or_default(),
            secrets_unknown: false,
            forced: None,
            preserved: None,
            observed: None,
            applied: None,
            owed: false,
            settled: false,
        }
    }

    /// The same with its records where they were made, whatever the spec says since.
    pub fn stored_in(mut self, namespace: Option<&str>) -> Self {
        if let Some(namespace) = namespace {
            self.storage = self.elsewhere(namespace, self.storage.release());
        }
        self
    }

    fn elsewhere(&self, namespace: &str, name: &str) -> Storage {
        Storage::new(self.cluster.client().clone(), namespace, name)
            .held_by(&claim::holder(self.release))
            .noted_in(self.context.memory.written())
    }

    fn generation(&self) -> i64 {
        self.release.metadata.generation.unwrap_or(0)
    }

    fn outdated(&self) -> bool {
        self.context.newest.outdated(&self.uid, self.generation())
    }

    /// What needs neither chart nor values: whether the release is this object's to touch, and the end of
    /// what was begun. Some: nothing more is to be done now.
    pub async fn begin(&mut self) -> Result<Option<Rest>, Error> {
        if self.outdated() {
            return Ok(Some(Rest::NONE));
        }
        if let Some(rest) = self.leave().boxed().await? {
            return Ok(Some(rest));
        }
        let observation = Observation::of(&self.storage).await?;
        let latest = observation.latest.as_ref();
        self.hide_values_of(latest);
        let name = self.storage.release();
        let holder = latest.and_then(|l| l.holder.as_deref());
        if let Some(other) = self.taken(name, holder).await? {
            let message = format!(
                "Helm release {name} belongs to HelmRelease {other}: set another spec.releaseName, or delete \
                 one of the two"
            );
            return Ok(Some(self.stalled(reason::STATE_ERROR, &message).await?));
        }
        self.preserve(&observation).await?;
        let same = self.report.status.last_attempted_generation == Some(self.generation());
        let resumable = latest.is_some_and(|latest| {
            let way_back = latest.record.info.status == Status::PendingRollback;
            Observed::resumable(latest, &claim::holder(self.release)) && (way_back || same)
        });
        if !resumable {
            self.observed = Some(observation);
            return Ok(None);
        }
        match self.resume(observation).boxed().await? {
            Next::Again => Ok(None),
            Next::Done(rest) => Ok(Some(rest)),
        }
    }

    /// The name of another object that has the release. What is remembered of the others may be a moment old:
    /// a bad answer is asked for again.
    async fn taken(&self, name: &str, holder: Option<&str>) -> Result<Option<String>, Error> {
        let known = self.context.releases.state();
        if claim::taken(self.release, name, holder, &known).is_none() {
            return Ok(None);
        }
        let api: Api<HelmRelease> =
            Api::namespaced(self.context.client.clone(), &self.release.own_namespace());
        let params = ListParams::default();
        let live = error::retried(|| api.list(&params)).await?;
        let live: Vec<Arc<HelmRelease>> = live.items.into_iter().map(Arc::new).collect();
        Ok(claim::taken(self.release, name, holder, &live))
    }

    /// Remembers the values of the deployed revision, if the spec says that they are to be kept.
    async fn preserve(&mut self, observation: &Observation) -> Result<(), Error> {
        let upgrade = self.release.spec.upgrade.as_ref();
        if upgrade.and_then(|u| u.preserve_values) != Some(true) {
            return Ok(());
        }
        let mut revisions = observation.revisions.iter().rev();
        let Some(deployed) = revisions.find(|r| r.status == Status::Deployed) else {
            return Ok(());
        };
        self.preserved = match &observation.latest {
            Some(latest) if latest.record.version == deployed.version => {
                Some(latest.record.config.clone())
            }
            _ => Some(self.storage.get(deployed.version).await?.record.config),
        };
        Ok(())
    }

    /// What a failed test means for the release; None if none are run.
    fn test_failures(&self) -> Option<TestFailures> {
        let spec = &self.release.spec;
        if Tests::of(self.release) == Tests::NotRun {
            return None;
        }
        let remediation = match self.report.status.last_attempted_release_action {
            Some(AttemptedAction::Install) => spec.install_remediation(),
            Some(AttemptedAction::Upgrade) => spec.upgrade_remediation(),
            // What was adopted has nothing to go back to.
            None => return Some(TestFailures::Ignored),
        };
        Some(match remediation.ignore_test_failures {
            true => TestFailures::Ignored,
            false => TestFailures::Count,
        })
    }

    fn hide_values_of(&mut self, latest: Option<&Stored>) {
        if let Some(latest) = latest.filter(|_| self.secrets_unknown) {
            self.report.redactor.add(&Value::Object(latest.record.config.clone()));
        }
    }

    /// Brings the release to the chart and values that are wanted.
    pub async fn run(
        &mut self,
        pulled: &Pulled,
        config: &Map<String, Value>,
    ) -> Result<Rest, Error> {
        let merged = self.preserved.take().map(|mut kept| {
            merge(&mut kept, config.clone());
            kept
        });
        let config = merged.as_ref().unwrap_or(config);
        let config_digest = record::config_digest(config);
        let version = pulled.chart.version();
        self.report.draft().attempt(version, &pulled.digest, &config_digest);
        if self.forced.is_some() {
            self.report.draft().forget_failures();
        }
        for _ in 0..MAX_STEPS {
            if self.outdated() {
                return Ok(Rest::NONE);
            }
            let observation = match self.observed.take() {
                Some(known) => known,
                None => Observation::of(&self.storage).await?,
            };
            let decision = self.decide(&observation, pulled, config).await?;
            tracing::debug!(release = self.object, ?decision, "decided");
            match self.act(decision, observation, pulled, config).boxed().await? {
                Next::Again => {}
                Next::Done(rest) => return Ok(rest),
            }
        }
        Ok(Rest::of(self.context.memory.pause(&self.uid, None)))
    }

    async fn decide(
        &self,
        observation: &Observation,
        pulled: &Pulled,
        config: &Map<String, Value>,
    ) -> Result<Decision, Error> {
        let status = &self.report.status;
        let observed = Observed {
            latest: observation.latest.as_ref(),
            summary: observation.summary(),
            history: &status.history,
            holder: self.storage.holder().unwrap_or_default(),
        };
        let post_rendering = post_render::digest(&self.release.spec);
        let wanted = Wanted {
            chart_name: pulled.chart.name(),
            chart_version: pulled.chart.version(),
            chart_digest: pulled.counts_digest.then_some(&pulled.digest),
            config,
            post_rendering: post_rendering.as_deref(),
            mirrors: &pulled.mirrors,
            tests: self.test_failures(),
        };
        let mut state = state::of(&observed, &wanted);
        if let (state::State::InSync, Some(at)) = (&state, &self.forced) {
            state = state::State::OutOfSync { why: format!("it was asked for at {at}") };
        }
        let target = match state {
            state::State::Failed { .. } => {
                let tests = self.test_failures();
                observe::rollback_target(&self.storage, observation, &status.history, tests).await?
            }
            _ => None,
        };
        let count = |failures: Option<i64>| u64::try_from(failures.unwrap_or(0)).unwrap_or(0);
        let situation = Situation {
            install: self.release.spec.install_remediation(),
            upgrade: self.release.spec.upgrade_remediation(),
            install_retry: self.release.spec.install_retry(),
            upgrade_retry: self.release.spec.upgrade_retry(),
            install_failures: count(status.install_failures),
            upgrade_failures: count(status.upgrade_failures),
            failures: count(status.failures),
            last_action: status.last_attempted_release_action,
            rollback_target: target.map(|t| t.record.version),
            removable: !observation.once_worked()
                && observed.latest.is_some_and(|l| l.holder.as_deref() == self.storage.holder()),
            reuse: self.release.spec.install.as_ref().and_then(|i| i.replace) != Some(false),
            renamed: self.renamed(observation, pulled),
            last_attempt: self.last_attempt(observation),
            patience: self.release.upgrade_timeout(),
            now: clock::now(),
        };
        Ok(decide::decide(&state, &situation))
    }

    /// When the last attempt ended. Of an install whose remains were removed, the conditions alone tell.
    fn last_attempt(&self, observation: &Observation) -> Option<DateTime<Utc>> {
        let written = observation.summary().and_then(|s| s.modified);
        let outcome = |c: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
            c.type_ == REMEDIATED || (c.type_ == RELEASED && c.status == "False")
        };
        let told = self.report.status.conditions.iter().filter(outcome);
        let told =
            told.filter_map(|c| DateTime::from_timestamp(c.last_transition_time.0.as_second(), 0));
        written.or_else(|| told.max())
    }

    /// What an upgrade means that would put another chart into the release.
    fn renamed(&self, observation: &Observation, pulled: &Pulled) -> Option<Renamed> {
        let latest = &observation.latest.as_ref()?.record;
        let upgrade = self.release.spec.upgrade.as_ref();
        let strategy = upgrade.and_then(|u| u.chart_name_change_strategy).unwrap_or_default();
        let (old, new) = (latest.chart_name(), pulled.chart.name());
        if old == new || strategy == ChartNameChangeStrategy::InPlaceUpdate {
            return None;
        }
        let made = self.report.status.history.first().is_some_and(|head| {
            head.chart_name == old && head.version == i64::from(latest.version)
        });
        Some(if made {
            Renamed::Reinstall { why: format!("its chart is {old}, not {new}") }
        } else {
            Renamed::NotOurs {
                message: format!(
                    "the chart of the release is {old}, it was not installed for this object, and {new} is \
                     wanted: set spec.upgrade.chartNameChangeStrategy to InPlaceUpdate, or uninstall it first"
                ),
            }
        })
    }

    async fn act(
        &mut self,
        decision: Decision,
        observation: Observation,
        pulled: &Pulled,
        config: &Map<String, Value>,
    ) -> Result<Next, Error> {
        match decision {
            Decision::Ready => self.ready(&observation).boxed().await,
            Decision::Wait { until, why } => self.wait(until, &why).boxed().await,
            Decision::Stall { reason, message } => self.stall(reason, &message).boxed().await,
            Decision::Note { adopted, counts } => {
                self.note(&observation, adopted, counts).boxed().await
            }
            Decision::Unlock { why } => self.unlock(observation, why).boxed().await,
            Decision::Install { revision } => {
                self.deploy(revision, None, pulled, config, "it is not installed").boxed().await
            }
            Decision::Upgrade { why } => {
                let revision = observation.version() + 1;
                self.deploy(revision, observation.latest, pulled, config, &why).boxed().await
            }
            Decision::Resume => self.resume(observation).boxed().await,
            Decision::Rollback { to } => self.rollback(observation, to).boxed().await,
            Decision::Remove => self.remove(observation).boxed().await,
            Decision::FinishUninstall => self.finish_uninstall().boxed().await,
            Decision::Test => self.test(observation).boxed().await,
            Decision::Reinstall { why } => self.reinstall(observation, &why).boxed().await,
        }
    }
}
