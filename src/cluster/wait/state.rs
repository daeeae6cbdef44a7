//! What a wait has seen so far, and what follows from it: pure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::super::ready::{self, Outlook, Readiness, Selector, Trouble};
use super::super::{Error, Key};
use super::{Rules, Seen, Strategy, Until, refused};

/// What is known of the objects so far.
pub struct State {
    objects: Vec<Key>,
    until: Until,
    since: Option<Timestamp>,
    readiness: Vec<Option<Readiness>>,
    /// The workloads' own pods.
    selectors: HashMap<usize, Selector>,
    /// Pods in trouble.
    troubled: HashMap<String, Troubled>,
    /// Why a workload's pods cannot be made, and when that counts.
    refused: HashMap<usize, (String, Instant)>,
    rules: Rules,
    patience: Patience,
}

/// How long trouble has to last before it ends a wait.
#[derive(Clone, Copy)]
pub struct Patience {
    /// What may pass.
    pub short: Duration,
    /// What may take its time to pass.
    pub long: Duration,
}

impl Patience {
    fn with(self, outlook: Outlook) -> Duration {
        match outlook {
            Outlook::Hopeless => Duration::ZERO,
            Outlook::MayPass => self.short,
            Outlook::MayTakeTime => self.long,
        }
    }
}

struct Troubled {
    pod: Arc<DynamicObject>,
    trouble: Trouble,
    /// When it counts.
    verdict: Instant,
}

impl State {
    pub fn new(
        objects: Vec<Key>,
        until: Until,
        since: Option<Timestamp>,
        rules: Rules,
        patience: Patience,
    ) -> Self {
        let readiness = vec![None; objects.len()];
        Self {
            objects,
            until,
            since,
            readiness,
            selectors: HashMap::new(),
            troubled: HashMap::new(),
            refused: HashMap::new(),
            rules,
            patience,
        }
    }

    pub fn done(&self) -> bool {
        self.readiness.iter().all(|r| *r == Some(Readiness::Ready))
    }

    pub fn see(&mut self, seen: Seen, now: Instant) -> Result<(), Error> {
        match seen {
            Seen::Refused(key, error) => return Err(refused(&key, error)),
            // A completed Job may be cleared away (`ttlSecondsAfterFinished`): it has done its work.
            Seen::Object(index, None)
                if self.readiness[index] == Some(Readiness::Ready)
                    && self.objects[index].kind == "Job" => {}
            Seen::Object(index, None) => {
                self.readiness[index] = Some(Readiness::InProgress("it is not there".into()));
                self.selectors.remove(&index);
                self.refused.remove(&index);
            }
            Seen::Object(index, Some(object)) => {
                let found = self.readiness_of(index, &object);
                if let Readiness::Failed(why) = &found {
                    return Err(Error::NotReady(format!("{} failed: {why}", self.objects[index])));
                }
                self.readiness[index] = Some(found);
                if ready::runs_pods(&self.objects[index]) {
                    self.refused(index, &object, now);
                    self.selectors.insert(index, Selector::of(&object));
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
            Seen::PodGone(name) => drop(self.troubled.remove(&name)),
        }
        Ok(())
    }

    fn readiness_of(&self, index: usize, object: &DynamicObject) -> Readiness {
        let key = &self.objects[index];
        match (self.until, self.rules.strategy, self.rules.checks.of(key)) {
            (Until::Completed, _, _) => ready::completion(object),
            (Until::Ready, Strategy::Legacy, _) => ready::legacy(object),
            (Until::Ready, Strategy::Poller, Some(check))
                if object.metadata.deletion_timestamp.is_none() =>
            {
                check.readiness(object)
            }
            (Until::Ready, Strategy::Poller, _) => ready::readiness(object),
        }
    }

    /// Notes that a workload's pods cannot be made; a refusal that lasts keeps its first moment.
    fn refused(&mut self, index: usize, workload: &DynamicObject, now: Instant) {
        match ready::refusal(workload) {
            Some(why) if self.rules.strategy == Strategy::Poller => {
                let verdict = now + self.patience.with(Outlook::MayTakeTime);
                self.refused.entry(index).or_insert((String::new(), verdict)).0 = why;
            }
            _ => drop(self.refused.remove(&index)),
        }
    }

    /// Workloads that are not ready and whose pods cannot be made.
    fn refusals(&self) -> impl Iterator<Item = (&Key, &(String, Instant))> {
        let waits = |index: &usize| self.readiness[*index] != Some(Readiness::Ready);
        let refused = self.refused.iter().filter(move |(index, _)| waits(index));
        refused.map(|(index, refused)| (&self.objects[*index], refused))
    }

    /// Notes a pod's trouble. What lasts keeps its first moment, and its first words: a pull that is tried
    /// again says less than the pause before it.
    fn trouble(&mut self, name: String, pod: Arc<DynamicObject>, trouble: Trouble, now: Instant) {
        let verdict = now + self.patience.with(trouble.outlook);
        let known = self.troubled.remove(&name).filter(|t| t.trouble.outlook == trouble.outlook);
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
        self.selectors.iter().flat_map(move |(index, selector)| {
            let object = &self.objects[*index];
            let waits = self.readiness[*index] != Some(Readiness::Ready);
            let own = move |troubled: &Troubled| {
                waits
                    && troubled.pod.metadata.namespace == object.namespace
                    && selector.selects(troubled.pod.metadata.labels.as_ref())
            };
            let pods = self.troubled.iter().filter(move |(_, troubled)| own(troubled));
            pods.map(move |(name, troubled)| (object, name, troubled))
        })
    }

    /// When the next trouble ends the wait, unless it passes.
    pub fn verdict(&self) -> Option<Instant> {
        let pods = self.bad_news().map(|(_, _, troubled)| troubled.verdict);
        pods.chain(self.refusals().map(|(_, (_, verdict))| *verdict)).min()
    }

    pub fn hopeless_workload(&self, now: Instant) -> Result<(), Error> {
        if let Some((object, (why, _))) = self.refusals().find(|(_, (_, verdict))| *verdict <= now)
        {
            return Err(Error::NotReady(format!("{object} failed: {why}")));
        }
        match self.bad_news().find(|(_, _, troubled)| troubled.verdict <= now) {
            Some((object, pod, Troubled { trouble, .. })) => {
                let why = &trouble.why;
                Err(Error::NotReady(format!("{object} failed: pod {pod}: {why}")))
            }
            None => Ok(()),
        }
    }

    /// The first trouble of an object, in brackets.
    fn trouble_of(&self, key: &Key) -> String {
        let refused = self.refusals().find(|(object, _)| *object == key);
        let refused = refused.map(|(_, (why, _))| why.clone());
        let pod = || {
            let mut news = self.bad_news();
            let (_, pod, troubled) = news.find(|(object, _, _)| *object == key)?;
            Some(format!("pod {pod}: {}", troubled.trouble.why))
        };
        refused.or_else(pod).map(|why| format!(" ({why})")).unwrap_or_default()
    }

    /// The objects that are not ready, with what each of them waits for, and what its pods are troubled by.
    pub fn missing(&self) -> String {
        let waiting =
            self.objects.iter().zip(&self.readiness).filter_map(
                |(key, readiness)| match readiness {
                    Some(Readiness::Ready) => None,
                    Some(Readiness::InProgress(why) | Readiness::Failed(why)) => {
                        Some(format!("{key}: {why}{}", self.trouble_of(key)))
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

    const PATIENCE: Patience =
        Patience { short: Duration::from_secs(30), long: Duration::from_secs(90) };

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
        State::new(vec![key], Until::Ready, since, Rules::default(), PATIENCE)
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
        let mut state = State::new(vec![key], Until::Completed, None, Rules::default(), PATIENCE);
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
        let pod = |reason| Arc::new(broken_pod("2026-01-01T00:00:11Z", reason));
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
        state.see(Seen::PodGone("p".into()), at(101)).expect("gone");
        state.hopeless_workload(at(101)).expect("it has gone");
    }

    #[test]
    fn pods_of_an_earlier_revision_do_not_count() {
        let (mut state, now) = (state(), Instant::now());
        state.see(Seen::Object(0, Some(deployment(0))), now).expect("in progress");
        state
            .see(Seen::Pod(Arc::new(broken_pod("2026-01-01T00:00:09Z", "InvalidImageName"))), now)
            .expect("old");
        state.hopeless_workload(now).expect("an old pod");
    }

    #[test]
    fn room_for_pods_may_take_time_to_be_found() {
        let (mut state, start) = (state(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut refused = deployment(0);
        let conditions =
            json!([{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]);
        refused.data["status"]["conditions"] = conditions;
        state.see(Seen::Object(0, Some(refused)), start).expect("in progress");
        assert!(state.missing().ends_with("(exceeded quota)"), "{}", state.missing());
        assert_eq!(state.verdict(), Some(at(90)));
        let error = state.hopeless_workload(at(90)).expect_err("no room");
        assert_eq!(error.to_string(), "Deployment n/d failed: exceeded quota");
        state.see(Seen::Object(0, Some(deployment(0))), at(91)).expect("in progress");
        let mut pod = broken_pod("2026-01-01T00:00:11Z", "none");
        pod.data["status"] = json!({"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes",
        }]});
        state.see(Seen::Pod(Arc::new(pod)), at(100)).expect("it may pass");
        assert!(
            state.missing().ends_with("(pod p: Unschedulable: 0/3 nodes)"),
            "{}",
            state.missing()
        );
        assert_eq!(state.verdict(), Some(at(190)));
    }

    #[test]
    fn custom_resources_are_ready_by_expression_and_to_helm_3_at_once() {
        use crate::cluster::expression::Expression;
        use crate::cluster::health::Check;
        let thing = Key {
            api_version: "x.io/v1".into(),
            kind: "Thing".into(),
            namespace: Some("n".into()),
            name: "t".into(),
        };
        let check = Check {
            group: "x.io".into(),
            kind: "Thing".into(),
            in_progress: None,
            failed: None,
            current: Expression::compile("status.up").expect("CEL"),
        };
        let rules = Rules { checks: [check].into_iter().collect(), ..Rules::default() };
        let legacy = Rules { strategy: Strategy::Legacy, ..rules.clone() };
        assert!(rules.waits_for(&thing) && !legacy.waits_for(&thing));
        let mut state = State::new(vec![thing], Until::Ready, None, rules, PATIENCE);
        let live = |up: bool| {
            object(
                json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {}, "status": {"up": up}}),
            )
        };
        state.see(Seen::Object(0, Some(live(false))), Instant::now()).expect("in progress");
        assert!(!state.done());
        state.see(Seen::Object(0, Some(live(true))), Instant::now()).expect("ready");
        assert!(state.done());
    }
}
