//! What is true only while this process runs: open streams, freshness, and who to wake.
//!
//! Rows in the store are the truth; this only wakes and judges freshness.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

/// Past this many seconds without a stream, what is known is only last known.
pub const LEASE: i64 = 60;

/// Why a stream has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A newer stream of the same environment has taken over.
    Superseded,
    /// The access key was replaced, or the environment deleted.
    Revoked,
}

/// One per environment.
struct Entry {
    /// Deleted: no call that was under way brings it back. Ids are never used again.
    gone: bool,
    epoch: u64,
    wake: watch::Sender<u64>,
    stream: Option<(u64, watch::Sender<Option<Cut>>)>,
    last_seen: Option<i64>,
}

/// How fresh an environment's state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The agent has never been heard of.
    Never,
    /// A stream is open, or was within the lease.
    Fresh { last_seen: i64 },
    /// Nothing was heard within the lease.
    Stale { last_seen: i64 },
}

/// An open stream's end of the table. Dropping it closes the entry.
pub struct Stream<'a> {
    live: &'a Live,
    environment: String,
    id: u64,
    /// Changes when the desired state may have changed.
    pub wake: watch::Receiver<u64>,
    /// Says when the stream has to end.
    pub cut: watch::Receiver<Option<Cut>>,
}

#[derive(Default)]
pub struct Live {
    entries: Mutex<HashMap<String, Entry>>,
    next: AtomicU64,
    streams: AtomicU64,
}

impl Live {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Makes an environment known, or raises its epoch, which cuts a stream of an older one.
    pub fn set_epoch(&self, environment: &str, epoch: u64) {
        let mut entries = self.entries();
        let entry = entries.entry(environment.to_owned()).or_insert_with(|| Entry {
            gone: false,
            epoch,
            wake: watch::Sender::new(0),
            stream: None,
            last_seen: None,
        });
        if epoch > entry.epoch {
            entry.epoch = epoch;
            if let Some((_, cut)) = &entry.stream {
                cut.send_replace(Some(Cut::Revoked));
            }
        }
    }

    /// The epoch whose tokens are valid; none for an environment that does not exist.
    pub fn epoch(&self, environment: &str) -> Option<u64> {
        self.entries().get(environment).filter(|entry| !entry.gone).map(|entry| entry.epoch)
    }

    /// Forgets a deleted environment and cuts its stream.
    pub fn remove(&self, environment: &str) {
        if let Some(entry) = self.entries().get_mut(environment) {
            entry.gone = true;
            if let Some((_, cut)) = &entry.stream {
                cut.send_replace(Some(Cut::Revoked));
            }
        }
    }

    /// Tells the environment's stream to look at the store.
    pub fn wake(&self, environment: &str) {
        if let Some(entry) = self.entries().get(environment) {
            entry.wake.send_modify(|count| *count += 1);
        }
    }

    /// Opens a stream for a token of this epoch; the newest stream wins. None: the epoch has passed.
    pub fn open(&self, environment: &str, epoch: u64, now: i64) -> Option<Stream<'_>> {
        let mut entries = self.entries();
        let entry = entries.get_mut(environment).filter(|e| !e.gone && e.epoch == epoch)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (cut, receiver) = watch::channel(None);
        if let Some((_, older)) = entry.stream.replace((id, cut)) {
            older.send_replace(Some(Cut::Superseded));
        } else {
            self.streams.fetch_add(1, Ordering::Relaxed);
        }
        entry.last_seen = Some(now);
        let mut wake = entry.wake.subscribe();
        wake.mark_changed();
        Some(Stream { live: self, environment: environment.to_owned(), id, wake, cut: receiver })
    }

    /// Open streams of all environments.
    pub fn streams(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// Judges freshness; `stored` is when the store last heard of the agent.
    pub fn freshness(&self, environment: &str, stored: Option<i64>, now: i64) -> Freshness {
        let entries = self.entries();
        let entry = entries.get(environment);
        if entry.is_some_and(|entry| entry.stream.is_some()) {
            return Freshness::Fresh { last_seen: now };
        }
        match entry.and_then(|entry| entry.last_seen).max(stored) {
            None => Freshness::Never,
            Some(last_seen) if now - last_seen <= LEASE => Freshness::Fresh { last_seen },
            Some(last_seen) => Freshness::Stale { last_seen },
        }
    }
}

impl Stream<'_> {
    /// No newer stream has taken over, and the key is still valid.
    pub fn is_current(&self) -> bool {
        self.cut.borrow().is_none()
    }

    /// Notes the end of the stream at `now`.
    pub fn close(self, now: i64) {
        if let Some(entry) = self.live.entries().get_mut(&self.environment) {
            entry.last_seen = entry.last_seen.max(Some(now));
        }
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.live.entries().get_mut(&self.environment)
            && entry.stream.as_ref().is_some_and(|(id, _)| *id == self.id)
        {
            entry.stream = None;
            self.live.streams.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stream_wins() {
        let live = Live::default();
        live.set_epoch("e", 1);
        let first = live.open("e", 1, 10).unwrap();
        let second = live.open("e", 1, 10).unwrap();
        assert_eq!(*first.cut.borrow(), Some(Cut::Superseded));
        drop(first);
        assert_eq!(live.streams(), 1);
        assert!(second.is_current());
        drop(second);
        assert_eq!(live.streams(), 0);
    }

    #[test]
    fn a_new_epoch_bites_at_once() {
        let live = Live::default();
        live.set_epoch("e", 1);
        let stream = live.open("e", 1, 10).unwrap();
        live.set_epoch("e", 2);
        assert_eq!(*stream.cut.borrow(), Some(Cut::Revoked));
        assert!(live.open("e", 1, 10).is_none());
        assert!(live.open("unknown", 1, 10).is_none());
        live.set_epoch("e", 1);
        assert_eq!(live.epoch("e"), Some(2), "an epoch never falls");
    }

    #[test]
    fn a_deleted_environment_stays_deleted() {
        let live = Live::default();
        live.set_epoch("e", 1);
        let stream = live.open("e", 1, 10).unwrap();
        live.remove("e");
        assert!(!stream.is_current());
        live.set_epoch("e", 2);
        assert_eq!(live.epoch("e"), None);
        assert!(live.open("e", 2, 10).is_none());
    }

    #[test]
    fn freshness_ends_with_the_lease() {
        let live = Live::default();
        live.set_epoch("e", 1);
        assert_eq!(live.freshness("e", None, 100), Freshness::Never);
        live.open("e", 1, 100).unwrap().close(200);
        assert_eq!(live.freshness("e", None, 200 + LEASE), Freshness::Fresh { last_seen: 200 });
        assert_eq!(live.freshness("e", None, 201 + LEASE), Freshness::Stale { last_seen: 200 });
        let later = Freshness::Fresh { last_seen: 300 };
        assert_eq!(live.freshness("e", Some(300), 201 + LEASE), later);
    }
}
