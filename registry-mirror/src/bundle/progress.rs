//! What a long run tells while it goes on.

use crate::{digest::Digest, reference::Reference};

/// Told from several tasks at once. All of it may be left alone.
pub trait Progress: Send + Sync {
    /// What is being done now.
    fn step(&self, _what: &'static str) {}
    /// How much there is to do in this step.
    fn expect(&self, _blobs: usize, _bytes: u64) {}
    /// So many bytes more.
    fn bytes(&self, _count: u64) {}
    /// One blob or manifest is where it belongs.
    fn done(&self, _repository: &Reference, _digest: &Digest, _size: u64) {}
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {}
