//! How much a registry may send and how long it may take; and the one way to read what it sends.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// Bounds on one client. The defaults suit Helm charts; each field may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest manifest, in bytes. 4 MiB: what registries must accept by the distribution spec.
    pub manifest_bytes: u64,
    /// Largest chart config (the chart's metadata as JSON), in bytes. 1 MiB.
    pub config_bytes: u64,
    /// Largest chart archive, in bytes. 10 MiB, as Flux has it.
    pub chart_bytes: u64,
    /// Largest blob that is copied as a stream, in bytes. 100 GiB.
    pub blob_bytes: u64,
    /// Most manifests that may be attached to one (signatures, SBOMs). 1000.
    pub referrers: usize,
    /// Blobs up to this many bytes are sent in one request; larger ones so that an upload which
    /// broke off goes on where it was. 1 MiB.
    pub single_upload_bytes: u64,
    /// Most bytes of one request of an upload, for proxies that take no more; `None`: no bound.
    pub upload_chunk_bytes: Option<u64>,
    /// Tags asked for at once. 1000; a registry may give fewer.
    pub tags_page: usize,
    /// Largest page of tags, in bytes. 4 MiB.
    pub tags_page_bytes: u64,
    /// Most pages of one list of tags. 100.
    pub tags_pages: usize,
    /// Most tags of one repository. 20 000.
    pub tags: usize,
    /// Longest chain of redirects of one request. 5.
    pub redirects: usize,
    /// Time to connect, TLS included. 10 s.
    pub connect_timeout: Duration,
    /// Longest silence while an answer is read. 20 s.
    pub idle_timeout: Duration,
    /// Time for one request and its answer. 2 min.
    pub request_timeout: Duration,
    /// What a blob may take longer, in bytes per second: a registry that sends more slowly over
    /// all is given up. 16 KiB/s.
    pub slowest_rate: u64,
    /// Most attempts at one request. 4.
    pub attempts: u32,
    /// Wait before the second attempt; doubles with each further one. 500 ms.
    pub backoff: Duration,
    /// Longest wait between two attempts. A registry that asks for more (Retry-After) gets its
    /// wish from the caller: the error tells how long. 30 s.
    pub longest_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 * MIB,
            config_bytes: MIB,
            chart_bytes: 10 * MIB,
            blob_bytes: 100 * 1024 * MIB,
            referrers: 1000,
            single_upload_bytes: MIB,
            upload_chunk_bytes: None,
            tags_page: 1000,
            tags_page_bytes: 4 * MIB,
            tags_pages: 100,
            tags: 20_000,
            redirects: 5,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(120),
            slowest_rate: 16 * 1024,
            attempts: 4,
            backoff: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Time for one request that carries this many bytes of a blob.
    pub(crate) fn transfer_timeout(&self, bytes: u64) -> Duration {
        self.request_timeout.saturating_add(Duration::from_secs(bytes / self.slowest_rate.max(1)))
    }
}

const MIB: u64 = 1024 * 1024;

/// What a body must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// Most bytes that are read.
    pub limit: u64,
    /// The exact number of bytes, if a descriptor tells it.
    pub size: Option<u64>,
    /// The digest, if a descriptor or the caller tells it.
    pub digest: Option<&'a Digest>,
}

/// Bytes within their limit, with their digest. Only [`read`] makes them.
#[derive(Debug)]
pub(crate) struct Checked {
    pub bytes: Bytes,
    pub digest: Digest,
}

/// Why a body is not what it must be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused<E> {
    TooLarge,
    /// The stream ended early, or went on.
    Size {
        expected: u64,
        actual: u64,
    },
    Digest {
        expected: Digest,
        actual: Digest,
    },
    Stream(E),
}

/// Reads a stream to its end, counting and hashing as it goes. No more than `limit` bytes are
/// ever held; reading stops at the first byte too many.
pub(crate) async fn read<S, E>(mut stream: S, expected: Expected<'_>) -> Result<Checked, Refused<E>>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    if expected.size.is_some_and(|size| size > expected.limit) {
        return Err(Refused::TooLarge);
    }
    let mut hash = Sha256::new();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.try_next().await.map_err(Refused::Stream)? {
        let length = bytes.len() as u64 + chunk.len() as u64;
        if let Some(size) = expected.size.filter(|size| length > *size) {
            return Err(Refused::Size { expected: size, actual: length });
        }
        if length > expected.limit {
            return Err(Refused::TooLarge);
        }
        hash.update(&chunk);
        bytes.extend_from_slice(&chunk);
    }
    let length = bytes.len() as u64;
    if let Some(size) = expected.size.filter(|size| length != *size) {
        return Err(Refused::Size { expected: size, actual: length });
    }
    let actual = Digest::finish(hash);
    match expected.digest {
        Some(wanted) if *wanted != actual => {
            Err(Refused::Digest { expected: wanted.clone(), actual })
        }
        _ => Ok(Checked { bytes: bytes.freeze(), digest: actual }),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn of(chunks: &[&'static str], expected: Expected<'_>) -> Result<String, Refused<()>> {
        let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::from_static(c.as_bytes()))).collect();
        let checked = read(stream::iter(chunks), expected).await?;
        assert_eq!(checked.digest, Digest::of(&checked.bytes));
        Ok(String::from_utf8(checked.bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn both_sides_of_the_limit() {
        let limit = |limit| Expected { limit, size: None, digest: None };
        assert_eq!(of(&["abc", "de"], limit(5)).await, Ok("abcde".to_owned()));
        assert_eq!(of(&["abc", "de"], limit(4)).await, Err(Refused::TooLarge));
        assert_eq!(of(&[], limit(0)).await, Ok(String::new()));
    }

    #[tokio::test]
    async fn an_announced_size_over_the_limit_is_not_read() {
        let pending = stream::pending::<Result<Bytes, ()>>();
        let expected = Expected { limit: 4, size: Some(5), digest: None };
        assert!(matches!(read(pending, expected).await, Err(Refused::TooLarge)));
    }

    #[tokio::test]
    async fn an_endless_stream_ends() {
        let endless = stream::repeat(Ok::<_, ()>(Bytes::from_static(b"spam")));
        let expected = Expected { limit: 1000, size: None, digest: None };
        assert!(matches!(read(endless, expected).await, Err(Refused::TooLarge)));
    }

    #[tokio::test]
    async fn size_and_digest() {
        let digest = Digest::of(b"abc");
        let expected = Expected { limit: 9, size: Some(3), digest: Some(&digest) };
        assert_eq!(of(&["abc"], expected).await, Ok("abc".to_owned()));
        let size = |actual| Err(Refused::Size { expected: 3, actual });
        assert_eq!(of(&["ab"], expected).await, size(2));
        assert_eq!(of(&["abc", "d"], expected).await, size(4));
        let other = Refused::Digest { expected: digest.clone(), actual: Digest::of(b"abd") };
        assert_eq!(of(&["abd"], expected).await, Err(other));
    }
}
