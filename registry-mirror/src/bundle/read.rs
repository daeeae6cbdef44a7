//! Blobs of a bundle as streams, checked while they are read.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use sha2::{Digest as _, Sha256};

use super::{error::BundleError, opened::Bundle};
use crate::{
    client::{BlobSource, BlobStream},
    digest::Digest,
    error::Error,
};

/// Bytes read at once.
const CHUNK: u64 = 512 * 1024;

/// One blob of a bundle, to be pushed.
pub(super) struct InBundle {
    pub bundle: Arc<Bundle>,
    pub digest: Digest,
}

impl BlobSource for InBundle {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>> {
        let stream = self.bundle.clone().stream(self.digest.clone());
        async move { stream.map_err(local) }.boxed()
    }
}

/// A bundle's error where a registry's is expected.
fn local(error: BundleError) -> Error {
    Error::Local { source: Box::new(error) }
}

struct Reading {
    bundle: Arc<Bundle>,
    digest: Digest,
    at: u64,
    end: u64,
    /// Of a whole blob.
    hash: Option<Sha256>,
}

impl Bundle {
    /// A whole blob. Its last bytes come only if all of it fits its digest.
    pub(super) fn stream(self: Arc<Self>, digest: Digest) -> Result<BlobStream, BundleError> {
        let size = self.found(&digest)?.1.size;
        Ok(Reading { bundle: self, digest, at: 0, end: size, hash: Some(Sha256::new()) }.stream())
    }

    /// A part of a blob; the whole blob is checked first, once.
    pub(super) async fn range(
        self: Arc<Self>,
        digest: Digest,
        from: u64,
        to: u64,
    ) -> Result<BlobStream, BundleError> {
        let bundle = self.clone();
        let of = digest.clone();
        let checked = tokio::task::spawn_blocking(move || bundle.check(&of, &|_| ())).await;
        checked.unwrap_or_else(|_| Err(self.interrupted(&digest)))?;
        Ok(Reading { bundle: self, digest, at: from, end: to, hash: None }.stream())
    }

    /// Reads a blob to its end and holds it against its digest, unless that was done before.
    pub(super) fn check(&self, digest: &Digest, read: &dyn Fn(u64)) -> Result<(), BundleError> {
        if self.is_intact(digest) {
            return Ok(());
        }
        let (archive, place) = self.found(digest)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; CHUNK.min(place.size) as usize];
        let mut at = 0;
        while at < place.size {
            let length = CHUNK.min(place.size - at);
            let part = &mut buffer[..length as usize];
            archive.read_exact_at(part, place.offset + at)?;
            hash.update(part);
            at += length;
            read(length);
        }
        self.settle(digest, hash)
    }

    fn is_intact(&self, digest: &Digest) -> bool {
        self.intact.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    fn settle(&self, digest: &Digest, hash: Sha256) -> Result<(), BundleError> {
        let actual = Digest::finish(hash);
        if actual != *digest {
            let (archive, _) = self.found(digest)?;
            let (path, digest) = (archive.path.clone(), digest.clone());
            return Err(BundleError::Damaged { path, digest, actual });
        }
        self.intact.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone());
        Ok(())
    }

    fn interrupted(&self, digest: &Digest) -> BundleError {
        match self.found(digest) {
            Ok((archive, _)) => archive.malformed("reading it was interrupted"),
            Err(error) => error,
        }
    }
}

impl Reading {
    fn stream(self) -> BlobStream {
        stream::try_unfold(self, |reading| async move {
            if reading.at == reading.end {
                return Ok(None);
            }
            let (bundle, digest) = (reading.bundle.clone(), reading.digest.clone());
            let read = tokio::task::spawn_blocking(move || reading.next()).await;
            read.unwrap_or_else(|_| Err(bundle.interrupted(&digest))).map(Some).map_err(local)
        })
        .boxed()
    }

    fn next(mut self) -> Result<(Bytes, Self), BundleError> {
        let (archive, place) = self.bundle.found(&self.digest)?;
        let length = CHUNK.min(self.end - self.at);
        let mut bytes = vec![0; length as usize];
        archive.read_exact_at(&mut bytes, place.offset + self.at)?;
        self.at += length;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes);
        }
        if self.at == self.end
            && let Some(hash) = self.hash.take()
        {
            self.bundle.settle(&self.digest, hash)?;
        }
        Ok((bytes.into(), self))
    }
}
