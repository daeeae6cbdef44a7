//! What the controller remembers of each object between two reconciliations, in memory alone: when it is due
//! again, how often it failed in a row, and which of its versions this process has written itself.
//!
//! Each write of a status wakes its own object. Without this memory such a wake would be one more attempt, and
//! an attempt that fails with other words each time would follow itself for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt as _};

use super::source_status::Source;
use super::{claim, decide};
use crate::api::annotation;
use crate::api::helm_release::{ChartReferenceKind, HelmRelease};
use crate::cluster::registry_table::TABLE;
use crate::release::storage::Written;

/// When an object is looked at again if nothing happens before: after this time, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest(pub Option<Duration>);

impl Rest {
    pub const UNTIL_CHANGE: Self = Self(None);
    /// There is something newer to look at.
    pub const NONE: Self = Self(Some(Duration::ZERO));

    pub fn of(duration: Duration) -> Self {
        Self(Some(duration))
    }
}

impl From<Rest> for Action {
    fn from(rest: Rest) -> Self {
        rest.0.map_or_else(Action::await_change, Action::requeue)
    }
}

/// All that makes a new attempt worth while. What the controller itself writes to the object is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    generation: Option<i64>,
    deleted: bool,
    requests: [Option<String>; 5],
    /// How often something that the object depends on was seen to change.
    wakes: u64,
}

#[derive(Default)]
struct Known {
    errors: u64,
    /// Attempts in a row that the cluster has cut short.
    cut_short: u64,
    resting: Option<(Fingerprint, Option<Instant>)>,
    /// The resourceVersion that this process wrote last.
    written: u64,
}

#[derive(Default)]
struct Inner {
    /// By UID.
    objects: HashMap<String, Known>,
    /// The version last seen of each thing that objects depend on, and how often that changed.
    causes: HashMap<String, (String, u64)>,
    /// By UID: what each HelmRelease means for the Helm release that it names.
    standings: HashMap<String, String>,
    /// The Secrets that each source names.
    secrets: HashMap<String, Vec<String>>,
    /// The version of each source whose status this process wrote last.
    told: HashMap<String, String>,
}

/// A cheap handle; clones share what is remembered.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Inner>>, Written);

impl Memory {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The release records that this process writes: they are no news to it.
    pub fn written(&self) -> &Written {
        &self.1
    }

    fn cause(&self, cause: String, version: Option<String>) {
        let mut inner = self.inner();
        let (known, changes) = inner.causes.entry(cause).or_default();
        let version = version.unwrap_or_default();
        if *known != version {
            *known = version;
            *changes += 1;
        }
    }

    /// How often a change was seen of an object that releases depend on: `<kind>/<name>`.
    pub fn changes_of(&self, cause: &str) -> u64 {
        self.inner().causes.get(cause).map_or(0, |(_, changes)| *changes)
    }

    /// A source was seen, and the Secrets that it names.
    pub fn saw_source<K: Source>(&self, object: &K) {
        let (cause, version) =
            (source_cause(K::KIND, &object.name_any()), object.resource_version());
        let own = version.as_ref().is_some_and(|v| self.inner().told.get(&cause) == Some(v));
        self.inner().secrets.insert(cause.clone(), object.secrets());
        // What is told of a HelmRepository is no news to a release; what the others have found is.
        if !own || K::IS_FETCHED {
            self.cause(cause, version);
        }
    }

    /// This process has written the status of a source.
    pub fn wrote_source<K: Source>(&self, object: &K) {
        let cause = source_cause(K::KIND, &object.name_any());
        self.inner().told.insert(cause, object.resource_version().unwrap_or_default());
    }

    /// Whether some source names this Secret, or depends on this ConfigMap.
    pub fn is_of_source(&self, kind: &str, name: &str) -> bool {
        match kind {
            "ConfigMap" => name == TABLE,
            "Secret" => self.inner().secrets.values().flatten().any(|secret| secret == name),
            _ => false,
        }
    }

    /// The Secrets by which the chart of a release is had and judged.
    fn secrets_of_chart(&self, release: &HelmRelease) -> Vec<String> {
        let Some(source) = source_of(release) else { return Vec::new() };
        let verify = release.spec.chart.as_ref().and_then(|chart| chart.spec.verify.as_ref());
        let verify = verify.and_then(|verify| verify.secret_ref.as_ref());
        let inner = self.inner();
        let named = inner.secrets.get(&source).into_iter().flatten();
        named.cloned().chain(verify.map(|secret| secret.name.clone())).collect()
    }

    /// Whether the chart of a release depends on the object of this kind and name: on one of its Secrets, or
    /// on the table of mirrors.
    pub fn is_of_chart(&self, release: &HelmRelease, kind: &str, name: &str) -> bool {
        match kind {
            "ConfigMap" => name == TABLE,
            "Secret" => self.secrets_of_chart(release).iter().any(|secret| secret == name),
            _ => false,
        }
    }

    /// A release record was seen; `release` is Helm's name.
    pub fn saw_record(&self, release: &str, record: &PartialObjectMeta<Secret>) {
        self.1.saw(release, record.metadata.resource_version.as_deref().unwrap_or_default());
    }

    /// A HelmRelease was seen: for those that depend on it, and for others that name the same Helm release. Of a change of its
    /// name, both names are woken.
    pub fn saw_release(&self, release: &HelmRelease) {
        self.cause(dependency_cause(&release.name_any()), release.resource_version());
        let (Some(uid), now) = (release.uid(), claim::standing(release)) else { return };
        let mut inner = self.inner();
        let before = inner.standings.get(&uid).cloned();
        if before.as_ref() == Some(&now) {
            return;
        }
        for standing in before.iter().chain([&now]) {
            let name = standing.split('/').next().unwrap_or_default();
            inner.causes.entry(claim_cause(name)).or_default().1 += 1;
        }
        if release.metadata.deletion_timestamp.is_none() || before.is_some() {
            inner.standings.insert(uid, now);
        }
    }

    /// A HelmRelease is there no longer: the name of its Helm release is free. The last that was seen of it may
    /// well be older than that.
    pub fn saw_end(&self, uid: &str) {
        let mut inner = self.inner();
        if let Some(standing) = inner.standings.remove(uid) {
            let name = standing.split('/').next().unwrap_or_default();
            inner.causes.entry(claim_cause(name)).or_default().1 += 1;
        }
    }

    /// Someone has changed an object of this Helm release.
    pub fn saw_change_of(&self, release: &str) {
        self.inner().causes.entry(inventory_cause(release)).or_default().1 += 1;
    }

    /// An object that values come from was seen.
    pub fn saw_values<K: Resource<DynamicType = ()>>(&self, object: &PartialObjectMeta<K>) {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let cause = values_cause(&K::kind(&()), name);
        self.cause(cause, object.metadata.resource_version.clone());
    }

    pub fn fingerprint(&self, release: &HelmRelease) -> Fingerprint {
        let mut causes = Vec::new();
        causes.extend(source_of(release));
        let mut wakes = 0;
        if let Ok(name) = release.release_name() {
            wakes += self.1.by_others(name.as_str());
            causes.push(claim_cause(name.as_str()));
            causes.push(inventory_cause(name.as_str()));
        }
        for reference in &release.spec.depends_on {
            causes.push(dependency_cause(&reference.name));
        }
        causes.push(values_cause("ConfigMap", TABLE));
        let secrets = self.secrets_of_chart(release);
        causes.extend(secrets.iter().map(|name| values_cause("Secret", name)));
        for reference in &release.spec.values_from {
            causes.push(values_cause(super::values::kind(reference), &reference.name));
        }
        let inner = self.inner();
        let changes = |cause: &String| inner.causes.get(cause).map_or(0, |(_, changes)| *changes);
        let request = |name| release.request(name).map(str::to_owned);
        Fingerprint {
            generation: release.metadata.generation,
            deleted: release.metadata.deletion_timestamp.is_some(),
            requests: [
                request(annotation::REQUESTED_AT),
                request(annotation::FORCE_AT),
                request(annotation::RESET_AT),
                request(annotation::PLAN),
                request(annotation::RECORD),
            ],
            wakes: wakes + causes.iter().map(changes).sum::<u64>(),
        }
    }

    /// How long there is still nothing to do about the object; None: now is the time.
    pub fn resting(&self, uid: &str, now: &Fingerprint) -> Option<Rest> {
        let inner = self.inner();
        let (then, until) = inner.objects.get(uid)?.resting.as_ref()?;
        if then != now {
            return None;
        }
        match until {
            None => Some(Rest::UNTIL_CHANGE),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                (!left.is_zero()).then(|| Rest::of(left))
            }
        }
    }

    /// Nothing is to be done before that, as long as the fingerprint stays: the one that the attempt began with.
    pub fn rest(&self, uid: &str, began_with: Fingerprint, rest: Rest) {
        let until = rest.0.map(|after| Instant::now() + after);
        self.inner().objects.entry(uid.to_owned()).or_default().resting = Some((began_with, until));
    }

    /// The pause before the next attempt: it doubles with each error in a row, with up to half of it left to
    /// chance. Never shorter than what a server asked for.
    pub fn pause(&self, uid: &str, asked: Option<Duration>) -> Duration {
        let mut inner = self.inner();
        let known = inner.objects.entry(uid.to_owned()).or_default();
        known.errors += 1;
        let pause = by_chance(decide::pause(known.errors));
        pause.max(asked.unwrap_or_default())
    }

    /// The pause before the next attempt when the cluster was out of reach, or others wrote at the same time.
    pub fn short_pause(&self, uid: &str) -> Duration {
        let mut inner = self.inner();
        let known = inner.objects.entry(uid.to_owned()).or_default();
        known.cut_short += 1;
        by_chance(decide::short_pause(known.cut_short))
    }

    pub fn no_error(&self, uid: &str) {
        if let Some(known) = self.inner().objects.get_mut(uid) {
            (known.errors, known.cut_short) = (0, 0);
        }
    }

    /// This process has made the object's version `resource_version`.
    pub fn wrote(&self, object: &HelmRelease) {
        let (Some(uid), Some(version)) = (object.uid(), version(object)) else { return };
        let mut inner = self.inner();
        let known = inner.objects.entry(uid).or_default();
        known.written = known.written.max(version);
    }

    /// Whether this process has written the object since this copy of it was made.
    pub fn is_stale(&self, object: &HelmRelease) -> bool {
        let (Some(uid), Some(version)) = (object.uid(), version(object)) else { return false };
        self.inner().objects.get(&uid).is_some_and(|known| known.written > version)
    }

    pub fn forget(&self, uid: &str) {
        self.inner().objects.remove(uid);
    }
}

/// Up to half of it is left to chance.
fn by_chance(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

/// Resource versions are numbers that grow (Kubernetes' API conventions since 1.35; etcd's revision before).
fn version(object: &HelmRelease) -> Option<u64> {
    object.metadata.resource_version.as_ref()?.parse().ok()
}

/// The source that a release names.
fn source_of(release: &HelmRelease) -> Option<String> {
    let spec = &release.spec;
    match (&spec.chart, &spec.chart_ref) {
        (Some(chart), _) => Some(source_cause("HelmRepository", &chart.spec.source_ref.name)),
        (None, Some(reference)) => {
            let kind = match reference.kind {
                ChartReferenceKind::HelmChart => "HelmChart",
                _ => "OCIRepository",
            };
            Some(source_cause(kind, &reference.name))
        }
        (None, None) => None,
    }
}

fn source_cause(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}

fn dependency_cause(name: &str) -> String {
    format!("HelmRelease/{name}")
}

fn inventory_cause(release: &str) -> String {
    format!("inventory/{release}")
}

fn claim_cause(release: &str) -> String {
    format!("claim/{release}")
}

fn values_cause(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release(generation: i64, resource_version: &str) -> HelmRelease {
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {
                "name": "a", "namespace": "n", "uid": "u",
                "generation": generation, "resourceVersion": resource_version,
            },
            "spec": {
                "interval": "1m",
                "valuesFrom": [{"kind": "Secret", "name": "s"}],
                "chart": {"spec": {
                    "chart": "c", "sourceRef": {"kind": "HelmRepository", "name": "charts"},
                }},
            },
        }))
        .expect("a release")
    }

    fn secret(name: &str, version: &str) -> PartialObjectMeta<Secret> {
        serde_json::from_value(json!({"metadata": {"name": name, "resourceVersion": version}}))
            .expect("metadata")
    }

    #[test]
    fn an_own_status_write_does_not_end_a_rest() {
        let memory = Memory::default();
        let before = memory.fingerprint(&release(1, "10"));
        memory.rest("u", before, Rest::of(Duration::from_secs(1000)));
        let rest = |release| memory.resting("u", &memory.fingerprint(&release));
        assert!(rest(release(1, "11")).is_some());
        assert_eq!(rest(release(2, "12")), None, "a newer spec");
        let mut asked = release(1, "12");
        asked.annotations_mut().insert(annotation::REQUESTED_AT.into(), "now".into());
        assert_eq!(rest(asked), None, "a request");
    }

    #[test]
    fn what_a_release_depends_on_ends_its_rest() {
        let memory = Memory::default();
        let rest = || {
            let now = memory.fingerprint(&release(1, "1"));
            memory.rest("u", now, Rest::UNTIL_CHANGE);
        };
        let resting = || memory.resting("u", &memory.fingerprint(&release(1, "1"))).is_some();
        rest();
        memory.saw_values(&secret("other", "1"));
        memory.saw_record("other", &secret("other", "1"));
        assert!(resting());
        memory.saw_values(&secret("s", "1"));
        assert!(!resting());
        rest();
        memory.saw_values(&secret("s", "1"));
        assert!(resting(), "seen again, and the same");
        memory.saw_record("a", &secret("sh.helm.release.v1.a.v1", "7"));
        assert!(!resting());
    }

    #[test]
    fn whoever_waits_for_a_name_is_woken_when_it_is_free() {
        let memory = Memory::default();
        let mut other = release(1, "5");
        other.metadata.uid = Some("other".into());
        memory.saw_release(&other);
        let waiting = memory.fingerprint(&release(1, "1"));
        memory.saw_release(&other);
        assert_eq!(memory.fingerprint(&release(1, "1")), waiting, "seen again, and the same");
        memory.saw_end("unknown");
        assert_eq!(memory.fingerprint(&release(1, "1")), waiting);
        memory.saw_end("other");
        assert_ne!(memory.fingerprint(&release(1, "1")), waiting);
    }

    #[test]
    fn a_rest_ends_and_pauses_grow() {
        let memory = Memory::default();
        let print = || memory.fingerprint(&release(1, "1"));
        memory.rest("u", print(), Rest::NONE);
        assert_eq!(memory.resting("u", &print()), None);
        assert!(memory.pause("u", None) <= Duration::from_secs(5));
        for _ in 0..8 {
            memory.pause("u", None);
        }
        assert!(memory.pause("u", None) >= Duration::from_secs(150));
        memory.no_error("u");
        assert!(memory.pause("u", None) <= Duration::from_secs(5));
        let asked = Duration::from_secs(900);
        assert_eq!(memory.pause("u", Some(asked)), asked);
        assert!(memory.short_pause("u") <= Duration::from_secs(1), "failures do not count");
        assert!(memory.short_pause("u") >= Duration::from_secs(1));
        memory.no_error("u");
        assert!(memory.short_pause("u") <= Duration::from_secs(1));
    }

    #[test]
    fn copies_from_before_an_own_write_are_stale() {
        let memory = Memory::default();
        assert!(!memory.is_stale(&release(1, "9")));
        memory.wrote(&release(1, "10"));
        assert!(memory.is_stale(&release(1, "9")));
        assert!(!memory.is_stale(&release(1, "10")));
        assert!(!memory.is_stale(&release(1, "11")));
        memory.forget("u");
        assert!(!memory.is_stale(&release(1, "9")));
    }
}
