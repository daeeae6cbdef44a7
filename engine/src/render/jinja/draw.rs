//! The caller's time and randomness, for functions that MiniJinja keeps.

use std::sync::{Mutex, PoisonError};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use chrono::{DateTime, Utc};

use crate::template::World;

/// MiniJinja's functions cannot borrow the caller's source of randomness: they go on from a seed that was drawn from it.
pub(super) struct Draw {
    pub(super) now: DateTime<Utc>,
    stream: Mutex<ChaCha20Rng>,
}

impl Draw {
    pub(super) fn from(world: &World<'_>) -> Self {
        let mut seed = [0; 32];
        (world.random)(&mut seed);
        Self { now: world.now, stream: Mutex::new(ChaCha20Rng::from_seed(seed)) }
    }

    pub(super) fn random(&self, buffer: &mut [u8]) {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buffer);
    }
}
