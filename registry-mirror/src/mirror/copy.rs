//! Bringing one chart or image to another registry, with all that belongs to it.
//!
//! What is named is there before what names it: blobs, then manifests by digest, the tag last. A
//! copy that is killed leaves nothing that can be pulled in part, and the next one goes on.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};

use super::{
    MirrorError,
    attachments::{Attachment, Attachments},
    blobs::{Blobs, Side},
    platforms::Platforms,
    progress::Progress,
};
use crate::{
    digest::Digest,
    error::Error,
    manifest::{Descriptor, Index, Manifest, ManifestBytes},
    reference::Reference,
    registries::Registries,
};

/// How much is copied, and how.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    pub platforms: Platforms,
    /// Signatures, attestations and SBOMs go along.
    pub attachments: bool,
    /// Nothing is written.
    pub dry_run: bool,
    /// Blobs that are transferred at one time.
    pub at_once: usize,
}

/// Copies between registries. One for a whole run: it remembers which blobs are where.
pub struct Copier {
    from: Registries,
    to: Registries,
    options: CopyOptions,
    blobs: Blobs,
    attachments: Attachments,
    progress: Arc<dyn Progress>,
}

/// What a copy came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub outcome: Outcome,
    /// What the target's name stands for now; another than the source's only if platforms were
    /// left out and the target refuses an index that names what it does not have.
    pub digest: Digest,
    /// Of blobs; with a dry run, what would have to be sent at most.
    pub bytes: u64,
    /// Signatures, attestations and SBOMs that are new in the target.
    pub attachments: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The target had exactly this.
    Unchanged,
    Copied,
    /// It would be copied if this were no dry run.
    WouldCopy,
}

/// How deep indexes may name indexes, and attachments attachments.
const DEEPEST: usize = 4;
/// Manifests of one index, and blobs of one manifest, that are looked after at one time.
const SIDE_BY_SIDE: usize = 8;

impl Copier {
    pub fn new(
        from: Registries,
        to: Registries,
        options: CopyOptions,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let (blobs, attachments) = (Blobs::new(options.at_once), Attachments::default());
        Self { from, to, options, blobs, attachments, progress }
    }

    /// Makes `target` (a repository, with a tag if it is to have one) stand for what `source`
    /// does: its digest if it has one, else what its tag stands for now.
    pub async fn copy(
        &self,
        source: &Reference,
        target: &Reference,
    ) -> Result<Copied, MirrorError> {
        let read = |error| MirrorError::source(source, error);
        let from_client = self.from.client(source).await.map_err(read)?;
        let to_client = self.to.client(target).await.map_err(|e| MirrorError::target(target, e))?;
        let (from_repository, to_repository) = (source.repository_only(), target.repository_only());
        let from = Side { client: &from_client, repository: &from_repository };
        let to = Side { client: &to_client, repository: &to_repository };
        let digest = match source.digest() {
            Some(digest) => digest.clone(),
            None => {
                let told = from_client.resolve(source).await.map_err(|e| read(e.into()))?;
                told.parse().map_err(|e| read(Error::InvalidDigest(e).into()))?
            }
        };
        let work = Work { copier: self, from, to };
        let present = work.present(target.tag(), &digest);
        let attached = async {
            let attached = self.options.attachments.then(|| self.attachments.of(from, &digest));
            match attached {
                Some(attached) => attached.await.map_err(|e| read(e.into())),
                None => Ok(Vec::new()),
            }
        };
        let (present, attached) = futures::try_join!(present, attached)?;
        let mut copied = if present.as_ref() == Some(&digest) {
            Copied { outcome: Outcome::Unchanged, digest: digest.clone(), bytes: 0, attachments: 0 }
        } else {
            work.whole(&digest, target.tag(), present.as_ref()).await?
        };
        for attachment in attached {
            copied.attachments += work.attach(&attachment, 0).await?;
        }
        Ok(copied)
    }
}

/// One copy from a repository to a repository.
#[derive(Clone, Copy)]
struct Work<'a> {
    copier: &'a Copier,
    from: Side<'a>,
    to: Side<'a>,
}

/// What bringing a manifest came to.
struct Brought {
    manifest: ManifestBytes,
    bytes: u64,
    /// Digests below it, for what is attached to them.
    below: Vec<Digest>,
}

impl<'a> Work<'a> {
    /// What the target has under the tag, or under the digest if there is no tag.
    async fn present(
        &self,
        tag: Option<&str>,
        digest: &Digest,
    ) -> Result<Option<Digest>, MirrorError> {
        let name = self.named(tag, digest)?;
        let found = self.to.client.digest_of(&name).await;
        found.map_err(|error| MirrorError::target(&name, error))
    }

    fn named(&self, tag: Option<&str>, digest: &Digest) -> Result<Reference, MirrorError> {
        let repository = self.to.repository;
        match tag {
            Some(tag) => repository
                .with_tag(tag)
                .map_err(|error| MirrorError::target(repository, Error::from(error))),
            None => Ok(repository.with_digest(digest.clone())),
        }
    }

    /// A manifest with all below it, under its name.
    async fn whole(
        &self,
        digest: &Digest,
        tag: Option<&str>,
        present: Option<&Digest>,
    ) -> Result<Copied, MirrorError> {
        let dry_run = self.copier.options.dry_run;
        let (manifest, reduced) = self.read(digest).await?;
        if let Some(reduced) = &reduced
            && present == Some(&reduced.digest)
        {
            let digest = reduced.digest.clone();
            return Ok(Copied { outcome: Outcome::Unchanged, digest, bytes: 0, attachments: 0 });
        }
        let brought = self.bring(manifest, reduced.as_ref(), 0).await?;
        let name = self.named(tag, digest)?;
        let mut now = digest.clone();
        if !dry_run {
            now = self.put(&name, &brought.manifest, reduced.as_ref()).await?;
        }
        let mut attachments = 0;
        if self.copier.options.attachments {
            for below in &brought.below {
                let found = self.copier.attachments.of(self.from, below).await;
                for attachment in found.map_err(|e| MirrorError::source(self.from.repository, e))? {
                    attachments += self.attach(&attachment, 0).await?;
                }
            }
        }
        let outcome = if dry_run { Outcome::WouldCopy } else { Outcome::Copied };
        Ok(Copied { outcome, digest: now, bytes: brought.bytes, attachments })
    }

    /// A manifest of the source; for an index of which platforms are left out, also what it is
    /// without them.
    async fn read(
        &self,
        digest: &Digest,
    ) -> Result<(ManifestBytes, Option<ManifestBytes>), MirrorError> {
        let name = self.from.repository.with_digest(digest.clone());
        let manifest = self.from.client.manifest(&name).await;
        let manifest = manifest.map_err(|error| MirrorError::source(&name, error))?;
        let platforms = &self.copier.options.platforms;
        if platforms.is_all() {
            return Ok((manifest, None));
        }
        let reduced = match manifest.parse() {
            Ok(Manifest::Index(index)) => self.reduced(&name, &manifest, &index)?,
            _ => None,
        };
        Ok((manifest, reduced))
    }

    fn reduced(
        &self,
        name: &Reference,
        manifest: &ManifestBytes,
        index: &Index,
    ) -> Result<Option<ManifestBytes>, MirrorError> {
        let platforms = &self.copier.options.platforms;
        let wanted = platforms.of(&index.manifests);
        if wanted.is_empty() {
            let present: Vec<String> =
                index.manifests.iter().flat_map(|m| &m.platform).map(ToString::to_string).collect();
            return Err(MirrorError::NoPlatform {
                reference: name.clone(),
                platforms: platforms.to_string(),
                present: present.join(", "),
            });
        }
        if wanted.len() == index.manifests.len() {
            return Ok(None);
        }
        Ok(without(manifest, &wanted))
    }

    /// All that a manifest names.
    fn bring<'b>(
        &'b self,
        manifest: ManifestBytes,
        reduced: Option<&'b ManifestBytes>,
        depth: usize,
    ) -> BoxFuture<'b, Result<Brought, MirrorError>>
    where
        'a: 'b,
    {
        async move {
            let name = self.from.repository.with_digest(manifest.digest.clone());
            if depth > DEEPEST {
                return Err(MirrorError::TooDeep { reference: name, limit: DEEPEST });
            }
            let parse = |manifest: &ManifestBytes| {
                manifest.parse().map_err(|error| MirrorError::manifest(&name, &error))
            };
            let parsed = parse(reduced.unwrap_or(&manifest))?;
            match parsed {
                Manifest::Image(image) => {
                    let blobs = [image.config].into_iter().chain(image.layers);
                    let bytes = self.blobs(blobs.collect()).await?;
                    Ok(Brought { manifest, bytes, below: Vec::new() })
                }
                Manifest::Index(index) => {
                    let mut bytes = 0;
                    let mut below = Vec::new();
                    let children = stream::iter(index.manifests)
                        .map(|child| async move { self.child(&child, depth + 1).await })
                        .buffer_unordered(SIDE_BY_SIDE);
                    let mut children = std::pin::pin!(children);
                    while let Some((sent, digests)) = children.try_next().await? {
                        bytes += sent;
                        below.extend(digests);
                    }
                    Ok(Brought { manifest, bytes, below })
                }
            }
        }
        .boxed()
    }

    /// A manifest of an index, under its digest.
    async fn child(
        &self,
        child: &Descriptor,
        depth: usize,
    ) -> Result<(u64, Vec<Digest>), MirrorError> {
        let mut below = vec![child.digest.clone()];
        if self.present(None, &child.digest).await?.as_ref() == Some(&child.digest) {
            return Ok((0, below));
        }
        let (manifest, _) = self.read(&child.digest).await?;
        let brought = self.bring(manifest, None, depth).await?;
        if !self.copier.options.dry_run {
            let name = self.to.repository.with_digest(child.digest.clone());
            let put = self.to.client.put_manifest(&name, &brought.manifest).await;
            put.map_err(|error| MirrorError::target(&name, error))?;
        }
        below.extend(brought.below);
        Ok((brought.bytes, below))
    }

    async fn blobs(&self, blobs: Vec<Descriptor>) -> Result<u64, MirrorError> {
        let copier = self.copier;
        let wanted = blobs.into_iter().filter(|blob| !blob.is_foreign());
        let brought = stream::iter(wanted).map(|blob: Descriptor| async move {
            if !copier.options.dry_run {
                return copier.blobs.bring(self.from, self.to, &blob, &copier.progress).await;
            }
            let there = self.to.client.has_blob(self.to.repository, &blob).await;
            let there = there.map_err(|error| MirrorError::target(self.to.repository, error))?;
            Ok(if there { 0 } else { blob.size })
        });
        brought.buffer_unordered(SIDE_BY_SIDE).try_fold(0, async |sum, sent| Ok(sum + sent)).await
    }

    /// Writes a manifest under its name. A registry may refuse an index that names platforms
    /// which are not there: it then gets the reduced one, which has another digest.
    async fn put(
        &self,
        name: &Reference,
        manifest: &ManifestBytes,
        reduced: Option<&ManifestBytes>,
    ) -> Result<Digest, MirrorError> {
        let failed = |error| MirrorError::target(name, error);
        let refused = match self.to.client.put_manifest(name, manifest).await {
            Ok(()) => return Ok(manifest.digest.clone()),
            Err(error) => error,
        };
        match (reduced, &refused) {
            (Some(reduced), Error::NotFound { .. } | Error::Server { status: 400..500, .. }) => {
                let name = match name.tag() {
                    Some(_) => name.clone(),
                    None => name.repository_only().with_digest(reduced.digest.clone()),
                };
                self.to.client.put_manifest(&name, reduced).await.map_err(failed)?;
                Ok(reduced.digest.clone())
            }
            _ => Err(failed(refused)),
        }
    }

    /// A signature or the like, and what is attached to it in turn. Gives how many are new.
    fn attach<'b>(
        &'b self,
        attachment: &'b Attachment,
        depth: usize,
    ) -> BoxFuture<'b, Result<usize, MirrorError>>
    where
        'a: 'b,
    {
        async move {
            let (tag, digest) = match attachment {
                Attachment::Referrer(digest) => (None, digest.clone()),
                Attachment::Tag(tag) => {
                    let read = |error| MirrorError::source(self.from.repository, error);
                    let name = self.from.repository.with_tag(tag).map_err(|e| read(e.into()))?;
                    match self.from.client.digest_of(&name).await.map_err(read)? {
                        Some(digest) => (Some(tag.as_str()), digest),
                        None => return Ok(0),
                    }
                }
            };
            if self.present(tag, &digest).await?.as_ref() == Some(&digest) {
                return Ok(0);
            }
            let name = self.from.repository.with_digest(digest.clone());
            let manifest = self.from.client.manifest(&name).await;
            let manifest = manifest.map_err(|error| MirrorError::source(&name, error))?;
            let brought = self.bring(manifest, None, depth).await?;
            if !self.copier.options.dry_run {
                self.put(&self.named(tag, &digest)?, &brought.manifest, None).await?;
            }
            let mut new = 1;
            if depth < DEEPEST {
                let further = self.copier.attachments.of(self.from, &digest).await;
                let read = |error| MirrorError::source(self.from.repository, error);
                for attachment in further.map_err(read)? {
                    new += self.attach(&attachment, depth + 1).await?;
                }
            }
            Ok(new)
        }
        .boxed()
    }
}

/// An index with these manifests alone; all else stays as it was written.
fn without(manifest: &ManifestBytes, wanted: &[&Descriptor]) -> Option<ManifestBytes> {
    let mut document: serde_json::Value = serde_json::from_slice(&manifest.bytes).ok()?;
    let manifests = document.get_mut("manifests")?.as_array_mut()?;
    manifests.retain(|entry| {
        let digest = entry.get("digest").and_then(serde_json::Value::as_str);
        wanted.iter().any(|wanted| Some(wanted.digest.as_str()) == digest)
    });
    let bytes = Bytes::from(serde_json::to_vec(&document).ok()?);
    Some(ManifestBytes::new(bytes, Some(&manifest.media_type)))
}
