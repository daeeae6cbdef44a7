//! A release that is in sync by its record, held against the cluster.

use super::{Session, wording};
use crate::api::helm_release::DriftDetectionMode;
use crate::cluster::drift::{self, Depth, Drift};
use crate::cluster::object::Owner;
use crate::cluster::{self, Object};
use crate::controller::reconcile::Error;
use crate::controller::selector::{Invalid, Matcher};
use crate::model::condition::reason;
use crate::release::deploy;
use crate::release::storage::Stored;

/// Fields that are named in a message.
const TOLD: usize = 10;

/// Which objects, if not all, and which of their fields may differ.
type Rule = (Option<Matcher>, Vec<String>);

impl Session<'_> {
    /// Compares the objects with the cluster and puts right what the spec says. Without a word in the spec,
    /// objects that are gone come back; `disabled` leaves those too.
    pub(super) async fn hold_against_cluster(&mut self, latest: &Stored) -> Result<(), Error> {
        let mode = self.release.spec.drift_detection.as_ref().and_then(|d| d.mode);
        let depth = match mode {
            Some(DriftDetectionMode::Disabled) => {
                self.report.draft().not_drifted();
                self.settled = self.watched;
                return Ok(());
            }
            Some(DriftDetectionMode::Warn | DriftDetectionMode::Enabled) => Depth::Fields,
            None => Depth::Existence,
        };
        let cluster = &self.cluster;
        let objects = deploy::placed_where_served(cluster, &latest.record).await?;
        // Watched from before the comparison, so that nothing falls in between.
        let mut watched_before = false;
        if self.watched {
            let tracking = self.context.inventory.track(&objects).await;
            (watched_before, self.settled) = (tracking.before, tracking.complete);
        }
        // What was applied a moment ago is there, and whoever takes it away is seen.
        if watched_before && self.applied == Some(latest.record.version) {
            self.report.draft().not_drifted();
            return Ok(());
        }
        let owner = Owner {
            release: self.storage.release().to_owned(),
            namespace: self.release.release_namespace(),
        };
        let rules = self.ignored().unwrap_or_default();
        let found = drift::find(cluster, &objects, &owner, depth, |o| pointers(&rules, o)).await?;
        if found.is_empty() {
            self.report.draft().not_drifted();
            return Ok(());
        }
        let told = told(&found);
        let name = wording::full_name(&latest.record);
        if mode == Some(DriftDetectionMode::Warn) {
            let message = format!("release {name} differs from the cluster: {told}");
            self.settled = false;
            if self.report.draft().drifted(&message) {
                self.report.event(false, reason::DRIFT_DETECTED, &message).await;
            }
            return Ok(());
        }
        self.report.draft().not_drifted();
        match self.restore(&found).await {
            Ok(()) => {
                let message = format!("release {name} was put right: {told}");
                self.report.event(true, reason::DRIFT_CORRECTED, &message).await;
                Ok(())
            }
            Err(error) => {
                let message = format!("release {name} could not be put right: {error}");
                self.report.event(false, reason::DRIFT_CORRECTION_FAILED, &message).await;
                // Without the right to write there is nothing to try again.
                if refused(&error) { Ok(()) } else { Err(error.into()) }
            }
        }
    }

    async fn restore(&self, found: &[Drift]) -> Result<(), cluster::Error> {
        for drift in found {
            drift::restore(&self.cluster, drift).await?;
        }
        Ok(())
    }

    /// The rules of `driftDetection.ignore`: which objects, which pointers.
    fn ignored(&self) -> Result<Vec<Rule>, Invalid> {
        let drift = self.release.spec.drift_detection.as_ref();
        let rules = drift.into_iter().flat_map(|drift| &drift.ignore);
        rules
            .map(|rule| {
                let matcher = rule.target.as_ref().map(Matcher::of).transpose()?;
                Ok((matcher, rule.paths.clone()))
            })
            .collect()
    }
}

fn pointers(rules: &[Rule], object: &Object) -> Vec<String> {
    let meant = |matcher: &Option<Matcher>| matcher.as_ref().is_none_or(|m| m.matches(object));
    rules.iter().filter(|(matcher, _)| meant(matcher)).flat_map(|(_, p)| p.clone()).collect()
}

fn refused(error: &cluster::Error) -> bool {
    matches!(error, cluster::Error::Api { source, .. } if cluster::error::is_code(source, 403))
}

fn told(found: &[Drift]) -> String {
    let mut told: Vec<String> = found.iter().take(TOLD).map(Drift::told).collect();
    if found.len() > TOLD {
        told.push(format!("and {} more", found.len() - TOLD));
    }
    told.join("; ")
}
