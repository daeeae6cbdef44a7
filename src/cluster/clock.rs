//! The wall clock, in the one place where a test can put it wrong.
//!
//! What is measured between two moments of this process goes by its monotonic clock. The wall clock only stamps what
//! others read, and is held against what they have stamped, with clocks that may be off.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Seconds by which this process's clock is ahead.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// Now, for records.
pub fn now() -> DateTime<Utc> {
    Utc::now() + TimeDelta::seconds(AHEAD.load(Ordering::Relaxed))
}

/// Now, for objects of Kubernetes.
pub fn timestamp() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed))
}

/// Puts the clock of the whole process wrong by so many seconds: for tests of machines whose clocks are off.
pub fn put_ahead(seconds: i64) {
    AHEAD.store(seconds, Ordering::Relaxed);
}

/// How long this process has been running, by no clock that anyone can put wrong. It counts from the first call.
pub fn uptime() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}
