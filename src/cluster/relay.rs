//! A client in front of another one, which sees each request before it is sent.

use std::future::Future;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tower::service_fn;

/// A client that hands each request to `relay`, together with the client that could send it.
pub fn client<F, A>(inner: Client, relay: F) -> Client
where
    F: Fn(Client, Request<Body>) -> A + Send + 'static,
    A: Future<Output = Result<Response<Body>, kube::Error>> + Send + 'static,
{
    let namespace = inner.default_namespace().to_owned();
    Client::new(service_fn(move |request| relay(inner.clone(), request)), namespace)
}
