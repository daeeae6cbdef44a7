//! Revisions that this process did not carry out: taken into the history, or marked as failed.

use super::{Next, Session, wording};
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::status;
use crate::model::condition::reason;
use crate::release::deploy;
use crate::release::record::Status;

impl Session<'_> {
    /// Takes the newest revision into the history: one that a person installed and that is what is wanted,
    /// or one of our own whose end this process did not see.
    pub(super) async fn note(
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
                wording::full_name(&latest.record),
                wording::chart(&latest.record)
            );
            self.report.event(true, "Adopted", &message).await;
        } else if !counts && latest.record.info.status == Status::Failed {
            self.superseded(latest).await?;
        } else {
            // Whoever did not note it may not have come to what follows a deployment, either.
            if latest.record.info.status == Status::Deployed {
                let max = self.release.max_history().unwrap_or(0);
                deploy::tidy(&self.storage, latest.record.version, max).await?;
            }
            self.conclude(latest, None).await?;
        }
        Ok(Next::Again)
    }

    /// Marks a pending revision as failed. It is no failure of ours, and not counted.
    pub(super) async fn unlock(
        &mut self,
        observation: Observation,
        why: &str,
    ) -> Result<Next, Error> {
        let Some(mut latest) = observation.latest else { return Ok(Next::Again) };
        let message = format!(
            "release {} was locked with status '{}' and is marked as failed: {why}",
            wording::full_name(&latest.record),
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
}
