//! Manifests and indexes: resolve, read, write, delete.

use reqwest::{Method, Response, StatusCode, header};

use super::{
    Client,
    request::{Body, Request, Target},
    scope::Access,
    transport::told_digest,
};
use crate::{
    digest::Digest, error::Error, limits::Expected, manifest::ManifestBytes, reference::Reference,
};

/// All that is understood, and `*/*` for artifacts of other kinds.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, */*";

impl Client {
    /// The digest of the manifest that a tag stands for now, in the form `sha256:…`.
    ///
    /// It is the registry's word: pulling with this digest proves it. A reference with tag and
    /// digest is held against its digest; one with a digest alone must exist.
    pub async fn resolve(&self, reference: &Reference) -> Result<String, Error> {
        // A HEAD is not counted by registries that limit pulls. One that does not know it, or
        // tells no digest, is asked for the manifest itself.
        let actual = match self.head(reference).await? {
            Head::Digest(digest) => digest,
            Head::Missing | Head::Unknown => {
                let tag_alone = match (reference.tag(), reference.digest()) {
                    (Some(tag), Some(_)) => reference.with_tag(tag)?,
                    _ => reference.clone(),
                };
                self.manifest(&tag_alone).await?.digest
            }
        };
        held_against(reference, &actual)?;
        Ok(actual.into())
    }

    /// The digest that a tag stands for, or `None` if it is not there; a digest alone is asked
    /// for itself. One request where the registry answers HEAD as it would GET.
    pub async fn digest_of(&self, reference: &Reference) -> Result<Option<Digest>, Error> {
        match self.head(reference).await? {
            Head::Digest(digest) => Ok(Some(digest)),
            Head::Missing => Ok(None),
            Head::Unknown => match self.manifest(reference).await {
                Ok(manifest) => Ok(Some(manifest.digest)),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// A manifest or index, as the registry sent it; with a digest in the reference nothing else
    /// is accepted. It is asked for by its tag if there is one, so that a moved tag is noticed.
    pub async fn manifest(&self, reference: &Reference) -> Result<ManifestBytes, Error> {
        let path = format!("manifests/{}", manifest_name(reference)?);
        let digest = reference.digest();
        let expected = Expected { limit: self.limits().manifest_bytes, size: None, digest };
        let request = || Request::get(reference, &path).accept(ACCEPT);
        let answer = self.0.get(request, "the manifest", expected).await?;
        let told = answer.headers.get(header::CONTENT_TYPE).and_then(|told| told.to_str().ok());
        let told = told.map(|told| told.split(';').next().unwrap_or(told).trim());
        Ok(ManifestBytes::hashed(answer.body.bytes, answer.body.digest, told))
    }

    /// Writes a manifest under the reference's tag, or under its digest if it has no tag. All
    /// that it names must be there already.
    ///
    /// A manifest with a `subject` can afterwards be found by [`Client::referrers`], also in
    /// registries that know no referrers API.
    pub async fn put_manifest(
        &self,
        reference: &Reference,
        manifest: &ManifestBytes,
    ) -> Result<(), Error> {
        let response = self.put(reference, manifest).await?;
        if let Some(told) = told_digest(&response).filter(|told| *told != manifest.digest) {
            return Err(Error::DigestMismatch {
                what: "the manifest as written",
                reference: reference.clone(),
                expected: manifest.digest.clone(),
                actual: told,
            });
        }
        if response.headers().contains_key("oci-subject") {
            return Ok(());
        }
        let Ok(parsed) = manifest.parse() else { return Ok(()) };
        match parsed.subject() {
            Some(subject) => self.attach_by_tag(reference, subject, manifest, &parsed).await,
            None => Ok(()),
        }
    }

    /// Writes a manifest and nothing about its subject.
    pub(super) async fn put(
        &self,
        reference: &Reference,
        manifest: &ManifestBytes,
    ) -> Result<Response, Error> {
        let name = reference.tag().unwrap_or(manifest.digest.as_str());
        let path = format!("manifests/{name}");
        self.0
            .ask(|| {
                let target = Target::Repository(&path);
                Request::new(Method::PUT, reference, Access::Push, target)
                    .header(header::CONTENT_TYPE, &manifest.media_type)
                    .body(Body::Bytes(manifest.bytes.clone()))
            })
            .await
    }

    /// Removes what the reference names: with a digest the manifest and all its tags, else the
    /// tag alone where the registry can do that. What is not there counts as removed.
    pub async fn delete_manifest(&self, reference: &Reference) -> Result<(), Error> {
        let name = match reference.digest() {
            Some(digest) => digest.as_str(),
            None => manifest_name(reference)?,
        };
        let path = format!("manifests/{name}");
        let request =
            || Request::new(Method::DELETE, reference, Access::Delete, Target::Repository(&path));
        match self.0.ask(request).await {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(Error::Server { registry, reference, status: 400 | 405, .. }) => {
                Err(Error::Unsupported {
                    registry,
                    reference,
                    what: "deleting",
                    instead: "switch deletion on in the registry's configuration",
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn head(&self, reference: &Reference) -> Result<Head, Error> {
        let path = format!("manifests/{}", manifest_name(reference)?);
        let request = || Request::get(reference, &path).accept(ACCEPT).method(Method::HEAD);
        match self.0.ask(request).await {
            Ok(response) => Ok(told_digest(&response).map_or(Head::Unknown, Head::Digest)),
            Err(Error::NotFound { .. }) => Ok(Head::Missing),
            Err(Error::Server { status, .. })
                if StatusCode::from_u16(status).is_ok_and(|s| s.is_client_error()) =>
            {
                Ok(Head::Unknown)
            }
            Err(error) => Err(error),
        }
    }
}

/// What HEAD tells about a manifest.
enum Head {
    Digest(Digest),
    Missing,
    /// It is there but told no digest, or the registry does not answer HEAD as it would GET.
    Unknown,
}

fn held_against(reference: &Reference, actual: &Digest) -> Result<(), Error> {
    match reference.digest() {
        Some(expected) if expected != actual => Err(Error::DigestMismatch {
            what: "the manifest",
            reference: reference.clone(),
            expected: expected.clone(),
            actual: actual.clone(),
        }),
        _ => Ok(()),
    }
}

/// The tag before the digest, so that a tag that has moved is noticed.
fn manifest_name(reference: &Reference) -> Result<&str, Error> {
    reference
        .tag()
        .or(reference.digest().map(Digest::as_str))
        .ok_or_else(|| Error::NoVersion { reference: reference.clone() })
}
