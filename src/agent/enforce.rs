//! Keeps the objects of the accepted state as they were pinned: server-side apply, on a change of the
//! state and whenever a watch shows that somebody changed a pinned field.

mod compare;

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, Client, Resource as _, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use self::compare::Difference;
use super::{
    FIELD_MANAGER, chain,
    pins::{self, DETACHED, PIN_ANNOTATION, Plan, Wanted},
    world::World,
};
use crate::{api::cluster::QdrantCluster, cluster::events::Events, model::desired::Desired};

/// What could not be applied is tried again after this time, doubled each time.
const RETRY: Duration = Duration::from_secs(2);
const MAX_RETRY: Duration = Duration::from_secs(60);
/// What the cluster does not keep as it was applied is applied again after this time.
const REAPPLY: Duration = Duration::from_secs(5 * 60);
/// The watch has this long to show what was applied; then it is applied again.
const BEHIND: Duration = Duration::from_secs(30);

/// Objects that could not be brought about, by title, and why.
pub type Failures = BTreeMap<String, String>;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot apply {title}")]
    Apply {
        title: String,
        #[source]
        source: kube::Error,
    },
    #[error(
        "the cluster does not keep {path} of {title}: an admission webhook or policy changes it, or the definition of this kind does not know it; it is tried again every {} minutes",
        REAPPLY.as_secs() / 60
    )]
    NotKept { title: String, path: String },
    #[error("cannot delete {title}")]
    Delete {
        title: String,
        #[source]
        source: kube::Error,
    },
}

/// Brings the objects of the desired state about.
pub struct Enforcer {
    pub client: Client,
    pub namespace: String,
    pub world: World,
    pub events: Events,
    pub desired: watch::Receiver<Option<Arc<Desired>>>,
    pub failures: watch::Sender<Failures>,
}

/// What this process applied to one object.
#[derive(Clone, Debug)]
struct Applied {
    /// Of the wanted object.
    hash: u64,
    /// The resource version that the watch showed before; until it shows another one, it is behind.
    behind: Option<String>,
    state: Progress,
}

/// How far the last apply came.
#[derive(Clone, Debug, PartialEq)]
enum Progress {
    /// The watch has shown the object as it was applied.
    Settled,
    /// The API server took it as it was applied; the watch has to show that.
    Sent { at: Instant },
    /// The API server answered with another value at `path`.
    NotKept { path: String, at: Instant },
}

/// What to do about one object.
#[derive(Debug, PartialEq)]
enum Decision {
    /// It is as it should be.
    Leave,
    /// The user looks after it.
    Detached,
    /// The watch does not yet show what was applied last.
    Wait,
    /// The cluster did not keep this field not long ago.
    Hold { path: String },
    /// Apply it; `edited` if it was right before, so that somebody must have changed it.
    Apply { difference: Difference, edited: bool },
}

fn decide(
    wanted: &Wanted,
    live: Option<&DynamicObject>,
    applied: Option<&Applied>,
    now: Instant,
) -> Decision {
    if live.is_some_and(is_detached) {
        return Decision::Detached;
    }
    let Some(difference) = compare::difference(&wanted.object, live, FIELD_MANAGER) else {
        return Decision::Leave;
    };
    let applied = applied.filter(|applied| applied.hash == hash(wanted));
    match applied.map(|applied| (&applied.state, &applied.behind)) {
        Some((Progress::Sent { at }, behind))
            if *behind == live.and_then(ResourceExt::resource_version)
                && now.duration_since(*at) < BEHIND =>
        {
            Decision::Wait
        }
        // Another difference is somebody's edit, and is put back at once.
        Some((Progress::NotKept { path, at }, behind))
            if difference.path().map_or(behind.is_none(), |differs| differs == path)
                && now.duration_since(*at) < REAPPLY =>
        {
            Decision::Hold { path: path.clone() }
        }
        Some((Progress::Settled, _)) => Decision::Apply { difference, edited: true },
        _ => Decision::Apply { difference, edited: false },
    }
}

/// What the objects came to in one pass.
#[derive(Default)]
struct Outcome {
    failures: Failures,
    /// The watch has to show something.
    waiting: bool,
}

impl Enforcer {
    /// Runs until it is dropped.
    pub async fn run(mut self) {
        let mut changes = self.world.changes();
        let mut applied = BTreeMap::new();
        let mut retry = RETRY;
        self.world.ready().await;
        loop {
            let desired = self.desired.borrow_and_update().clone();
            changes.mark_unchanged();
            let Outcome { failures, waiting } = match &desired {
                Some(desired) => self.pass(desired, &mut applied).await,
                None => Outcome::default(),
            };
            let failed = !failures.is_empty();
            self.failures.send_if_modified(|last| {
                let changed = *last != failures;
                *last = failures;
                changed
            });
            retry = if failed { (retry * 2).min(MAX_RETRY) } else { RETRY };
            tokio::select! {
                // The senders live as long as this task's siblings; when they go, this task is dropped.
                Ok(()) = self.desired.changed() => {}
                Ok(()) = changes.changed() => {}
                () = sleep(if failed { retry } else { BEHIND }), if failed || waiting => {}
                else => return,
            }
        }
    }

    async fn pass(&self, desired: &Desired, applied: &mut BTreeMap<String, Applied>) -> Outcome {
        let Plan { apply, delete_clusters } = pins::plan(desired, &self.namespace);
        let titles: BTreeSet<String> = apply.iter().map(Wanted::title).collect();
        applied.retain(|title, _| titles.contains(title));
        let mut failures = Failures::new();
        for wanted in &apply {
            if let Err(error) = self.bring_about(wanted, desired.generation, applied).await {
                self.failed(&mut failures, wanted.title(), &error);
            }
        }
        for name in delete_clusters {
            if let Err(error) = self.delete_cluster(&name).await {
                self.failed(&mut failures, format!("QdrantCluster {name}"), &error);
            }
        }
        let waiting = applied.values().any(|a| matches!(a.state, Progress::Sent { .. }));
        Outcome { failures, waiting }
    }

    fn failed(&self, failures: &mut Failures, title: String, error: &Error) {
        let text = chain(error);
        if self.failures.borrow().get(&title) != Some(&text) {
            tracing::error!("{text}");
        }
        failures.insert(title, text);
    }

    async fn bring_about(
        &self,
        wanted: &Wanted,
        generation: u64,
        applied: &mut BTreeMap<String, Applied>,
    ) -> Result<(), Error> {
        let title = wanted.title();
        let live = self.world.get(wanted);
        let live = live.as_deref();
        match decide(wanted, live, applied.get(&title), Instant::now()) {
            Decision::Wait => {}
            Decision::Detached => {
                applied.remove(&title);
            }
            Decision::Hold { path } => return Err(Error::NotKept { title, path }),
            Decision::Leave => {
                let state = Progress::Settled;
                applied.insert(title, Applied { hash: hash(wanted), behind: None, state });
            }
            Decision::Apply { difference, edited } => {
                let behind = live.and_then(ResourceExt::resource_version);
                let result = self.apply(wanted).await?;
                let state = progress(wanted, &result, Instant::now());
                let not_kept = match &state {
                    Progress::NotKept { path, .. } => Some(path.clone()),
                    _ => None,
                };
                applied.insert(title.clone(), Applied { hash: hash(wanted), behind, state });
                if let Some(path) = not_kept {
                    return Err(Error::NotKept { title, path });
                }
                let what = describe(&difference);
                tracing::info!(generation, edited, "applied {title}: {what}");
                if edited && wanted.resource.kind != "Secret" {
                    let about = result.object_ref(&wanted.resource);
                    self.put_back(&about, &what, generation).await;
                }
            }
        }
        Ok(())
    }

    async fn apply(&self, wanted: &Wanted) -> Result<DynamicObject, Error> {
        let api = self.api(&wanted.resource, wanted.object.metadata.namespace.is_some());
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(wanted.name(), &parameters, &Patch::Apply(&wanted.object))
            .await
            .map_err(|source| Error::Apply { title: wanted.title(), source })
    }

    async fn put_back(&self, about: &ObjectReference, what: &str, generation: u64) {
        let kind = about.kind.as_deref().unwrap_or_default();
        let name = about.name.as_deref().unwrap_or_default();
        let mut note = format!(
            "{what}. The Console pins this object (generation {generation}), so it was put back; change it there."
        );
        if kind == "HelmRelease" {
            note += &format!(
                " To look after this release yourself: kubectl annotate -n {} helmreleases.cd.qdrant.io {name} {PIN_ANNOTATION}={DETACHED}",
                self.namespace
            );
        }
        self.events.warning(about, "PinRestored", &note).await;
    }

    async fn delete_cluster(&self, name: &str) -> Result<(), Error> {
        let live = self.world.clusters.find(|cluster| cluster.name_any() == name);
        let Some(live) = live.filter(|c| c.metadata.deletion_timestamp.is_none()) else {
            return Ok(());
        };
        // The precondition keeps a cluster that was made anew under this name.
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: live.metadata.uid.clone(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let api = self.api(&ApiResource::erase::<QdrantCluster>(&()), true);
        match api.delete(name, &parameters).await {
            Ok(_) => {
                tracing::info!("deleted QdrantCluster {name}");
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                Ok(())
            }
            Err(source) => Err(Error::Delete { title: format!("QdrantCluster {name}"), source }),
        }
    }

    fn api(&self, resource: &ApiResource, namespaced: bool) -> Api<DynamicObject> {
        if namespaced {
            Api::namespaced_with(self.client.clone(), &self.namespace, resource)
        } else {
            Api::all_with(self.client.clone(), resource)
        }
    }
}

/// What an apply came to, by the API server's answer.
fn progress(wanted: &Wanted, answer: &DynamicObject, at: Instant) -> Progress {
    match compare::difference(&wanted.object, Some(answer), FIELD_MANAGER) {
        None => Progress::Sent { at },
        Some(difference) => {
            Progress::NotKept { path: difference.path().unwrap_or_default().to_owned(), at }
        }
    }
}

/// A difference in words.
fn describe(difference: &Difference) -> String {
    match difference {
        Difference::Absent => "it did not exist".to_owned(),
        Difference::Field { path, live, wanted } => {
            format!("{path} was {live} and must be {wanted}")
        }
        Difference::Hidden { path } => format!("{path} had another value"),
        Difference::Dropped { path } => format!("{path} is no longer set"),
    }
}

/// Whether a person has taken the object out of the Console's hands.
pub fn is_detached(object: &DynamicObject) -> bool {
    object.annotations().get(PIN_ANNOTATION).is_some_and(|pin| pin == DETACHED)
}

fn hash(wanted: &Wanted) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(&wanted.object).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted() -> Wanted {
        let plan = pins::plan(&pins::tests::desired(), "qdrant");
        plan.apply.into_iter().find(|w| w.resource.kind == "HelmRelease").expect("a release")
    }

    fn live(wanted: &Wanted, version: &str) -> DynamicObject {
        let mut live = wanted.object.clone();
        live.metadata.resource_version = Some(version.to_owned());
        live
    }

    fn sent(wanted: &Wanted, behind: Option<&str>, at: Instant) -> Applied {
        let state = Progress::Sent { at };
        Applied { hash: hash(wanted), behind: behind.map(str::to_owned), state }
    }

    fn settled(wanted: &Wanted) -> Applied {
        Applied { hash: hash(wanted), behind: None, state: Progress::Settled }
    }

    fn now_decide(
        wanted: &Wanted,
        live: Option<&DynamicObject>,
        applied: Option<&Applied>,
    ) -> Decision {
        decide(wanted, live, applied, Instant::now())
    }

    #[test]
    fn an_object_that_is_right_is_left() {
        let wanted = wanted();
        assert_eq!(now_decide(&wanted, Some(&live(&wanted, "1")), None), Decision::Leave);
    }

    #[test]
    fn a_missing_object_is_made_once() {
        let wanted = wanted();
        let expected = Decision::Apply { difference: Difference::Absent, edited: false };
        assert_eq!(now_decide(&wanted, None, None), expected);
        assert_eq!(
            now_decide(&wanted, None, Some(&sent(&wanted, None, Instant::now()))),
            Decision::Wait
        );
        let again = Decision::Apply { difference: Difference::Absent, edited: true };
        assert_eq!(now_decide(&wanted, None, Some(&settled(&wanted))), again);
    }

    #[test]
    fn an_edit_is_put_back_unless_the_watch_is_behind() {
        let wanted = wanted();
        let mut edited = live(&wanted, "7");
        edited.data["spec"]["chart"]["spec"]["version"] = json!("0.0.1");
        let waiting = sent(&wanted, Some("7"), Instant::now());
        assert_eq!(now_decide(&wanted, Some(&edited), Some(&waiting)), Decision::Wait);
        let settled = settled(&wanted);
        let decision = now_decide(&wanted, Some(&edited), Some(&settled));
        let Decision::Apply { difference, edited: true } = decision else { panic!("{decision:?}") };
        assert_eq!(describe(&difference), "spec.chart.spec.version was 0.0.1 and must be 1.2.3");
    }

    #[test]
    fn a_watch_that_stays_behind_is_not_waited_for_forever() {
        let wanted = wanted();
        let mut old = live(&wanted, "7");
        old.data["spec"]["chart"]["spec"]["version"] = json!("0.0.1");
        let at = Instant::now();
        let applied = sent(&wanted, Some("7"), at);
        let just_before = at + BEHIND - Duration::from_millis(1);
        assert_eq!(decide(&wanted, Some(&old), Some(&applied), just_before), Decision::Wait);
        let decision = decide(&wanted, Some(&old), Some(&applied), at + BEHIND);
        assert!(matches!(decision, Decision::Apply { edited: false, .. }), "{decision:?}");
    }

    #[test]
    fn what_the_cluster_does_not_keep_is_held_and_tried_again_slowly() {
        let wanted = wanted();
        let at = Instant::now();
        assert_eq!(progress(&wanted, &live(&wanted, "8"), at), Progress::Sent { at });
        let mut answer = live(&wanted, "8");
        answer.data["spec"]["chart"]["spec"]["version"] = json!("0.0.1");
        let path = "spec.chart.spec.version".to_owned();
        let state = progress(&wanted, &answer, at);
        assert_eq!(state, Progress::NotKept { path: path.clone(), at });
        // Whether the watch is behind does not matter, nor what the value is now.
        for behind in ["7", "8"] {
            let behind = Some(behind.to_owned());
            let applied = Applied { hash: hash(&wanted), behind, state: state.clone() };
            let decide = |live, now| decide(&wanted, Some(live), Some(&applied), now);
            let just_before = at + REAPPLY - Duration::from_millis(1);
            assert_eq!(decide(&answer, just_before), Decision::Hold { path: path.clone() });
            let decision = decide(&answer, at + REAPPLY);
            assert!(matches!(decision, Decision::Apply { edited: false, .. }), "{decision:?}");
            // Another field is another matter, and the cluster may have been repaired.
            let mut edited = live(&wanted, "9");
            edited.data["spec"]["chart"]["spec"]["chart"] = json!("another");
            assert!(matches!(decide(&edited, just_before), Decision::Apply { .. }));
            assert_eq!(decide(&live(&wanted, "9"), just_before), Decision::Leave);
        }
        let error = chain(&Error::NotKept { title: wanted.title(), path });
        assert!(error.contains("spec.chart.spec.version of HelmRelease"), "{error}");
    }

    #[test]
    fn a_new_pin_is_no_edit() {
        let wanted = wanted();
        let mut older = wanted.clone();
        older.object.data["spec"]["chart"]["spec"]["version"] = json!("0.0.1");
        let settled = settled(&older);
        let decision = now_decide(&wanted, Some(&live(&older, "1")), Some(&settled));
        assert!(matches!(decision, Decision::Apply { edited: false, .. }), "{decision:?}");
    }

    #[test]
    fn a_detached_release_is_left() {
        let wanted = wanted();
        let mut live = live(&wanted, "1");
        live.data["spec"]["chart"]["spec"]["version"] = json!("0.0.1");
        live.annotations_mut().insert(PIN_ANNOTATION.into(), "attached".into());
        assert_ne!(now_decide(&wanted, Some(&live), None), Decision::Detached);
        live.annotations_mut().insert(PIN_ANNOTATION.into(), DETACHED.into());
        assert_eq!(now_decide(&wanted, Some(&live), None), Decision::Detached);
    }
}
