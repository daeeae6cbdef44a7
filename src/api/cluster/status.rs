//! What was last seen of a cluster.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::schema;

/// State of the cluster and of each node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QdrantClusterStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ClusterPhase>,
    /// Why the phase is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Nodes that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_nodes: Option<i32>,
    /// Not contiguous, never used again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub available_node_indexes: Vec<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete_in_progress_node_indexes: Vec<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down_allowed: Option<bool>,
    #[serde(rename = "ScaleDownNodeIndex", default, skip_serializing_if = "Option::is_none")]
    pub scale_down_node_index: Option<i32>,
    #[schemars(schema_with = "schema::conditions")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cluster_manager_invocation: Option<String>,
    /// The version that all nodes run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[schemars(schema_with = "schema::object")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_manager_response: Option<Value>,
    /// Nodes that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_nodes: Option<i32>,
    /// Selector of the nodes' pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Nodes by pod name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, NodeStatus>,
}

/// State of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClusterPhase {
    Creating,
    FailedToCreate,
    Updating,
    FailedToUpdate,
    Scaling,
    Upgrading,
    Suspending,
    Suspended,
    FailedToSuspend,
    Resuming,
    FailedToResume,
    Healthy,
    NotReady,
    RecoveryMode,
    ManualMaintenance,
}

/// State of one node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    pub name: String,
    /// When the pod started, RFC 3339.
    #[serde(rename = "started_at", default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_phase: Option<String>,
    #[schemars(schema_with = "schema::objects")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pod_conditions: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_reason: Option<String>,
    #[schemars(schema_with = "schema::any")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_statuses: Option<Value>,
    #[schemars(schema_with = "schema::objects")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_count: Option<i32>,
    #[schemars(schema_with = "schema::object")]
    #[serde(rename = "databasePVCStatus", default, skip_serializing_if = "Option::is_none")]
    pub database_pvc_status: Option<Value>,
    #[schemars(schema_with = "schema::object")]
    #[serde(rename = "snapshotsPVCStatus", default, skip_serializing_if = "Option::is_none")]
    pub snapshots_pvc_status: Option<Value>,
}
