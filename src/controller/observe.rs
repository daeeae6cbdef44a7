//! What Helm's storage holds of a release: all reads of it in one place.

use super::state::TestFailures;
use super::status::test_failed;
use crate::api::helm_release::Snapshot;
use crate::release::storage::{Storage, Stored, Summary};
use crate::release::{Error, Status};

/// The revisions, and the newest one with its content.
pub struct Observation {
    pub revisions: Vec<Summary>,
    pub latest: Option<Stored>,
}

impl Observation {
    pub async fn of(storage: &Storage) -> Result<Self, Error> {
        let revisions = storage.list().await?;
        let latest = match revisions.last() {
            Some(newest) => Some(storage.get(newest.version).await?),
            None => None,
        };
        Ok(Self { revisions, latest })
    }

    pub fn version(&self) -> u32 {
        self.latest.as_ref().map_or(0, |l| l.record.version)
    }

    /// Whether any revision before the latest one was deployed since the last uninstallation.
    pub fn once_worked(&self) -> bool {
        let latest = self.version();
        let older = self.revisions.iter().rev().filter(|r| r.version < latest);
        older
            .take_while(|r| r.status != Status::Uninstalled)
            .any(|r| matches!(r.status, Status::Deployed | Status::Superseded))
    }

    pub fn summary(&self) -> Option<&Summary> {
        self.revisions.last()
    }
}

/// The revision to go back to: the newest good one of the history that the storage still has, unchanged.
pub async fn rollback_target(
    storage: &Storage,
    observation: &Observation,
    history: &[Snapshot],
    tests: Option<TestFailures>,
) -> Result<Option<Stored>, Error> {
    let latest = observation.version();
    // What failed its tests is no place to go back to, if that counts.
    let failed = |s: &Snapshot| tests == Some(TestFailures::Count) && test_failed(s);
    let good = |s: &&Snapshot| good(&s.status) && s.version < i64::from(latest) && !failed(s);
    for snapshot in history.iter().filter(good) {
        let stored =
            observation.revisions.iter().find(|r| i64::from(r.version) == snapshot.version);
        let Some(revision) = stored else { continue };
        match storage.get(revision.version).await {
            Ok(stored) if stored.record.digest() == snapshot.digest => return Ok(Some(stored)),
            Ok(_) | Err(Error::Missing { .. } | Error::Malformed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    // The history does not know: what the storage says has to do.
    let known = |version: u32| history.iter().find(|s| s.version == i64::from(version));
    let older = |r: &&Summary| r.version < latest && !known(r.version).is_some_and(failed);
    let target = observation
        .revisions
        .iter()
        .rev()
        .filter(older)
        .take_while(|r| r.status != Status::Uninstalled)
        .find(|r| matches!(r.status, Status::Deployed | Status::Superseded));
    match target {
        None => Ok(None),
        Some(target) => match storage.get(target.version).await {
            Ok(stored) => Ok(Some(stored)),
            Err(Error::Missing { .. } | Error::Malformed { .. }) => Ok(None),
            Err(error) => Err(error),
        },
    }
}

fn good(status: &str) -> bool {
    matches!(Status::parse(status), Status::Deployed | Status::Superseded)
}
