//! What a copy tells while it runs.

/// Something that happened to the bytes of blobs. Manifests are too small to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// This many bytes more may have to be sent.
    Expected(u64),
    /// This many bytes more were sent. After a failure some are sent, and told, again.
    Sent(u64),
    /// This many of the expected bytes are there already.
    Spared(u64),
}

/// Hears of a copy. It is called from many tasks, often; it must not wait.
pub trait Progress: Send + Sync {
    fn event(&self, event: Event);
}

/// Nobody listens.
impl Progress for () {
    fn event(&self, _: Event) {}
}
