//! When the same request is sent again. Pure: what happened in, a wait out.

use std::time::{Duration, SystemTime};

use crate::limits::Limits;

/// The wait before the next attempt, or `None` to give up.
///
/// `attempt` counts from 1; `spread` is a random number in 0..1, so that many clients do not
/// come back in the same instant.
pub(super) fn wait(
    attempt: u32,
    retry_after: Option<Duration>,
    limits: &Limits,
    spread: f64,
) -> Option<Duration> {
    if attempt >= limits.attempts {
        return None;
    }
    let doubled = limits.backoff.saturating_mul(1 << (attempt - 1).min(16));
    let own = doubled.min(limits.longest_wait).mul_f64(0.5 + spread / 2.0);
    match retry_after {
        Some(asked) if asked > limits.longest_wait => None,
        Some(asked) => Some(asked.max(own)),
        None => Some(own),
    }
}

/// Reads a Retry-After header: seconds or a date.
pub(super) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// A number in 0..1 out of the standard library's random keys; no security hangs on it.
pub(super) fn spread() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    f64::from(RandomState::new().hash_one(0) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let limits = Limits {
            attempts: 5,
            backoff: Duration::from_secs(2),
            longest_wait: Duration::from_secs(10),
            ..Limits::default()
        };
        let waits: Vec<_> = (1..=5).map(|n| wait(n, None, &limits, 1.0)).collect();
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(waits, [seconds(2), seconds(4), seconds(8), seconds(10), None]);
        assert_eq!(wait(1, None, &limits, 0.0), seconds(1));
        assert_eq!(wait(1, seconds(9), &limits, 1.0), seconds(9));
        assert_eq!(wait(1, seconds(0), &limits, 1.0), seconds(2));
        assert_eq!(wait(1, seconds(11), &limits, 1.0), None);
    }

    #[test]
    fn retry_after() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let parsed = |value| parse_retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(parsed("120"), Some(120));
        assert_eq!(parsed("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(parsed("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(parsed("soon"), None);
        assert_eq!(parsed("-1"), None);
    }

    #[test]
    fn spread_stays_within() {
        assert!((0..100).map(|_| spread()).all(|s| (0.0..=1.0).contains(&s)));
    }
}
