//! Whose turn it is: calls that change one environment in several steps go one after the other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Short},
};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// A lock per environment. Those that nobody holds are forgotten.
#[derive(Default)]
pub struct Turns {
    locks: Short<HashMap<String, Arc<Mutex<()>>>>,
}

impl Turns {
    /// Waits for the environment's turn, which lasts until the guard is dropped.
    pub async fn take(&self, environment: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            locks.entry(environment.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_nothing_stays_behind() {
        let turns = Turns::default();
        let first = turns.take("e").await;
        let _other = turns.take("f").await;
        let mut second = Box::pin(turns.take("e"));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await);
        drop(turns.take("g").await);
        let left: Vec<String> = turns.locks.lock().unwrap().keys().cloned().collect();
        assert!(!left.contains(&"e".to_owned()), "{left:?}");
    }
}
