//! Which fields of a QdrantCluster this version refuses: a field is either honoured or refused, never
//! ignored. A value that asks for what happens anyway is honoured.

use std::collections::BTreeMap;

use serde_json::Value;

use super::desired::CONFIG_DIGEST;
use crate::api::cluster::{CLUSTER_ID, CUSTOMER_ID, QdrantClusterSpec, RESTARTED_AT, SecretSource};

/// A field that cannot be honoured, and what to do instead.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field} is not done by this version of the operator: {instead}")]
pub struct Unsupported {
    /// Its path below `spec`.
    pub field: String,
    pub instead: &'static str,
}

const REMOVE: &str = "remove the field";
const UNKNOWN: &str = "it does not know the field; correct its name, or remove it";
const OURS: &str = "the operator sets it itself; remove it";
/// The most characters of an unknown name that are repeated.
const MAX_NAME: usize = 100;

/// The first field of the spec that cannot be honoured.
pub fn first(spec: &QdrantClusterSpec) -> Option<Unsupported> {
    let found = known(spec).into_iter().find(|(refused, _, _)| *refused);
    found
        .map(|(_, field, instead)| Unsupported { field: field.to_owned(), instead })
        .or_else(|| keys(spec))
}

/// Fields that the types know: whether each is refused, and what to do instead.
fn known(spec: &QdrantClusterSpec) -> [(bool, &'static str, &'static str); 22] {
    let config = spec.config.clone().unwrap_or_default();
    let service = config.service.unwrap_or_default();
    let storage = config.storage.unwrap_or_default();
    let classes = spec.storage_class_names.clone().unwrap_or_default();
    let budget = spec.pod_disruption_budget.as_ref();
    let has_volume = spec.resources.as_ref().is_some_and(|r| r.storage.is_some());
    let asks = |value: &Option<String>, harmless: &str| {
        value.as_ref().is_some_and(|value| value != harmless)
    };
    let empty = |key: &Option<SecretSource>| {
        key.as_ref().is_some_and(|source| source.secret_key_ref.is_none())
    };
    let below = |key: &str| storage.get(key).is_some();
    [
        (spec.cluster_manager == Some(true), "clusterManager", "set it to false"),
        (is_on(&spec.ingress), "ingress", "make an Ingress for the Service"),
        (is_some(&spec.gpu), "gpu", REMOVE),
        (is_some(&spec.storage), "storage", "use resources.storage and storageClassNames.db"),
        (
            spec.restart_all_pods_concurrently == Some(true),
            "restartAllPodsConcurrently",
            "nodes restart one after the other; set it to false",
        ),
        (asks(&spec.on_demand_replication, "Off"), "onDemandReplication", "set it to Off"),
        (
            spec.startup_delay_seconds.is_some_and(|seconds| seconds != 0),
            "startupDelaySeconds",
            "set it to 0",
        ),
        (
            asks(&spec.rebalance_strategy, "disabled"),
            "rebalanceStrategy",
            "shards are not moved between nodes; set it to disabled",
        ),
        (!spec.read_clusters.is_empty(), "readClusters", REMOVE),
        (spec.write_cluster.is_some(), "writeCluster", REMOVE),
        (spec.multi_az == Some(true), "multiAZ", "use topologySpreadConstraints"),
        (config.tls.is_some(), "config.tls", REMOVE),
        (is_on(&config.inference), "config.inference", "remove it, or set enabled to false"),
        (is_on(&config.audit), "config.audit", "remove it, or set enabled to false"),
        (service.enable_tls == Some(true), "config.service.enable_tls", "set it to false"),
        (empty(&service.api_key), "config.service.api_key", "name a Secret in its secretKeyRef"),
        (
            empty(&service.read_only_api_key),
            "config.service.read_only_api_key",
            "name a Secret in its secretKeyRef",
        ),
        (
            below("storage_path") || below("snapshots_path") || below("temp_path"),
            "config.storage",
            "the operator sets the paths, so that all data is on the volume; remove them",
        ),
        (
            below("maxCollections"),
            "config.storage.maxCollections",
            "use the name that the configuration file of Qdrant has for it",
        ),
        (
            classes.db.is_some() && !has_volume,
            "storageClassNames.db",
            "without resources.storage there is no volume; set that as well",
        ),
        (
            classes.snapshots.is_some() && classes.snapshots != classes.db,
            "storageClassNames.snapshots",
            "snapshots are kept on the volume of the database; remove it, or set it to storageClassNames.db",
        ),
        (
            budget.is_some_and(|budget| budget.get("selector").is_some()),
            "podDisruptionBudget.selector",
            OURS,
        ),
    ]
}

/// Keys that nobody knows, and keys of free-form maps that are the operator's own.
fn keys(spec: &QdrantClusterSpec) -> Option<Unsupported> {
    let mut levels: Vec<(&str, &BTreeMap<String, Value>)> = vec![("", &spec.other)];
    levels.extend(spec.image.as_ref().map(|image| ("image.", &image.other)));
    levels.extend(spec.resources.as_ref().map(|resources| ("resources.", &resources.other)));
    levels.extend(spec.service.as_ref().map(|service| ("service.", &service.other)));
    let stateful_set = spec.stateful_set.as_ref();
    levels.extend(stateful_set.map(|set| ("statefulSet.", &set.other)));
    let pods = stateful_set.and_then(|set| set.pods.as_ref());
    levels.extend(pods.map(|pods| ("statefulSet.pods.", &pods.other)));
    let unknown = levels.into_iter().find_map(|(level, other)| Some((level, other.keys().next()?)));
    if let Some((level, key)) = unknown {
        let key: String = key.chars().take(MAX_NAME).collect();
        return Some(Unsupported { field: format!("{level}{key}"), instead: UNKNOWN });
    }
    let pods = pods?;
    let ours = |map: &BTreeMap<String, String>, level: &str, keys: &[&str]| {
        let key = keys.iter().find(|key| map.contains_key(**key))?;
        Some(Unsupported { field: format!("statefulSet.pods.{level}.{key}"), instead: OURS })
    };
    ours(&pods.labels, "labels", &["app", CLUSTER_ID, CUSTOMER_ID])
        .or_else(|| ours(&pods.annotations, "annotations", &[CONFIG_DIGEST, RESTARTED_AT]))
}

fn is_some(value: &Option<Value>) -> bool {
    value.as_ref().and_then(Value::as_object).is_some_and(|fields| !fields.is_empty())
}

/// Whether a feature with a switch is asked for: only `enabled: false` makes the rest meaningless.
fn is_on(value: &Option<Value>) -> bool {
    is_some(value) && value.as_ref().is_some_and(|v| v.get("enabled") != Some(&Value::Bool(false)))
}

#[cfg(test)]
mod tests;
