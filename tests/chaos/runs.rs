//! How often each hook ran: the objects that its runs made, as a watch of the API server itself shows them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::StreamExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Which run of a hook made an object: `<release>.v<revision>/<event>`.
const RUN: &str = "cd.qdrant.io/hook-run";
/// The label of objects that only show how far the watches are.
const MARK: &str = "mark";

#[derive(Default)]
struct Seen {
    /// UIDs by run and name of the object.
    runs: BTreeMap<(String, String), BTreeSet<String>>,
    marks: HashSet<String>,
    /// UIDs that were taken: an object may be shown again when it changes.
    taken: HashSet<String>,
}

/// What the watches have shown so far.
pub struct Runs {
    client: Client,
    namespace: String,
    seen: watch::Sender<Seen>,
    _watching: JoinSet<()>,
}

impl Runs {
    pub fn watch(client: Client, namespace: &str) -> Self {
        let seen = watch::Sender::new(Seen::default());
        let mut watching = JoinSet::new();
        let configs: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
        watching.spawn(follow(configs, seen.clone()));
        watching.spawn(follow(jobs, seen.clone()));
        Self { client, namespace: namespace.to_owned(), seen, _watching: watching }
    }

    /// All runs of the hooks of a release so far: how often, by run and object. They are forgotten then.
    pub async fn take(&self, release: &str) -> BTreeMap<(String, String), usize> {
        let template = json!({"spec": {
            "restartPolicy": "Never", "containers": [{"name": "none", "image": "registry.test/pause:1"}],
        }});
        self.mark::<ConfigMap>(json!({})).await;
        self.mark::<Job>(json!({"spec": {"suspend": true, "template": template}})).await;
        let mut taken = BTreeMap::new();
        self.seen.send_if_modified(|seen| {
            let of_release = |run: &str| run.starts_with(&format!("{release}.v"));
            let own: Vec<_> = seen.runs.keys().filter(|key| of_release(&key.0)).cloned().collect();
            for key in own {
                let uids = seen.runs.remove(&key).unwrap_or_default();
                taken.insert(key, uids.len());
                seen.taken.extend(uids);
            }
            false
        });
        taken
    }

    /// Waits until the watch of a kind has shown everything up to now.
    async fn mark<K>(&self, mut object: Value)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned + serde::Serialize,
    {
        object["metadata"] = json!({"generateName": "mark-", "labels": {MARK: "yes"}});
        object["apiVersion"] = K::api_version(&()).into();
        object["kind"] = K::kind(&()).into();
        let object: K = serde_json::from_value(object).expect("an object");
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let made = api.create(&PostParams::default(), &object).await.expect("a mark");
        let uid = made.uid().expect("a UID");
        self.seen.subscribe().wait_for(|seen| seen.marks.contains(&uid)).await.expect("a watch");
        let _ = api.delete(&made.name_any(), &DeleteParams::background()).await;
    }
}

async fn follow<K>(api: Api<K>, seen: watch::Sender<Seen>)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let mut events = std::pin::pin!(events.applied_objects());
    while let Some(event) = events.next().await {
        let Ok(object) = event else { continue };
        let uid = object.uid().unwrap_or_default();
        let marked = object.labels().contains_key(MARK);
        let run = object.annotations().get(RUN).cloned();
        seen.send_modify(|seen| {
            if marked {
                seen.marks.insert(uid);
            } else if let Some(run) = run.filter(|_| !seen.taken.contains(&uid)) {
                seen.runs.entry((run, object.name_any())).or_default().insert(uid);
            }
        });
    }
}
