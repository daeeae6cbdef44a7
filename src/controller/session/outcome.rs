//! What came of an action: noted, counted, told.

use super::wording::{awaiting_tests, failed, rolled_back, succeeded};
use super::{Next, Session};
use crate::api::helm_release::AttemptedAction;
use crate::cluster;
use crate::cluster::clock;
use crate::controller::memory::Rest;
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::status::{self, Tests};
use crate::model::condition::reason;
use crate::release::record::Status;
use crate::release::storage::Stored;
use crate::release::{self, deploy};

impl Session<'_> {
    pub(super) async fn settle(
        &mut self,
        done: Result<Stored, release::Error>,
    ) -> Result<Next, Error> {
        match done {
            Err(error) if error.leaves_pending() => self.ended(Err(error)).await,
            Err(error) => match Observation::of(&self.storage).await?.latest {
                Some(stored) => self.broke_off(&stored, &error).await,
                None => Ok(Next::Again),
            },
            Ok(stored) => self.concluded(stored).await,
        }
    }

    /// An action that ended with an error, its revision marked as failed.
    pub(super) async fn broke_off(
        &mut self,
        stored: &Stored,
        error: &release::Error,
    ) -> Result<Next, Error> {
        if matches!(error, release::Error::Cluster(cluster::Error::Preempted)) {
            self.superseded(stored).await?;
            return Ok(Next::Done(Rest::NONE));
        }
        self.conclude(stored, Some(error)).await?;
        Ok(Next::Again)
    }

    /// Notes a revision that was given up because something else is wanted: no failure of anybody's.
    pub(super) async fn superseded(&mut self, stored: &Stored) -> Result<(), Error> {
        self.report.draft().note(status::snapshot(stored, status::action_of(stored)));
        self.report.save().await?;
        Ok(())
    }

    pub(super) async fn concluded(&mut self, stored: Stored) -> Result<Next, Error> {
        self.conclude(&stored, None).await?;
        self.applied = Some(stored.record.version);
        Ok(Next::Again)
    }

    /// An action that was interrupted, or ended without anything to note.
    pub(super) async fn ended(&mut self, done: Result<(), release::Error>) -> Result<Next, Error> {
        let Err(error) = done else { return Ok(Next::Again) };
        let pause = self.context.memory.short_pause(&self.uid);
        let told = self.report.redactor.redact(&error.to_string());
        tracing::warn!(release = self.object, error = told, "will be resumed");
        let next = status::time_of_day(clock::now() + pause);
        self.report.draft().waiting(&format!("{error}; next attempt at {next}"));
        self.report.save().await?;
        Ok(Next::Done(Rest::of(pause)))
    }

    /// Notes what became of a revision that has ended: history, conditions, counters, Event.
    pub(super) async fn conclude(
        &mut self,
        stored: &Stored,
        error: Option<&release::Error>,
    ) -> Result<(), Error> {
        let record = &stored.record;
        let action = status::action_of(stored);
        let good = record.info.status == Status::Deployed;
        let why = error.map_or_else(|| record.info.description.clone(), ToString::to_string);
        self.report.draft().note(status::snapshot(stored, action));
        let objects = deploy::placed_where_served(&self.cluster, record).await;
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
            } else if Tests::of(self.release) != Tests::NotRun {
                self.report.draft().awaiting_tests(&awaiting_tests(record));
            }
        }
        // What follows a success writes the status anyway; a failure is counted before anything else is done.
        if good {
            self.owed = true;
        } else {
            self.report.save().await?;
        }
        self.report.event(good, reason, &message).await;
        Ok(())
    }

    /// Writes what came of an action, if nothing that was done since has.
    pub async fn pay(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.owed) {
            self.report.save().await?;
        }
        Ok(())
    }

    pub(super) fn count_failure(&mut self) {
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
