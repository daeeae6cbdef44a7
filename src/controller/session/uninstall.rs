//! The end of a release: with its object, or of what a failed install left.

use super::wording::{chart, full_name};
use super::{Next, Session};
use crate::controller::memory::Rest;
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::{act, claim, status};
use crate::model::condition::reason;
use crate::release::record::Status;
use crate::release::storage::Stored;
use crate::release::uninstall;

impl Session<'_> {
    /// Uninstalls what a failed install left.
    pub(super) async fn remove(&mut self, observation: Observation) -> Result<Next, Error> {
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

    /// Does the rest of an uninstallation that was begun.
    pub(super) async fn finish_uninstall(&mut self) -> Result<Next, Error> {
        let options = act::uninstall(self.release);
        let done = uninstall::run(&self.action_context(None, None), &options).await;
        self.ended(done.map(|_| ())).await
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
}
