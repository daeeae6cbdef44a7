//! A registry of our own: it serves one good chart, except where a test answers instead.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, stream};
use pinnace_registry::{Digest, Reference};
use serde_json::json;
use tokio::net::TcpListener;

use super::reference;

/// The parts of a chart; `Fake` serves them under their digests.
pub struct Parts {
    pub manifest: Bytes,
    pub config: Bytes,
    pub archive: Bytes,
}

impl Parts {
    pub fn new(archive: impl Into<Bytes>) -> Self {
        let (archive, config) = (archive.into(), Bytes::from_static(br#"{"name":"app"}"#));
        let manifest =
            manifest((&Digest::of(&config), config.len()), (&Digest::of(&archive), archive.len()));
        Self { manifest, config, archive }
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }
}

pub fn manifest(config: (&Digest, usize), archive: (&Digest, usize)) -> Bytes {
    let descriptor = |media_type: &str, (digest, size): (&Digest, usize)| json!({ "mediaType": media_type, "digest": digest, "size": size });
    let manifest = json!({
        "schemaVersion": 2,
        "config": descriptor("application/vnd.cncf.helm.config.v1+json", config),
        "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", archive)],
    });
    manifest.to_string().into()
}

/// What a test sees of a request.
pub struct Asked {
    pub method: String,
    /// The path after `/v2/app/`, or the whole path; with the query.
    pub path: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    /// How often this method and path were asked for before.
    pub before: usize,
}

pub struct Fake {
    pub host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Serves `parts` as `app:1.0.0`. Where `answer` gives a response, that is sent instead.
    pub async fn start(
        parts: Parts,
        answer: impl Fn(&Asked) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let shared = Arc::new((parts, answer));
        let handler = move |request: Request| {
            let (log, shared) = (log.clone(), shared.clone());
            async move {
                let asked = asked_for(&request, &mut log.lock().unwrap());
                (shared.1)(&asked).unwrap_or_else(|| good(&shared.0, &asked.path))
            }
        };
        let app = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { host, asked }
    }

    pub fn chart(&self) -> Reference {
        reference(format!("oci://{}/app:1.0.0", self.host))
    }

    /// How many requests had this beginning, such as `GET blobs/`.
    pub fn count(&self, beginning: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|a| a.starts_with(beginning)).count()
    }
}

fn asked_for(request: &Request, log: &mut Vec<String>) -> Asked {
    let path = request.uri().path_and_query().unwrap().as_str();
    let path = path.strip_prefix("/v2/app/").unwrap_or(path).to_owned();
    let method = request.method().to_string();
    let line = format!("{method} {path}");
    let before = log.iter().filter(|earlier| **earlier == line).count();
    log.push(line);
    let authorization = request.headers().get("authorization");
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    let range = request.headers().get("range").map(|value| value.to_str().unwrap().to_owned());
    Asked { method, path, authorization, range, before }
}

fn good(parts: &Parts, path: &str) -> Response {
    let digest = parts.digest();
    let blob = |bytes: &Bytes| format!("blobs/{}", Digest::of(bytes));
    if path == "manifests/1.0.0" || path == format!("manifests/{digest}") {
        let header = ("docker-content-digest", digest.to_string());
        ([header], parts.manifest.clone()).into_response()
    } else if path == blob(&parts.config) {
        parts.config.clone().into_response()
    } else if path == blob(&parts.archive) {
        parts.archive.clone().into_response()
    } else {
        status(404)
    }
}

pub fn status(code: u16) -> Response {
    Response::builder().status(code).body(Body::empty()).unwrap()
}

pub fn with_header(code: u16, name: &'static str, value: impl AsRef<str>) -> Response {
    Response::builder().status(code).header(name, value.as_ref()).body(Body::empty()).unwrap()
}

/// The beginning of a body, and then a connection that breaks.
pub fn broken(beginning: &'static str) -> Response {
    let cut = async {
        // Lets the server send what it has; an error at once would take that back.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut"))
    };
    let chunks = stream::once(async move { Ok(beginning) }).chain(stream::once(cut));
    Body::from_stream(chunks).into_response()
}

/// A body without an end.
pub fn endless() -> Response {
    Body::from_stream(stream::repeat(Ok::<_, Infallible>("x".repeat(1 << 16)))).into_response()
}

/// A head, and a body that never comes.
pub fn silent() -> Response {
    Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()).into_response()
}

/// A body of single bytes, this far apart.
pub fn drip(every: std::time::Duration) -> Response {
    let drops = stream::repeat(()).then(move |()| async move {
        tokio::time::sleep(every).await;
        Ok::<_, Infallible>("0")
    });
    Body::from_stream(drops).into_response()
}
