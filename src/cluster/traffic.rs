//! The calls that go to the Kubernetes API: counted by verb and result, and reads given up that are not answered.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::time::timeout;
use tower::{BoxError, Layer, Service};

use super::error;
use crate::telemetry::metrics::{Labels, Metrics};

/// After so long without a byte a connection counts as dead, and whoever watches by it begins anew. The API server sends
/// a bookmark on every watch about once a minute.
const SILENCE: Duration = Duration::from_secs(90);

/// A client whose calls are counted as `kubernetes_api_requests_total{verb, result}`, and whose reads and watches fail if
/// no answer begins within [`error::LIMIT`]. A write goes on: it may have been done.
pub fn client(mut config: Config, metrics: &Metrics) -> Result<Client, kube::Error> {
    config.read_timeout = Some(SILENCE);
    Ok(ClientBuilder::try_from(config)?.with_layer(&Traffic::new(metrics)).build())
}

/// The same for the cluster that this process is in, or that KUBECONFIG names.
pub async fn default_client(metrics: &Metrics) -> Result<Client, kube::Error> {
    client(Config::infer().await.map_err(kube::Error::InferConfig)?, metrics)
}

/// The layer that counts, and gives up.
#[derive(Clone)]
struct Traffic {
    calls: Family<Labels<2>, Counter>,
    limit: Duration,
}

impl Traffic {
    fn new(metrics: &Metrics) -> Self {
        let help = "Calls to the Kubernetes API";
        Self { calls: metrics.counters("kubernetes_api_requests", help), limit: error::LIMIT }
    }
}

impl<S> Layer<S> for Traffic {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { traffic: self.clone(), inner }
    }
}

#[derive(Clone)]
struct Counted<S> {
    traffic: Traffic,
    inner: S,
}

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + 'static,
    B: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let verb = verb(request.method(), request.uri().path(), request.uri().query());
        let changes_nothing = request.method() == Method::GET;
        let Traffic { calls, limit } = self.traffic.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = if changes_nothing {
                match timeout(limit, answer).await {
                    Ok(answer) => answer.map_err(Into::into),
                    Err(_) => Err(error::unanswered(limit)),
                }
            } else {
                answer.await.map_err(Into::into)
            };
            let result = answer.as_ref().map_or("unreachable", |a| result(a.status().as_u16()));
            calls.get_or_create(&[("verb", verb), ("result", result)]).inc();
            answer
        })
    }
}

/// The API's verb for a request.
fn verb(method: &Method, path: &str, query: Option<&str>) -> &'static str {
    let watched = query.unwrap_or_default().split('&').any(|q| q == "watch=true" || q == "watch=1");
    match *method {
        Method::GET if watched => "watch",
        Method::GET if is_collection(path) => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if is_collection(path) => "deletecollection",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// Whether a path ends with a resource rather than an object: `/api/v1[/namespaces/N]/R` or
/// `/apis/GROUP/VERSION[/namespaces/N]/R`.
fn is_collection(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let of_version = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => return false,
    };
    matches!(of_version, [_] | ["namespaces", _, _])
}

/// What an answer's status code means.
fn result(code: u16) -> &'static str {
    match code {
        0..400 => "success",
        404 => "not_found",
        409 => "conflict",
        429 => "throttled",
        401 | 403 => "forbidden",
        400..500 => "refused",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    /// What becomes of a call whose answer takes a moment, where no moment is given to it.
    async fn slowly(method: Method, uri: &str) -> Result<StatusCode, BoxError> {
        let slow = service_fn(async |_: Request<Body>| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok::<_, BoxError>(Response::new(Body::empty()))
        });
        let hasty = Traffic { limit: Duration::ZERO, ..Traffic::new(&Metrics::new("test", "1")) };
        let request = Request::builder().method(method).uri(uri).body(Body::empty());
        hasty.layer(slow).oneshot(request.expect("valid")).await.map(|answer| answer.status())
    }

    #[tokio::test]
    async fn a_read_that_is_not_answered_is_given_up_and_a_write_is_not() {
        for uri in ["/api/v1/pods", "/api/v1/pods?watch=true", "/api/v1/namespaces/n/pods/p"] {
            let error = kube::Error::Service(slowly(Method::GET, uri).await.expect_err(uri));
            assert!(error::transient(&error), "{uri}");
            let why = "the Kubernetes API cannot be reached: it has not answered within 0 s";
            assert_eq!(error::explain(&error), why, "{uri}");
        }
        let written = slowly(Method::POST, "/api/v1/namespaces/n/pods").await;
        assert_eq!(written.expect("an answer"), StatusCode::OK);
    }

    #[test]
    fn verbs_are_those_of_the_api() {
        let get = Method::GET;
        for (method, path, query, expected) in [
            (&get, "/api/v1/namespaces/n/secrets/s", None, "get"),
            (&get, "/api/v1/namespaces/n/secrets", Some("limit=5"), "list"),
            (&get, "/api/v1/namespaces/n/secrets", Some("limit=5&watch=true"), "watch"),
            (&get, "/apis/apps/v1/deployments", None, "list"),
            (&get, "/apis/apps/v1/namespaces/n/deployments/d/status", None, "get"),
            (&get, "/api/v1/namespaces/n", None, "get"),
            (&get, "/version", None, "get"),
            (&Method::POST, "/api/v1/namespaces/n/secrets", None, "create"),
            (&Method::PATCH, "/api/v1/namespaces/n/secrets/s", None, "patch"),
            (&Method::DELETE, "/api/v1/namespaces/n/secrets/s", None, "delete"),
            (&Method::DELETE, "/api/v1/namespaces/n/secrets", None, "deletecollection"),
        ] {
            assert_eq!(verb(method, path, query), expected, "{method} {path} {query:?}");
        }
    }

    #[test]
    fn results_have_few_names() {
        let codes = [200, 404, 409, 429, 403, 422, 503];
        let expected = [
            "success",
            "not_found",
            "conflict",
            "throttled",
            "forbidden",
            "refused",
            "server_error",
        ];
        assert_eq!(codes.map(result), expected);
    }
}
