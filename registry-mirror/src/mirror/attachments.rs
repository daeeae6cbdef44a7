//! What is attached to a manifest in the source: signatures, attestations, SBOMs.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use super::blobs::Side;
use crate::{
    client::{fallback_tag, tags_of_old_signatures},
    digest::Digest,
    error::Error,
};

type Tags = Arc<OnceCell<HashSet<String>>>;

/// One thing that is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attachment {
    /// A manifest whose subject is the one it is attached to.
    Referrer(Digest),
    /// A manifest that is known by its tag alone, as cosign keeps them by default.
    Tag(String),
}

/// Asks each registry whether it has the referrers API, and each repository for its tags, once.
#[derive(Default)]
pub(super) struct Attachments(Mutex<HashMap<String, Tags>>);

impl Attachments {
    pub(super) async fn of(
        &self,
        from: Side<'_>,
        digest: &Digest,
    ) -> Result<Vec<Attachment>, Error> {
        let Side { client, repository } = from;
        let (listed, tags) =
            futures::try_join!(client.by_api(repository, digest), self.tags(from))?;
        let listed = match listed {
            Some(manifests) => manifests,
            None if tags.contains(&fallback_tag(digest)) => {
                client.by_tag(repository, digest).await?
            }
            None => Vec::new(),
        };
        let referrers = listed.into_iter().map(|manifest| Attachment::Referrer(manifest.digest));
        let old = tags_of_old_signatures(digest).into_iter().filter(|tag| tags.contains(tag));
        Ok(referrers.chain(old.map(Attachment::Tag)).collect())
    }

    /// The tags of the source's repository. One that does not let them be listed has none.
    async fn tags(&self, from: Side<'_>) -> Result<HashSet<String>, Error> {
        let cell = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(from.repository.path()).or_default().clone()
        };
        let listed = cell.get_or_try_init(|| async {
            match from.client.tags(from.repository).await {
                // Only these are of use here; a repository may have very many others.
                Ok(tags) => Ok(tags.into_iter().filter(|tag| tag.starts_with("sha256-")).collect()),
                Err(error) if error.is_transient() => Err(error),
                Err(error) => {
                    tracing::debug!(%error, "tags are not listed");
                    Ok(HashSet::new())
                }
            }
        });
        Ok(listed.await?.clone())
    }
}
