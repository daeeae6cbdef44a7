//! Waits for objects, woken by watches alone: nothing is polled, and a wait costs no thread.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::watch;
use tokio::time::Instant;

use super::ready::{self, Readiness, Trouble};
use super::{Cluster, Error, Key, error};

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
    Pod(DynamicObject),
    Refused(Key, watcher::Error),
}

/// Waits until every object is ready.
///
/// Ends early with [`Error::NotReady`] when an object has failed for good or one of its new pods is beyond
/// hope: at once where only another manifest helps, and after [`MAX_PATIENCE`] or half the time until the
/// deadline, whichever is less, where the trouble may pass. The same error, naming each object that is missing, when the deadline has passed.
pub async fn ready(cluster: &Cluster, wait: Wait<'_>) -> Result<(), Error> {
    let objects: Vec<Key> = wait.objects.iter().filter(|k| ready::takes_time(k)).cloned().collect();
    let patience = wait.deadline.saturating_duration_since(Instant::now()) / 2;
    let mut state = State::new(objects, wait.until, wait.since, patience.min(MAX_PATIENCE));
    let mut events = watches(cluster, &state.objects).await?;
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

/// A watch on one object: what it is, or None while it is not there.
fn one(
    api: Api<DynamicObject>,
    resource: ApiResource,
    name: &str,
) -> impl Stream<Item = Result<Option<DynamicObject>, watcher::Error>> + use<> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut listed = None;
    // The watch events of a list lack apiVersion and kind.
    let types = kube::core::TypeMeta { api_version: resource.api_version, kind: resource.kind };
    let named = move |mut object: DynamicObject| {
        object.types = Some(types.clone());
        Some(object)
    };
    watcher(api, config).default_backoff().try_filter_map(move |event| {
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

/// Refused for good (as opposed to a broken connection, which the watcher mends).
fn lasting(error: watcher::Error) -> Option<watcher::Error> {
    let refused =
        |e: &kube::Error| error::status(e).is_some_and(|s| matches!(s.code, 401 | 403 | 404 | 405));
    match &error {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e)
            if refused(e) =>
        {
            Some(error)
        }
        _ => None,
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
) -> Result<SelectAll<BoxStream<'static, Seen>>, Error> {
    let mut all = SelectAll::new();
    let mut namespaces = Vec::new();
    for (index, key) in objects.iter().enumerate() {
        let api = cluster.api(key).await?;
        let resource = cluster.discovery().kind(&key.api_version, &key.kind).await?.resource;
        let key = key.clone();
        if let (true, Some(namespace)) = (ready::runs_pods(&key), &key.namespace)
            && !namespaces.contains(namespace)
        {
            namespaces.push(namespace.clone());
        }
        let seen = one(api, resource, &key.name).filter_map(move |seen| {
            let seen = match seen {
                Ok(object) => Some(Seen::Object(index, object)),
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
        let seen = watcher(api, watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .take_while(|pod| {
                let go_on = !matches!(pod, Err(watcher::Error::InitialListFailed(e)) if error::is_code(e, 403));
                futures::future::ready(go_on)
            })
            .filter_map(|pod| futures::future::ready(pod.ok().map(Seen::Pod)));
        all.push(seen.boxed());
    }
    Ok(all)
}

/// What is known of the objects so far.
struct State {
    objects: Vec<Key>,
    until: Until,
    since: Option<Timestamp>,
    readiness: Vec<Option<Readiness>>,
    workloads: HashMap<usize, DynamicObject>,
    /// Pods in trouble.
    troubled: HashMap<String, Troubled>,
    /// How long trouble that may pass has to last.
    patience: Duration,
}

struct Troubled {
    pod: DynamicObject,
    trouble: Trouble,
    /// When it counts.
    verdict: Instant,
}

impl State {
    fn new(objects: Vec<Key>, until: Until, since: Option<Timestamp>, patience: Duration) -> Self {
        let readiness = vec![None; objects.len()];
        Self {
            objects,
            until,
            since,
            readiness,
            workloads: HashMap::new(),
            troubled: HashMap::new(),
            patience,
        }
    }

    fn done(&self) -> bool {
        self.readiness.iter().all(|r| *r == Some(Readiness::Ready))
    }

    fn see(&mut self, seen: Seen, now: Instant) -> Result<(), Error> {
        match seen {
            Seen::Refused(key, error) => return Err(refused(&key, error)),
            // A completed Job may be cleared away (`ttlSecondsAfterFinished`): it has done its work.
            Seen::Object(index, None)
                if self.readiness[index] == Some(Readiness::Ready)
                    && self.objects[index].kind == "Job" => {}
            Seen::Object(index, None) => {
                self.readiness[index] = Some(Readiness::InProgress("it is not there".into()));
                self.workloads.remove(&index);
            }
            Seen::Object(index, Some(object)) => {
                let found = match self.until {
                    Until::Ready => ready::readiness(&object),
                    Until::Completed => ready::completion(&object),
                };
                if let Readiness::Failed(why) = &found {
                    return Err(Error::NotReady(format!("{} failed: {why}", self.objects[index])));
                }
                self.readiness[index] = Some(found);
                if ready::runs_pods(&self.objects[index]) {
                    self.workloads.insert(index, object);
                }
            }
            Seen::Pod(pod) => {
                let name = pod.metadata.name.clone().unwrap_or_default();
                let created = pod.metadata.creation_timestamp.as_ref().map(|t| t.0);
                let new = self.since.is_none_or(|since| created.is_none_or(|c| c >= since));
                let ends = pod.metadata.deletion_timestamp.is_some();
                match ready::trouble(&pod) {
                    Some(trouble) if new && !ends => self.trouble(name, pod, trouble, now),
                    _ => drop(self.troubled.remove(&name)),
                }
            }
        }
        Ok(())
    }

    /// Notes a pod's trouble. What lasts keeps its first moment, and its first words: a pull that is tried
    /// again says less than the pause before it.
    fn trouble(&mut self, name: String, pod: DynamicObject, trouble: Trouble, now: Instant) {
        let verdict = if trouble.for_good { now } else { now + self.patience };
        let known = self.troubled.remove(&name).filter(|t| t.trouble.for_good == trouble.for_good);
        let noted = match known {
            Some(known) => {
                let pause = trouble.why.contains("ImagePullBackOff");
                let trouble = if pause { trouble } else { known.trouble };
                Troubled { pod, trouble, verdict: known.verdict }
            }
            None => Troubled { pod, trouble, verdict },
        };
        self.troubled.insert(name, noted);
    }

    /// Each pod in trouble that an object which is not ready runs, with that object.
    fn bad_news(&self) -> impl Iterator<Item = (&Key, &String, &Troubled)> {
        self.workloads.iter().flat_map(move |(index, workload)| {
            let object = &self.objects[*index];
            let waits = self.readiness[*index] != Some(Readiness::Ready);
            let own = move |troubled: &Troubled| {
                waits
                    && troubled.pod.metadata.namespace == object.namespace
                    && ready::selects(workload, &troubled.pod)
            };
            let pods = self.troubled.iter().filter(move |(_, troubled)| own(troubled));
            pods.map(move |(name, troubled)| (object, name, troubled))
        })
    }

    /// When the next trouble ends the wait, unless it passes.
    fn verdict(&self) -> Option<Instant> {
        self.bad_news().map(|(_, _, troubled)| troubled.verdict).min()
    }

    fn hopeless_workload(&self, now: Instant) -> Result<(), Error> {
        match self.bad_news().find(|(_, _, troubled)| troubled.verdict <= now) {
            Some((object, pod, Troubled { trouble, .. })) => {
                let why = &trouble.why;
                Err(Error::NotReady(format!("{object} failed: pod {pod}: {why}")))
            }
            None => Ok(()),
        }
    }

    /// The objects that are not ready, with what each of them waits for.
    fn missing(&self) -> String {
        let waiting =
            self.objects.iter().zip(&self.readiness).filter_map(
                |(key, readiness)| match readiness {
                    Some(Readiness::Ready) => None,
                    Some(Readiness::InProgress(why) | Readiness::Failed(why)) => {
                        Some(format!("{key}: {why}"))
                    }
                    None => Some(format!("{key}: nothing is known of it")),
                },
            );
        waiting.take(10).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).expect("object")
    }

    fn deployment(available: i64) -> DynamicObject {
        object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "d", "namespace": "n", "generation": 1},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "d"}}},
            "status": {
                "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available,
                "conditions": [{"type": "Available", "status": "True"}],
            },
        }))
    }

    fn broken_pod(created: &str, reason: &str) -> DynamicObject {
        object(json!({
            "metadata": {"name": "p", "namespace": "n", "labels": {"app": "d"}, "creationTimestamp": created},
            "status": {"containerStatuses": [{
                "name": "c", "state": {"waiting": {"reason": reason, "message": "no such image"}},
            }]},
        }))
    }

    fn state() -> State {
        let key = Key {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("n".into()),
            name: "d".into(),
        };
        let since = Some("2026-01-01T00:00:10Z".parse().expect("time"));
        State::new(vec![key], Until::Ready, since, Duration::from_secs(30))
    }

    #[test]
    fn done_when_all_are_ready() {
        let (mut state, now) = (state(), Instant::now());
        assert!(!state.done());
        state.see(Seen::Object(0, Some(deployment(0))), now).expect("in progress");
        assert_eq!(state.missing(), "Deployment n/d: 0 of 1 replicas are available");
        state.see(Seen::Object(0, Some(deployment(1))), now).expect("ready");
        assert!(state.done());
        state.see(Seen::Object(0, None), now).expect("gone");
        assert!(!state.done());
    }

    #[test]
    fn a_completed_job_may_go() {
        let key = Key {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            namespace: Some("n".into()),
            name: "j".into(),
        };
        let job = |status: Value| {
            object(json!({
                "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"},
                "spec": {"ttlSecondsAfterFinished": 0}, "status": status,
            }))
        };
        let now = Instant::now();
        let mut state = State::new(vec![key], Until::Completed, None, Duration::ZERO);
        state.see(Seen::Object(0, Some(job(json!({})))), now).expect("at work");
        state.see(Seen::Object(0, None), now).expect("gone");
        assert!(!state.done(), "it vanished before its end");
        let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        state.see(Seen::Object(0, Some(job(complete))), now).expect("complete");
        state.see(Seen::Object(0, None), now).expect("cleared away");
        assert!(state.done());
    }

    #[test]
    fn trouble_that_lasts_ends_the_wait() {
        let (mut state, start) = (state(), Instant::now());
        let pod = |reason| broken_pod("2026-01-01T00:00:11Z", reason);
        let at = |seconds| start + Duration::from_secs(seconds);
        state.see(Seen::Pod(pod("ErrImagePull")), start).expect("no workload known yet");
        assert_eq!(state.verdict(), None);
        state.see(Seen::Object(0, Some(deployment(0))), start).expect("in progress");
        state.see(Seen::Pod(pod("ImagePullBackOff")), at(1)).expect("a hiccup");
        state.see(Seen::Pod(pod("ErrImagePull")), at(20)).expect("tried again");
        assert_eq!(state.verdict(), Some(at(30)));
        state.hopeless_workload(at(29)).expect("it may pass");
        let error = state.hopeless_workload(at(30)).expect_err("hopeless");
        assert_eq!(
            error.to_string(),
            "Deployment n/d failed: pod p: container c: ImagePullBackOff: no such image"
        );
        state.see(Seen::Pod(pod("ContainerCreating")), at(30)).expect("well again");
        state.hopeless_workload(at(99)).expect("it has passed");
        state.see(Seen::Pod(pod("InvalidImageName")), at(100)).expect("seen");
        state.hopeless_workload(at(100)).expect_err("no patience helps");
    }

    #[test]
    fn pods_of_an_earlier_revision_do_not_count() {
        let (mut state, now) = (state(), Instant::now());
        state.see(Seen::Object(0, Some(deployment(0))), now).expect("in progress");
        state
            .see(Seen::Pod(broken_pod("2026-01-01T00:00:09Z", "InvalidImageName")), now)
            .expect("old");
        state.hopeless_workload(now).expect("an old pod");
    }
}
