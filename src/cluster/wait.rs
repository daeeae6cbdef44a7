//! Waits for objects, woken by watches alone: nothing is polled, and a wait costs no thread.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt as _, Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ApiResource, DynamicObject, TypeMeta};
use kube::runtime::watcher;
use tokio::sync::watch;
use tokio::time::Instant;

use super::health::Checks;
use super::ready;
use super::{Cluster, Error, Key, error};

mod shared;
mod state;
mod watching;

pub use shared::Watches;
use state::State;
use watching::watching;

/// A wait that is over before that does not look at pods.
const BEFORE_PODS: Duration = Duration::from_secs(1);
/// How long a pod's trouble has to last before it ends a wait.
const MAX_PATIENCE: Duration = Duration::from_secs(60);

/// What a wait is for.
pub struct Wait<'a> {
    pub objects: &'a [Key],
    pub until: Until,
    pub deadline: Instant,
    /// Pods that were made before belong to an earlier revision: their trouble does not count. The API
    /// server's clock.
    pub since: Option<Timestamp>,
    /// Tells onlookers what is still being waited for.
    pub progress: Option<&'a watch::Sender<String>>,
    pub rules: Rules,
}

/// By which rules objects are ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub strategy: Strategy,
    /// For custom resources; without effect on [`Strategy::Legacy`].
    pub checks: Checks,
}

/// Flux's two ways to wait, by the names of its `waitStrategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// By the rules of kstatus; what has failed for good ends the wait.
    #[default]
    Poller,
    /// As Helm 3: only Kubernetes' own kinds count, and but for Jobs nothing ends the wait before its time.
    Legacy,
}

impl Rules {
    fn waits_for(&self, key: &Key) -> bool {
        match self.strategy {
            Strategy::Poller => ready::takes_time(key) || self.checks.of(key).is_some(),
            Strategy::Legacy => {
                let built_in =
                    matches!(key.group(), "" | "apps" | "batch" | "apiextensions.k8s.io");
                ready::takes_time(key) && built_in
            }
        }
    }
}

/// How far the objects have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Ready,
    /// Jobs and pods have run to their end.
    Completed,
}

/// Something that a watch saw.
enum Seen {
    Object(usize, Option<DynamicObject>),
    /// One that is in trouble, or was.
    Pod(Arc<DynamicObject>),
    PodGone(String),
    Refused(Key, watcher::Error),
}

/// Waits until every object is ready.
///
/// Ends early with [`Error::NotReady`] when an object has failed for good or one of its new pods is beyond
/// hope: at once where only another manifest helps, after [`MAX_PATIENCE`] or half the time until the deadline,
/// whichever is less, where the trouble may pass, and after half that time where room for pods is missing. The same
/// error, naming each object that is missing, when the deadline has passed.
pub async fn ready(cluster: &Cluster, wait: Wait<'_>) -> Result<(), Error> {
    let objects: Vec<Key> =
        wait.objects.iter().filter(|k| wait.rules.waits_for(k)).cloned().collect();
    let half = wait.deadline.saturating_duration_since(Instant::now()) / 2;
    let patience = state::Patience { short: half.min(MAX_PATIENCE), long: half };
    let pods = wait.rules.strategy == Strategy::Poller;
    let mut events = watches(cluster, &objects, pods).boxed().await?;
    let mut state = State::new(objects, wait.until, wait.since, wait.rules.clone(), patience);
    let seeing = async {
        while !state.done() {
            tokio::select! {
                seen = events.next() => {
                    let Some(seen) = seen else { break };
                    state.see(seen, Instant::now())?;
                }
                () = passed(state.verdict()) => {}
            }
            state.hopeless_workload(Instant::now())?;
            if let Some(progress) = wait.progress {
                progress.send_if_modified(|told| {
                    let now = state.missing();
                    let changed = *told != now;
                    *told = now;
                    changed
                });
            }
        }
        Ok(())
    };
    match tokio::time::timeout_at(wait.deadline, seeing).await {
        Ok(result) => result,
        Err(_) => Err(Error::NotReady(format!("timed out waiting: {}", state.missing()))),
    }
}

/// Ends at this moment; without one, never.
async fn passed(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits until these incarnations (key and UID) are gone.
pub async fn deleted(
    cluster: &Cluster,
    objects: &[(Key, String)],
    deadline: Instant,
) -> Result<(), Error> {
    let mut left: Vec<&Key> = objects.iter().map(|(key, _)| key).collect();
    let waiting = async {
        for (key, uid) in objects {
            gone(cluster, key, uid).await?;
            left.retain(|k| *k != key);
        }
        Ok(())
    };
    match tokio::time::timeout_at(deadline, waiting).await {
        Ok(result) => result,
        Err(_) => {
            let names: Vec<String> = left.into_iter().map(Key::to_string).collect();
            Err(Error::NotReady(format!(
                "timed out waiting for the deletion of {}",
                names.join(", ")
            )))
        }
    }
}

async fn gone(cluster: &Cluster, key: &Key, uid: &str) -> Result<(), Error> {
    match cluster.get(key).await? {
        Some(live) if live.metadata.uid.as_deref() == Some(uid) => {}
        _ => return Ok(()),
    }
    let api = cluster.api(key).await?;
    let resource = cluster.discovery().kind(&key.api_version, &key.kind).await?.resource;
    let mut stream = pin!(one(api, resource, &key.name));
    while let Some(seen) = stream.next().await {
        match seen {
            Ok(Some(live)) if live.metadata.uid.as_deref() == Some(uid) => {}
            Ok(_) => return Ok(()),
            Err(e) => lasting(e).map_or(Ok(()), |e| Err(refused(key, e)))?,
        }
    }
    Ok(())
}

/// What lists tell of lacks apiVersion and kind.
fn typed(object: DynamicObject, types: &TypeMeta) -> DynamicObject {
    DynamicObject { types: Some(types.clone()), ..object }
}

/// A watch on one object: what it is, or None while it is not there.
fn one(
    api: Api<DynamicObject>,
    resource: ApiResource,
    name: &str,
) -> impl Stream<Item = Result<Option<DynamicObject>, watcher::Error>> + use<> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut listed = None;
    let types = TypeMeta { api_version: resource.api_version, kind: resource.kind };
    let named = move |object| Some(typed(object, &types));
    watching(api, config).try_filter_map(move |event| {
        let found = match event {
            watcher::Event::Init => {
                listed = None;
                None
            }
            watcher::Event::InitApply(object) => {
                listed = named(object);
                None
            }
            watcher::Event::InitDone => Some(listed.take()),
            watcher::Event::Apply(object) => Some(named(object)),
            watcher::Event::Delete(_) => Some(None),
        };
        futures::future::ready(Ok(found))
    })
}

/// The error, if it is one for good.
fn lasting(error: watcher::Error) -> Option<watcher::Error> {
    is_lasting(&error).then_some(error)
}

/// Refused for good (as opposed to a broken connection, which the watcher mends).
fn is_lasting(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) => {
            error::status(e).is_some_and(|s| matches!(s.code, 401 | 403 | 404 | 405))
        }
        _ => false,
    }
}

fn refused(key: &Key, error: watcher::Error) -> Error {
    match error {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) => {
            Error::api("watch", key, e)
        }
        other => Error::NotReady(format!("cannot watch {key}: {other}")),
    }
}

async fn watches(
    cluster: &Cluster,
    objects: &[Key],
    pods: bool,
) -> Result<SelectAll<BoxStream<'static, Seen>>, Error> {
    let mut all = SelectAll::new();
    let mut namespaces = Vec::new();
    for (index, key) in objects.iter().enumerate() {
        let api = cluster.api(key).await?;
        let resource = cluster.discovery().kind(&key.api_version, &key.kind).await?.resource;
        let key = key.clone();
        if let (true, Some(namespace)) = (pods && ready::runs_pods(&key), &key.namespace)
            && !namespaces.contains(namespace)
        {
            namespaces.push(namespace.clone());
        }
        let types =
            TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() };
        // Of what has no namespace there may be much, and large.
        let seen = match &key.namespace {
            Some(_) => {
                let (api_alone, name) = (api.clone(), key.name.clone());
                let alone = move || one(api_alone, resource, &name).boxed();
                cluster.watches().one(api, &key.name, alone).boxed()
            }
            None => one(api, resource, &key.name).boxed(),
        };
        let seen = seen.filter_map(move |seen| {
            let seen = match seen {
                Ok(object) => Some(Seen::Object(index, object.map(|o| typed(o, &types)))),
                Err(error) => lasting(error).map(|e| Seen::Refused(key.clone(), e)),
            };
            futures::future::ready(seen)
        });
        all.push(seen.boxed());
    }
    let pod = ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&());
    for namespace in namespaces {
        let api = Api::namespaced_with(cluster.client().clone(), &namespace, &pod);
        // Pods only speed up bad news: without the right to watch them the wait goes by the objects alone.
        let watches = cluster.watches().clone();
        let seen =
            tokio::time::sleep(BEFORE_PODS).map(move |()| watches.pods(api)).flatten_stream();
        all.push(seen.boxed());
    }
    Ok(all)
}
