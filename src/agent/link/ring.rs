//! Telemetry that waits for credit: bounded, newest kept, what is lost is counted.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use prost::Message as _;
use tokio::sync::Notify;

use crate::proto::pinnace::agent::v1::{Gap, TelemetryRequest, telemetry_request::Message};

/// The most that waits, in encoded bytes.
pub const MAX_BYTES: usize = 4 << 20;
/// The largest single record, in encoded bytes. A larger one is counted as lost.
pub const MAX_RECORD: usize = 64 << 10;

/// A queue of telemetry records between those who make them and the one stream that sends them.
#[derive(Debug, Default)]
pub struct Ring {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    records: VecDeque<TelemetryRequest>,
    bytes: usize,
    gap: Option<Gap>,
}

impl Ring {
    /// Adds a record; the oldest ones make room.
    pub fn push(&self, message: Message) {
        self.lock().push(TelemetryRequest { message: Some(message) }, Utc::now());
        self.changed.notify_one();
    }

    /// The next record that fits into `credit` bytes, and its size. A gap comes before what follows it.
    pub fn take(&self, credit: u64) -> Option<(TelemetryRequest, u64)> {
        self.lock().take(credit)
    }

    /// Waits until something was added since the last wait.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The queue is whole after every statement, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, record: TelemetryRequest, now: DateTime<Utc>) {
        let size = record.encoded_len();
        if size > MAX_RECORD {
            self.lose(now);
            return;
        }
        self.bytes += size;
        self.records.push_back(record);
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= oldest.encoded_len();
            self.lose(now);
        }
    }

    fn lose(&mut self, now: DateTime<Utc>) {
        let gap = self.gap.get_or_insert_with(|| Gap { dropped: 0, since: Some(now.into()) });
        gap.dropped += 1;
    }

    fn take(&mut self, credit: u64) -> Option<(TelemetryRequest, u64)> {
        if let Some(gap) = self.gap {
            let record = TelemetryRequest { message: Some(Message::Gap(gap)) };
            let size = record.encoded_len() as u64;
            return (size <= credit).then(|| {
                self.gap = None;
                (record, size)
            });
        }
        let size = self.records.front()?.encoded_len();
        if size as u64 > credit {
            return None;
        }
        self.bytes -= size;
        self.records.pop_front().map(|record| (record, size as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::pinnace::agent::v1::KubernetesEvent;

    fn event(message: String) -> Message {
        Message::Event(KubernetesEvent { message, ..Default::default() })
    }

    fn text(record: &TelemetryRequest) -> String {
        match &record.message {
            Some(Message::Event(event)) => event.message.clone(),
            Some(Message::Gap(gap)) => format!("gap of {}", gap.dropped),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn first_in_first_out_within_the_credit() {
        let ring = Ring::default();
        ring.push(event("one".into()));
        ring.push(event("two".into()));
        assert!(ring.take(3).is_none());
        let (record, size) = ring.take(1000).expect("a record");
        assert_eq!((text(&record).as_str(), size), ("one", record.encoded_len() as u64));
        assert!(ring.take(size - 1).is_none());
        assert_eq!(text(&ring.take(size).expect("a record").0), "two");
        assert!(ring.take(1000).is_none());
    }

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let ring = Ring::default();
        let size = 32 << 10;
        for i in 0..(MAX_BYTES / size + 9) {
            ring.push(event(format!("{i:05}{}", "x".repeat(size - 5))));
        }
        let (gap, _) = ring.take(1000).expect("gap");
        let (oldest, _) = ring.take(u64::MAX).expect("record");
        let first: usize = text(&oldest)[..5].parse().expect("number");
        assert_eq!(text(&gap), format!("gap of {first}"));
        assert!(first > 0 && ring.lock().bytes <= MAX_BYTES);
        while ring.take(u64::MAX).is_some() {}
        assert_eq!(ring.lock().bytes, 0);
    }

    #[test]
    fn a_gap_is_told_once_and_first() {
        let ring = Ring::default();
        ring.push(event("kept".into()));
        ring.push(event("x".repeat(MAX_RECORD)));
        ring.push(event("y".repeat(MAX_RECORD)));
        assert_eq!(text(&ring.take(1000).expect("gap").0), "gap of 2");
        assert_eq!(text(&ring.take(1000).expect("record").0), "kept");
        assert!(ring.take(1000).is_none());
    }
}
