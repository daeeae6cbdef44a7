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

/// Every object, in the order in which they are applied.
pub fn objects(database: &Database, settings: &ClusterManagement) -> Vec<Value> {
    let files = config::Files::of(database);
    vec![
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
        object(
            database,
            "apps/v1",
            "StatefulSet",
            &database.name,
            json!({ "spec": stateful_set::spec(database, settings, &files.digest()) }),
        ),
    ]
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

/// One node at a time may be taken away, unless the spec says otherwise.
fn budget(database: &Database) -> Value {
    let wanted = database.budget.clone().unwrap_or_default();
    let mut spec = json!({ "selector": { "matchLabels": selector(database) } });
    match (wanted.min_available, wanted.max_unavailable) {
        (Some(min), _) => spec["minAvailable"] = json!(min),
        (None, Some(max)) => spec["maxUnavailable"] = json!(max),
        (None, None) => spec["maxUnavailable"] = json!(1),
    }
    object(database, "policy/v1", "PodDisruptionBudget", &database.name, json!({ "spec": spec }))
}

#[cfg(test)]
mod tests;
