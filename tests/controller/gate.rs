//! A client whose process dies at a chosen write: that one still arrives, and nothing after it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::{Method, Request};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use tower::{Layer, Service};

/// Counts writes, and holds back everything from the one after the last.
#[derive(Clone)]
pub struct Gate {
    left: Arc<AtomicUsize>,
    closed: tokio::sync::watch::Sender<bool>,
}

impl Gate {
    /// Lets this many writes through.
    pub fn after(writes: usize) -> Self {
        Self {
            left: Arc::new(AtomicUsize::new(writes)),
            closed: tokio::sync::watch::channel(false).0,
        }
    }

    pub fn client(&self, config: kube::Config) -> Client {
        ClientBuilder::try_from(config).expect("client").with_layer(self).build()
    }

    /// Returns once something was held back.
    pub async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        closed.wait_for(|closed| *closed).await.expect("the gate lives");
    }

    /// Whether this request may pass.
    fn passes(&self, method: &Method) -> bool {
        let read = *method == Method::GET;
        let count =
            |left: usize| if read { (left > 0).then_some(left) } else { left.checked_sub(1) };
        let passed = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count).is_ok();
        if !passed {
            self.closed.send_replace(true);
        }
        passed
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { gate: self.clone(), inner }
    }
}

#[derive(Clone)]
pub struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.gate.passes(request.method()) {
            Box::pin(self.inner.call(request))
        } else {
            Box::pin(std::future::pending())
        }
    }
}
