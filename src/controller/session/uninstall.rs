//! The end of a release: with its object, or of what a failed install left.

use tokio_util::sync::CancellationToken;

use super::wording::{chart, full_name};
use super::{Next, Session};
use crate::controller::memory::Rest;
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::{act, claim, status};
use crate::model::condition::reason;
use crate::release::record::Status;
use crate::release::storage::{Storage, Stored};
use crate::release::{self, Record, uninstall};

impl Session<'_> {
    /// Uninstalls whatever the storage knows of. It is not ended by a newer spec.
    async fn carry_off(
        &self,
        storage: &Storage,
        options: &uninstall::Options,
    ) -> Result<Option<Record>, release::Error> {
        let context = release::Context {
            cluster: &self.cluster,
            storage,
            identity: &self.context.identity,
            stop: self.context.shutdown.clone(),
            preempt: CancellationToken::new(),
            progress: None,
            turn: None,
        };
        uninstall::run(&context, options).await
    }

    /// Uninstalls what a failed install left.
    pub(super) async fn remove(&mut self, observation: Observation) -> Result<Next, Error> {
        let Some(latest) = &observation.latest else { return Ok(Next::Again) };
        let mut options = act::uninstall(self.release);
        options.keep_history = false;
        let done = self.carry_off(&self.storage, &options).await;
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

    /// Uninstalls a release whose chart has another name now; its successor is installed anew.
    pub(super) async fn reinstall(
        &mut self,
        observation: Observation,
        why: &str,
    ) -> Result<Next, Error> {
        let Some(latest) = &observation.latest else { return Ok(Next::Again) };
        let storage = self.storage.clone();
        match self.take_down(&storage, latest, why).await? {
            None => Ok(Next::Again),
            Some(rest) => Ok(Next::Done(rest)),
        }
    }

    /// Uninstalls what this object has made under another name or in another namespace, before it is made anew where
    /// the spec says now. Some: it is still there.
    pub(super) async fn leave(&mut self) -> Result<Option<Rest>, Error> {
        let Some(head) = self.report.status.history.first() else { return Ok(None) };
        let kept = self.report.status.storage_namespace.as_deref();
        let kept = kept.unwrap_or(self.storage.namespace());
        let wanted = self.release.release_namespace();
        let same = head.name == self.storage.release()
            && head.namespace == wanted
            && kept == self.storage.namespace();
        if same {
            return Ok(None);
        }
        let why = format!(
            "it was {} with its records in {kept}, and {wanted}/{} with records in {} is wanted",
            head.full_name(),
            self.storage.release(),
            self.storage.namespace()
        );
        let storage = self.elsewhere(kept, &head.name);
        let observation = Observation::of(&storage).await?;
        let history = &self.report.status.history;
        let ours = |l: &&Stored| {
            claim::uninstalls(l, storage.holder(), history)
                && l.record.info.status != Status::Uninstalled
        };
        match observation.latest.as_ref().filter(ours) {
            Some(latest) => self.take_down(&storage, latest, &why).await,
            None => {
                self.forget_release();
                Ok(None)
            }
        }
    }

    /// Uninstalls a release so that it can be made anew. Some: that failed, and is tried again after this time.
    async fn take_down(
        &mut self,
        storage: &Storage,
        latest: &Stored,
        why: &str,
    ) -> Result<Option<Rest>, Error> {
        let (name, chart) = (full_name(&latest.record), chart(&latest.record));
        let doing = format!("Uninstalling release {name}: {why}");
        self.report.draft().progressing(&doing);
        self.report.save().await?;
        let done = self.carry_off(storage, &act::uninstall(self.release)).await;
        match done {
            Ok(_) => {
                let message = format!(
                    "Helm uninstall succeeded for release {name} with chart {chart}: {why}"
                );
                self.forget_release();
                self.report.save().await?;
                self.report.event(true, reason::UNINSTALL_SUCCEEDED, &message).await;
                Ok(None)
            }
            Err(error) if error.leaves_pending() => Err(error.into()),
            Err(error) => {
                let pause = self.context.memory.pause(&self.uid, None);
                let message =
                    format!("Helm uninstall failed for release {name} with chart {chart}: {error}");
                self.report.draft().not_ready(reason::UNINSTALL_FAILED, &message);
                self.report.save().await?;
                self.report.event(false, reason::UNINSTALL_FAILED, &message).await;
                Ok(Some(Rest::of(pause)))
            }
        }
    }

    fn forget_release(&mut self) {
        self.report.status.history.clear();
        self.report.status.inventory = None;
        self.report.draft().forget_failures();
    }

    /// Does the rest of an uninstallation that was begun.
    pub(super) async fn finish_uninstall(&mut self) -> Result<Next, Error> {
        let options = act::uninstall(self.release);
        let done = self.carry_off(&self.storage, &options).await;
        self.ended(done.map(|_| ())).await
    }

    /// Uninstalls the release because its object is being deleted. True: nothing of it is left.
    pub async fn uninstall(&mut self) -> Result<bool, Error> {
        let observation = Observation::of(&self.storage).await?;
        let history = &self.report.status.history;
        let holder = self.storage.holder();
        let ours = |l: &Stored| claim::uninstalls(l, holder, history);
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
        match self.carry_off(&self.storage, &options).await {
            Ok(_) => {
                let message =
                    format!("Helm uninstall succeeded for release {name} with chart {chart}");
                self.report.event(true, reason::UNINSTALL_SUCCEEDED, &message).await;
                Ok(true)
            }
            Err(error) if error.leaves_pending() => Err(error.into()),
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
}
