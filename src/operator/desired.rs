//! The objects that a database is made of.
//!
//! Its settings are in two files, which Qdrant merges in this order: `production.yaml` in the
//! ConfigMap, with what the operator knows to be harmless, and `local.yaml` in the Secret, with
//! what it does not know and which may therefore hold credentials. API keys stay where they are:
//! the pods read them from the Secrets that the QdrantCluster names.
//!
//! Claims are never removed by the operator: not when a database is scaled down or suspended, and
//! not when it is deleted.

use std::collections::BTreeMap;

use pinnace_registry::{RenamedImages, Rules};
use serde_json::{Map, Value, json};

use super::{database::Database, settings::ClusterManagement};
use crate::{
    api::cluster::{CLUSTER_ID, CUSTOMER_ID, RESTARTED_AT, SecretSource},
    model::digest::Digest,
};

mod config;
mod stateful_set;

/// Ports of a node.
pub const HTTP: u16 = 6333;
pub const GRPC: u16 = 6334;
/// Between nodes.
pub const PEER: u16 = 6335;

/// Annotation of a pod: it differs when the settings differ, so that a change restarts the nodes.
pub const CONFIG_DIGEST: &str = "qdrant.io/config-digest";
/// Label that StatefulSets give to their pods.
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";

/// Every object, in the order in which they are applied. Images have the names under which the site's mirrors
/// have them.
pub fn objects(database: &Database, settings: &ClusterManagement, mirrors: &Rules) -> Vec<Value> {
    let files = config::Files::of(database);
    let mut objects = vec![
        object(
            database,
            "v1",
            "Secret",
            &database.name,
            json!({
                "type": "Opaque",
                "stringData": { "local.yaml": files.local },
            }),
        ),
        object(
            database,
            "v1",
            "ConfigMap",
            &database.name,
            json!({
                "data": { "production.yaml": files.production },
            }),
        ),
        headless(database),
        service(database),
        budget(database),
    ];
    if database.spec.service_per_node != Some(false) {
        objects.extend((0..database.spec.size).map(|node| service_of_node(database, node)));
    }
    objects.push(stateful_set(database, settings, &files.digest()));
    RenamedImages::rename(&mut objects, mirrors);
    objects
}

/// What a selector may use: these labels never change.
pub fn selector(database: &Database) -> BTreeMap<String, String> {
    BTreeMap::from([("app".into(), "qdrant".into()), (CLUSTER_ID.into(), database.spec.id.clone())])
}

fn labels(database: &Database) -> BTreeMap<String, String> {
    let mut labels = selector(database);
    labels.insert(CUSTOMER_ID.into(), database.customer.clone());
    labels
}

fn object(database: &Database, api_version: &str, kind: &str, name: &str, body: Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": database.namespace,
            "labels": labels(database),
            "ownerReferences": [{
                "apiVersion": "qdrant.io/v1",
                "kind": "QdrantCluster",
                "name": database.name,
                "uid": database.uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
    });
    if let (Some(object), Value::Object(body)) = (object.as_object_mut(), body) {
        object.extend(body);
    }
    object
}

fn ports(ports: &[(&str, u16)]) -> Value {
    ports
        .iter()
        .map(|(name, port)| json!({ "name": name, "port": port, "targetPort": name, "protocol": "TCP" }))
        .collect()
}

/// Gives each node a name of its own, before it is ready: nodes must find each other to become so.
fn headless(database: &Database) -> Value {
    object(
        database,
        "v1",
        "Service",
        &database.headless_name(),
        json!({
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": true,
                "selector": selector(database),
                "ports": ports(&[("http", HTTP), ("grpc", GRPC), ("p2p", PEER)]),
            },
        }),
    )
}

/// The Service that clients connect to.
fn service(database: &Database) -> Value {
    let wanted = database.spec.service.clone().unwrap_or_default();
    let mut spec = json!({
        "type": wanted.service_type.as_deref().unwrap_or("ClusterIP"),
        "selector": selector(database),
        "ports": ports(&[("http", HTTP), ("grpc", GRPC)]),
    });
    if !wanted.load_balancer_source_ranges.is_empty() {
        spec["loadBalancerSourceRanges"] = json!(wanted.load_balancer_source_ranges);
    }
    let mut service = object(database, "v1", "Service", &database.name, json!({ "spec": spec }));
    if !wanted.annotations.is_empty() {
        service["metadata"]["annotations"] = json!(wanted.annotations);
    }
    service
}

/// The Service of one node, for clients that choose their node themselves.
fn service_of_node(database: &Database, node: i32) -> Value {
    let name = format!("{}-{node}", database.name);
    let mut selector = selector(database);
    selector.insert(POD_NAME.into(), name.clone());
    let spec = json!({
        "type": "ClusterIP",
        "selector": selector,
        "ports": ports(&[("http", HTTP), ("grpc", GRPC)]),
    });
    object(database, "v1", "Service", &name, json!({ "spec": spec }))
}

fn stateful_set(database: &Database, settings: &ClusterManagement, digest: &str) -> Value {
    let spec = stateful_set::spec(database, settings, digest);
    let mut set =
        object(database, "apps/v1", "StatefulSet", &database.name, json!({ "spec": spec }));
    let wanted = database.spec.stateful_set.as_ref();
    if let Some(annotations) = wanted.map(|set| &set.annotations).filter(|all| !all.is_empty()) {
        set["metadata"]["annotations"] = json!(annotations);
    }
    set
}

/// One node at a time may be taken away, unless the spec says otherwise.
fn budget(database: &Database) -> Value {
    let wanted = database.budget.clone().unwrap_or_default();
    let mut spec = json!({ "selector": { "matchLabels": selector(database) } });
    if wanted.min_available.is_none() && wanted.max_unavailable.is_none() {
        spec["maxUnavailable"] = json!(1);
    }
    // Both together is for the API server to refuse.
    for (field, value) in [
        ("minAvailable", wanted.min_available.map(|count| json!(count))),
        ("maxUnavailable", wanted.max_unavailable.map(|count| json!(count))),
        ("unhealthyPodEvictionPolicy", wanted.unhealthy_pod_eviction_policy.map(Value::from)),
    ] {
        if let Some(value) = value {
            spec[field] = value;
        }
    }
    object(database, "policy/v1", "PodDisruptionBudget", &database.name, json!({ "spec": spec }))
}

#[cfg(test)]
mod tests;
