//! The pauses after errors of watches: short ones, for whoever watches is deaf meanwhile.
//!
//! All watches of a kube controller share one backoff, and nothing at all is heard while it lasts. When an API server
//! restarts, each of them has an error of its own, one told after the other: with the library's pauses, which double up
//! to 30 s, ten watches are deaf for minutes after the server is back.

use std::time::Duration;

use kube::runtime::utils::Backoff;

const FIRST: Duration = Duration::from_millis(100);

/// Pauses that double up to a limit, each with up to half of it left to chance.
#[derive(Clone, Debug)]
pub struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    /// For watches that share their pauses.
    pub fn shared() -> Self {
        Self::up_to(Duration::from_secs(1))
    }

    /// For a watch by itself whose events are waited for.
    pub fn single() -> Self {
        Self::up_to(Duration::from_secs(5))
    }

    fn up_to(longest: Duration) -> Self {
        Self { next: FIRST, longest }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    /// Never None: a watch is not given up.
    fn next(&mut self) -> Option<Duration> {
        let pause = self.next.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        self.next = (self.next * 2).min(self.longest);
        Some(pause)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_watches_that_fail_together_are_deaf_for_seconds() {
        let mut pauses = Pauses::shared();
        let deaf: Duration = pauses.by_ref().take(10).sum();
        assert!(deaf < Duration::from_secs(8), "{deaf:?}");
        assert!(pauses.next() >= Some(Duration::from_millis(500)), "the server is left alone");
        pauses.reset();
        assert!(pauses.next() <= Some(FIRST));
    }
}
