//! A client whose calls are noted.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::Request;
use kube::Client;
use kube::client::{Body, ClientBuilder};
use tower::{Layer, Service};

/// The calls so far, as `METHOD path?query`.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    pub fn client(&self, config: kube::Config) -> Client {
        ClientBuilder::try_from(config).expect("client").with_layer(self).build()
    }

    /// Takes all calls since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl<S> Layer<S> for Calls {
    type Service = Noted<S>;

    fn layer(&self, inner: S) -> Noted<S> {
        Noted { calls: self.clone(), inner }
    }
}

#[derive(Clone)]
pub struct Noted<S> {
    calls: Calls,
    inner: S,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Noted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let call = format!("{} {}", request.method(), request.uri());
        self.calls.0.lock().expect("no panic").push(call);
        self.inner.call(request)
    }
}
