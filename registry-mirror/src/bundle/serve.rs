//! A bundle as a read-only registry: the OCI distribution API, version 1.1, for pulling.
//!
//! A repository is found under its own path and under `host/path` of where it came from, so that
//! one address can be the mirror of several registries. A container runtime's `?ns=host` is
//! understood.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header, request::Parts},
    response::Response,
};

use super::{error::BundleError, opened::Bundle};

mod access;
mod answer;
mod blob;
mod names;
mod page;
mod path;

pub use access::Access;
use answer::{Code, refused};
use names::Names;
use path::{Path, Wanted};

struct Served {
    bundle: Arc<Bundle>,
    names: Names,
    access: Access,
}

/// The registry's routes; the caller listens and brings TLS.
///
/// Blobs are read from the bundle's file as they are asked for, and checked against their digest
/// while they are sent: a damaged one breaks off. Refuses a bundle in which two registries have
/// the same repository and tag with different content.
pub fn serve(bundle: Arc<Bundle>, access: Access) -> Result<Router, BundleError> {
    let names = Names::of(&bundle)?;
    let served = Arc::new(Served { bundle, names, access });
    Ok(Router::new().fallback(answer).with_state(served))
}

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response {
    // What a client sends along is not read.
    let (request, _) = request.into_parts();
    let answer = if served.access.allows(&request.headers) {
        respond(&served, &request).await
    } else {
        access::sign_in()
    };
    let (path, status) = (request.uri.path(), answer.status().as_u16());
    tracing::info!(method = %request.method, path, status, "request");
    answer
}

async fn respond(served: &Served, request: &Parts) -> Response {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let why = "this registry is a bundle, which can only be read";
        return refused(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, why);
    }
    let query = request.uri.query().unwrap_or_default();
    let path = match Path::parse(request.uri.path()) {
        Some(Path::Base) => return answer::json("application/json", b"{}".to_vec()),
        Some(Path::Catalog) => return page::catalog(&served.names, query),
        Some(Path::In { repository, wanted }) => (repository, wanted),
        None => return refused(StatusCode::NOT_FOUND, Code::NameUnknown, "there is no such page"),
    };
    let (name, wanted) = path;
    let Some(repository) = served.names.repository(name, path::parameter(query, "ns").as_deref())
    else {
        let why = "the bundle holds no such repository";
        return refused(StatusCode::NOT_FOUND, Code::NameUnknown, why);
    };
    match wanted {
        Wanted::Tags => page::tags(name, repository, query),
        Wanted::Referrers(subject) => page::referrers(served, repository, &subject, query),
        Wanted::Manifest(reference) => manifest(served, repository, reference),
        Wanted::Blob(digest) if repository.blobs.contains(&digest) => {
            blob::answer(&served.bundle, digest, &request.method, &request.headers).await
        }
        Wanted::Blob(_) => {
            refused(StatusCode::NOT_FOUND, Code::BlobUnknown, "the repository has no such blob")
        }
    }
}

fn manifest(served: &Served, repository: &names::Repository, reference: &str) -> Response {
    let unknown = |why| refused(StatusCode::NOT_FOUND, Code::ManifestUnknown, why);
    let digest = match reference.parse() {
        Ok(digest) => digest,
        Err(_) => match repository.tags.get(reference) {
            Some(digest) => digest.clone(),
            None => return unknown("the bundle holds no such tag"),
        },
    };
    if !repository.manifests.contains(&digest) {
        return unknown("the bundle holds no such manifest");
    }
    match served.bundle.manifest(&digest) {
        Ok(Some(manifest)) => Response::builder()
            .header(header::CONTENT_TYPE, manifest.media_type)
            .header(header::CONTENT_LENGTH, manifest.bytes.len())
            .header("docker-content-digest", digest.as_str())
            .header(header::ETAG, format!("\"{digest}\""))
            .body(Body::from(manifest.bytes))
            .unwrap_or_else(|_| unknown("its media type cannot be sent")),
        Ok(None) => unknown("the bundle holds no such manifest"),
        Err(error) => answer::failed(&error),
    }
}
