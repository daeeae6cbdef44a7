//! What a source has fetched, and how it is verified.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{reference::LocalObjectReference, schema};

/// One revision of a source, as it was last fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// `<algorithm>:<checksum>` of the file.
    #[schemars(regex(pattern = r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"))]
    pub digest: String,
    #[schemars(schema_with = "schema::time")]
    pub last_update_time: Time,
    /// Facts about the artifact, such as the annotations of an OCI manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Relative path of the file within its storage.
    pub path: String,
    /// Human-readable identifier in the source: a version, or `<tag>@<digest>`.
    pub revision: String,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Address at which the file can be had.
    pub url: String,
}

/// Technology that signs artifacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerificationProvider {
    #[default]
    Cosign,
    Notation,
}

/// Signatures that an artifact must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    #[serde(default)]
    pub provider: VerificationProvider,
    /// Secret with the trusted public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Identities that keyless signatures are accepted from.
    #[serde(rename = "matchOIDCIdentity", default, skip_serializing_if = "Vec::is_empty")]
    pub match_oidc_identity: Vec<OidcIdentity>,
    /// Secret with `trusted_root.json`: the Sigstore authorities that keyless signatures are checked by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root_secret_ref: Option<LocalObjectReference>,
}

impl Verification {
    /// The Secrets that it names.
    pub fn secrets(&self) -> impl Iterator<Item = &LocalObjectReference> {
        self.secret_ref.iter().chain(&self.trusted_root_secret_ref)
    }
}

/// Regular expressions that the certificate of a keyless signature must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcIdentity {
    pub issuer: String,
    pub subject: String,
}
