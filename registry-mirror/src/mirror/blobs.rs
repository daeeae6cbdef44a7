//! Blobs, each brought to a registry once: for the next repository that wants it, the registry
//! takes it over from the first.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use tokio::sync::Semaphore;

use super::{
    MirrorError,
    progress::{Event, Progress},
};
use crate::{
    client::{BlobSource, BlobStream, Client, Uploaded},
    digest::Digest,
    error::Error,
    manifest::Descriptor,
    reference::Reference,
};

/// The repositories of a target that hold a blob.
type Holders = Arc<tokio::sync::Mutex<Vec<String>>>;

pub(super) struct Blobs {
    /// Bounds all transfers together.
    at_once: Semaphore,
    /// By host and digest.
    known: Mutex<HashMap<(String, Digest), Holders>>,
}

/// One side of a copy.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub client: &'a Client,
    pub repository: &'a Reference,
}

impl Blobs {
    pub(super) fn new(at_once: usize) -> Self {
        Self { at_once: Semaphore::new(at_once.max(1)), known: Mutex::default() }
    }

    /// Brings a blob over, unless it is there. Gives the bytes that were sent.
    pub(super) async fn bring(
        &self,
        from: Side<'_>,
        to: Side<'_>,
        blob: &Descriptor,
        progress: &Arc<dyn Progress>,
    ) -> Result<u64, MirrorError> {
        let name = to.repository.repository();
        let holders = self.holders(to.repository.host(), &blob.digest);
        // Held while nobody has the blob, so that it is sent once.
        let mut held = holders.lock().await;
        if held.iter().any(|holder| holder == name) {
            return Ok(0);
        }
        progress.event(Event::Expected(blob.size));
        let holder = held.first().cloned();
        let sent = if let Some(holder) = holder {
            drop(held);
            let sent = self.push(from, to, blob, &holder, progress).await?;
            holders.lock().await.push(name.to_owned());
            sent
        } else {
            let there = blob.size > to.client.limits().single_upload_bytes
                && self.is_there(to, blob).await?;
            let sent = if there { 0 } else { self.push(from, to, blob, name, progress).await? };
            held.push(name.to_owned());
            sent
        };
        if sent == 0 {
            progress.event(Event::Spared(blob.size));
        }
        Ok(sent)
    }

    fn holders(&self, host: &str, digest: &Digest) -> Holders {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry((host.to_owned(), digest.clone())).or_default().clone()
    }

    async fn is_there(&self, to: Side<'_>, blob: &Descriptor) -> Result<bool, MirrorError> {
        let there = to.client.has_blob(to.repository, blob).await;
        there.map_err(|error| MirrorError::target(to.repository, error))
    }

    async fn push(
        &self,
        from: Side<'_>,
        to: Side<'_>,
        blob: &Descriptor,
        holder: &str,
        progress: &Arc<dyn Progress>,
    ) -> Result<u64, MirrorError> {
        let _permit = self.at_once.acquire().await;
        let source = Source {
            client: from.client.clone(),
            repository: from.repository.clone(),
            blob: blob.clone(),
            progress: progress.clone(),
            failed: Arc::default(),
        };
        let pushed = to.client.push_blob(to.repository, blob, Some(holder), &source).await;
        match pushed {
            Ok(Uploaded::Mounted) => Ok(0),
            Ok(Uploaded::Sent) => Ok(blob.size),
            Err(error) if source.failed.load(Ordering::Relaxed) => {
                Err(MirrorError::source(from.repository, error))
            }
            Err(error) => Err(MirrorError::target(to.repository, error)),
        }
    }
}

/// A blob of the source, counted as it passes.
struct Source {
    client: Client,
    repository: Reference,
    blob: Descriptor,
    progress: Arc<dyn Progress>,
    /// The last failure was of this side.
    failed: Arc<AtomicBool>,
}

impl BlobSource for Source {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>> {
        async {
            self.failed.store(true, Ordering::Relaxed);
            let stream = self.client.blob(&self.repository, &self.blob).await?;
            self.failed.store(false, Ordering::Relaxed);
            let (progress, failed) = (self.progress.clone(), self.failed.clone());
            let counted = stream.inspect(move |chunk| match chunk {
                Ok(chunk) => progress.event(Event::Sent(chunk.len() as u64)),
                Err(_) => failed.store(true, Ordering::Relaxed),
            });
            Ok(counted.boxed())
        }
        .boxed()
    }
}
