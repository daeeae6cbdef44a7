//! One reconciliation of one release: observe the storage, decide, act, report; until there is nothing to do.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use kube::ResourceExt as _;
use pinnace_engine::render::Operation;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::claim;
use super::decide::{self, Decision, Situation};
use super::memory::Rest;
use super::observe::{self, Observation};
use super::reconcile::{Context, Error};
use super::report::Report;
use super::source::Pulled;
use super::state::{self, Observed, Wanted};
use super::{act, render, status};
use crate::api::helm_release::{AttemptedAction, ChartNameChangeStrategy, HelmRelease};
use crate::cluster;
use crate::model::condition::{RELEASED, REMEDIATED, reason};
use crate::release::record::{self, Status};
use crate::release::storage::{Storage, Stored, Summary};
use crate::release::{self, deploy, install, resume, rollback, uninstall, upgrade};

/// Actions in one reconciliation: more than any way through the states takes.
const MAX_STEPS: usize = 10;

pub struct Session<'a> {
    release: &'a HelmRelease,
    context: &'a Context,
    storage: Storage,
    pub(super) report: Report,
    object: String,
    uid: String,
    /// Values of Secrets may be in the release, and cannot be read: no value of the release is to be told.
    pub(super) secrets_unknown: bool,
    /// The request for one upgrade by force that is not yet fulfilled.
    pub(super) forced: Option<String>,
}

/// What comes after a step.
enum Next {
    Again,
    Done(Rest),
}

impl<'a> Session<'a> {
    /// `name` is Helm's name of the release.
    pub fn new(release: &'a HelmRelease, name: &str, context: &'a Context, report: Report) -> Self {
        let namespace = release.storage_namespace();
        let storage =
            Storage::new(context.client.clone(), &namespace, name).held_by(&claim::holder(release));
        Self {
            release,
            context,
            storage,
            report,
            object: release.name_any(),
            uid: release.uid().unwrap_or_default(),
            secrets_unknown: false,
            forced: None,
        }
    }

    fn generation(&self) -> i64 {
        self.release.metadata.generation.unwrap_or(0)
    }

    fn outdated(&self) -> bool {
        self.context.newest.outdated(&self.uid, self.generation())
    }

    /// Ends once the object asks for something newer.
    fn preempt(&self) -> (CancellationToken, tokio_util::sync::DropGuard) {
        self.context.newest.token(&self.uid, self.generation())
    }

    /// What needs neither chart nor values: whether the release is this object's to touch, and the end of
    /// what was begun. Some: nothing more is to be done now.
    pub async fn begin(&mut self) -> Result<Option<Rest>, Error> {
        if self.outdated() {
            return Ok(Some(Rest::NONE));
        }
        if let Some(message) = self.moved().await? {
            return Ok(Some(self.stalled(reason::UNSUPPORTED, &message).await?));
        }
        let observation = Observation::of(&self.storage).await?;
        let latest = observation.latest.as_ref();
        self.hide_values_of(latest);
        let name = self.storage.release();
        let holder = latest.and_then(|l| l.holder.as_deref());
        let others = self.context.releases.state();
        if let Some(other) = claim::taken(self.release, name, holder, &others) {
            let message = format!(
                "Helm release {name} belongs to HelmRelease {other}: set another spec.releaseName, or delete \
                 one of the two"
            );
            return Ok(Some(self.stalled(reason::STATE_ERROR, &message).await?));
        }
        let same = self.report.status.last_attempted_generation == Some(self.generation());
        let resumable = latest.is_some_and(|latest| {
            let way_back = latest.record.info.status == Status::PendingRollback;
            Observed::resumable(latest, &claim::holder(self.release)) && (way_back || same)
        });
        if !resumable {
            return Ok(None);
        }
        match self.resume(observation).await? {
            Next::Again => Ok(None),
            Next::Done(rest) => Ok(Some(rest)),
        }
    }

    /// Whether the release that this object made has another name than the spec says now.
    async fn moved(&self) -> Result<Option<String>, Error> {
        let name = self.storage.release();
        let Some(old) = self.report.status.history.first().filter(|head| head.name != name) else {
            return Ok(None);
        };
        let storage =
            Storage::new(self.context.client.clone(), self.storage.namespace(), &old.name);
        let left = storage.list().await?;
        Ok(left.last().filter(|l| l.status != Status::Uninstalled).map(|_| {
            format!(
                "spec.releaseName or spec.targetNamespace has changed: the release {} would become {name}, and \
                 its objects would be left behind: undo the change, or delete this HelmRelease and make it \
                 anew, or uninstall {} with helm first",
                old.name, old.name
            )
        }))
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
            let observation = Observation::of(&self.storage).await?;
            let decision = self.decide(&observation, pulled, config).await?;
            tracing::debug!(release = self.object, ?decision, "decided");
            match self.act(decision, observation, pulled, config).await? {
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
        let wanted = Wanted {
            chart_name: pulled.chart.name(),
            chart_version: pulled.chart.version(),
            chart_digest: &pulled.digest,
            config,
        };
        let mut state = state::of(&observed, &wanted);
        if let (state::State::InSync, Some(at)) = (&state, &self.forced) {
            state = state::State::OutOfSync { why: format!("it was asked for at {at}") };
        }
        let target = match state {
            state::State::Failed { .. } => {
                observe::rollback_target(&self.storage, observation, &status.history).await?
            }
            _ => None,
        };
        let count = |failures: Option<i64>| u64::try_from(failures.unwrap_or(0)).unwrap_or(0);
        let situation = Situation {
            install: self.release.spec.install_remediation(),
            upgrade: self.release.spec.upgrade_remediation(),
            install_failures: count(status.install_failures),
            upgrade_failures: count(status.upgrade_failures),
            failures: count(status.failures),
            last_action: status.last_attempted_release_action,
            rollback_target: target.map(|t| t.record.version),
            removable: !observation.once_worked()
                && observed.latest.is_some_and(|l| l.holder.as_deref() == self.storage.holder()),
            renamed: self.renamed(observation, pulled),
            last_attempt: self.last_attempt(observation),
            patience: self.release.upgrade_timeout(),
            now: Utc::now(),
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

    /// Why an upgrade would put another chart into the release without a word that this is meant.
    fn renamed(&self, observation: &Observation, pulled: &Pulled) -> Option<String> {
        let latest = &observation.latest.as_ref()?.record;
        let upgrade = self.release.spec.upgrade.as_ref();
        let strategy = upgrade.and_then(|u| u.chart_name_change_strategy).unwrap_or_default();
        let (old, new) = (latest.chart_name(), pulled.chart.name());
        if old == new || strategy == ChartNameChangeStrategy::InPlaceUpdate {
            return None;
        }
        Some(format!(
            "the chart of the release is {old}, and {new} is wanted: reinstalling is not supported by this \
             version: set spec.upgrade.chartNameChangeStrategy to InPlaceUpdate, or delete this HelmRelease \
             and make it anew"
        ))
    }

    async fn act(
        &mut self,
        decision: Decision,
        observation: Observation,
        pulled: &Pulled,
        config: &Map<String, Value>,
    ) -> Result<Next, Error> {
        match decision {
            Decision::Ready => self.ready(&observation).await,
            Decision::Wait { until, why } => self.wait(until, &why).await,
            Decision::Stall { reason, message } => self.stall(reason, &message).await,
            Decision::Note { adopted, counts } => self.note(&observation, adopted, counts).await,
            Decision::Unlock { why } => self.unlock(observation, why).await,
            Decision::Install { revision } => {
                self.deploy(revision, None, pulled, config, "it is not installed").await
            }
            Decision::Upgrade { why } => {
                let revision = observation.version() + 1;
                self.deploy(revision, observation.latest, pulled, config, &why).await
            }
            Decision::Resume => self.resume(observation).await,
            Decision::Rollback { to } => self.rollback(observation, to).await,
            Decision::Remove => self.remove(observation).await,
            Decision::FinishUninstall => {
                let options = act::uninstall(self.release);
                let done = uninstall::run(&self.action_context(None, None), &options).await;
                self.ended(done.map(|_| ())).await
            }
        }
    }

    async fn ready(&mut self, observation: &Observation) -> Result<Next, Error> {
        if let Some(latest) = &observation.latest {
            let deployed = |r: &&Summary| r.status == Status::Deployed;
            if observation.revisions.iter().filter(deployed).count() > 1 {
                let max = self.release.max_history().unwrap_or(0);
                deploy::tidy(&self.storage, latest.record.version, max).await?;
            }
            let (reason, verb) = match status::action_of(latest) {
                "install" => (reason::INSTALL_SUCCEEDED, "install"),
                _ => (reason::UPGRADE_SUCCEEDED, "upgrade"),
            };
            let message = succeeded(verb, &latest.record);
            self.report.draft().in_sync(reason, &message);
            if self.report.status.inventory.is_none() {
                let objects =
                    deploy::placed_where_served(&self.context.cluster, &latest.record).await?;
                self.report.status.inventory = Some(status::inventory(&objects));
            }
        }
        self.report.draft().forget_failures();
        self.report.save().await?;
        self.context.memory.no_error(&self.uid);
        // Spread, so that releases that were made together are not looked at together for ever.
        let interval = self.release.interval().max(Duration::from_secs(1));
        Ok(Next::Done(Rest::of(interval.mul_f64(0.95 + rand::random::<f64>() / 10.0))))
    }

    async fn wait(&mut self, until: DateTime<Utc>, why: &str) -> Result<Next, Error> {
        self.report
            .draft()
            .waiting(&format!("{why}: next attempt at {}", status::time_of_day(until)));
        self.report.save().await?;
        let left = (until - Utc::now()).to_std().unwrap_or_default();
        Ok(Next::Done(Rest::of(left + Duration::from_millis(100))))
    }

    async fn stall(&mut self, reason: &str, message: &str) -> Result<Next, Error> {
        Ok(Next::Done(self.stalled(reason, message).await?))
    }

    /// Nothing more is done, except to look again now and then: what is in the way may go.
    async fn stalled(&mut self, reason: &str, message: &str) -> Result<Rest, Error> {
        let text = self.report.redactor.redact(message);
        let stalled = |c: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
            c.type_ == crate::model::condition::STALLED && c.message == text
        };
        let known = self.report.status.conditions.iter().any(stalled);
        self.report.draft().stalled(reason, message);
        self.report.save().await?;
        if !known {
            self.report.event(false, reason, message).await;
        }
        Ok(Rest::of(self.release.interval().max(Duration::from_secs(1))))
    }

    /// Takes the newest revision into the history: one that a person installed and that is what is wanted,
    /// or one of our own whose end this process did not see.
    async fn note(
        &mut self,
        observation: &Observation,
        adopted: bool,
        counts: bool,
    ) -> Result<Next, Error> {
        let Some(latest) = &observation.latest else { return Ok(Next::Again) };
        if adopted {
            let action = status::action_of(latest);
            self.report.draft().note(status::snapshot(latest, action));
            self.report.status.inventory = None;
            let message = format!(
                "adopted {} with chart {} as it is",
                full_name(&latest.record),
                chart(&latest.record)
            );
            self.report.event(true, "Adopted", &message).await;
        } else if !counts && latest.record.info.status == Status::Failed {
            self.superseded(latest).await?;
        } else {
            self.conclude(latest, None).await?;
        }
        Ok(Next::Again)
    }

    /// Marks a pending revision as failed. It is no failure of ours, and not counted.
    async fn unlock(&mut self, observation: Observation, why: &str) -> Result<Next, Error> {
        let Some(mut latest) = observation.latest else { return Ok(Next::Again) };
        let message = format!(
            "release {} was locked with status '{}' and is marked as failed: {why}",
            full_name(&latest.record),
            latest.record.info.status
        );
        latest.owner = None;
        latest.record.set_status(Status::Failed, message.clone());
        self.storage.update(&mut latest).await?;
        self.report.draft().note(status::snapshot(&latest, status::action_of(&latest)));
        self.report.save().await?;
        self.report.event(false, reason::PENDING_RELEASE, &message).await;
        Ok(Next::Again)
    }

    /// Installs (without `latest`) or upgrades.
    async fn deploy(
        &mut self,
        revision: u32,
        latest: Option<Stored>,
        pulled: &Pulled,
        config: &Map<String, Value>,
        why: &str,
    ) -> Result<Next, Error> {
        let (operation, attempted, options, verb) = match latest {
            None => {
                let options = act::install(self.release);
                (Operation::Install, AttemptedAction::Install, options, "install")
            }
            Some(_) => {
                let options = act::upgrade(self.release);
                (Operation::Upgrade, AttemptedAction::Upgrade, options, "upgrade")
            }
        };
        self.report.status.last_attempted_release_action = Some(attempted);
        let doing = format!(
            "Running '{verb}' action with timeout of {}",
            status::go_duration(options.timeout)
        );
        tracing::info!(release = self.object, revision, why, "{verb}");
        let input = render::Input {
            chart: pulled.chart.clone(),
            values: Value::Object(config.clone()),
            release: self.storage.release().to_owned(),
            namespace: self.release.release_namespace(),
            revision,
            operation,
            skip_schema_validation: act::skips_schema(self.release, operation),
        };
        let permit = self.context.renderings.acquire().await;
        let rendered = render::run(&self.context.cluster, input).await;
        drop(permit);
        let (rendered, chart) = match rendered {
            Ok(rendered) => rendered,
            Err(render::Error::Cluster(error)) if error.transient() => return Err(error.into()),
            Err(error) => return self.not_begun(verb, pulled, &error.to_string()).await,
        };
        let wanted = upgrade::Wanted {
            release: self.storage.release(),
            namespace: &self.release.release_namespace(),
            chart,
            chart_digest: Some(&pulled.digest),
            config: config.clone(),
            rendered: &rendered,
            now: Utc::now(),
        };
        if latest.is_none() {
            self.report.status.history.clear();
        }
        if let Some(at) = self.forced.take() {
            self.report.status.last_handled_force_at = Some(at);
        }
        self.report.draft().progressing(&doing);
        self.report.save().await?;
        let started = Instant::now();
        let (progress, told) = watch::channel(String::new());
        let (preempt, _guard) = self.preempt();
        let storage = self.storage.clone();
        let context = action_context(self.context, &storage, Some(preempt), Some(&progress));
        let action = async {
            match &latest {
                None => install::run(&context, &wanted, revision, &options).await,
                Some(latest) => upgrade::run(&context, &wanted, &latest.record, &options).await,
            }
        }
        .boxed();
        let done = act::watched(&mut self.report, &doing, told, action).await;
        let took = format!("{:.3}s", started.elapsed().as_secs_f64());
        self.report.status.last_attempted_release_action_duration = Some(took);
        match done {
            Err(error) if error.leaves_pending() => self.ended(Err(error)).await,
            Err(error) => {
                let after = Observation::of(&self.storage).await?;
                match &after.latest {
                    Some(stored) if stored.record.version == revision => {
                        self.broke_off(stored, &error).await
                    }
                    _ => self.not_begun(verb, pulled, &error.to_string()).await,
                }
            }
            Ok(_) => self.concluded().await,
        }
    }

    /// An action that did not get as far as a record: nothing was changed, and nothing is counted.
    async fn not_begun(&mut self, verb: &str, pulled: &Pulled, why: &str) -> Result<Next, Error> {
        let (name, namespace) = (self.storage.release(), self.storage.namespace());
        let chart = format!("{}@{}", pulled.chart.name(), pulled.chart.version());
        let message =
            format!("Helm {verb} failed for release {namespace}/{name} with chart {chart}: {why}");
        let reason =
            if verb == "install" { reason::INSTALL_FAILED } else { reason::UPGRADE_FAILED };
        let text = self.report.redactor.redact(&message);
        let known = self.report.status.conditions.iter().any(|c| c.message == text);
        self.report.draft().released(false, reason, &message);
        let failures = self.report.status.failures.unwrap_or(0) + 1;
        self.report.status.failures = Some(failures);
        let pause = self.context.memory.pause(&self.uid, None);
        let next = status::time_of_day(Utc::now() + pause);
        self.report.draft().waiting(&format!("nothing was changed; next attempt at {next}"));
        self.report.save().await?;
        if !known {
            self.report.event(false, reason, &message).await;
        }
        Ok(Next::Done(Rest::of(pause)))
    }

    async fn resume(&mut self, observation: Observation) -> Result<Next, Error> {
        let Some(latest) = observation.latest else { return Ok(Next::Again) };
        let options = act::resume(self.release, latest.record.info.status);
        let timeout = status::go_duration(options.timeout);
        let doing =
            format!("Resuming revision {} with timeout of {timeout}", latest.record.version);
        self.report.draft().progressing(&doing);
        self.report.save().await?;
        self.report
            .event(true, "Resumed", &format!("resuming {}", full_name(&latest.record)))
            .await;
        let (progress, told) = watch::channel(String::new());
        let (preempt, _guard) = self.preempt();
        let storage = self.storage.clone();
        let context = action_context(self.context, &storage, Some(preempt), Some(&progress));
        let action = resume::run(&context, latest, &options).boxed();
        let done = act::watched(&mut self.report, &doing, told, action).await;
        self.settle(done).await
    }

    async fn rollback(&mut self, observation: Observation, to: u32) -> Result<Next, Error> {
        let Some(latest) = observation.latest else { return Ok(Next::Again) };
        let target = self.storage.get(to).await?;
        let options = act::rollback(self.release);
        let timeout = status::go_duration(options.timeout);
        let doing = format!("Running 'rollback' action with timeout of {timeout}");
        self.report.draft().progressing(&doing);
        self.report.save().await?;
        let (progress, told) = watch::channel(String::new());
        let (preempt, _guard) = self.preempt();
        let storage = self.storage.clone();
        let context = action_context(self.context, &storage, Some(preempt), Some(&progress));
        let action = rollback::run(&context, &latest.record, target, Utc::now(), &options).boxed();
        let done = act::watched(&mut self.report, &doing, told, action).await;
        self.settle(done).await
    }

    /// Uninstalls what a failed install left.
    async fn remove(&mut self, observation: Observation) -> Result<Next, Error> {
        let Some(latest) = &observation.latest else { return Ok(Next::Again) };
        let mut options = act::uninstall(self.release);
        options.keep_history = false;
        let done = uninstall::run(&self.action_context(None, None), &options).await;
        let (name, chart) = (full_name(&latest.record), chart(&latest.record));
        match done {
            Ok(_) => {
                let message = format!(
                    "Helm uninstall remediation for release {name} with chart {chart} succeeded"
                );
                self.report.draft().remediated(true, reason::UNINSTALL_SUCCEEDED, &message);
                self.report.status.history.clear();
                self.report.status.inventory = None;
                self.report.save().await?;
                self.report.event(true, reason::UNINSTALL_SUCCEEDED, &message).await;
                Ok(Next::Again)
            }
            Err(error) if error.leaves_pending() => self.ended(Err(error)).await,
            Err(error) => {
                let message = format!(
                    "Helm uninstall remediation for release {name} with chart {chart} failed: {error}"
                );
                self.report.draft().remediated(false, reason::UNINSTALL_FAILED, &message);
                self.report.save().await?;
                self.report.event(false, reason::UNINSTALL_FAILED, &message).await;
                Ok(Next::Done(Rest::of(self.context.memory.pause(&self.uid, None))))
            }
        }
    }

    /// Uninstalls the release because its object is being deleted. True: nothing of it is left.
    pub async fn uninstall(&mut self) -> Result<bool, Error> {
        let observation = Observation::of(&self.storage).await?;
        let history = &self.report.status.history;
        let holder = self.storage.holder();
        let ours =
            |l: &Stored| claim::uninstalls(l.record.version, l.holder.as_deref(), holder, history);
        let Some(latest) = observation.latest.filter(ours) else { return Ok(true) };
        self.hide_values_of(Some(&latest));
        if latest.record.info.status == Status::Uninstalled {
            return Ok(true);
        }
        let options = act::uninstall(self.release);
        let timeout = status::go_duration(options.timeout);
        self.report
            .draft()
            .progressing(&format!("Running 'uninstall' action with timeout of {timeout}"));
        self.report.save().await?;
        let (name, chart) = (full_name(&latest.record), chart(&latest.record));
        match uninstall::run(&self.action_context(None, None), &options).await {
            Ok(_) => {
                let message =
                    format!("Helm uninstall succeeded for release {name} with chart {chart}");
                self.report.event(true, reason::UNINSTALL_SUCCEEDED, &message).await;
                Ok(true)
            }
            Err(error) => {
                let message =
                    format!("Helm uninstall failed for release {name} with chart {chart}: {error}");
                self.report.draft().not_ready(reason::UNINSTALL_FAILED, &message);
                self.report.save().await?;
                self.report.event(false, reason::UNINSTALL_FAILED, &message).await;
                Ok(false)
            }
        }
    }

    fn action_context<'b>(
        &'b self,
        preempt: Option<CancellationToken>,
        progress: Option<&'b watch::Sender<String>>,
    ) -> release::Context<'b> {
        action_context(self.context, &self.storage, preempt, progress)
    }

    async fn settle(
        &mut self,
        done: Result<record::Record, release::Error>,
    ) -> Result<Next, Error> {
        match done {
            Err(error) if error.leaves_pending() => self.ended(Err(error)).await,
            Err(error) => match Observation::of(&self.storage).await?.latest {
                Some(stored) => self.broke_off(&stored, &error).await,
                None => Ok(Next::Again),
            },
            Ok(_) => self.concluded().await,
        }
    }

    /// An action that ended with an error, its revision marked as failed.
    async fn broke_off(&mut self, stored: &Stored, error: &release::Error) -> Result<Next, Error> {
        if matches!(error, release::Error::Cluster(cluster::Error::Preempted)) {
            self.superseded(stored).await?;
            return Ok(Next::Done(Rest::NONE));
        }
        self.conclude(stored, Some(error)).await?;
        Ok(Next::Again)
    }

    /// Notes a revision that was given up because something else is wanted: no failure of anybody's.
    async fn superseded(&mut self, stored: &Stored) -> Result<(), Error> {
        self.report.draft().note(status::snapshot(stored, status::action_of(stored)));
        self.report.save().await?;
        Ok(())
    }

    async fn concluded(&mut self) -> Result<Next, Error> {
        if let Some(stored) = Observation::of(&self.storage).await?.latest {
            self.conclude(&stored, None).await?;
        }
        Ok(Next::Again)
    }

    /// An action that was interrupted, or ended without anything to note.
    async fn ended(&mut self, done: Result<(), release::Error>) -> Result<Next, Error> {
        let Err(error) = done else { return Ok(Next::Again) };
        let pause = self.context.memory.pause(&self.uid, None);
        let told = self.report.redactor.redact(&error.to_string());
        tracing::warn!(release = self.object, error = told, "will be resumed");
        let next = status::time_of_day(Utc::now() + pause);
        self.report.draft().waiting(&format!("{error}; next attempt at {next}"));
        self.report.save().await?;
        Ok(Next::Done(Rest::of(pause)))
    }

    /// Notes what became of a revision that has ended: history, conditions, counters, Event.
    async fn conclude(
        &mut self,
        stored: &Stored,
        error: Option<&release::Error>,
    ) -> Result<(), Error> {
        let record = &stored.record;
        let action = status::action_of(stored);
        let good = record.info.status == Status::Deployed;
        let why = error.map_or_else(|| record.info.description.clone(), ToString::to_string);
        self.report.draft().note(status::snapshot(stored, action));
        let objects = deploy::placed_where_served(&self.context.cluster, record).await;
        if let Ok(objects) = objects {
            self.report.status.inventory = Some(status::inventory(&objects));
        }
        let (reason, message) = match (action, good) {
            ("rollback", _) => rolled_back(record, good, &why),
            ("install", true) => (reason::INSTALL_SUCCEEDED, succeeded("install", record)),
            ("install", false) => (reason::INSTALL_FAILED, failed("install", record, &why)),
            (_, true) => (reason::UPGRADE_SUCCEEDED, succeeded("upgrade", record)),
            (_, false) => (reason::UPGRADE_FAILED, failed("upgrade", record, &why)),
        };
        if action == "rollback" {
            self.report.draft().remediated(good, reason, &message);
            if !good {
                let failures = self.report.status.failures.unwrap_or(0) + 1;
                self.report.status.failures = Some(failures);
            }
        } else {
            self.report.draft().released(good, reason, &message);
            if !good {
                self.count_failure();
            }
        }
        self.report.save().await?;
        self.report.event(good, reason, &message).await;
        Ok(())
    }

    fn count_failure(&mut self) {
        let status = &mut self.report.status;
        let more = |count: &mut Option<i64>| *count = Some(count.unwrap_or(0) + 1);
        more(&mut status.failures);
        match status.last_attempted_release_action {
            Some(AttemptedAction::Install) => more(&mut status.install_failures),
            Some(AttemptedAction::Upgrade) => more(&mut status.upgrade_failures),
            None => {}
        }
    }
}

fn action_context<'b>(
    context: &'b Context,
    storage: &'b Storage,
    preempt: Option<CancellationToken>,
    progress: Option<&'b watch::Sender<String>>,
) -> release::Context<'b> {
    release::Context {
        cluster: &context.cluster,
        storage,
        identity: &context.identity,
        stop: context.shutdown.clone(),
        preempt: preempt.unwrap_or_default(),
        progress,
    }
}

/// `<namespace>/<name>.v<revision>`, as Flux's messages name a revision.
fn full_name(record: &record::Record) -> String {
    format!("{}/{}.v{}", record.namespace, record.name, record.version)
}

/// `<chart>@<version>`.
fn chart(record: &record::Record) -> String {
    format!("{}@{}", record.chart_name(), record.chart_version())
}

fn succeeded(verb: &str, record: &record::Record) -> String {
    format!("Helm {verb} succeeded for release {} with chart {}", full_name(record), chart(record))
}

fn failed(verb: &str, record: &record::Record, why: &str) -> String {
    let name = format!("{}/{}", record.namespace, record.name);
    format!("Helm {verb} failed for release {name} with chart {}: {why}", chart(record))
}

fn rolled_back(record: &record::Record, good: bool, why: &str) -> (&'static str, String) {
    let (namespace, name, target) =
        (&record.namespace, &record.name, record.info.rollback_revision);
    let what = format!(
        "Helm rollback to previous release {namespace}/{name}.v{target} with chart {}",
        chart(record)
    );
    if good {
        (reason::ROLLBACK_SUCCEEDED, format!("{what} succeeded"))
    } else {
        (reason::ROLLBACK_FAILED, format!("{what} failed: {why}"))
    }
}
