//! What a registry has granted, by what it is good for. One sign-in at a time for each scope:
//! requests that run side by side wait for it and share it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::auth::{Challenge, Grant};

/// The grant of one scope of one registry. The lock is held while it is being had.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Grant>>>;

#[derive(Default)]
pub(super) struct Grants(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By host and scopes.
    slots: HashMap<(String, String), Slot>,
    /// How a host asked last; the next scope is signed in for without being asked again.
    challenges: HashMap<String, Challenge>,
}

/// More scopes than this start the store anew.
const MOST_SLOTS: usize = 10_000;

impl Grants {
    pub(super) fn slot(&self, host: &str, scopes: &str) -> Slot {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.slots.len() >= MOST_SLOTS {
            known.slots.clear();
        }
        known.slots.entry((host.to_owned(), scopes.to_owned())).or_default().clone()
    }

    pub(super) fn challenge(&self, host: &str) -> Option<Challenge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).challenges.get(host).cloned()
    }

    pub(super) fn remember(&self, host: &str, challenge: &Challenge) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.challenges.len() >= MOST_SLOTS {
            known.challenges.clear();
        }
        known.challenges.insert(host.to_owned(), challenge.without_scope());
    }
}

/// The grant of a slot, unless it is about to end.
pub(super) async fn current(slot: &Slot) -> Option<Grant> {
    slot.lock().await.clone().filter(|grant| grant.is_good(Instant::now()))
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Grants")
    }
}
