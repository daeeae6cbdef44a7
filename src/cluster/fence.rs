//! No write by a process that may lead no longer.
//!
//! A process that stood still — its node was frozen, its virtual machine moved — goes on where it was, and would make the
//! write that it was about to make before anything in it looks at the clock. So each write is held against the time of
//! the Lease at the last moment before it is sent.

use http::Method;
use kube::Client;
use tokio::sync::watch;
use tokio::time::Instant;

use super::relay;

/// Lets writes pass as long as this process leads for certain. The default is for a process that shares its work with
/// none, and lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct Fence(Option<watch::Receiver<Instant>>);

/// Why a write was not sent.
#[derive(Debug, thiserror::Error)]
#[error(
    "not sent: this process has not renewed its Lease in time, so another one may act in its place; \
     it ends, or goes on once the Lease is renewed"
)]
pub struct Expired;

impl Fence {
    /// Open until the newest time that is sent.
    pub fn until(renewed: watch::Receiver<Instant>) -> Self {
        Self(Some(renewed))
    }

    /// A client that sends no write once the Lease may have expired. Reads pass: they change nothing.
    pub fn client(&self, inner: Client) -> Client {
        let Some(until) = self.0.clone() else { return inner };
        relay::client(inner, move |inner, request| {
            let until = until.clone();
            async move {
                if *request.method() != Method::GET && Instant::now() >= *until.borrow() {
                    return Err(kube::Error::Service(Expired.into()));
                }
                inner.send(request).await
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use http::{Request, Response};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
    use kube::client::Body;
    use tower::service_fn;

    use super::*;
    use crate::cluster::error;

    /// A server that has every ConfigMap, and how often it was asked.
    fn server() -> (Client, Arc<AtomicU32>) {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = calls.clone();
        let service = service_fn(move |_: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let body = Body::from(br#"{"metadata": {"name": "c"}}"#.to_vec());
            std::future::ready(Ok::<_, kube::Error>(Response::new(body)))
        });
        (Client::new(service, "n"), calls)
    }

    #[tokio::test]
    async fn a_write_is_sent_only_before_the_lease_may_have_expired() {
        let (server, calls) = server();
        let hour = Duration::from_secs(3600);
        let (renewed, until) = watch::channel(Instant::now() + hour);
        let api: Api<ConfigMap> = Api::default_namespaced(Fence::until(until).client(server));
        let object = ConfigMap::default();

        api.create(&PostParams::default(), &object).await.expect("leads");

        renewed.send_replace(Instant::now());
        let patch = Patch::Merge(serde_json::json!({}));
        let refused = [
            api.create(&PostParams::default(), &object).await.err(),
            api.replace("c", &PostParams::default(), &object).await.err(),
            api.patch("c", &PatchParams::default(), &patch).await.err(),
            api.delete("c", &DeleteParams::default()).await.err(),
        ];
        for error in refused {
            let error = error.expect("a refusal");
            assert!(error::explain(&error).contains("Lease"), "{error:?}");
            assert!(error::transient(&error), "a renewed Lease lets it pass");
        }
        assert_eq!(calls.load(Ordering::Relaxed), 1, "none of them was sent");

        api.get("c").await.expect("reads pass");
        renewed.send_replace(Instant::now() + hour);
        api.create(&PostParams::default(), &object).await.expect("leads again");
        assert_eq!(calls.load(Ordering::Relaxed), 3);
    }
}
