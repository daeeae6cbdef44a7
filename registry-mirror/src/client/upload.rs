//! Blobs into a registry: taken over from a repository beside it, or sent; what broke off is gone
//! on with where the registry has it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream};
use reqwest::{Method, Response, StatusCode, Url, header};

use super::{
    Client,
    download::{BlobStream, skipping},
    request::{Body, Request, Target},
    scope::Access,
};
use crate::{error::Error, manifest::Descriptor, reference::Reference};

/// Where the bytes of one blob come from. It is opened again when an upload has to be.
pub trait BlobSource: Send + Sync {
    /// The whole blob, from its first byte.
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>>;
}

/// How a blob came to be where it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// The registry took it over from another repository, or had it.
    Mounted,
    Sent,
}

/// A blob of a registry.
impl BlobSource for (Client, Reference, Descriptor) {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>> {
        let (client, repository, blob) = self;
        client.blob(repository, blob).boxed()
    }
}

/// Bytes in memory.
impl BlobSource for Bytes {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>> {
        let bytes = self.clone();
        async move { Ok(stream::once(async move { Ok(bytes) }).boxed()) }.boxed()
    }
}

impl Client {
    /// Puts a blob into a repository. If the registry has it in the repository `from` (a path
    /// such as `team/app`; the repository itself will do), no bytes are sent.
    ///
    /// A blob appears whole and with its digest or not at all: the registry checks the digest,
    /// and a `source` that is a [`BlobStream`] of a client checks it before the last byte.
    pub async fn push_blob(
        &self,
        repository: &Reference,
        blob: &Descriptor,
        from: Option<&str>,
        source: &dyn BlobSource,
    ) -> Result<Uploaded, Error> {
        let reference = repository.repository_only().with_digest(blob.digest.clone());
        let mut upload = Upload { client: self, reference, blob, from, at: None };
        let mut number = 1;
        loop {
            match upload.run(source).await {
                Ok(done) => return Ok(done),
                Err(error) => {
                    if let Err(error) = self.0.pause(&mut number, error).await {
                        upload.cancel().await;
                        return Err(error);
                    }
                }
            }
        }
    }
}

struct Upload<'a> {
    client: &'a Client,
    reference: Reference,
    blob: &'a Descriptor,
    from: Option<&'a str>,
    /// Where the upload goes on; `None` before its first request.
    at: Option<Url>,
}

impl Upload<'_> {
    async fn run(&mut self, source: &dyn BlobSource) -> Result<Uploaded, Error> {
        let offset = match &self.at {
            Some(_) => self.offset().await?,
            None => None,
        };
        let offset = match offset {
            Some(offset) => offset,
            None => {
                if self.start().await? == Uploaded::Mounted {
                    return Ok(Uploaded::Mounted);
                }
                0
            }
        };
        let bytes = skipping(source.open().await?, offset);
        if offset == 0 && self.blob.size <= self.client.limits().single_upload_bytes {
            self.send_at_once(bytes).await?;
        } else {
            self.send_in_parts(bytes, offset).await?;
        }
        Ok(Uploaded::Sent)
    }

    /// Begins an upload, unless the registry can take the blob from elsewhere.
    async fn start(&mut self) -> Result<Uploaded, Error> {
        let (access, path) = match self.from {
            Some(from) => {
                let path = format!("blobs/uploads/?mount={}&from={from}", self.blob.digest);
                (Access::Mount { from }, path)
            }
            None => (Access::Push, "blobs/uploads/".to_owned()),
        };
        let request =
            Request::new(Method::POST, &self.reference, access, Target::Repository(&path));
        let response = match self.client.0.send(request).await {
            // A registry that knows no mounting, or does not let us read there, must get the bytes.
            Err(error) if self.from.is_some() && !error.is_transient() => {
                tracing::debug!(%error, "a blob cannot be mounted");
                self.from = None;
                return Box::pin(self.start()).await;
            }
            answered => answered?,
        };
        if response.status() == StatusCode::CREATED {
            return Ok(Uploaded::Mounted);
        }
        self.moved(&response)?;
        Ok(Uploaded::Sent)
    }

    /// How many bytes the registry has of an upload; `None` if it has forgotten it.
    async fn offset(&mut self) -> Result<Option<u64>, Error> {
        let Some(at) = self.at.clone() else { return Ok(None) };
        let request = Request::new(Method::GET, &self.reference, Access::Push, Target::Url(at));
        match self.client.0.send(request).await {
            Ok(response) => {
                let offset = received(&response);
                self.moved(&response)?;
                Ok(offset.filter(|offset| *offset <= self.blob.size))
            }
            Err(error) if error.is_transient() => Err(error),
            Err(_) => {
                self.at = None;
                Ok(None)
            }
        }
    }

    async fn send_at_once(&mut self, bytes: BlobStream) -> Result<(), Error> {
        let at = self.finishing()?;
        let size = self.blob.size;
        // Whatever comes of it, this upload cannot be gone on with.
        self.at = None;
        let (body, failure) = body(bytes);
        let request = self
            .request(Method::PUT, at)
            .body(Body::Stream(Some(body), size))
            .timeout(self.client.limits().transfer_timeout(size));
        let sent = self.client.0.send(request).await;
        failure.take()?;
        sent.map(drop)
    }

    async fn send_in_parts(&mut self, bytes: BlobStream, offset: u64) -> Result<(), Error> {
        let limits = self.client.limits();
        let part = limits.upload_chunk_bytes.unwrap_or(u64::MAX).max(1);
        let bytes = Parts::new(bytes);
        let mut offset = offset;
        while offset < self.blob.size {
            let length = part.min(self.blob.size - offset);
            let (body, failure) = body(bytes.next(length));
            let at = self.here()?;
            let range = format!("{offset}-{}", offset + length - 1);
            let mut request = self
                .request(Method::PATCH, at)
                .body(Body::Stream(Some(body), length))
                .timeout(limits.transfer_timeout(length));
            // One part that is the whole blob needs no range, and old registries want none.
            if length < self.blob.size {
                request = request.header(header::CONTENT_RANGE, &range);
            }
            let sent = self.client.0.send(request).await;
            failure.take()?;
            let response = match sent {
                Err(Error::Server { status: 416, .. }) => return Err(self.out_of_step()),
                sent => sent?,
            };
            offset += length;
            if received(&response).is_some_and(|received| received != offset) {
                return Err(self.out_of_step());
            }
            self.moved(&response)?;
        }
        bytes.end().await?;
        let at = self.finishing()?;
        self.client.0.send(self.request(Method::PUT, at)).await.map(drop)
    }

    /// Tells the registry that it need not keep what it has. That it cannot be told is no error.
    async fn cancel(&mut self) {
        if let Some(at) = self.at.take() {
            let request = self.request(Method::DELETE, at);
            let _ = self.client.0.send(request).await;
        }
    }

    fn request(&self, method: Method, at: Url) -> Request<'_> {
        Request::new(method, &self.reference, Access::Push, Target::Url(at))
            .header(header::CONTENT_TYPE, "application/octet-stream")
    }

    /// Keeps where the upload goes on.
    fn moved(&mut self, response: &Response) -> Result<(), Error> {
        let location = response.headers().get(header::LOCATION);
        let next = location.and_then(|next| response.url().join(next.to_str().ok()?).ok());
        match (next, &self.at) {
            (Some(next), _) => self.at = Some(next),
            (None, Some(_)) => {}
            (None, None) => {
                return Err(self.malformed("it does not say where an upload goes on"));
            }
        }
        Ok(())
    }

    fn here(&self) -> Result<Url, Error> {
        self.at.clone().ok_or_else(|| self.malformed("it does not say where an upload goes on"))
    }

    fn finishing(&self) -> Result<Url, Error> {
        let mut at = self.here()?;
        at.query_pairs_mut().append_pair("digest", self.blob.digest.as_str());
        Ok(at)
    }

    fn out_of_step(&self) -> Error {
        Error::Truncated {
            what: "the upload",
            reference: self.reference.clone(),
            expected: self.blob.size,
            actual: 0,
        }
    }

    fn malformed(&self, why: &str) -> Error {
        Error::Malformed {
            registry: self.reference.host().to_owned(),
            reference: self.reference.clone(),
            why: why.to_owned(),
        }
    }
}

/// What `Range: 0-N` of an upload means: N is the last byte. (`0-0` is said for none, too.)
fn received(response: &Response) -> Option<u64> {
    let range = response.headers().get(header::RANGE)?.to_str().ok()?;
    let last: u64 = range.trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

/// A stream in parts of given lengths.
#[derive(Clone)]
struct Parts(Arc<tokio::sync::Mutex<Rest>>);

struct Rest {
    stream: BlobStream,
    chunk: Bytes,
}

impl Parts {
    fn new(stream: BlobStream) -> Self {
        Self(Arc::new(tokio::sync::Mutex::new(Rest { stream, chunk: Bytes::new() })))
    }

    fn next(&self, length: u64) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        stream::try_unfold((self.clone(), length), |(parts, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let mut rest = parts.0.lock().await;
            if rest.chunk.is_empty() {
                match rest.stream.next().await {
                    Some(chunk) => rest.chunk = chunk?,
                    None => return Ok(None),
                }
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(rest.chunk.len());
            let chunk = rest.chunk.split_to(length);
            drop(rest);
            Ok(Some((chunk, (parts, left - length as u64))))
        })
    }

    /// The source's own last word, which no part has read.
    async fn end(&self) -> Result<(), Error> {
        match self.0.lock().await.stream.next().await {
            Some(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Keeps the error of a source, which reqwest would hide.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    fn take(&self) -> Result<(), Error> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

fn body(
    bytes: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
) -> (reqwest::Body, Failure) {
    let failure = Failure::default();
    let kept = failure.clone();
    let bytes = bytes.map(move |chunk| {
        chunk.map_err(|error| {
            *kept.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            std::io::Error::other("the source failed")
        })
    });
    (reqwest::Body::wrap_stream(bytes), failure)
}
