//! Everything that was seen, as one message and one status: pure.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Node,
    storage::v1::{StorageClass, VolumeAttributesClass},
};
use kube::{ResourceExt as _, api::DynamicObject};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    component::{Pods, component, missing},
    region,
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
        region::{ComponentPhase, ComponentStatus, QdrantCloudRegionStatus, RegionPhase},
    },
    cluster::events::shortened,
    model::desired::{ClusterWant, Desired},
    proto::pinnace::agent::v1::{Cluster, Component, Observed, Phase},
};

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
    status.helm_releases = components.iter().map(|(name, c)| release_status(name, c)).collect();
    status.helm_repositories = repository_status(seen, known).into_iter().collect();
    let (phase, message) = summary(&components, known);
    status.phase = Some(phase);
    status.message = (!message.is_empty()).then(|| shortened(&message, MAX_MESSAGE));
    let observed = Observed {
        seq: 0,
        generation: known.desired.as_ref().map_or(0, |desired| desired.generation),
        components: components.into_iter().collect(),
        region: Some(region::to_wire(&status)),
        clusters: clusters(seen, known),
    };
    (observed, status)
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

/// A repository of type `oci` is a description: being there is being ready.
fn repository_status(seen: &Seen, known: &Known) -> Option<ComponentStatus> {
    known.desired.as_ref()?;
    let found = seen.repositories.iter().any(|repository| repository.name_any() == REPOSITORY);
    Some(ComponentStatus {
        name: REPOSITORY.to_owned(),
        namespace: Some(known.namespace.clone()),
        version: None,
        phase: Some(if found { ComponentPhase::Ready } else { ComponentPhase::NotFound }),
        message: known.failures.get(&format!("HelmRepository {REPOSITORY}")).cloned(),
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

fn clusters(seen: &Seen, known: &Known) -> std::collections::HashMap<String, Cluster> {
    let wanted = known.desired.iter().flat_map(|desired| &desired.clusters);
    wanted
        .map(|(id, want)| {
            let name = cluster_name(id);
            let live = seen.clusters.iter().find(|cluster| cluster.name_any() == name);
            let failure = known.failures.get(&format!("QdrantCluster {name}"));
            let (status, problem) = live.map_or((None, None), |live| cluster_status(live));
            let deleting = matches!(want, ClusterWant::Deleted) && live.is_some();
            let reason =
                failure.cloned().or(problem).or_else(|| deleting.then(|| "Deleting".into()));
            let reason = shortened(&reason.unwrap_or_default(), MAX_MESSAGE);
            (id.clone(), Cluster { present: live.is_some(), status, reason })
        })
        .collect()
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
