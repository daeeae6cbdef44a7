//! What Helm's storage holds of a release: all reads of it in one place.

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

    pub fn summary(&self) -> Option<&Summary> {
        self.revisions.last()
    }
}

/// The revision to go back to: the newest good one of the history that the storage still has, unchanged.
pub async fn rollback_target(
    storage: &Storage,
    observation: &Observation,
    history: &[Snapshot],
) -> Result<Option<Stored>, Error> {
    let latest = observation.version();
    for snapshot in history.iter().filter(|s| good(&s.status) && s.version < i64::from(latest)) {
        let stored =
            observation.revisions.iter().find(|r| i64::from(r.version) == snapshot.version);
        let Some(revision) = stored else { continue };
        match storage.get(revision.version).await {
            Ok(stored) if stored.record.digest() == snapshot.digest => return Ok(Some(stored)),
            Ok(_) | Err(Error::Missing { .. } | Error::Malformed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn good(status: &str) -> bool {
    matches!(Status::parse(status), Status::Deployed | Status::Superseded)
}
