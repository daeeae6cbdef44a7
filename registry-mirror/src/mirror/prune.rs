//! What is in a mirror and in no plan.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{MirrorError, optional};
use crate::{
    client::Client, digest::Digest, manifest::Manifest, reference::Reference,
    registries::Registries,
};

/// A tag that no plan needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// Repository and tag.
    pub target: Reference,
    pub digest: Digest,
    /// Something that is needed has the same digest: only the tag can go.
    pub is_needed_otherwise: bool,
}

/// Tags that are asked for at one time.
const SIDE_BY_SIDE: usize = 8;

/// The tags of these repositories that stand for nothing that is needed. `needed` are names of
/// the mirror with their digests; signatures of what is needed are needed too.
pub async fn prune(
    registries: &Registries,
    needed: &[Reference],
    repositories: &[Reference],
) -> Result<Vec<Extra>, MirrorError> {
    let mut by_repository: BTreeMap<String, (Reference, Vec<&Reference>)> = BTreeMap::new();
    let looked_at = |at: &Reference| (at.repository_only(), Vec::new());
    for repository in repositories {
        by_repository.entry(repository.path()).or_insert_with(|| looked_at(repository));
    }
    for reference in needed {
        let entry = by_repository.entry(reference.path()).or_insert_with(|| looked_at(reference));
        entry.1.push(reference);
    }
    let mut extra = Vec::new();
    for (repository, needed) in by_repository.into_values() {
        let client = registries.client(&repository).await;
        let client = client.map_err(|error| MirrorError::target(&repository, error))?;
        extra.extend(of_repository(&client, &repository, &needed).await?);
    }
    Ok(extra)
}

/// Removes a tag, with its manifest if nothing else needs that. The registry gives its disk back
/// when it next collects garbage.
pub async fn delete(registries: &Registries, extra: &Extra) -> Result<(), MirrorError> {
    let failed = |error| MirrorError::target(&extra.target, error);
    let client = registries.client(&extra.target).await;
    let client = client.map_err(|error| MirrorError::target(&extra.target, error))?;
    let whole = extra.target.repository_only().with_digest(extra.digest.clone());
    let name = if extra.is_needed_otherwise { &extra.target } else { &whole };
    client.delete_manifest(name).await.map_err(failed)
}

async fn of_repository(
    client: &Client,
    repository: &Reference,
    needed: &[&Reference],
) -> Result<Vec<Extra>, MirrorError> {
    let failed = |error| MirrorError::target(repository, error);
    let tags = optional(client.tags(repository).await).map_err(failed)?.unwrap_or_default();
    let kept = kept_digests(client, repository, needed).await?;
    let candidates: Vec<String> = tags
        .into_iter()
        .filter(|tag| !needed.iter().any(|needed| needed.tag() == Some(tag)))
        .filter(|tag| !is_attached(tag, &kept))
        .collect();
    let kept = &kept;
    let asked = stream::iter(candidates).map(|tag| async move {
        let target = repository.with_tag(&tag).map_err(|error| failed(error.into()))?;
        let digest = client.digest_of(&target).await.map_err(failed)?;
        Ok(digest.map(|digest| {
            let is_needed_otherwise = kept.contains(&digest);
            Extra { target, digest, is_needed_otherwise }
        }))
    });
    let found: Vec<Option<Extra>> = asked.buffered(SIDE_BY_SIDE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The digests that are needed, with those of the images of an index.
async fn kept_digests(
    client: &Client,
    repository: &Reference,
    needed: &[&Reference],
) -> Result<BTreeSet<Digest>, MirrorError> {
    let mut kept = BTreeSet::new();
    let mut next: Vec<Digest> = needed.iter().filter_map(|r| r.digest().cloned()).collect();
    while let Some(digest) = next.pop() {
        if !kept.insert(digest.clone()) {
            continue;
        }
        let name = repository.with_digest(digest);
        let read = optional(client.manifest(&name).await);
        let Some(read) = read.map_err(|error| MirrorError::target(&name, error))? else { continue };
        if let Ok(Manifest::Index(index)) = read.parse() {
            next.extend(index.manifests.into_iter().map(|child| child.digest));
        }
    }
    Ok(kept)
}

/// `sha256-<hex>`, with or without an ending, is attached to that digest.
fn is_attached(tag: &str, kept: &BTreeSet<Digest>) -> bool {
    tag.strip_prefix("sha256-").is_some_and(|rest| {
        let hex = rest.split('.').next().unwrap_or(rest);
        kept.iter().any(|digest| digest.hex() == hex)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_what_is_kept() {
        let digest = Digest::of(b"x");
        let kept = [digest.clone()].into();
        for ending in ["", ".sig", ".att"] {
            assert!(is_attached(&format!("sha256-{}{ending}", digest.hex()), &kept));
        }
        assert!(!is_attached(&format!("sha256-{}.sig", Digest::of(b"y").hex()), &kept));
        assert!(!is_attached("1.0.0", &kept));
    }
}
