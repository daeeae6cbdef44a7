//! A watch that notices when it has gone deaf.
//!
//! A connection that is half-closed — by a NAT or a proxy that forgot it, by a node that went away — never tells of its end:
//! the client gives it up after 90 s, and that is more time than many a release has. So who has heard nothing for a
//! while lists anew, as if the watch had broken.

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use kube::api::{Api, DynamicObject};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::time::timeout;

use crate::cluster::pauses::Pauses;

/// A watch that has told nothing for that long is not believed.
const SILENCE: Duration = Duration::from_secs(30);

type Event = watcher::Result<watcher::Event<DynamicObject>>;

/// What a watcher tells, with a list after each time of silence. Never ends.
pub fn watching(
    api: Api<DynamicObject>,
    config: watcher::Config,
) -> impl Stream<Item = Event> + Send + Unpin + use<> {
    listing_after(SILENCE, api, config)
}

fn listing_after(
    silence: Duration,
    api: Api<DynamicObject>,
    config: watcher::Config,
) -> impl Stream<Item = Event> + Send + Unpin + use<> {
    let open = move || watcher(api.clone(), config.clone()).backoff(Pauses::single()).boxed();
    let first = open();
    stream::unfold(
        (first, open),
        move |(mut watch, open): (BoxStream<'static, Event>, _)| async move {
            loop {
                match timeout(silence, watch.next()).await {
                    Ok(event) => return Some((event?, (watch, open))),
                    Err(_) => watch = open(),
                }
            }
        },
    )
    .boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use http::{Request, Response};
    use k8s_openapi::api::apps::v1::Deployment;
    use kube::Client;
    use kube::api::ApiResource;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;

    /// Answers each list with one more object, and no watch ever.
    fn half_closed() -> Client {
        let lists = Arc::new(AtomicU32::new(0));
        let service = service_fn(move |request: Request<Body>| {
            let lists = lists.clone();
            async move {
                if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
                    return std::future::pending().await;
                }
                let count = lists.fetch_add(1, Ordering::Relaxed) + 1;
                let items: Vec<_> = (1..=count)
                    .map(|n| serde_json::json!({"metadata": {"name": format!("d{n}")}}))
                    .collect();
                let list =
                    serde_json::json!({"metadata": {"resourceVersion": "1"}, "items": items});
                Ok::<_, kube::Error>(Response::new(Body::from(list.to_string().into_bytes())))
            }
        });
        Client::new(service, "n")
    }

    #[tokio::test]
    async fn a_watch_that_tells_nothing_any_more_is_made_anew() {
        let resource = ApiResource::erase::<Deployment>(&());
        let api = Api::namespaced_with(half_closed(), "n", &resource);
        let mut seen = Vec::new();
        let mut events = listing_after(Duration::from_millis(50), api, watcher::Config::default());
        while seen.len() < 3 {
            if let watcher::Event::InitApply(object) =
                events.next().await.expect("it goes on").expect("a list")
            {
                seen.extend(object.metadata.name);
            }
        }
        assert_eq!(seen, ["d1", "d1", "d2"]);
    }
}
