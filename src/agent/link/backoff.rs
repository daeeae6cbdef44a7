//! How long to wait before the next connection: full jitter, pure.

use std::time::Duration;

/// The first window of a random wait.
pub const BASE: Duration = Duration::from_secs(1);
/// The largest window of a random wait.
pub const CAP: Duration = Duration::from_secs(5 * 60);
/// A connection that lived this long was good: the next failure counts from the beginning.
pub const STABLE: Duration = Duration::from_secs(60);
/// The longest wait that the Console can ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Why a connection ended, as far as the wait depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The network, a proxy, TLS or the Console failed, or the stream just ended.
    Failed,
    /// The Console asked to come back after this time.
    RetryAfter(Duration),
    /// The access key is wrong: only a person can help, so there is no hurry.
    AccessKey,
    /// A token from an earlier login was refused, or there is another way: connect again at once.
    AtOnce,
}

/// Counts failures in a row. At thousands of agents the waits spread evenly over their window.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after a connection that lived for `lived`; `random` is uniform in 0..1.
    pub fn wait(&mut self, end: End, lived: Duration, random: f64) -> Duration {
        if lived >= STABLE {
            self.failures = 0;
        }
        match end {
            End::AtOnce => Duration::ZERO,
            End::AccessKey => CAP / 2 + (CAP / 2).mul_f64(random),
            End::RetryAfter(asked) => {
                let asked = asked.min(MAX_RETRY_AFTER);
                asked + (asked / 4).max(BASE).mul_f64(random)
            }
            End::Failed => {
                let window = BASE.saturating_mul(1 << self.failures.min(16)).min(CAP);
                self.failures = self.failures.saturating_add(1);
                window.mul_f64(random)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn the_window_doubles_up_to_the_cap() {
        let mut backoff = Backoff::default();
        let windows: Vec<u64> =
            (0..12).map(|_| backoff.wait(End::Failed, NONE, 1.0).as_secs()).collect();
        assert_eq!(windows, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        for _ in 0..100 {
            assert!(backoff.wait(End::Failed, NONE, 1.0) <= CAP);
        }
    }

    #[test]
    fn jitter_is_full() {
        let mut backoff = Backoff { failures: 4 };
        assert_eq!(backoff.wait(End::Failed, NONE, 0.0), NONE);
        assert_eq!(backoff.wait(End::Failed, NONE, 0.5), Duration::from_secs(16));
    }

    #[test]
    fn a_stable_minute_starts_over() {
        let mut backoff = Backoff { failures: 9 };
        let nearly = STABLE - Duration::from_millis(1);
        assert_eq!(backoff.wait(End::Failed, nearly, 1.0), CAP);
        assert_eq!(backoff.wait(End::Failed, STABLE, 1.0), BASE);
    }

    #[test]
    fn the_console_decides_within_a_limit() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_secs(40);
        assert_eq!(backoff.wait(End::RetryAfter(asked), NONE, 0.0), asked);
        assert_eq!(backoff.wait(End::RetryAfter(asked), NONE, 1.0), Duration::from_secs(50));
        assert_eq!(backoff.wait(End::RetryAfter(Duration::MAX), NONE, 0.0), MAX_RETRY_AFTER);
    }

    #[test]
    fn a_wrong_key_is_slow_and_an_old_token_is_not() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(End::AccessKey, NONE, 0.0), CAP / 2);
        assert_eq!(backoff.wait(End::AtOnce, NONE, 1.0), NONE);
    }
}
