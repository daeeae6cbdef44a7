//! Watches on the metadata of what releases are made of: whoever deletes or changes an object of a release wakes
//! its HelmRelease. One watch for each kind and namespace, of objects that Helm manages.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::core::{ApiResource, ObjectMeta};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::memory::Memory;
use crate::cluster::object::Owner;
use crate::cluster::{Cluster, FIELD_MANAGER, Object, error};

/// What all of Helm's objects are labelled with.
const MANAGED: &str = "app.kubernetes.io/managed-by=Helm";

/// A kind and a namespace.
type Watched = (ApiResource, String);

/// The kinds and namespaces that are watched. Clones share them.
#[derive(Clone)]
pub struct Inventory {
    cluster: Cluster,
    memory: Memory,
    wake: mpsc::Sender<()>,
    watched: Arc<Mutex<HashSet<Watched>>>,
    stop: CancellationToken,
}

impl Inventory {
    /// `wake` is sent to whenever a HelmRelease has something new to look at.
    pub fn new(
        cluster: Cluster,
        memory: Memory,
        wake: mpsc::Sender<()>,
        stop: CancellationToken,
    ) -> Self {
        Self { cluster, memory, wake, watched: Arc::default(), stop }
    }

    /// Watches what these objects, which have been placed, are of. Kinds that may not be watched are left to
    /// the interval. Whether all of those in a namespace were watched before.
    pub async fn track(&self, objects: &[Object]) -> bool {
        let mut all = true;
        for object in objects {
            let key = &object.key;
            let Ok(kind) = self.cluster.discovery().kind(&key.api_version, &key.kind).await else {
                continue;
            };
            // What is not in a namespace is the administrator's: it is not watched.
            let Some(namespace) = key.namespace.clone() else { continue };
            let resource = kind.resource;
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            if watched.insert((resource.clone(), namespace.clone())) {
                tokio::spawn(self.clone().watch(resource, namespace));
                all = false;
            }
        }
        all
    }

    async fn watch(self, resource: ApiResource, namespace: String) {
        let client = self.cluster.client().clone();
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::namespaced_with(client, &namespace, &resource);
        let config = watcher::Config::default().labels(MANAGED);
        let events = watcher(api, config).default_backoff();
        let mut events = std::pin::pin!(events.take_until(self.stop.cancelled()));
        let mut known = Known::default();
        while let Some(event) = events.next().await {
            let changed = match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => {
                    known.changed(&object.metadata)
                }
                // What went while the connection was broken is found at the interval.
                Ok(Event::Delete(object)) => known.gone(&object.metadata),
                Ok(Event::Init | Event::InitDone) => None,
                Err(error) if refused(&error) => break,
                Err(_) => None,
            };
            if let Some(owner) = changed {
                self.memory.saw_change_of(&owner.release);
                // If there is a wake under way already, it comes after this change.
                let _ = self.wake.try_send(());
            }
        }
    }
}

/// Refused for good; broken connections the watcher mends.
fn refused(failure: &watcher::Error) -> bool {
    match failure {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) => {
            [401, 403, 404, 405].iter().any(|code| error::is_code(e, *code))
        }
        _ => false,
    }
}

/// By UID, what was last seen of each object.
#[derive(Default)]
struct Known(HashMap<String, u64>);

impl Known {
    /// Whose release it is, if someone other than [`FIELD_MANAGER`] has changed the object.
    fn changed(&mut self, live: &ObjectMeta) -> Option<Owner> {
        let owner = Owner::of(live)?;
        let now = print(live);
        let before = self.0.insert(live.uid.clone().unwrap_or_default(), now);
        let news = before.is_some_and(|before| before != now);
        (news && !last_written_by_us(live)).then_some(owner)
    }

    fn gone(&mut self, live: &ObjectMeta) -> Option<Owner> {
        self.0.remove(live.uid.as_deref().unwrap_or_default());
        Owner::of(live)
    }
}

/// Changes with what a manifest can say of an object: its generation where it has one, labels and annotations.
/// Not with its status.
fn print(live: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    match live.generation {
        Some(generation) => generation.hash(&mut hasher),
        None => live.resource_version.hash(&mut hasher),
    }
    let entries: [&Option<BTreeMap<String, String>>; 2] = [&live.labels, &live.annotations];
    entries.hash(&mut hasher);
    hasher.finish()
}

/// Whether nobody else has written since. Times are in whole seconds: of two writers in one second the other one
/// counts.
fn last_written_by_us(live: &ObjectMeta) -> bool {
    let entries = live.managed_fields.iter().flatten();
    let specs = entries.filter(|e| e.subresource.as_deref().unwrap_or_default().is_empty());
    let ours = |manager: &Option<String>| manager.as_deref() == Some(FIELD_MANAGER);
    let (ours, others): (Vec<_>, Vec<_>) = specs.partition(|entry| ours(&entry.manager));
    let last = |entries: Vec<&ManagedFieldsEntry>| {
        entries.iter().filter_map(|entry| entry.time.as_ref().map(|time| time.0)).max()
    };
    last(ours) > last(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(generation: u64, version: u64, written: &str) -> ObjectMeta {
        let time = |second: &str| format!("2026-01-01T00:00:{second}Z");
        serde_json::from_value(json!({
            "uid": "u", "generation": generation, "resourceVersion": version.to_string(),
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"},
            "managedFields": [
                {"manager": "helm", "operation": "Apply", "time": time("05")},
                {"manager": "kubectl", "operation": "Update", "time": time(written)},
                {"manager": "x", "subresource": "status", "time": time("10")},
            ],
        }))
        .expect("metadata")
    }

    #[test]
    fn changes_of_others_are_news() {
        let mut known = Known::default();
        let mut seen = |live: &ObjectMeta| known.changed(live).map(|owner| owner.release);
        assert_eq!(seen(&live(1, 1, "09")), None, "what is there at the start");
        assert_eq!(seen(&live(1, 2, "09")), None, "its status alone");
        assert_eq!(seen(&live(2, 3, "09")).as_deref(), Some("r"));
        assert_eq!(seen(&live(3, 4, "05")).as_deref(), Some("r"), "perhaps");
        assert_eq!(seen(&live(4, 5, "04")), None, "our own write");
        let gone = known.gone(&live(4, 5, "04")).map(|owner| owner.release);
        assert_eq!(gone.as_deref(), Some("r"));
        assert_eq!(known.gone(&ObjectMeta::default()), None, "nobody's");
    }
}
