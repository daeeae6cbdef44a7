//! What a HelmRelease says of itself: pure. Reasons and messages are Flux's.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use crate::api::helm_release::{
    HelmRelease, HelmReleaseStatus, Inventory, ResourceRef, Snapshot, TestHookStatus,
};
use crate::cluster::Object;
use crate::cluster::events::shortened;
use crate::model::condition::{
    DRIFTED, READY, RECONCILING, RELEASED, REMEDIATED, STALLED, TEST_SUCCESS, reason as reasons,
};
use crate::release::record::{self, Phase};
use crate::release::storage::Stored;
use crate::release::test;

/// The longest message of a condition (the schema's limit is 32768), in bytes.
const MAX_MESSAGE: usize = 4096;
/// Revisions that the history keeps.
const MAX_HISTORY: usize = 5;
/// Objects that the inventory names.
const MAX_INVENTORY: usize = 1000;

/// What the tests of a release mean for it being ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    NotRun,
    /// They are run, and may fail.
    Ignored,
    Count,
}

impl Tests {
    pub fn of(release: &HelmRelease) -> Self {
        match &release.spec.test {
            Some(test) if test.enable == Some(true) => match test.ignore_failures {
                Some(true) => Self::Ignored,
                _ => Self::Count,
            },
            _ => Self::NotRun,
        }
    }
}

/// A status that is being changed on behalf of one generation of a spec.
pub struct Draft<'a> {
    pub status: &'a mut HelmReleaseStatus,
    pub generation: i64,
    pub tests: Tests,
    pub now: Timestamp,
}

impl Draft<'_> {
    fn set(&mut self, type_: &str, value: &str, reason: &str, message: &str) {
        let message = shortened(message, MAX_MESSAGE);
        let conditions = &mut self.status.conditions;
        let before = conditions.iter().find(|c| c.type_ == type_);
        let since = match before {
            Some(before) if before.status == value => before.last_transition_time.clone(),
            _ => Time(self.now),
        };
        let condition = Condition {
            type_: type_.to_owned(),
            status: value.to_owned(),
            reason: reason.to_owned(),
            message,
            last_transition_time: since,
            observed_generation: Some(self.generation),
        };
        match conditions.iter_mut().find(|c| c.type_ == type_) {
            Some(found) => *found = condition,
            None => conditions.push(condition),
        }
    }

    fn remove(&mut self, type_: &str) {
        self.status.conditions.retain(|c| c.type_ != type_);
    }

    /// Something is being done about the release.
    pub fn progressing(&mut self, message: &str) {
        self.remove(STALLED);
        self.set(RECONCILING, "True", reasons::PROGRESSING, message);
        self.set(READY, "Unknown", reasons::PROGRESSING, message);
    }

    /// What is wanted cannot be had for now; the release stays as it is.
    pub fn not_ready(&mut self, reason: &str, message: &str) {
        self.remove(STALLED);
        self.set(RECONCILING, "True", reasons::PROGRESSING_WITH_RETRY, message);
        self.set(READY, "False", reason, message);
    }

    /// The same, tried again at this time of day.
    pub fn not_ready_until(&mut self, reason: &str, message: &str, next: &str) {
        self.not_ready(reason, message);
        let message = format!("next attempt at {next}: {message}");
        self.set(RECONCILING, "True", reasons::PROGRESSING_WITH_RETRY, &message);
    }

    /// The next attempt has to wait; Ready tells what failed.
    pub fn waiting(&mut self, message: &str) {
        self.remove(STALLED);
        self.set(RECONCILING, "True", reasons::PROGRESSING_WITH_RETRY, message);
        if !self.ready_from_failure() {
            self.set(READY, "Unknown", reasons::PENDING_RELEASE, message);
        }
    }

    /// Nothing will be done until the spec changes.
    pub fn stalled(&mut self, reason: &str, message: &str) {
        self.remove(RECONCILING);
        self.set(STALLED, "True", reason, message);
        if reason == reasons::UNSUPPORTED || !self.ready_from_failure() {
            self.set(READY, "False", reason, message);
        }
        self.status.observed_generation = Some(self.generation);
    }

    /// What came of an install or upgrade.
    pub fn released(&mut self, succeeded: bool, reason: &str, message: &str) {
        self.remove(REMEDIATED);
        self.remove(TEST_SUCCESS);
        self.set(RELEASED, truth(succeeded), reason, message);
        self.ready_from_outcome();
    }

    /// The release is there, and its tests are still to be run.
    pub fn awaiting_tests(&mut self, message: &str) {
        self.set(TEST_SUCCESS, "Unknown", reasons::AWAITING_TESTS, message);
        self.ready_from_outcome();
    }

    /// What came of the tests.
    pub fn tested(&mut self, succeeded: bool, message: &str) {
        let reason = if succeeded { reasons::TEST_SUCCEEDED } else { reasons::TEST_FAILED };
        self.set(TEST_SUCCESS, truth(succeeded), reason, message);
        self.ready_from_outcome();
    }

    /// What came of a rollback or of the removal of a failed install.
    pub fn remediated(&mut self, succeeded: bool, reason: &str, message: &str) {
        self.set(REMEDIATED, truth(succeeded), reason, message);
        self.ready_from_outcome();
    }

    /// The release is what is wanted.
    pub fn in_sync(&mut self, reason: &str, message: &str) {
        self.remove(STALLED);
        self.remove(RECONCILING);
        self.remove(REMEDIATED);
        if self.tests == Tests::NotRun {
            self.remove(TEST_SUCCESS);
        }
        let released = self.status.conditions.iter().find(|c| c.type_ == RELEASED);
        let known = released.is_some_and(|c| c.status == "True" && c.message == message);
        if !known {
            self.set(RELEASED, "True", reason, message);
        } else if let Some(reason) = released.map(|c| c.reason.clone()) {
            self.set(RELEASED, "True", &reason, message);
        }
        self.ready_from_outcome();
        self.status.observed_generation = Some(self.generation);
    }

    /// The cluster differs from the release, and is left as it is. False if that was known.
    pub fn drifted(&mut self, message: &str) -> bool {
        let text = shortened(message, MAX_MESSAGE);
        let known = |c: &Condition| c.type_ == DRIFTED && c.message == text;
        let news = !self.status.conditions.iter().any(known);
        self.set(DRIFTED, "True", reasons::DRIFT_DETECTED, message);
        news
    }

    /// The cluster is as the release says, or nobody asks.
    pub fn not_drifted(&mut self) {
        self.remove(DRIFTED);
    }

    /// Ready tells the failure of what this generation has attempted. False: there is none, and an earlier
    /// success says nothing of this attempt.
    fn ready_from_failure(&mut self) -> bool {
        let failed = |c: &Condition| {
            let way_back = c.type_ == REMEDIATED;
            let tested = c.type_ == TEST_SUCCESS && self.tests == Tests::Count;
            c.observed_generation == Some(self.generation)
                && (way_back || ((tested || c.type_ == RELEASED) && c.status == "False"))
        };
        self.status.conditions.iter().any(failed) && self.ready_from_outcome()
    }

    /// Ready copies Remediated, or else TestSuccess if that counts, or else Released. A remediated release is not what was wanted, however well
    /// the way back went. False: nothing has been attempted yet.
    fn ready_from_outcome(&mut self) -> bool {
        let find = |type_: &str| self.status.conditions.iter().find(|c| c.type_ == type_).cloned();
        let tested = || find(TEST_SUCCESS).filter(|_| self.tests == Tests::Count);
        let outcome = find(REMEDIATED).or_else(tested).or_else(|| find(RELEASED));
        let Some(outcome) = outcome else { return false };
        let value = if outcome.type_ == REMEDIATED { "False" } else { &outcome.status };
        self.set(READY, value, &outcome.reason, &outcome.message);
        true
    }

    /// Notes a revision as the newest, or anew.
    pub fn note(&mut self, snapshot: Snapshot) {
        let history = &mut self.status.history;
        let same = |known: &&Snapshot| {
            known.version == snapshot.version && known.digest == snapshot.digest
        };
        let tested = history.iter().find(same).and_then(|known| known.test_hooks.clone());
        let snapshot = Snapshot { test_hooks: snapshot.test_hooks.or(tested), ..snapshot };
        history.retain(|known| known.version < snapshot.version);
        if snapshot.status == record::Status::Deployed.as_str() {
            for older in history.iter_mut().filter(|s| s.status == "deployed") {
                older.status = "superseded".to_owned();
            }
        }
        history.insert(0, snapshot);
        // The newest good one is the way back, however many failures follow it.
        let good = history.iter().position(|s| matches!(&*s.status, "deployed" | "superseded"));
        if let Some(good) = good.filter(|&at| at >= MAX_HISTORY) {
            history.swap(MAX_HISTORY - 1, good);
        }
        history.truncate(MAX_HISTORY);
    }

    /// Forgets failures when what is attempted has changed since they were counted.
    pub fn attempt(&mut self, chart_version: &str, chart_digest: &str, config_digest: &str) {
        let status = &mut *self.status;
        let same = status.last_attempted_generation == Some(self.generation)
            && status.last_attempted_revision.as_deref() == Some(chart_version)
            && status.last_attempted_revision_digest.as_deref() == Some(chart_digest)
            && status.last_attempted_config_digest.as_deref() == Some(config_digest);
        if !same {
            self.forget_failures();
        }
        let status = &mut *self.status;
        status.last_attempted_generation = Some(self.generation);
        status.last_attempted_revision = Some(chart_version.to_owned());
        status.last_attempted_revision_digest = Some(chart_digest.to_owned());
        status.last_attempted_config_digest = Some(config_digest.to_owned());
    }

    pub fn forget_failures(&mut self) {
        self.status.failures = None;
        self.status.install_failures = None;
        self.status.upgrade_failures = None;
    }
}

fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// A stored revision for the history. `action` is what made it.
pub fn snapshot(stored: &Stored, action: &str) -> Snapshot {
    let record = &stored.record;
    let info = &record.info;
    Snapshot {
        api_version: Some("v2".to_owned()),
        digest: record.digest(),
        name: record.name.clone(),
        namespace: record.namespace.clone(),
        version: i64::from(record.version),
        status: info.status.to_string(),
        action: Some(action.to_owned()),
        chart_name: record.chart_name().to_owned(),
        chart_version: record.chart_version().to_owned(),
        app_version: Some(record.app_version().to_owned()).filter(|v| !v.is_empty()),
        config_digest: record::config_digest(&record.config),
        first_deployed: time(info.first_deployed),
        last_deployed: time(info.last_deployed),
        deleted: info.deleted.map(|deleted| time(Some(deleted))),
        test_hooks: None,
        oci_digest: stored.chart_digest.clone(),
    }
}

/// What became of each test of a release.
pub fn tests(record: &record::Record) -> BTreeMap<String, TestHookStatus> {
    let told = |hook: &record::Hook| {
        let run = &hook.last_run;
        let phase = match run.phase {
            Phase::NotRun => None,
            phase => serde_json::to_value(phase).ok().and_then(|p| p.as_str().map(str::to_owned)),
        };
        let status = TestHookStatus {
            last_started: run.started_at.map(|at| time(Some(at))),
            last_completed: run.completed_at.map(|at| time(Some(at))),
            phase,
        };
        (hook.name.clone(), status)
    };
    test::hooks_of(record).map(told).collect()
}

/// Whether a test of a revision failed.
pub fn test_failed(snapshot: &Snapshot) -> bool {
    let mut hooks = snapshot.test_hooks.iter().flat_map(BTreeMap::values);
    hooks.any(|hook| hook.phase.as_deref() == Some("Failed"))
}

/// What made a revision, as far as its record tells.
pub fn action_of(stored: &Stored) -> &'static str {
    let info = &stored.record.info;
    // An installation over a kept history has a number of its own, and its first deployment is this one.
    let first = info.first_deployed.is_some() && info.first_deployed == info.last_deployed;
    match (stored.record.version, info.rollback_revision) {
        (1, _) => "install",
        (_, 0) if first => "install",
        (_, 0) => "upgrade",
        _ => "rollback",
    }
}

fn time(time: Option<DateTime<Utc>>) -> Time {
    let seconds = time.map_or(0, |t| t.timestamp());
    Time(Timestamp::from_second(seconds).unwrap_or_default())
}

/// The objects of a release, sorted.
pub fn inventory(objects: &[Object]) -> Inventory {
    let mut entries: Vec<ResourceRef> = objects
        .iter()
        .map(|object| {
            let key = &object.key;
            let namespace = key.namespace.as_deref().unwrap_or_default();
            let version = key.api_version.rsplit('/').next().unwrap_or_default();
            ResourceRef {
                id: format!("{namespace}_{}_{}_{}", key.name, key.group(), key.kind),
                v: version.to_owned(),
            }
        })
        .collect();
    entries.sort();
    entries.truncate(MAX_INVENTORY);
    Inventory { entries }
}

/// A time in messages, in whole seconds: `2026-01-02T03:04:05Z`.
pub fn time_of_day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time that a message of a pause names: `…; next attempt at 2026-01-02T03:04:05Z`.
pub fn next_attempt(message: &str) -> Option<DateTime<Utc>> {
    let (_, time) = message.rsplit_once("next attempt at ")?;
    let time = time.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':'))).next();
    DateTime::parse_from_rfc3339(time?).ok().map(|time| time.with_timezone(&Utc))
}

/// A duration as Go prints it, in whole seconds: `5m0s`.
pub fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{}s", seconds % 60),
        (hours, minutes) => format!("{hours}h{minutes}m{}s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(status: &'a HelmReleaseStatus, type_: &str) -> Option<(&'a str, &'a str)> {
        let condition = status.conditions.iter().find(|c| c.type_ == type_)?;
        Some((&condition.status, &condition.reason))
    }

    fn draft(status: &mut HelmReleaseStatus) -> Draft<'_> {
        Draft { status, generation: 3, tests: Tests::Count, now: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn the_way_of_an_upgrade_that_is_rolled_back() {
        let mut status = HelmReleaseStatus::default();
        draft(&mut status).progressing("Running");
        assert_eq!(find(&status, READY), Some(("Unknown", "Progressing")));
        draft(&mut status).released(false, reasons::UPGRADE_FAILED, "failed");
        assert_eq!(find(&status, READY), Some(("False", "UpgradeFailed")));
        draft(&mut status).remediated(true, reasons::ROLLBACK_SUCCEEDED, "back");
        assert_eq!(find(&status, REMEDIATED), Some(("True", "RollbackSucceeded")));
        assert_eq!(find(&status, READY), Some(("False", "RollbackSucceeded")));
        draft(&mut status).stalled(reasons::RETRIES_EXCEEDED, "no more");
        assert_eq!(find(&status, READY), Some(("False", "RollbackSucceeded")));
        assert_eq!(find(&status, STALLED), Some(("True", "RetriesExceeded")));
        assert_eq!(find(&status, RECONCILING), None);
        assert_eq!(status.observed_generation, Some(3));
        draft(&mut status).in_sync(reasons::UPGRADE_SUCCEEDED, "good");
        assert_eq!(find(&status, READY), Some(("True", "UpgradeSucceeded")));
        assert_eq!((find(&status, STALLED), find(&status, REMEDIATED)), (None, None));
    }

    #[test]
    fn tests_count_unless_they_may_fail() {
        for (tests, ready) in [(Tests::Count, "False"), (Tests::Ignored, "True")] {
            let mut status = HelmReleaseStatus::default();
            let mut draft = Draft { tests, ..draft(&mut status) };
            draft.released(true, reasons::INSTALL_SUCCEEDED, "good");
            draft.awaiting_tests("soon");
            draft.tested(false, "bad");
            draft.in_sync(reasons::INSTALL_SUCCEEDED, "good");
            assert_eq!(find(&status, READY).map(|c| c.0), Some(ready), "{tests:?}");
            assert_eq!(find(&status, TEST_SUCCESS), Some(("False", "TestFailed")));
            Draft { tests: Tests::NotRun, ..self::draft(&mut status) }
                .in_sync(reasons::INSTALL_SUCCEEDED, "good");
            assert_eq!(find(&status, TEST_SUCCESS), None);
            assert_eq!(find(&status, READY).map(|c| c.0), Some("True"));
        }
    }

    #[test]
    fn a_transition_time_is_that_of_the_transition() {
        let mut status = HelmReleaseStatus::default();
        draft(&mut status).not_ready(reasons::ARTIFACT_FAILED, "a");
        let mut later = draft(&mut status);
        later.now = Timestamp::from_second(99).expect("time");
        later.not_ready(reasons::SOURCE_NOT_READY, "b");
        let ready = status.conditions.iter().find(|c| c.type_ == READY).expect("ready");
        assert_eq!((ready.last_transition_time.0.as_second(), ready.message.as_str()), (0, "b"));
    }

    #[test]
    fn failures_are_forgotten_when_something_else_is_attempted() {
        let mut status = HelmReleaseStatus::default();
        draft(&mut status).attempt("1.0.0", "sha256:a", "sha256:b");
        status.upgrade_failures = Some(2);
        draft(&mut status).attempt("1.0.0", "sha256:a", "sha256:b");
        assert_eq!(status.upgrade_failures, Some(2));
        draft(&mut status).attempt("1.0.1", "sha256:c", "sha256:b");
        assert_eq!(status.upgrade_failures, None);
    }

    #[test]
    fn an_earlier_success_is_not_that_of_a_newer_spec() {
        let mut status = HelmReleaseStatus::default();
        draft(&mut status).in_sync(reasons::UPGRADE_SUCCEEDED, "good");
        let mut newer = draft(&mut status);
        newer.generation = 4;
        newer.waiting("someone else is at work");
        assert_eq!(find(&status, READY), Some(("Unknown", "PendingRelease")));
        let mut newer = draft(&mut status);
        newer.generation = 4;
        newer.stalled(reasons::RETRIES_EXCEEDED, "no more");
        assert_eq!(find(&status, READY), Some(("False", "RetriesExceeded")));
    }

    #[test]
    fn the_way_back_stays_in_the_history() {
        let mut status = HelmReleaseStatus::default();
        for version in 1..=9 {
            let good = version == 2;
            let kind = if good { record::Status::Deployed } else { record::Status::Failed };
            let stored = Stored::new(record::tests::record(version, kind), "pod", None);
            draft(&mut status).note(snapshot(&stored, "upgrade"));
        }
        let versions: Vec<i64> = status.history.iter().map(|s| s.version).collect();
        assert_eq!(versions, [9, 8, 7, 6, 2]);
    }

    #[test]
    fn the_next_attempt_is_found_in_a_message() {
        let time = DateTime::from_timestamp(1_800_000_000, 0).expect("time");
        let message = format!("1 attempt(s) failed: next attempt at {}", time_of_day(time));
        assert_eq!(next_attempt(&message), Some(time));
        assert_eq!(next_attempt(&format!("{message}; and so on")), Some(time));
        assert_eq!(next_attempt("next attempt at dawn"), None);
        assert_eq!(next_attempt("no word of it"), None);
    }

    #[test]
    fn durations() {
        let texts = [7, 300, 3661].map(|s| go_duration(Duration::from_secs(s)));
        assert_eq!(texts, ["7s", "5m0s", "1h1m1s"]);
    }
}
