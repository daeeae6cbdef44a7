//! What a differential bundle leaves out, as its signed index tells it: so that a bundle from
//! which blobs were taken away is not mistaken for one that never had them.

use sha2::{Digest as _, Sha256};

use super::{layout, opened::annotation};
use crate::{digest::Digest, manifest::Index};

/// A number of blobs, and the digest of their list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    count: usize,
    list: Digest,
}

impl LeftOut {
    /// Of these blobs, in ascending order.
    pub(super) fn these<'a>(blobs: impl Iterator<Item = &'a Digest>) -> Self {
        let mut hash = Sha256::new();
        let mut count = 0;
        for digest in blobs {
            hash.update(digest.as_str());
            hash.update(b"\n");
            count += 1;
        }
        Self { count, list: Digest::finish(hash) }
    }

    /// What an index says; `None` for a bundle that holds all of its content.
    pub(super) fn of(index: &Index) -> Result<Option<Self>, &'static str> {
        let Some(text) = annotation(index, layout::LEFT_OUT) else { return Ok(None) };
        if annotation(index, layout::BASE).is_none() {
            return Err("it leaves blobs out, and names no bundle that it is based on");
        }
        let parsed = text.split_once(' ').and_then(|(count, list)| {
            Some(Self { count: count.parse().ok()?, list: list.parse().ok()? })
        });
        parsed.map(Some).ok_or("what it leaves out is not readable")
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.count, self.list)
    }
}
