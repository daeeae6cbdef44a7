//! A proxy in front of a registry that counts, and that a test can make fail.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body, extract::Request, response::Response};
use futures::TryStreamExt as _;
use tokio::net::TcpListener;

use super::genuine::Registry;

type Fault = dyn Fn(&str) -> Option<Response> + Send + Sync;

pub struct Counted {
    pub host: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// Bodies of blobs that are under way, and the most that were.
    bodies: Arc<Mutex<(usize, usize)>>,
}

impl Counted {
    /// Passes everything on to a registry without TLS.
    pub async fn start(registry: &Registry) -> Self {
        Self::failing(registry, |_| None).await
    }

    /// The same, except where `fault` answers; it is given `METHOD path`.
    pub async fn failing(
        registry: &Registry,
        fault: impl Fn(&str) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, behind) = (asked.clone(), registry.host.clone());
        let bodies = Arc::new(Mutex::new((0, 0)));
        let under_way = bodies.clone();
        let fault: Arc<Fault> = Arc::new(fault);
        let http =
            super::http().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let app = Router::new().fallback(move |request: Request| {
            let (log, behind, fault, http) =
                (log.clone(), behind.clone(), fault.clone(), http.clone());
            let bodies = under_way.clone();
            async move {
                let path = request.uri().path_and_query().unwrap().to_string();
                let line = format!("{} {path}", request.method());
                log.lock().unwrap().push(line.clone());
                match fault(&line) {
                    Some(response) if response.headers().contains_key(NEVER) => {
                        std::future::pending().await
                    }
                    Some(response) => response,
                    None => {
                        let has_body = ["PATCH", "PUT"].contains(&request.method().as_str())
                            && path.contains("/blobs/");
                        change(&bodies, |now| now + usize::from(has_body));
                        let response = pass(http, &behind, &path, request).await;
                        change(&bodies, |now| now - usize::from(has_body));
                        response
                    }
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { host, asked, bodies }
    }

    /// The most bodies of blobs that were on their way to the registry at one time.
    pub fn most_at_once(&self) -> usize {
        self.bodies.lock().unwrap().1
    }

    /// The requests so far, as `METHOD path`; forgets them.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn change(bodies: &Mutex<(usize, usize)>, to: impl FnOnce(usize) -> usize) {
    let mut bodies = bodies.lock().unwrap();
    bodies.0 = to(bodies.0);
    bodies.1 = bodies.1.max(bodies.0);
}

/// Marks an answer that is never given.
const NEVER: &str = "x-never";

/// For a fault: the request stays without an answer.
pub fn never() -> Response {
    Response::builder().header(NEVER, "").body(Body::empty()).unwrap()
}

async fn pass(http: reqwest::Client, behind: &str, path: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answered = http
        .request(parts.method, format!("http://{behind}{path}"))
        // The host stays the one that was asked, so that locations lead here again.
        .headers(parts.headers)
        .body(reqwest::Body::wrap_stream(body.into_data_stream()))
        .send()
        .await
        .unwrap();
    let mut response = Response::builder().status(answered.status());
    *response.headers_mut().unwrap() = answered.headers().clone();
    let body = answered.bytes_stream().map_err(std::io::Error::other);
    response.body(Body::from_stream(body)).unwrap()
}
