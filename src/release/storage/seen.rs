//! What one look at a release has read and written of its revisions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Stored, Summary};

#[derive(Default)]
struct Known {
    /// None: not listed yet.
    revisions: Option<Vec<Summary>>,
    contents: HashMap<u32, Stored>,
}

/// Clones share what is known.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Known>>);

impl Seen {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn revisions(&self) -> Option<Vec<Summary>> {
        self.known().revisions.clone()
    }

    pub fn content(&self, version: u32) -> Option<Stored> {
        self.known().contents.get(&version).cloned()
    }

    pub fn listed(&self, revisions: &[Summary]) {
        *self.known() = Known { revisions: Some(revisions.to_vec()), ..Known::default() };
    }

    pub fn read(&self, stored: &Stored) {
        self.known().contents.insert(stored.record.version, stored.clone());
    }

    /// `summary`: what the metadata that was written says.
    pub fn wrote(&self, summary: Option<Summary>, stored: &Stored) {
        let mut known = self.known();
        known.contents.insert(stored.record.version, stored.clone());
        let Some(summary) = summary else {
            known.revisions = None;
            return;
        };
        if let Some(revisions) = &mut known.revisions {
            revisions.retain(|revision| revision.version != summary.version);
            revisions.push(summary);
            revisions.sort_by_key(|revision| revision.version);
        }
    }

    pub fn removed(&self, version: u32) {
        let mut known = self.known();
        known.contents.remove(&version);
        if let Some(revisions) = &mut known.revisions {
            revisions.retain(|revision| revision.version != version);
        }
    }

    /// Somebody else is at work on the release, or nobody knows what became of a write.
    pub fn forget(&self) {
        *self.known() = Known::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::*;
    use crate::release::record::Status::{self, Deployed, Superseded};

    fn revision(version: u32, status: Status) -> Summary {
        Summary { version, ..Summary::history(&[status]).remove(0) }
    }

    #[test]
    fn own_writes_are_seen_and_a_failure_makes_all_of_it_doubtful() {
        let seen = Seen::default();
        let write = |version, status: Status| {
            let stored = Stored::new(record(version, status), "me", None);
            seen.wrote(Some(revision(version, status)), &stored);
        };
        write(1, Deployed);
        assert_eq!(seen.revisions(), None, "others may be there");
        seen.listed(&[revision(1, Deployed)]);
        assert!(seen.content(1).is_none(), "it may be newer than what was read before");
        write(2, Deployed);
        write(1, Superseded);
        let revisions =
            || seen.revisions().map(|all| all.into_iter().map(|r| (r.version, r.status)));
        let all: Vec<_> = revisions().expect("listed").collect();
        assert_eq!(all, [(1, Superseded), (2, Deployed)]);
        assert_eq!(seen.content(1).expect("written").record.info.status, Superseded);
        seen.removed(1);
        assert!(seen.content(1).is_none() && revisions().expect("listed").count() == 1);
        seen.forget();
        assert!(seen.revisions().is_none() && seen.content(2).is_none());
    }
}
