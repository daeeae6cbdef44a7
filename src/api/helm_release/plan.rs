//! What an upgrade would do, before it is done.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// The outcome of a dry run on the API server. Nothing of it was applied, and no value of a field is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The annotation's value: a version, a range of versions, or `spec`.
    pub request: String,
    /// The generation of the spec that was planned with.
    pub generation: i64,
    /// The revision that would be upgraded; 0 if there is none.
    pub revision: i64,
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
    /// `<chart>@<version>` that would be deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// Digest of the chart's OCI manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_digest: Option<String>,
    /// Objects that would be made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub create: Vec<String>,
    /// Objects that would be changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<PlannedChange>,
    /// Objects that would be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete: Vec<String>,
    /// Objects that the API server would refuse, and why: the upgrade would fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Custom resource definitions that would be made or replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<String>,
    /// Hooks that would run, in this order: `<event>: <object>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<String>,
    /// Objects that would stay as they are.
    #[serde(default)]
    pub unchanged: i64,
    /// Why there is no plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One object that would be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedChange {
    pub object: String,
    /// JSON pointers.
    pub fields: Vec<String>,
}
