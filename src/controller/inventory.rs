//! Watches on the metadata of what releases are made of: whoever deletes or changes an object of a release wakes
//! its HelmRelease. One watch for each kind and namespace, of objects that Helm manages. What they show is in the cluster's
//! [`Sight`](crate::cluster::sight::Sight) for whoever applies.

use std::collections::hash_map::Entry;
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
use crate::cluster::pauses::Pauses;
use crate::cluster::sight::Place;
use crate::cluster::{Cluster, FIELD_MANAGER, Object, error, pages};

/// What all of Helm's objects are labelled with.
const MANAGED: &str = "app.kubernetes.io/managed-by=Helm";

/// A kind and a namespace.
type Watched = (ApiResource, String);

/// How far some objects are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// Each one in a namespace was watched before.
    pub before: bool,
    /// Nothing can happen to any of them unseen.
    pub complete: bool,
}

/// The kinds and namespaces that are watched. Clones share them.
#[derive(Clone)]
pub struct Inventory {
    cluster: Cluster,
    memory: Memory,
    wake: mpsc::Sender<()>,
    watched: Arc<Mutex<HashMap<Watched, bool>>>,
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
    /// the interval.
    pub async fn track(&self, objects: &[Object]) -> Tracking {
        let mut tracking = Tracking { before: true, complete: true };
        for object in objects {
            let key = &object.key;
            let Ok(kind) = self.cluster.discovery().kind(&key.api_version, &key.kind).await else {
                tracking.complete = false;
                continue;
            };
            // What is not in a namespace is the administrator's: it is not watched.
            let Some(namespace) = key.namespace.clone() else {
                tracking.complete = false;
                continue;
            };
            let resource = kind.resource;
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            match watched.entry((resource.clone(), namespace.clone())) {
                Entry::Occupied(alive) => tracking.complete &= *alive.get(),
                Entry::Vacant(place) => {
                    place.insert(true);
                    tokio::spawn(self.clone().watch(resource, namespace));
                    tracking.before = false;
                }
            }
        }
        tracking
    }

    async fn watch(self, resource: ApiResource, namespace: String) {
        let key = (resource.clone(), namespace.clone());
        let client = self.cluster.client().clone();
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::namespaced_with(client, &namespace, &resource);
        let config = pages::config().labels(MANAGED);
        let events = watcher(api, config).backoff(Pauses::single());
        let mut events = std::pin::pin!(events.take_until(self.stop.cancelled()));
        let place = Place {
            group: resource.group.clone(),
            kind: resource.kind.clone(),
            namespace: namespace.clone(),
        };
        let sight = self.cluster.sight();
        let mut known = Known::default();
        while let Some(event) = events.next().await {
            let changed = match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => {
                    sight.show(&place, &object.metadata, false);
                    known.changed(&object.metadata).into_iter().collect()
                }
                Ok(Event::Delete(object)) => {
                    sight.show(&place, &object.metadata, true);
                    known.gone(&object.metadata).into_iter().collect()
                }
                Ok(Event::Init) => {
                    sight.begin(&place);
                    known.begin();
                    Vec::new()
                }
                // What went while the connection was broken.
                Ok(Event::InitDone) => {
                    sight.complete(&place);
                    known.missing()
                }
                Err(error) if refused(&error) => {
                    let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
                    watched.insert(key, false);
                    break;
                }
                Err(_) => {
                    sight.doubt(&place);
                    Vec::new()
                }
            };
            for owner in changed {
                self.memory.saw_change_of(&owner.release);
                // If there is a wake under way already, it comes after this change.
                let _ = self.wake.try_send(());
            }
        }
        sight.end(&place);
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

/// By UID, what was last seen of each object, and whose it is.
#[derive(Default)]
struct Known {
    objects: HashMap<String, (u64, Owner)>,
    /// The UIDs that the list at hand has named.
    listed: HashSet<String>,
}

impl Known {
    /// Whose release it is, if someone other than [`FIELD_MANAGER`] has changed the object.
    fn changed(&mut self, live: &ObjectMeta) -> Option<Owner> {
        let owner = Owner::of(live)?;
        let (now, uid) = (print(live), live.uid.clone().unwrap_or_default());
        self.listed.insert(uid.clone());
        let before = self.objects.insert(uid, (now, owner.clone()));
        let news = before.is_some_and(|(before, _)| before != now);
        (news && !last_written_by_us(live)).then_some(owner)
    }

    fn gone(&mut self, live: &ObjectMeta) -> Option<Owner> {
        self.objects.remove(live.uid.as_deref().unwrap_or_default());
        Owner::of(live)
    }

    /// All objects are listed anew.
    fn begin(&mut self) {
        self.listed.clear();
    }

    /// Forgets what was known and is not in the list; returns whose it was.
    fn missing(&mut self) -> Vec<Owner> {
        let listed = std::mem::take(&mut self.listed);
        let mut owners = Vec::new();
        self.objects.retain(|uid, (_, owner)| {
            let there = listed.contains(uid);
            if !there {
                owners.push(owner.clone());
            }
            there
        });
        owners
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
    fn what_went_unseen_is_missing_from_the_next_list() {
        let mut known = Known::default();
        known.begin();
        known.changed(&live(1, 1, "09"));
        assert_eq!(known.missing(), []);
        known.begin();
        let owners: Vec<String> = known.missing().into_iter().map(|o| o.release).collect();
        assert_eq!(owners, ["r"]);
        known.begin();
        assert_eq!(known.missing(), []);
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
