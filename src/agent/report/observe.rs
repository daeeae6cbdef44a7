//! Everything that was seen, as one message and one status: pure.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Node,
    storage::v1::{StorageClass, VolumeAttributesClass},
};
use kube::{ResourceExt as _, api::DynamicObject};
use prost::Message as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    component::{Pods, component, missing},
    region, repository,
};
use crate::{
    agent::{
        enforce::{Failures, is_detached},
        link::{State, Status},
        pins::{REPOSITORY, cluster_name},
        world::World,
    },
    api::{
        helm_release::HelmRelease,
        helm_repository::HelmRepository,
        region::{ComponentPhase, ComponentStatus, QdrantCloudRegionStatus, RegionPhase},
    },
    cluster::events::shortened,
    model::desired::{ClusterWant, Desired},
    proto::pinnace::agent::v1::{Cluster, Component, Observed, Phase},
};

/// The most releases that are reported; those that are pinned come first.
const MAX_COMPONENTS: usize = 64;
/// The most clusters that are reported; those that should be gone come first, because the Console asks
/// for them to be deleted until it hears that they are.
const MAX_CLUSTERS: usize = 1000;
/// The largest message to the Console, in bytes: a little less than the 4 MiB that it reads.
const MAX_OBSERVED: usize = (4 << 20) - (64 << 10);
/// What an entry of a map costs besides its key and value, in bytes.
const ENTRY: usize = 16;
/// The longest reason of one cluster, in bytes.
const MAX_REASON: usize = 512;
/// The largest status of a QdrantCluster that is reported, in bytes of JSON.
const MAX_CLUSTER_STATUS: usize = 64 << 10;
/// The longest message of the region, in bytes.
const MAX_MESSAGE: usize = 2048;

/// What was seen at one moment.
#[derive(Clone, Default)]
pub struct Seen {
    pub version: String,
    pub releases: Vec<Arc<DynamicObject>>,
    pub repositories: Vec<Arc<DynamicObject>>,
    pub clusters: Vec<Arc<DynamicObject>>,
    pub deployments: Vec<Arc<Deployment>>,
    pub stateful_sets: Vec<Arc<StatefulSet>>,
    pub nodes: Vec<Arc<Node>>,
    pub storage_classes: Vec<Arc<StorageClass>>,
    pub snapshot_classes: Vec<Arc<DynamicObject>>,
    pub attributes_classes: Vec<Arc<VolumeAttributesClass>>,
}

impl Seen {
    /// The watched objects as they are now.
    pub fn of(world: &World, version: &str) -> Self {
        Self {
            version: version.to_owned(),
            releases: world.releases.state(),
            repositories: world.repositories.state(),
            clusters: world.clusters.state(),
            deployments: world.deployments.state(),
            stateful_sets: world.stateful_sets.state(),
            nodes: world.nodes.state(),
            storage_classes: world.storage_classes.state(),
            snapshot_classes: world.snapshot_classes.state(),
            attributes_classes: world.attributes_classes.state(),
        }
    }
}

/// What the agent itself knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub namespace: String,
    pub desired: Option<Arc<Desired>>,
    pub failures: Failures,
    pub link: Status,
}

/// The message to the Console (without its number) and the status of the QdrantCloudRegion.
pub fn observe(seen: &Seen, known: &Known) -> (Observed, QdrantCloudRegionStatus) {
    let components = components(seen, known);
    let mut status = region::describe(
        &seen.version,
        &seen.nodes,
        &seen.storage_classes,
        &seen.snapshot_classes,
        &seen.attributes_classes,
    );
    let (phase, message) = summary(&components, known);
    let all = components.len();
    let components = first_components(components, known);
    let mut cut = Vec::new();
    if components.len() < all {
        cut.push(format!("only {} of {all} releases are reported", components.len()));
    }
    status.helm_releases = components.iter().map(|(name, c)| release_status(name, c)).collect();
    status.helm_repositories = repository_status(seen, known).into_iter().collect();
    status.phase = Some(phase);
    let mut observed = Observed {
        seq: 0,
        generation: known.desired.as_ref().map_or(0, |desired| desired.generation),
        components: components.into_iter().collect(),
        region: Some(region::to_wire(&status)),
        clusters: HashMap::new(),
    };
    // The number and the region's message are still to come.
    let room = MAX_OBSERVED.saturating_sub(observed.encoded_len() + MAX_MESSAGE + ENTRY);
    observed.clusters = clusters(seen, known, room, &mut cut);
    let message = joined(message, &cut.join("; "));
    if let Some(region) = &mut observed.region {
        region.message = message.clone();
    }
    status.message = (!message.is_empty()).then_some(message);
    (observed, status)
}

/// The region's message; what was cut is said even if the rest is long.
fn joined(message: String, cut: &str) -> String {
    match (message.is_empty(), cut.is_empty()) {
        (_, true) => shortened(&message, MAX_MESSAGE),
        (true, false) => cut.to_owned(),
        (false, false) => {
            let message = shortened(&message, MAX_MESSAGE.saturating_sub(cut.len() + 2));
            format!("{message}; {cut}")
        }
    }
}

/// As many as are reported.
fn first_components(
    components: BTreeMap<String, Component>,
    known: &Known,
) -> BTreeMap<String, Component> {
    let pins = known.desired.as_ref().map(|desired| &desired.pins);
    let is_pinned = |name: &String| {
        pins.is_some_and(|pins| pins.keys().any(|pin| pin.as_str() == name.as_str()))
    };
    let (pinned, others): (Vec<_>, Vec<_>) =
        components.into_iter().partition(|(name, _)| is_pinned(name));
    pinned.into_iter().chain(others).take(MAX_COMPONENTS).collect()
}

/// Releases that are pinned, and others that are there, by name.
fn components(seen: &Seen, known: &Known) -> BTreeMap<String, Component> {
    let mut components = BTreeMap::new();
    for object in &seen.releases {
        // An object that cannot be read does not hide the others.
        let Some(release) = parse::<HelmRelease>(object) else { continue };
        let name = release.release_name().map_or_else(|_| release.name_any(), Into::into);
        let pods = Pods::of(
            &name,
            seen.deployments.iter().map(AsRef::as_ref),
            seen.stateful_sets.iter().map(AsRef::as_ref),
        );
        let mut component = component(&release, pods, is_detached(object));
        let title = format!("HelmRelease {}", release.name_any());
        if let Some(failure) = known.failures.get(&title) {
            component.reason = "PinFailed".to_owned();
            component.message = shortened(failure, MAX_MESSAGE);
        }
        components.insert(release.name_any(), component);
    }
    for (name, pin) in known.desired.iter().flat_map(|desired| &desired.pins) {
        let cause = known.failures.get(&format!("HelmRelease {name}")).map(String::as_str);
        components.entry(name.to_string()).or_insert_with(|| {
            missing(&known.namespace, &pin.chart, &pin.version.to_string(), cause)
        });
    }
    components
}

fn parse<T: DeserializeOwned>(object: &DynamicObject) -> Option<T> {
    serde_json::to_value(object).ok().and_then(|value| serde_json::from_value(value).ok())
}

fn release_status(name: &str, component: &Component) -> ComponentStatus {
    ComponentStatus {
        name: name.to_owned(),
        namespace: Some(component.namespace.clone()),
        version: Some(component.running_version.clone()).filter(|version| !version.is_empty()),
        phase: Some(match component.phase() {
            Phase::Ready => ComponentPhase::Ready,
            Phase::NotReady => ComponentPhase::NotReady,
            Phase::NotFound => ComponentPhase::NotFound,
            Phase::Unspecified => ComponentPhase::Unknown,
        }),
        message: Some(component.message.clone()).filter(|message| !message.is_empty()),
    }
}

/// A repository of type `oci` is a description: it is as ready as the charts that are pulled from it.
fn repository_status(seen: &Seen, known: &Known) -> Option<ComponentStatus> {
    known.desired.as_ref()?;
    let live = seen.repositories.iter().find(|repository| repository.name_any() == REPOSITORY);
    let live = live.and_then(|live| parse::<HelmRepository>(live));
    let failure = known.failures.get(&format!("HelmRepository {REPOSITORY}")).cloned();
    let releases = seen.releases.iter().filter_map(|release| parse::<HelmRelease>(release));
    let (phase, message) = match live {
        None => (ComponentPhase::NotFound, failure),
        Some(live) => {
            let dead = releases.filter_map(|release| repository::unreachable(&release)).next();
            let phase =
                if dead.is_some() { ComponentPhase::NotReady } else { ComponentPhase::Ready };
            let trouble = failure.or(dead).map(|why| format!("; {why}")).unwrap_or_default();
            (phase, Some(format!("{}{trouble}", repository::described(&live))))
        }
    };
    Some(ComponentStatus {
        name: REPOSITORY.to_owned(),
        namespace: Some(known.namespace.clone()),
        version: None,
        phase: Some(phase),
        message: message.map(|message| shortened(&message, MAX_MESSAGE)),
    })
}

fn summary(components: &BTreeMap<String, Component>, known: &Known) -> (RegionPhase, String) {
    if let Some(refusal) = &known.link.refusal {
        return (RegionPhase::FailedToSync, format!("the newest state was refused: {refusal}"));
    }
    if !known.failures.is_empty() {
        let failures: Vec<&str> = known.failures.values().map(String::as_str).collect();
        return (RegionPhase::FailedToSync, failures.join("; "));
    }
    // A connection that comes and goes is not a change of the region; a wrong key needs a person.
    if let State::Waiting { cause, wrong_access_key: true, .. } = &known.link.state {
        return (RegionPhase::FailedToSync, cause.clone());
    }
    if known.desired.is_none() {
        return (RegionPhase::NotReady, "waiting for the Console to say what should run".into());
    }
    let failing: Vec<String> = components
        .iter()
        .filter(|(_, component)| component.phase() != Phase::Ready)
        .map(|(name, component)| format!("{name}: {}", component.message))
        .collect();
    match failing.is_empty() {
        true => (RegionPhase::Ready, String::new()),
        false => (RegionPhase::NotReady, failing.join("; ")),
    }
}

/// What became of the clusters of the desired state, in at most `room` bytes of the message.
fn clusters(
    seen: &Seen,
    known: &Known,
    room: usize,
    cut: &mut Vec<String>,
) -> HashMap<String, Cluster> {
    let live: HashMap<String, &DynamicObject> =
        seen.clusters.iter().map(|cluster| (cluster.name_any(), cluster.as_ref())).collect();
    let all = known.desired.iter().flat_map(|desired| &desired.clusters);
    let (deleted, present): (Vec<_>, Vec<_>) =
        all.partition(|(_, want)| matches!(want, ClusterWant::Deleted));
    let all = deleted.len() + present.len();
    let first = deleted.into_iter().chain(present).take(MAX_CLUSTERS);
    let mut clusters: HashMap<String, Cluster> = HashMap::new();
    let mut statuses = Vec::new();
    let mut used = 0;
    for (id, want) in first {
        let name = cluster_name(id);
        let live = live.get(&name).copied();
        let failure = known.failures.get(&format!("QdrantCluster {name}"));
        let (status, problem) = live.map_or((None, None), cluster_status);
        let deleting = matches!(want, ClusterWant::Deleted) && live.is_some();
        let reason = failure.cloned().or(problem).or_else(|| deleting.then(|| "Deleting".into()));
        let reason = shortened(&reason.unwrap_or_default(), MAX_REASON);
        let cluster = Cluster { present: live.is_some(), status: None, reason };
        let size = id.len() + cluster.encoded_len() + ENTRY;
        if used + size > room {
            break;
        }
        used += size;
        clusters.insert(id.clone(), cluster);
        statuses.extend(status.map(|status| (id, status)));
    }
    if clusters.len() < all {
        cut.push(format!("only {} of {all} clusters are reported", clusters.len()));
    }
    // That a cluster is there matters more than the details of another one.
    let mut left_out = 0;
    for (id, status) in statuses {
        let size = status.encoded_len() + ENTRY;
        if used + size > room {
            left_out += 1;
        } else if let Some(cluster) = clusters.get_mut(id) {
            used += size;
            cluster.status = Some(status);
        }
    }
    if left_out > 0 {
        cut.push(format!(
            "the statuses of {left_out} clusters are left out, because the report is too large"
        ));
    }
    clusters
}

fn cluster_status(cluster: &DynamicObject) -> (Option<pbjson_types::Struct>, Option<String>) {
    let Some(status) = cluster.data.get("status").filter(|status| status.is_object()) else {
        return (None, None);
    };
    if status.to_string().len() <= MAX_CLUSTER_STATUS {
        return (serde_json::from_value(status.clone()).ok(), None);
    }
    // Without the nodes it is small, and still says how the cluster is.
    let mut short = status.clone();
    if let Some(short) = short.as_object_mut() {
        short.remove("nodes");
    }
    let fits = |status: &Value| status.to_string().len() <= MAX_CLUSTER_STATUS;
    let short = Some(short).filter(fits).and_then(|short| serde_json::from_value(short).ok());
    (short, Some("the status is too large to be reported whole".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::pins;

    fn known() -> Known {
        let desired = Some(Arc::new(pins::tests::desired()));
        Known { namespace: "qdrant".into(), desired, ..Known::default() }
    }

    fn object(value: Value) -> Arc<DynamicObject> {
        Arc::new(serde_json::from_value(value).expect("an object"))
    }

    fn cluster(id: &str, status: Value) -> Arc<DynamicObject> {
        object(json!({
            "apiVersion": "qdrant.io/v1", "kind": "QdrantCluster",
            "metadata": { "name": cluster_name(id) }, "status": status,
        }))
    }

    #[test]
    fn nothing_is_there_yet() {
        let (observed, status) = observe(&Seen::default(), &known());
        assert_eq!(observed.generation, 3);
        let component = &observed.components["qdrant-operator-v2"];
        assert_eq!(component.phase(), Phase::NotFound);
        assert_eq!(component.wanted_version, "1.2.3");
        assert_eq!(status.phase, Some(RegionPhase::NotReady));
        assert!(!observed.clusters["c1"].present);
        let (observed, status) = observe(&Seen::default(), &Known::default());
        assert!(observed.components.is_empty());
        assert!(status.message.expect("a message").contains("waiting"));
    }

    #[test]
    fn the_way_to_the_charts_is_shown_and_what_is_wrong_with_it() {
        let live = object(json!({
            "apiVersion": "cd.qdrant.io/v1", "kind": "HelmRepository",
            "metadata": { "name": REPOSITORY },
            "spec": { "type": "oci", "url": "oci://mirror.test/charts", "secretRef": { "name": "mine" } },
        }));
        let release = |status: &str, reason: &str| {
            object(json!({
                "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
                "metadata": { "name": "a" },
                "spec": { "interval": "10m", "chart": { "spec": {
                    "chart": "c", "sourceRef": { "kind": "HelmRepository", "name": REPOSITORY },
                }}},
                "status": { "conditions": [{
                    "type": "Ready", "status": status, "reason": reason, "message": "mirror.test is down",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }]},
            }))
        };
        let source = "charts from oci://mirror.test/charts with the account in Secret mine";
        let dead = format!("{source}; HelmRelease a: mirror.test is down");
        for (status, reason, phase, message) in [
            ("True", "UpgradeSucceeded", ComponentPhase::Ready, source),
            ("False", "UpgradeFailed", ComponentPhase::Ready, source),
            ("False", "ArtifactFailed", ComponentPhase::NotReady, &dead),
            ("False", "SourceNotReady", ComponentPhase::NotReady, &dead),
        ] {
            let releases = vec![release(status, reason)];
            let seen = Seen { repositories: vec![live.clone()], releases, ..Seen::default() };
            let (_, region) = observe(&seen, &known());
            let told = &region.helm_repositories[0];
            assert_eq!((told.phase, told.message.as_deref()), (Some(phase), Some(message)));
        }
    }

    #[test]
    fn failures_are_told_where_they_belong() {
        let mut known = known();
        known.failures.insert("HelmRelease qdrant-operator-v2".into(), "forbidden".into());
        let (observed, status) = observe(&Seen::default(), &known);
        let component = &observed.components["qdrant-operator-v2"];
        assert_eq!(
            (component.reason.as_str(), component.message.as_str()),
            ("PinFailed", "forbidden")
        );
        assert_eq!(status.phase, Some(RegionPhase::FailedToSync));
        known.link.refusal = Some("a bad signature".into());
        let (_, status) = observe(&Seen::default(), &known);
        assert!(status.message.expect("a message").contains("a bad signature"));
    }

    #[test]
    fn a_wrong_access_key_is_shown() {
        let mut known = known();
        known.link.state = State::Waiting {
            cause: "no such key".into(),
            wrong_access_key: true,
            until: chrono::Utc::now(),
        };
        let (observed, _) = observe(&Seen::default(), &known);
        let region = observed.region.expect("a region");
        assert_eq!(
            (region.phase.as_str(), region.message.as_str()),
            ("FailedToSync", "no such key")
        );
    }

    #[test]
    fn clusters_carry_their_status() {
        let large = json!({ "phase": "Healthy", "nodes": { "a": "x".repeat(MAX_CLUSTER_STATUS) } });
        let seen = Seen {
            clusters: vec![cluster("c1", large), cluster("c2", json!({ "phase": "Creating" }))],
            ..Seen::default()
        };
        let (observed, _) = observe(&seen, &known());
        let c1 = &observed.clusters["c1"];
        let fields = &c1.status.as_ref().expect("a status").fields;
        assert!(fields.contains_key("phase") && !fields.contains_key("nodes"));
        assert!(c1.reason.contains("too large"));
        assert_eq!(
            (observed.clusters["c2"].present, observed.clusters["c2"].reason.as_str()),
            (true, "Deleting")
        );
    }

    fn release(name: &str) -> Arc<DynamicObject> {
        object(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": { "name": name, "namespace": "qdrant" },
            "spec": { "interval": "10m", "chart": { "spec": {
                "chart": "c", "version": "x".repeat(1 << 20),
                "sourceRef": { "kind": "HelmRepository", "name": "r" },
            }}},
        }))
    }

    #[test]
    fn releases_are_cut_and_those_that_are_pinned_come_first() {
        // The pinned one, qdrant-operator-v2, is one of them and the last by name.
        for (others, cut) in [(MAX_COMPONENTS - 1, false), (MAX_COMPONENTS, true)] {
            let releases = (0..others).map(|i| release(&format!("a{i:03}"))).collect();
            let (observed, status) = observe(&Seen { releases, ..Seen::default() }, &known());
            assert_eq!(observed.components.len(), MAX_COMPONENTS);
            assert!(observed.components.contains_key("qdrant-operator-v2"));
            assert_eq!(status.helm_releases.len(), MAX_COMPONENTS);
            let message = status.message.expect("a message");
            let expected = format!("only 64 of {} releases", others + 1);
            assert_eq!(message.contains(&expected), cut, "{message}");
            assert_eq!(observed.region.as_ref().expect("a region").message, message);
            assert!(message.len() <= MAX_MESSAGE);
            assert!(observed.encoded_len() <= MAX_OBSERVED);
        }
    }

    #[test]
    fn clusters_are_cut_and_those_to_be_deleted_come_first() {
        for (present, cut) in [(MAX_CLUSTERS - 1, false), (MAX_CLUSTERS, true)] {
            let mut desired = pins::tests::desired();
            let want = desired.clusters["c1"].clone();
            desired.clusters = (0..present).map(|i| (format!("a{i:04}"), want.clone())).collect();
            desired.clusters.insert("z".into(), ClusterWant::Deleted);
            let known = Known { desired: Some(Arc::new(desired)), ..known() };
            let (observed, status) = observe(&Seen::default(), &known);
            assert_eq!(observed.clusters.len(), MAX_CLUSTERS);
            assert!(observed.clusters.contains_key("z"));
            let message = status.message.expect("a message");
            assert_eq!(message.contains("only 1000 of 1001 clusters"), cut, "{message}");
        }
    }

    #[test]
    fn the_whole_message_fits() {
        let status = json!({ "message": "x".repeat(MAX_CLUSTER_STATUS - 1000) });
        for (count, cut) in [(50, false), (100, true)] {
            let mut desired = pins::tests::desired();
            let want = desired.clusters["c1"].clone();
            desired.clusters = (0..count).map(|i| (format!("c{i}"), want.clone())).collect();
            let clusters = (0..count).map(|i| cluster(&format!("c{i}"), status.clone())).collect();
            let known = Known { desired: Some(Arc::new(desired)), ..known() };
            let (observed, status) = observe(&Seen { clusters, ..Seen::default() }, &known);
            assert!(observed.encoded_len() <= MAX_OBSERVED, "{}", observed.encoded_len());
            assert!(observed.clusters.values().all(|cluster| cluster.present));
            assert_eq!(observed.clusters.len(), count);
            assert_eq!(observed.clusters.values().any(|c| c.status.is_none()), cut);
            let message = status.message.expect("a message");
            assert_eq!(message.contains("left out"), cut, "{message}");
        }
    }

    #[test]
    fn a_release_that_cannot_be_read_hides_no_other() {
        let broken = object(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": { "name": "broken" }, "spec": { "interval": 5 },
        }));
        let (observed, _) = observe(&Seen { releases: vec![broken], ..Seen::default() }, &known());
        assert!(observed.components.contains_key("qdrant-operator-v2"));
        assert!(!observed.components.contains_key("broken"));
    }
}
