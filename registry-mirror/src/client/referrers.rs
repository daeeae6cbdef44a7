//! What is attached to a manifest: signatures, attestations, SBOMs. By the referrers API, or by
//! the tag that stands in for it where a registry does not know the API.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use reqwest::header;

use super::{Client, paging::next_page, request::Request};
use crate::{
    digest::Digest,
    error::Error,
    limits::Expected,
    manifest::{Descriptor, Index, Manifest, ManifestBytes, OCI_INDEX},
    reference::Reference,
};

/// What is attached to a manifest, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    pub manifests: Vec<Descriptor>,
    /// True if they were listed under a tag, as clients do it for registries without the API.
    pub by_tag: bool,
}

/// The tags under which cosign kept signatures, attestations and SBOMs before there were
/// referrers, and still does by default.
pub fn tags_of_old_signatures(digest: &Digest) -> [String; 3] {
    ["sig", "att", "sbom"].map(|kind| format!("sha256-{}.{kind}", digest.hex()))
}

impl Client {
    /// The manifests whose subject is this digest, of one type if one is given.
    pub async fn referrers(
        &self,
        repository: &Reference,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Referrers, Error> {
        let mut found = match self.by_api(repository, subject).await? {
            Some(manifests) => Referrers { manifests, by_tag: false },
            None => Referrers { manifests: self.by_tag(repository, subject).await?, by_tag: true },
        };
        // A registry may leave the filter to us, and the tag knows none.
        found.manifests.retain(|manifest| {
            artifact_type.is_none_or(|wanted| manifest.artifact_type.as_deref() == Some(wanted))
        });
        Ok(found)
    }

    /// `None` if the registry does not know the API; it is asked once whether it does.
    pub(crate) async fn by_api(
        &self,
        repository: &Reference,
        subject: &Digest,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        let host = repository.host();
        if self.0.without_referrers.knows(host) {
            return Ok(None);
        }
        let limits = self.limits();
        let list = format!("/v2/{}/referrers/{subject}", repository.repository());
        let mut path = format!("referrers/{subject}");
        let mut found = Vec::new();
        for _ in 0..limits.tags_pages {
            let request = || Request::get(repository, &path).accept(OCI_INDEX);
            let expected = Expected { limit: limits.manifest_bytes, size: None, digest: None };
            let answer = match self.0.get(request, "the list of referrers", expected).await {
                Ok(answer) => answer,
                Err(Error::NotFound { .. } | Error::Server { status: 400..500, .. }) => {
                    self.0.without_referrers.add(host);
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let told = answer.headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok());
            // Some answer every path with a page for people.
            let Ok(Manifest::Index(index)) = Manifest::parse(&answer.body.bytes) else {
                tracing::debug!(told, "the referrers API gave no index");
                return Ok(None);
            };
            found.extend(index.manifests);
            self.bounded(repository, subject, found.len())?;
            match next_page(&answer.headers, &answer.url, &list, repository)? {
                Some(query) => path = format!("referrers/{subject}?{query}"),
                None => return Ok(Some(found)),
            }
        }
        self.bounded(repository, subject, usize::MAX)?;
        Ok(Some(found))
    }

    pub(crate) async fn by_tag(
        &self,
        repository: &Reference,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        let tag = repository.with_tag(&fallback_tag(subject))?;
        let manifests = match self.manifest(&tag).await {
            Ok(manifest) => match manifest.parse() {
                Ok(Manifest::Index(index)) => index.manifests,
                _ => Vec::new(),
            },
            Err(Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        self.bounded(repository, subject, manifests.len())?;
        Ok(manifests)
    }

    fn bounded(&self, at: &Reference, subject: &Digest, count: usize) -> Result<(), Error> {
        let limit = self.limits().referrers;
        if count <= limit {
            return Ok(());
        }
        Err(Error::TooLarge {
            what: "the list of referrers",
            reference: at.repository_only().with_digest(subject.clone()),
            limit: limit as u64,
            unit: "manifests",
        })
    }

    /// Adds a manifest to the index under the tag that stands in for the referrers API.
    pub(super) async fn attach_by_tag(
        &self,
        repository: &Reference,
        subject: &Descriptor,
        manifest: &ManifestBytes,
        parsed: &Manifest,
    ) -> Result<(), Error> {
        let _one_at_a_time = self.0.attaching.lock().await;
        let mut manifests = self.by_tag(repository, &subject.digest).await?;
        if manifests.iter().any(|known| known.digest == manifest.digest) {
            return Ok(());
        }
        let mut own = manifest.descriptor();
        own.artifact_type = parsed.artifact_type().map(str::to_owned);
        own.annotations = parsed.annotations().cloned();
        manifests.push(own);
        let bytes = serde_json::to_vec(&Index::of(manifests)).expect("an index is JSON");
        let index = ManifestBytes::new(bytes.into(), None);
        let tag = repository.with_tag(&fallback_tag(&subject.digest))?;
        self.put(&tag, &index).await.map(drop)
    }
}

/// Hosts that do not know the referrers API.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashSet<String>>);

impl Hosts {
    fn knows(&self, host: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(host)
    }

    fn add(&self, host: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
    }
}

/// `sha256-<hex>`, by the distribution specification.
pub(crate) fn fallback_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}
