//! The cluster as QdrantCloudRegion.status, and the same on the wire: pure.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::Node,
        storage::v1::{StorageClass, VolumeAttributesClass},
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{ResourceExt as _, api::DynamicObject};

use super::distribution;
use crate::{
    api::region::{
        Capabilities, Distribution, NodeInfo, NodeResources, QdrantCloudRegionStatus, RegionPhase,
        StorageClassInfo, VolumeAttributesClassInfo, VolumeSnapshotClassInfo,
    },
    proto::pinnace::agent::v1 as wire,
};

/// The most nodes that are described one by one.
const MAX_NODES: usize = 500;
/// The most classes of each kind, and parameters of each class, that are reported.
const MAX_CLASSES: usize = 100;
/// The longest parameter value that is reported, in bytes.
const MAX_PARAMETER: usize = 1024;
/// The parameters of all classes of one kind together, in bytes; the rest have none in the report. It
/// keeps the status below what etcd takes in one object.
const MAX_PARAMETERS: usize = 256 << 10;
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// The parts of the status that describe the cluster itself.
pub fn describe(
    version: &str,
    nodes: &[impl AsRef<Node>],
    storage_classes: &[impl AsRef<StorageClass>],
    snapshot_classes: &[impl AsRef<DynamicObject>],
    attributes_classes: &[impl AsRef<VolumeAttributesClass>],
) -> QdrantCloudRegionStatus {
    let mut storage: Vec<_> = storage_classes.iter().map(|c| storage_class(c.as_ref())).collect();
    let mut snapshots: Vec<_> =
        snapshot_classes.iter().map(|c| snapshot_class(c.as_ref())).collect();
    let mut attributes: Vec<_> =
        attributes_classes.iter().map(|c| attributes_class(c.as_ref())).collect();
    let mut infos: Vec<_> = nodes.iter().map(|n| node(n.as_ref())).collect();
    // Sorted, so that the same cluster always gives the same status.
    storage.sort_by(|a, b| a.name.cmp(&b.name));
    snapshots.sort_by(|a, b| a.name.cmp(&b.name));
    attributes.sort_by(|a, b| a.name.cmp(&b.name));
    infos.sort_by(|a, b| a.name.cmp(&b.name));
    let capabilities = Capabilities {
        volume_snapshot: Some(!snapshots.is_empty()),
        volume_expansion: Some(storage.iter().any(|c| c.allow_volume_expansion == Some(true))),
    };
    storage.truncate(MAX_CLASSES);
    snapshots.truncate(MAX_CLASSES);
    attributes.truncate(MAX_CLASSES);
    infos.truncate(MAX_NODES);
    bound(storage.iter_mut().map(|class| &mut class.parameters));
    bound(attributes.iter_mut().map(|class| &mut class.parameters));
    QdrantCloudRegionStatus {
        k8s_version: (!version.is_empty()).then(|| version.to_owned()),
        k8s_distribution: Some(distribution::detect(nodes.iter().map(AsRef::as_ref), version)),
        number_of_nodes: i64::try_from(nodes.len()).ok(),
        capabilities: Some(capabilities),
        storage_classes: storage,
        volume_snapshot_classes: snapshots,
        volume_attributes_classes: attributes,
        node_infos: infos,
        ..QdrantCloudRegionStatus::default()
    }
}

/// Empties what goes over [`MAX_PARAMETERS`].
fn bound<'a>(all: impl Iterator<Item = &'a mut BTreeMap<String, String>>) {
    let mut used = 0;
    for parameters in all {
        let size: usize = parameters.iter().map(|(key, value)| key.len() + value.len()).sum();
        if used + size > MAX_PARAMETERS {
            parameters.clear();
        } else {
            used += size;
        }
    }
}

fn parameters(parameters: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let short = |(_, value): &(&String, &String)| value.len() <= MAX_PARAMETER;
    let all = parameters.into_iter().flatten().filter(short).take(MAX_CLASSES);
    all.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn storage_class(class: &StorageClass) -> StorageClassInfo {
    StorageClassInfo {
        name: class.name_any(),
        default: Some(class.annotations().get(DEFAULT_CLASS).is_some_and(|value| value == "true")),
        provisioner: Some(class.provisioner.clone()),
        allow_volume_expansion: Some(class.allow_volume_expansion.unwrap_or(false)),
        reclaim_policy: Some(class.reclaim_policy.clone().unwrap_or_else(|| "Delete".into())),
        parameters: parameters(class.parameters.as_ref()),
    }
}

fn snapshot_class(class: &DynamicObject) -> VolumeSnapshotClassInfo {
    let driver = class.data.get("driver").and_then(|driver| driver.as_str());
    VolumeSnapshotClassInfo { name: class.name_any(), driver: driver.map(str::to_owned) }
}

fn attributes_class(class: &VolumeAttributesClass) -> VolumeAttributesClassInfo {
    VolumeAttributesClassInfo {
        name: class.name_any(),
        driver: Some(class.driver_name.clone()),
        parameters: parameters(class.parameters.as_ref()),
    }
}

fn node(node: &Node) -> NodeInfo {
    let label = |key: &str| node.labels().get(key).cloned();
    let status = node.status.as_ref();
    NodeInfo {
        name: node.name_any(),
        region: label("topology.kubernetes.io/region"),
        zone: label("topology.kubernetes.io/zone"),
        instance_type: label("node.kubernetes.io/instance-type"),
        arch: label("kubernetes.io/arch"),
        capacity: status.and_then(|s| s.capacity.as_ref()).map(resources),
        allocatable: status.and_then(|s| s.allocatable.as_ref()).map(resources),
    }
}

fn resources(quantities: &BTreeMap<String, Quantity>) -> NodeResources {
    let get = |key: &str| quantities.get(key).map(|quantity| quantity.0.clone());
    NodeResources {
        cpu: get("cpu"),
        memory: get("memory"),
        pods: get("pods"),
        ephemeral_storage: get("ephemeral-storage"),
    }
}

/// The status on the wire.
pub fn to_wire(status: &QdrantCloudRegionStatus) -> wire::Region {
    let map = |parameters: &BTreeMap<String, String>| parameters.clone().into_iter().collect();
    let capabilities = status.capabilities.clone().unwrap_or_default();
    wire::Region {
        phase: match status.phase {
            Some(RegionPhase::Ready) => "Ready",
            Some(RegionPhase::NotReady) | None => "NotReady",
            Some(RegionPhase::FailedToSync) => "FailedToSync",
        }
        .to_owned(),
        message: status.message.clone().unwrap_or_default(),
        kubernetes_version: status.k8s_version.clone().unwrap_or_default(),
        kubernetes_distribution: distribution_name(status.k8s_distribution),
        number_of_nodes: status.number_of_nodes.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        volume_snapshot: capabilities.volume_snapshot.unwrap_or(false),
        volume_expansion: capabilities.volume_expansion.unwrap_or(false),
        storage_classes: status
            .storage_classes
            .iter()
            .map(|class| wire::StorageClass {
                name: class.name.clone(),
                default: class.default.unwrap_or(false),
                provisioner: class.provisioner.clone().unwrap_or_default(),
                allow_volume_expansion: class.allow_volume_expansion.unwrap_or(false),
                reclaim_policy: class.reclaim_policy.clone().unwrap_or_default(),
                parameters: map(&class.parameters),
            })
            .collect(),
        volume_snapshot_classes: status
            .volume_snapshot_classes
            .iter()
            .map(|class| wire::DriverClass {
                name: class.name.clone(),
                driver: class.driver.clone().unwrap_or_default(),
                parameters: Default::default(),
            })
            .collect(),
        volume_attributes_classes: status
            .volume_attributes_classes
            .iter()
            .map(|class| wire::DriverClass {
                name: class.name.clone(),
                driver: class.driver.clone().unwrap_or_default(),
                parameters: map(&class.parameters),
            })
            .collect(),
    }
}

/// The name in the schema, such as `k3s`.
fn distribution_name(distribution: Option<Distribution>) -> String {
    let name = serde_json::to_value(distribution.unwrap_or_default()).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn object<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Arc<T> {
        Arc::new(serde_json::from_value(value).expect("an object"))
    }

    #[test]
    fn a_small_cluster() {
        let node: Arc<Node> = object(json!({
            "metadata": { "name": "n1", "labels": { "kubernetes.io/arch": "amd64" } },
            "spec": { "providerID": "k3s://n1" },
            "status": { "capacity": { "cpu": "2", "memory": "4Gi", "pods": "110" } },
        }));
        let fast: Arc<StorageClass> = object(json!({
            "metadata": { "name": "fast", "annotations": { DEFAULT_CLASS: "true" } },
            "provisioner": "csi.test", "allowVolumeExpansion": true,
            "parameters": { "type": "ssd", "blob": "x".repeat(MAX_PARAMETER + 1) },
        }));
        let slow: Arc<StorageClass> = object(json!({
            "metadata": { "name": "a-slow" }, "provisioner": "local",
        }));
        let snapshot: Arc<DynamicObject> = object(json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
            "metadata": { "name": "csi-snapclass" }, "driver": "csi.test",
        }));
        let none: [Arc<VolumeAttributesClass>; 0] = [];
        let status = describe("v1.36.3+k3s1", &[node], &[fast, slow], &[snapshot], &none);
        let wire = to_wire(&status);
        assert_eq!(wire.kubernetes_distribution, "k3s");
        assert_eq!((wire.number_of_nodes, wire.kubernetes_version.as_str()), (1, "v1.36.3+k3s1"));
        assert!(wire.volume_snapshot && wire.volume_expansion);
        let names: Vec<&str> = wire.storage_classes.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["a-slow", "fast"]);
        assert!(wire.storage_classes[1].default && !wire.storage_classes[0].default);
        assert_eq!(wire.storage_classes[1].parameters.len(), 1);
        assert_eq!(wire.volume_snapshot_classes[0].driver, "csi.test");
        let capacity = status.node_infos[0].capacity.as_ref().expect("capacity");
        assert_eq!(capacity.memory.as_deref(), Some("4Gi"));
    }

    #[test]
    fn parameters_are_bounded_together() {
        let one = BTreeMap::from([("k".to_owned(), "x".repeat(1023))]);
        let mut all = vec![one; MAX_PARAMETERS / 1024 + 1];
        bound(all.iter_mut());
        assert_eq!(all.iter().filter(|parameters| parameters.is_empty()).count(), 1);
        assert!(all.last().expect("one").is_empty());
    }

    #[test]
    fn what_is_reported_is_bounded() {
        let nodes: Vec<Arc<Node>> = (0..MAX_NODES + 1)
            .map(|i| object(json!({ "metadata": { "name": format!("n{i}") } })))
            .collect();
        let classes: Vec<Arc<StorageClass>> = (0..MAX_CLASSES + 1)
            .map(|i| object(json!({ "metadata": { "name": format!("c{i}") }, "provisioner": "p" })))
            .collect();
        let none: [Arc<DynamicObject>; 0] = [];
        let no_attributes: [Arc<VolumeAttributesClass>; 0] = [];
        let status = describe("v1", &nodes, &classes, &none, &no_attributes);
        assert_eq!(status.number_of_nodes, Some(MAX_NODES as i64 + 1));
        assert_eq!(
            (status.node_infos.len(), status.storage_classes.len()),
            (MAX_NODES, MAX_CLASSES)
        );
    }
}
