//! QdrantCluster v1: a Qdrant database of one or more nodes.
//!
//! Fields that this version does not know are preserved, at every level that the operator reads.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod config;
mod node;
mod status;

pub use config::*;
pub use node::*;
pub use status::*;

/// Label on a QdrantCluster and on all that belongs to it: `spec.id`.
pub const CLUSTER_ID: &str = "cluster-id";
/// Label on a QdrantCluster and on all that belongs to it: whose it is.
pub const CUSTOMER_ID: &str = "customer-id";
/// A new value restarts the nodes.
pub const RESTARTED_AT: &str = "restartedAt";
/// The most nodes of one cluster.
pub const MAX_SIZE: i32 = 100;

/// The database that is wanted.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "qdrant.io",
    version = "v1",
    kind = "QdrantCluster",
    namespaced,
    status = "QdrantClusterStatus",
    derive = "PartialEq",
    shortname = "qc",
    shortname = "qcs",
    category = "all",
    doc = "A Qdrant database",
    scale(
        spec_replicas_path = ".spec.size",
        status_replicas_path = ".status.currentNodes",
        label_selector_path = ".status.selector"
    ),
    printcolumn = r#"{"name":"Nodes", "type":"string", "jsonPath":".spec.size"}"#,
    printcolumn = r#"{"name":"Version", "type":"string", "jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"Phase", "type":"string", "jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age", "type":"date", "jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct QdrantClusterSpec {
    /// Unique id, a UUID; the object is named `qdrant-<id>`.
    pub id: String,
    /// Version of Qdrant, such as `v1.15.0`: the image's tag.
    pub version: String,
    /// Number of nodes.
    #[schemars(range(min = 1, max = 100))]
    pub size: i32,
    /// A Service for each node; true if unset.
    #[schemars(extend("default" = true))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_per_node: Option<bool>,
    /// Whether a cluster manager looks after this database; the operator's setting if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_manager: Option<bool>,
    /// Run no nodes; everything else stays.
    #[schemars(extend("default" = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// While there is one, the operator ignores changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ClusterImage>,
    /// Limits and requests of each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
    #[schemars(schema_with = "super::schema::objects")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    #[schemars(schema_with = "super::schema::objects")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<Value>,
    #[schemars(schema_with = "super::schema::object")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_disruption_budget: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ClusterConfig>,
    #[schemars(schema_with = "super::schema::object")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Value>,
    /// The Service that clients connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ClusterService>,
    #[schemars(schema_with = "super::schema::object")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<ClusterStatefulSet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_names: Option<StorageClassNames>,
    #[schemars(schema_with = "super::schema::object")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Value>,
    /// Restart all nodes at once; decided by replication if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_all_pods_concurrently: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand_replication: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_delay_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance_strategy: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_clusters: Vec<ClusterReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_cluster: Option<ClusterReference>,
    #[serde(rename = "multiAZ", default, skip_serializing_if = "Option::is_none")]
    pub multi_az: Option<bool>,
    /// Everything else.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A reason to leave the cluster as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<String>,
}

/// Another cluster, by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterReference {
    pub id: String,
}
