//! One registry, as far as charts need it: resolve, pull, list.
//!
//! The HTTP is spoken here with reqwest and not by oci-client's own client: that one reads
//! manifests, tokens and error bodies without a limit, does not show Retry-After, and cannot
//! limit redirects. Its types of manifests are used.

use std::sync::Arc;

use bytes::Bytes;
use semver::Version;
use serde::Deserialize;

use crate::{
    credentials::Credentials,
    digest::Digest,
    error::Error,
    limits::{Checked, Expected, Limits},
    manifest::{self, Blob, ChartManifest},
    reference::{Reference, is_tag},
    secret::Secret,
    versions::newest_first,
};

mod auth;
mod http;
mod retry;
mod tls;
mod transport;

use transport::{Request, Transport};

/// How to reach a registry and who asks.
#[derive(Debug, Clone)]
pub struct Options {
    /// PEM of CA certificates (each text may hold several) that are trusted beside the system's.
    pub ca_certificates: Vec<String>,
    /// Sent to whichever registry a reference names, if it asks: make one client per registry.
    pub credentials: Credentials,
    pub limits: Limits,
    /// `http://[user:password@]host:port`. The environment is not looked at.
    pub https_proxy: Option<Secret>,
    /// Hosts, `.domains` and networks that are reached without the proxy, separated by commas.
    pub no_proxy: Option<String>,
    /// Speak HTTP without TLS. For registries on the same machine; credentials are readable.
    pub plain_http: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca_certificates: Vec::new(),
            credentials: Credentials::Anonymous,
            limits: Limits::default(),
            https_proxy: None,
            no_proxy: None,
            plain_http: false,
        }
    }
}

/// A chart whose every byte was checked against `digest`, directly or through the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct PulledChart {
    /// `sha256:…` of the manifest.
    pub digest: String,
    /// The manifest as the registry sent it.
    pub manifest: Bytes,
    /// The gzipped tar, still packed.
    pub archive: Bytes,
    /// The chart's metadata (its Chart.yaml as JSON), always an object.
    pub config: serde_json::Value,
    /// The bytes of `config`, as the manifest's digest covers them.
    pub config_bytes: Bytes,
}

/// A client; clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Client(Arc<Transport>);

impl Client {
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self(Arc::new(Transport::new(options)?)))
    }

    /// The digest of the manifest that a tag stands for now, in the form `sha256:…`.
    ///
    /// It is the registry's word: [`Client::pull_chart`] with this digest proves it. A reference
    /// with tag and digest is held against its digest; one with a digest alone must exist.
    pub async fn resolve(&self, reference: &Reference) -> Result<String, Error> {
        let name = manifest_name(reference)?;
        let path = format!("manifests/{name}");
        let request = Request { reference, path: &path, accept: manifest::ACCEPT };
        // A HEAD is not counted by registries that limit pulls. One that does not know it, or
        // tells no digest, is asked for the manifest itself.
        let actual = match self.0.head(request).await? {
            Some(digest) => digest,
            None => self.manifest(reference, None).await?.digest,
        };
        match reference.digest() {
            Some(expected) if *expected != actual => Err(Error::DigestMismatch {
                what: "the manifest",
                reference: reference.clone(),
                expected: expected.clone(),
                actual,
            }),
            _ => Ok(actual.into()),
        }
    }

    /// Pulls a chart. With `expected_digest`, or a digest in the reference, nothing but that
    /// manifest is accepted, even if the tag has moved; without a tag it is asked for by digest.
    pub async fn pull_chart(
        &self,
        reference: &Reference,
        expected_digest: Option<&str>,
    ) -> Result<PulledChart, Error> {
        let expected = expected_digest.map(str::parse::<Digest>).transpose()?;
        let expected = match (reference.digest(), expected) {
            (Some(named), Some(expected)) if *named != expected => {
                return Err(Error::DigestMismatch {
                    what: "the manifest",
                    reference: reference.clone(),
                    expected,
                    actual: named.clone(),
                });
            }
            (named, expected) => expected.or_else(|| named.cloned()),
        };
        let bound = match &expected {
            Some(digest) => &reference.with_digest(digest.clone()),
            None => reference,
        };
        let manifest = self.manifest(bound, expected.as_ref()).await?;
        let not_a_chart = |why| Error::NotAChart { reference: reference.clone(), why };
        let blobs = ChartManifest::parse(&manifest.bytes).map_err(not_a_chart)?;
        let limits = &self.0.limits;
        let config = self.blob(reference, "the config", &blobs.config, limits.config_bytes).await?;
        let metadata: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&config.bytes)
                .map_err(|_| not_a_chart("its config is not a JSON object".to_owned()))?;
        let archive = self.blob(reference, "the chart", &blobs.archive, limits.chart_bytes).await?;
        Ok(PulledChart {
            digest: manifest.digest.into(),
            manifest: manifest.bytes,
            archive: archive.bytes,
            config: metadata.into(),
            config_bytes: config.bytes,
        })
    }

    /// All tags of a repository, in the registry's order; what cannot be a tag is left out.
    pub async fn tags(&self, reference: &Reference) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            /// `null` for a repository that has lost its last tag.
            tags: Option<Vec<String>>,
        }
        let limits = &self.0.limits;
        let too_large = |limit: usize, unit| Error::TooLarge {
            what: "the list of tags",
            reference: reference.clone(),
            limit: limit as u64,
            unit,
        };
        let mut tags = Vec::new();
        let mut path = format!("tags/list?n={}", limits.tags_page);
        for _ in 0..limits.tags_pages {
            let request = Request { reference, path: &path, accept: "application/json" };
            let expected = Expected { limit: limits.tags_page_bytes, size: None, digest: None };
            let (body, next) = self.0.get(request, "a page of tags", expected).await?;
            let page: Page = serde_json::from_slice(&body.bytes).map_err(|_| Error::Malformed {
                registry: reference.host().to_owned(),
                reference: reference.clone(),
                why: "its list of tags is not the JSON that the OCI specification asks for"
                    .to_owned(),
            })?;
            tags.extend(page.tags.unwrap_or_default().into_iter().filter(|tag| is_tag(tag)));
            if tags.len() > limits.tags {
                return Err(too_large(limits.tags, "tags"));
            }
            match next {
                Some(next) => path = next,
                None => return Ok(tags),
            }
        }
        Err(too_large(limits.tags_pages, "pages"))
    }

    /// The versions of a chart, newest first.
    pub async fn chart_versions(&self, reference: &Reference) -> Result<Vec<Version>, Error> {
        Ok(newest_first(self.tags(reference).await?))
    }

    async fn manifest(
        &self,
        reference: &Reference,
        digest: Option<&Digest>,
    ) -> Result<Checked, Error> {
        let path = format!("manifests/{}", manifest_name(reference)?);
        let request = Request { reference, path: &path, accept: manifest::ACCEPT };
        let expected = Expected { limit: self.0.limits.manifest_bytes, size: None, digest };
        Ok(self.0.get(request, "the manifest", expected).await?.0)
    }

    async fn blob(
        &self,
        reference: &Reference,
        what: &'static str,
        blob: &Blob,
        limit: u64,
    ) -> Result<Checked, Error> {
        let path = format!("blobs/{}", blob.digest);
        let request = Request { reference, path: &path, accept: "*/*" };
        let expected = Expected { limit, size: Some(blob.size), digest: Some(&blob.digest) };
        Ok(self.0.get(request, what, expected).await?.0)
    }
}

/// The tag before the digest, so that a tag that has moved is noticed.
fn manifest_name(reference: &Reference) -> Result<&str, Error> {
    reference
        .tag()
        .or(reference.digest().map(Digest::as_str))
        .ok_or_else(|| Error::NoVersion { reference: reference.clone() })
}
