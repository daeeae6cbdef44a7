//! Lists in pages: what a watch tells first is every object that is there, and a cluster has kinds with thousands of
//! large ones. A page is in memory as a whole, as text and as objects.

use kube::runtime::watcher;

/// Objects of one page. Of 500, as is usual, a page of Deployments takes 15 MiB.
const PAGE: u32 = 50;

/// A watch that lists page by page.
pub fn watch() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::StreamExt as _;
    use http::{Request, Response};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::{Api, ResourceExt as _};
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
                    "items": [{"metadata": {"name": name}}],
                });
                Ok::<_, kube::Error>(Response::new(Body::from(page.to_string().into_bytes())))
            }
        });
        Client::new(service, "n")
    }

    #[tokio::test]
    async fn a_list_is_asked_for_page_by_page() {
        let asked = Arc::default();
        let api: Api<ConfigMap> = Api::namespaced(two_pages(Arc::clone(&asked)), "n");
        let mut names = Vec::new();
        let mut events = std::pin::pin!(watcher(api, watch()));
        loop {
            match events.next().await.expect("it goes on").expect("an event") {
                watcher::Event::InitApply(object) => names.push(object.name_any()),
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
