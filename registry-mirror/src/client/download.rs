//! Blobs as streams: counted, hashed, and gone on with where a transfer broke off.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use reqwest::{Method, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::{Client, http, request::Request, transport::Transport};
use crate::{
    digest::Digest,
    error::Error,
    limits::{Checked, Expected},
    manifest::Descriptor,
    reference::Reference,
};

/// A blob's bytes, in order. The last of them come only if length and digest are those of the
/// descriptor: whoever uses bytes before that must be able to take them back.
pub type BlobStream = BoxStream<'static, Result<Bytes, Error>>;

/// A transfer that breaks off may go on this often for each of these many bytes.
const PROGRESS: u64 = 4 * 1024 * 1024;

impl Client {
    /// A blob as a stream. Memory does not grow with its size. What breaks off is gone on with
    /// (Range), a bounded number of times.
    ///
    /// The first request is made before this returns, so that a blob which is not there is an
    /// error here.
    pub async fn blob(
        &self,
        repository: &Reference,
        blob: &Descriptor,
    ) -> Result<BlobStream, Error> {
        let limit = self.limits().blob_bytes;
        if blob.size > limit {
            let (what, reference) = ("a blob", repository.with_digest(blob.digest.clone()));
            return Err(Error::TooLarge { what, reference, limit, unit: "bytes" });
        }
        let mut download = Download {
            transport: self.0.clone(),
            reference: repository.repository_only().with_digest(blob.digest.clone()),
            size: blob.size,
            digest: blob.digest.clone(),
            received: 0,
            hash: Some(Sha256::new()),
            body: None,
            number: 1,
            failed_at: 0,
        };
        download.open().await?;
        let stream = futures::stream::try_unfold(download, |mut download| async {
            Ok(download.next().await?.map(|chunk| (chunk, download)))
        });
        Ok(stream.boxed())
    }

    /// A blob that fits into memory, up to `limit` bytes.
    pub async fn blob_bytes(
        &self,
        repository: &Reference,
        blob: &Descriptor,
        limit: u64,
    ) -> Result<Bytes, Error> {
        Ok(self.checked_blob(repository, "a blob", blob, limit).await?.bytes)
    }

    /// True if the registry says that the blob is there with this size.
    pub async fn has_blob(&self, repository: &Reference, blob: &Descriptor) -> Result<bool, Error> {
        let path = format!("blobs/{}", blob.digest);
        let request = || Request::get(repository, &path).method(Method::HEAD);
        match self.0.ask(request).await {
            Ok(response) => {
                let length = response.headers().get(header::CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
                Ok(length.is_none_or(|length| length == blob.size))
            }
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn checked_blob(
        &self,
        repository: &Reference,
        what: &'static str,
        blob: &Descriptor,
        limit: u64,
    ) -> Result<Checked, Error> {
        let path = format!("blobs/{}", blob.digest);
        let expected = Expected { limit, size: Some(blob.size), digest: Some(&blob.digest) };
        Ok(self.0.get(|| Request::get(repository, &path), what, expected).await?.body)
    }
}

/// All bytes of a stream that ends by itself, such as a checked one.
pub async fn collect(stream: BlobStream) -> Result<Bytes, Error> {
    Ok(stream
        .try_fold(BytesMut::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await?
        .freeze())
}

struct Download {
    transport: Arc<Transport>,
    reference: Reference,
    size: u64,
    digest: Digest,
    /// Bytes that were handed on.
    received: u64,
    /// Of these bytes. `None` at the end.
    hash: Option<Sha256>,
    body: Option<BoxStream<'static, Result<Bytes, reqwest::Error>>>,
    number: u32,
    /// Where it broke off last.
    failed_at: u64,
}

impl Download {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if self.hash.is_none() {
                return Ok(None);
            }
            let Some(body) = &mut self.body else {
                self.open().await?;
                continue;
            };
            let error = match body.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => return self.take(chunk).map(Some),
                None if self.received == self.size => {
                    self.finish()?;
                    return Ok(None);
                }
                None => self.size_error(self.received),
                Some(Err(error)) => http::broken_off(error, "a blob", &self.reference),
            };
            self.body = None;
            self.failed(error).await?;
        }
    }

    fn take(&mut self, chunk: Bytes) -> Result<Bytes, Error> {
        self.received += chunk.len() as u64;
        if self.received > self.size {
            return Err(self.size_error(self.received));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&chunk);
        }
        // Before the last byte is handed on: who counts bytes may not ask for what comes after.
        if self.received == self.size {
            self.finish()?;
        }
        Ok(chunk)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let Some(hash) = self.hash.take() else { return Ok(()) };
        let actual = Digest::finish(hash);
        if actual == self.digest {
            return Ok(());
        }
        Err(Error::DigestMismatch {
            what: "a blob",
            reference: self.reference.repository_only(),
            expected: self.digest.clone(),
            actual,
        })
    }

    async fn open(&mut self) -> Result<(), Error> {
        loop {
            match self.request().await {
                Ok(body) => {
                    self.body = Some(body);
                    return Ok(());
                }
                Err(error) => self.failed(error).await?,
            }
        }
    }

    /// A transfer that made good progress may fail as often as a new one.
    async fn failed(&mut self, error: Error) -> Result<(), Error> {
        if self.received >= self.failed_at + PROGRESS {
            self.number = 1;
            self.failed_at = self.received;
        }
        self.transport.pause(&mut self.number, error).await
    }

    async fn request(
        &mut self,
    ) -> Result<BoxStream<'static, Result<Bytes, reqwest::Error>>, Error> {
        let path = format!("blobs/{}", self.digest);
        let left = self.size - self.received;
        let mut request = Request::get(&self.reference, &path)
            .timeout(self.transport.limits.transfer_timeout(left));
        if self.received > 0 {
            request = request.header(header::RANGE, &format!("bytes={}-", self.received));
        }
        let response = self.transport.send(request).await?;
        let skip = self.skip(&response)?;
        Ok(skipping(response.bytes_stream().boxed(), skip))
    }

    /// How many bytes of the answer are known already: none, or all of them if the registry does
    /// not know Range.
    fn skip(&self, response: &Response) -> Result<u64, Error> {
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(self.received);
        }
        let range = response.headers().get(header::CONTENT_RANGE);
        let start = range.and_then(|range| {
            range.to_str().ok()?.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok()
        });
        if start == Some(self.received) {
            return Ok(0);
        }
        Err(Error::Malformed {
            registry: self.reference.host().to_owned(),
            reference: self.reference.clone(),
            why: format!("it was asked for the bytes from {} on, and sent others", self.received),
        })
    }

    fn size_error(&self, actual: u64) -> Error {
        let (what, reference) = ("a blob", self.reference.clone());
        Error::Truncated { what, reference, expected: self.size, actual }
    }
}

/// The stream without its first bytes.
pub(super) fn skipping<E: Send + 'static>(
    stream: BoxStream<'static, Result<Bytes, E>>,
    mut skip: u64,
) -> BoxStream<'static, Result<Bytes, E>> {
    if skip == 0 {
        return stream;
    }
    let rest = move |chunk: Result<Bytes, E>| {
        let rest = chunk.map(|mut chunk| {
            let known = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
            skip -= known as u64;
            chunk.split_off(known)
        });
        futures::future::ready((!matches!(&rest, Ok(rest) if rest.is_empty())).then_some(rest))
    };
    stream.filter_map(rest).boxed()
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn skipped_bytes() {
        for (skip, rest) in [(0, "abcdef"), (1, "bcdef"), (2, "cdef"), (5, "f"), (6, ""), (9, "")] {
            let chunks = ["ab", "cd", "ef"].map(|chunk| Ok::<_, ()>(Bytes::from(chunk)));
            let left: Vec<Bytes> =
                skipping(stream::iter(chunks).boxed(), skip).try_collect().await.unwrap();
            assert_eq!(left.concat(), rest.as_bytes(), "{skip}");
        }
    }
}
