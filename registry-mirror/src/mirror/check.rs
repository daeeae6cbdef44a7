//! Proof that a mirror holds something, all of it, by digest.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};

use super::{MirrorError, optional};
use crate::{
    client::Client,
    digest::Digest,
    manifest::{Descriptor, Manifest},
    reference::Reference,
    registries::Registries,
};

/// What a mirror has under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The manifest, byte for byte, and all that it names.
    Complete,
    /// No such name.
    Missing,
    /// The name stands for something else.
    Other(Digest),
    /// The manifest is there, and these are not.
    Incomplete(Vec<Digest>),
}

/// One name of a mirror that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub target: Reference,
    /// What it must stand for.
    pub digest: Digest,
    pub found: Found,
}

/// How deep indexes may name indexes.
const DEEPEST: usize = 4;
/// Parts of one manifest that are asked for at one time.
const SIDE_BY_SIDE: usize = 8;

/// Looks whether `target` is `digest`. Manifests are read and hashed here; of blobs the registry
/// is asked whether it has them, each once. The tag is asked for too, if there is one.
pub async fn check(
    registries: &Registries,
    target: &Reference,
    digest: &Digest,
) -> Result<Finding, MirrorError> {
    let failed = |error| MirrorError::target(target, error);
    let client = registries.client(target).await.map_err(|e| MirrorError::target(target, e))?;
    let finding = |found| Finding { target: target.clone(), digest: digest.clone(), found };
    if target.tag().is_some() {
        match client.digest_of(target).await.map_err(failed)? {
            None => return Ok(finding(Found::Missing)),
            Some(other) if other != *digest => return Ok(finding(Found::Other(other))),
            Some(_) => {}
        }
    }
    let repository = target.repository_only();
    let descriptor = Descriptor::new("", digest.clone(), 0);
    let missing =
        Missing { client: &client, repository: &repository }.below(&descriptor, 0).await?;
    Ok(finding(match missing {
        missing if missing.is_empty() => Found::Complete,
        missing if missing == [digest.clone()] => Found::Missing,
        missing => Found::Incomplete(missing),
    }))
}

struct Missing<'a> {
    client: &'a Client,
    repository: &'a Reference,
}

impl Missing<'_> {
    /// The digests that are not there, of a manifest and all below it.
    fn below<'b>(
        &'b self,
        manifest: &'b Descriptor,
        depth: usize,
    ) -> BoxFuture<'b, Result<Vec<Digest>, MirrorError>> {
        async move {
            let name = self.repository.with_digest(manifest.digest.clone());
            if depth > DEEPEST {
                return Err(MirrorError::TooDeep { reference: name, limit: DEEPEST });
            }
            let read = optional(self.client.manifest(&name).await);
            let Some(read) = read.map_err(|error| MirrorError::target(&name, error))? else {
                return Ok(vec![manifest.digest.clone()]);
            };
            let parsed = read.parse().map_err(|error| MirrorError::manifest(&name, &error))?;
            match parsed {
                Manifest::Image(image) => {
                    let blobs = [image.config].into_iter().chain(image.layers);
                    self.blobs(blobs.filter(|blob| !blob.is_foreign()).collect()).await
                }
                Manifest::Index(index) => {
                    let below = stream::iter(index.manifests)
                        .map(|child| async move { self.below(&child, depth + 1).await })
                        .buffered(SIDE_BY_SIDE);
                    below.try_concat().await
                }
            }
        }
        .boxed()
    }

    async fn blobs(&self, blobs: Vec<Descriptor>) -> Result<Vec<Digest>, MirrorError> {
        let asked = stream::iter(blobs).map(|blob: Descriptor| async move {
            let there = self.client.has_blob(self.repository, &blob).await;
            let there = there.map_err(|error| MirrorError::target(self.repository, error))?;
            Ok(if there { Vec::new() } else { vec![blob.digest] })
        });
        asked.buffered(SIDE_BY_SIDE).try_concat().await
    }
}
