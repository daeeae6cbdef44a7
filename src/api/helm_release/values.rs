//! Where values come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::reference::ValuesKind;

/// The key that is read if none is said.
pub const DEFAULT_VALUES_KEY: &str = "values.yaml";

/// A key of a Secret or ConfigMap of the release's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValuesReference {
    pub kind: ValuesKind,
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// `values.yaml` if unset.
    #[schemars(length(max = 253), regex(pattern = r"^[\-._a-zA-Z0-9]+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_key: Option<String>,
    /// Path within the values, as in `helm --set`; then the key holds one value, not a document.
    #[schemars(length(max = 250), regex(pattern = r"^([a-zA-Z0-9_\-.\\\/]|\[[0-9]{1,5}\])+$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_path: Option<String>,
    /// Go on without it if the object or key is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Take the value as it is, as in `helm --set-literal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<bool>,
}

impl ValuesReference {
    pub fn values_key(&self) -> &str {
        self.values_key.as_deref().unwrap_or(DEFAULT_VALUES_KEY)
    }
}
