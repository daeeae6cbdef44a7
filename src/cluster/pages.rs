//! Lists in pages: what a watch tells first is every object that is there, and a cluster has kinds with thousands of
//! large ones. A page is in memory as a whole, as text and as objects.

use std::fmt::Debug;

use futures::Stream;
use kube::Resource;
use kube::api::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde::de::DeserializeOwned;

/// Objects of one page. Of 500, as is usual, a page of Deployments takes 15 MiB.
const PAGE: u32 = 50;

/// How to watch, and to list page by page.
pub fn config() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// What is watched of `api`, without who wrote which field of it (`metadata.managedFields`), which is several times the
/// rest of many an object.
pub fn without_managers<K>(
    api: Api<K>,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    watcher(api, config()).modify(|object| object.meta_mut().managed_fields = None)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::StreamExt as _;
    use http::{Request, Response};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ResourceExt as _;
    use kube::client::{Body, Client};
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    /// Has two pages, and notes what is asked for.
    fn two_pages(asked: Arc<Mutex<Vec<String>>>) -> Client {
        let service = service_fn(move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let is_second = query.contains("continue=second");
            asked.lock().expect("no panic").push(query);
            async move {
                let (name, next) = if is_second { ("b", "") } else { ("a", "second") };
                let page = json!({
                    "metadata": {"resourceVersion": "1", "continue": next},
                    "items": [{"metadata": {"name": name, "managedFields": [{"manager": "m"}]}}],
                });
                Ok::<_, kube::Error>(Response::new(Body::from(page.to_string().into_bytes())))
            }
        });
        Client::new(service, "n")
    }

    #[tokio::test]
    async fn a_list_is_asked_for_page_by_page_and_kept_without_managers() {
        let asked = Arc::default();
        let api: Api<ConfigMap> = Api::namespaced(two_pages(Arc::clone(&asked)), "n");
        let mut names = Vec::new();
        let mut events = std::pin::pin!(without_managers(api));
        loop {
            match events.next().await.expect("it goes on").expect("an event") {
                watcher::Event::InitApply(object) => {
                    names.push(object.name_any());
                    assert_eq!(object.metadata.managed_fields, None);
                }
                watcher::Event::InitDone => break,
                _ => {}
            }
        }
        assert_eq!(names, ["a", "b"]);
        let asked = asked.lock().expect("no panic");
        assert_eq!(asked.len(), 2);
        assert!(asked.iter().all(|query| query.contains("limit=50")), "{asked:?}");
    }
}
