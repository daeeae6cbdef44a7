//! A QdrantCluster that was read and found sound.
//!
//! The operator watches untyped objects, so that one malformed object is refused by itself, with a
//! reason in its status, and does not stop the watch of all.

use k8s_openapi::api::{
    core::v1::{EnvVar, Toleration, TopologySpreadConstraint},
    policy::v1::PodDisruptionBudgetSpec,
};
use kube::{ResourceExt as _, api::DynamicObject};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::unsupported::{self, Unsupported};
use crate::api::cluster::{CLUSTER_ID, CUSTOMER_ID, MAX_SIZE, QdrantClusterSpec, Resources};

/// The longest id: `qdrant-headless-<id>` and `qdrant-<id>-<node>` must be DNS labels (63).
pub const MAX_ID: usize = 47;

/// A database that can be made.
#[derive(Clone, Debug)]
pub struct Database {
    pub spec: QdrantClusterSpec,
    pub namespace: String,
    /// Uid of the QdrantCluster, for owner references.
    pub uid: String,
    /// Name of the QdrantCluster and of most objects: `qdrant-<id>`.
    pub name: String,
    pub customer: String,
    /// Value of the annotation that restarts the nodes.
    pub restarted_at: Option<String>,
    pub tolerations: Vec<Toleration>,
    pub topology: Vec<TopologySpreadConstraint>,
    pub budget: Option<PodDisruptionBudgetSpec>,
    pub extra_env: Vec<EnvVar>,
}

/// Why a QdrantCluster cannot be made: fit for its status.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Invalid {
    #[error("the spec cannot be read: {0}")]
    Spec(String),
    #[error("spec.{field} cannot be read: {reason}")]
    Field { field: &'static str, reason: String },
    #[error(
        "spec.id {0:?} must be 1 to {MAX_ID} characters of a-z, 0-9 and -, beginning and ending with a letter or digit"
    )]
    Id(String),
    #[error("the object is named {found:?} but must be named {expected:?}, after its spec.id")]
    Name { found: String, expected: String },
    #[error("the label {label} is {found:?} but must be {expected}")]
    Label { label: &'static str, found: String, expected: String },
    #[error(
        "spec.version {0:?} is not an image tag: use 1 to 128 characters of letters, digits, _, . and -"
    )]
    Version(String),
    #[error("spec.size is {0}, but must be 1 to {MAX_SIZE}")]
    Size(i32),
    #[error("spec.resources.{field} is {found:?}, which is not a quantity such as 500m or 2Gi")]
    Quantity { field: &'static str, found: String },
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

impl Database {
    /// Reads and checks an object.
    pub fn read(object: &DynamicObject) -> Result<Self, Invalid> {
        let spec = object.data.get("spec").cloned().unwrap_or(Value::Null);
        let spec: QdrantClusterSpec =
            serde_json::from_value(spec).map_err(|e| Invalid::Spec(e.to_string()))?;
        check_id(&spec.id)?;
        let name = format!("qdrant-{}", spec.id);
        if object.name_any() != name {
            return Err(Invalid::Name { found: object.name_any(), expected: name });
        }
        let customer = check_labels(object, &spec.id)?;
        check_version(&spec.version)?;
        if !(1..=MAX_SIZE).contains(&spec.size) {
            return Err(Invalid::Size(spec.size));
        }
        check_quantities(spec.resources.as_ref())?;
        if let Some(unsupported) = unsupported::first(&spec) {
            return Err(unsupported.into());
        }
        let pods = spec.stateful_set.as_ref().and_then(|s| s.pods.as_ref());
        Ok(Self {
            namespace: object.namespace().unwrap_or_default(),
            uid: object.uid().unwrap_or_default(),
            name,
            customer,
            restarted_at: object.annotations().get(crate::api::cluster::RESTARTED_AT).cloned(),
            tolerations: field("tolerations", &spec.tolerations)?,
            topology: field("topologySpreadConstraints", &spec.topology_spread_constraints)?,
            budget: match &spec.pod_disruption_budget {
                Some(budget) => Some(field("podDisruptionBudget", budget)?),
                None => None,
            },
            extra_env: match pods {
                Some(pods) => field("statefulSet.pods.extraEnv", &pods.extra_env)?,
                None => Vec::new(),
            },
            spec,
        })
    }

    /// Nodes that should run now.
    pub fn replicas(&self) -> i32 {
        if self.spec.suspend == Some(true) { 0 } else { self.spec.size }
    }

    pub fn headless_name(&self) -> String {
        format!("qdrant-headless-{}", self.spec.id)
    }
}

fn field<F: DeserializeOwned + Serialize>(
    field: &'static str,
    value: &impl Serialize,
) -> Result<F, Invalid> {
    let read = || {
        let given = serde_json::to_value(value)?;
        let read: F = serde_json::from_value(given.clone())?;
        let kept = serde_json::to_value(&read)?;
        Ok((read, lost(&given, &kept)))
    };
    match read() {
        Ok((read, None)) => Ok(read),
        Ok((_, Some(key))) => {
            let reason = format!("Kubernetes does not know {key:?} there; remove it");
            Err(Invalid::Field { field, reason })
        }
        Err(error) => {
            let error: serde_json::Error = error;
            Err(Invalid::Field { field, reason: error.to_string() })
        }
    }
}

/// The first key that reading dropped.
fn lost(given: &Value, kept: &Value) -> Option<String> {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given
            .iter()
            .filter(|(_, value)| !value.is_null())
            .find_map(|(key, value)| match kept.get(key) {
                Some(kept) => lost(value, kept),
                None => Some(key.chars().take(100).collect()),
            }),
        (Value::Array(given), Value::Array(kept)) => {
            given.iter().zip(kept).find_map(|(given, kept)| lost(given, kept))
        }
        _ => None,
    }
}

fn check_id(id: &str) -> Result<(), Invalid> {
    let end = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = id.as_bytes();
    let inside = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    if bytes.len() <= MAX_ID && end(bytes.first()) && end(bytes.last()) && bytes.iter().all(inside)
    {
        return Ok(());
    }
    Err(Invalid::Id(id.chars().take(100).collect()))
}

fn check_labels(object: &DynamicObject, id: &str) -> Result<String, Invalid> {
    let label = |name: &str| object.labels().get(name).cloned().unwrap_or_default();
    let found = label(CLUSTER_ID);
    if found != id {
        return Err(Invalid::Label {
            label: CLUSTER_ID,
            found,
            expected: format!("{id:?}, the spec.id"),
        });
    }
    let customer = label(CUSTOMER_ID);
    if customer.is_empty() {
        let expected = "the id of the account".to_owned();
        return Err(Invalid::Label { label: CUSTOMER_ID, found: customer, expected });
    }
    Ok(customer)
}

fn check_version(version: &str) -> Result<(), Invalid> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = version.as_bytes();
    if bytes.len() <= 128
        && bytes.first().copied().is_some_and(word)
        && bytes.iter().all(|&b| word(b) || b == b'.' || b == b'-')
    {
        return Ok(());
    }
    Err(Invalid::Version(version.chars().take(100).collect()))
}

fn check_quantities(resources: Option<&Resources>) -> Result<(), Invalid> {
    let Some(resources) = resources else { return Ok(()) };
    let requests = resources.requests.clone().unwrap_or_default();
    for (field, quantity) in [
        ("cpu", &resources.cpu),
        ("memory", &resources.memory),
        ("storage", &resources.storage),
        ("requests.cpu", &requests.cpu),
        ("requests.memory", &requests.memory),
    ] {
        if let Some(text) = quantity
            && !is_quantity(text)
        {
            return Err(Invalid::Quantity { field, found: text.chars().take(100).collect() });
        }
    }
    Ok(())
}

/// A non-negative quantity in the forms that people write: digits, perhaps a point, and a suffix.
fn is_quantity(text: &str) -> bool {
    const SUFFIXES: [&str; 14] =
        ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= 32
        && digits(whole)
        && digits(fraction)
        && SUFFIXES.contains(&&text[number.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(name: &str, labels: Value, spec: Value) -> Result<Database, Invalid> {
        let object = json!({
            "apiVersion": "qdrant.io/v1",
            "kind": "QdrantCluster",
            "metadata": { "name": name, "namespace": "n", "uid": "u", "labels": labels },
            "spec": spec,
        });
        Database::read(&serde_json::from_value(object).expect("object"))
    }

    fn with(field: &str, value: Value) -> Result<Database, Invalid> {
        let mut spec = json!({ "id": "c1", "version": "v1.15.0", "size": 1 });
        spec[field] = value;
        read("qdrant-c1", json!({ "cluster-id": "c1", "customer-id": "a" }), spec)
    }

    #[test]
    fn sound_ones_are_read() {
        assert!(with("size", json!(1)).is_ok());
        assert!(with("size", json!(MAX_SIZE)).is_ok());
        for quantity in ["1", "0.5", "500m", "2Gi", "1000k"] {
            assert!(with("resources", json!({ "cpu": quantity })).is_ok(), "{quantity}");
        }
    }

    #[test]
    fn each_fault_has_its_own_reason() {
        for (field, value, reason) in [
            ("size", json!(0), "spec.size is 0"),
            ("size", json!(101), "spec.size is 101"),
            ("size", json!("three"), "the spec cannot be read"),
            ("id", json!(""), "spec.id"),
            ("id", json!("UPPER"), "spec.id"),
            ("id", json!("x".repeat(MAX_ID + 1)), "spec.id"),
            ("id", json!("c2"), "must be named \"qdrant-c2\""),
            ("version", json!("v1 0"), "not an image tag"),
            ("version", json!("v".repeat(129)), "not an image tag"),
            ("tolerations", json!([{ "tolerationSeconds": "x" }]), "spec.tolerations cannot"),
            ("resources", json!({ "cpu": "lots" }), "resources.cpu is \"lots\""),
            ("resources", json!({ "storage": "1Qi" }), "resources.storage is"),
            (
                "resources",
                json!({ "requests": { "memory": "-1" } }),
                "resources.requests.memory is",
            ),
            ("gpu", json!({ "gpuType": "nvidia" }), "spec.gpu is not done"),
            ("tolerations", json!([{ "key": "a", "kye": "b" }]), "does not know \"kye\""),
        ] {
            let error = with(field, value).expect_err(reason).to_string();
            assert!(error.contains(reason), "{error} should contain {reason}");
        }
    }

    #[test]
    fn both_labels_are_needed() {
        let spec = json!({ "id": "c1", "version": "v1", "size": 1 });
        for labels in [json!({}), json!({ "cluster-id": "c1" }), json!({ "customer-id": "a" })] {
            let error = read("qdrant-c1", labels, spec.clone()).expect_err("refused");
            assert!(matches!(error, Invalid::Label { .. }), "{error}");
        }
    }
}
