//! What is left when nothing is done: it is as wanted, it has to wait, or it is stuck.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Next, Session, wording};
use crate::cluster::clock;
use crate::controller::memory::Rest;
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::{dependencies, post_render, status};
use crate::model::condition::{STALLED, reason};
use crate::release::deploy;
use crate::release::record::Status;
use crate::release::storage::Summary;

/// A release of which every change is seen is looked at this often, all the same.
const LONGEST_REST: Duration = Duration::from_secs(6 * 3600);

impl Session<'_> {
    pub(super) async fn ready(&mut self, observation: &Observation) -> Result<Next, Error> {
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
            let message = wording::succeeded(verb, &latest.record);
            self.hold_against_cluster(latest).await?;
            self.report.draft().in_sync(reason, &message);
            let (post_renderers, metadata) = post_render::observed(&self.release.spec);
            self.report.status.observed_post_renderers_digest = post_renderers;
            self.report.status.observed_common_metadata_digest = metadata;
            if self.report.status.inventory.is_none() {
                let objects = deploy::placed_where_served(&self.cluster, &latest.record).await?;
                self.report.status.inventory = Some(status::inventory(&objects));
            }
        }
        self.report.draft().forget_failures();
        self.report.save().await?;
        self.context.memory.no_error(&self.uid);
        let mut interval = self.release.interval().min(self.release.chart_interval());
        if self.settled && !self.release.asks_registry() && self.sees_all() {
            interval = interval.max(LONGEST_REST);
        }
        let interval = interval.max(Duration::from_secs(1));
        // Spread, so that releases that were made together are not looked at together for ever.
        Ok(Next::Done(Rest::of(interval.mul_f64(0.95 + rand::random::<f64>() / 10.0))))
    }

    /// Whether every change of the records and of each dependency is seen.
    fn sees_all(&self) -> bool {
        let (release, own) = (self.release, self.release.own_namespace());
        let records = release.storage_namespace() == own;
        records
            && release.spec.depends_on.iter().all(|d| dependencies::namespace(release, d) == own)
    }

    pub(super) async fn wait(&mut self, until: DateTime<Utc>, why: &str) -> Result<Next, Error> {
        self.report
            .draft()
            .waiting(&format!("{why}: next attempt at {}", status::time_of_day(until)));
        self.report.save().await?;
        let left = (until - clock::now()).to_std().unwrap_or_default();
        Ok(Next::Done(Rest::of(left + Duration::from_millis(100))))
    }

    pub(super) async fn stall(&mut self, reason: &str, message: &str) -> Result<Next, Error> {
        Ok(Next::Done(self.stalled(reason, message).await?))
    }

    /// Nothing more is done, except to look again now and then: what is in the way may go.
    pub(super) async fn stalled(&mut self, reason: &str, message: &str) -> Result<Rest, Error> {
        let text = self.report.redactor.redact(message);
        let stalled = |c: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
            c.type_ == STALLED && c.message == text
        };
        let known = self.report.status.conditions.iter().any(stalled);
        self.report.draft().stalled(reason, message);
        self.report.save().await?;
        if !known {
            self.report.event(false, reason, message).await;
        }
        Ok(Rest::of(self.release.interval().max(Duration::from_secs(1))))
    }
}
