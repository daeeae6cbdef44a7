//! `.Capabilities`: what the cluster is and has.

use serde_json::json;

use crate::functions::Kind;
use crate::template::{Method, Object, Value};

/// The Kubernetes version that `helm template` v4.3.1 assumes.
const KUBE_VERSION: &str = "v1.37.0";
/// The Helm version that charts see.
const HELM_VERSION: &str = "v4.3.1";
/// The Kubernetes client that it was built with.
const KUBE_CLIENT_VERSION: &str = "v1.37";

/// The API versions that `helm template` v4.3.1 assumes, in its order.
const API_VERSIONS: [&str; 57] = [
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// What a cluster says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// Such as `v1.36.3`.
    pub kube_version: String,
    /// `group/version`, and of a live cluster `group/version/Kind` as well.
    pub api_versions: Vec<String>,
}

impl Default for Capabilities {
    /// What `helm template` assumes without a cluster.
    fn default() -> Self {
        Self {
            kube_version: KUBE_VERSION.to_owned(),
            api_versions: API_VERSIONS.map(str::to_owned).to_vec(),
        }
    }
}

/// A `--kube-version` that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not parse {0:?} as version: give at least major and minor, such as 1.36")]
pub struct InvalidKubeVersion(String);

impl Capabilities {
    /// The default capabilities of another Kubernetes version, such as `1.36` or `v1.36.3-gke.1`.
    pub fn of_kube_version(version: &str) -> Result<Self, InvalidKubeVersion> {
        if numbers(version).is_none() {
            return Err(InvalidKubeVersion(version.chars().take(100).collect()));
        }
        let prefix = if version.starts_with('v') { "" } else { "v" };
        Ok(Self { kube_version: format!("{prefix}{version}"), ..Self::default() })
    }

    /// The second number of the version; 0 if there is none.
    pub(crate) fn minor(&self) -> u32 {
        let numbers = numbers(&self.kube_version).unwrap_or_default();
        numbers.get(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)
    }

    /// The version without any suffix, which charts' ranges are held against.
    pub(super) fn plain_version(&self) -> String {
        match numbers(&self.kube_version) {
            Some(numbers) => format!("v{}", numbers.join(".")),
            None => self.kube_version.clone(),
        }
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        All(self.clone()).json()
    }

    pub(super) fn to_value(&self) -> Value {
        Value::object(All(self.clone()))
    }
}

/// At least major and minor.
fn numbers(version: &str) -> Option<Vec<&str>> {
    let version = version.trim_start();
    let version = version.strip_prefix('v').unwrap_or(version);
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let numbers: Vec<&str> = version[..end].trim_end_matches('.').split('.').collect();
    let whole = numbers.iter().all(|n| !n.is_empty());
    (whole && numbers.len() >= 2).then_some(numbers)
}

/// `*common.Capabilities`
struct All(Capabilities);

impl Object for All {
    fn type_name(&self) -> &str {
        "*common.Capabilities"
    }

    fn kind(&self) -> &'static str {
        "ptr"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "KubeVersion" => Some(Value::object(KubeVersion::of(&self.0))),
            "APIVersions" => Some(Value::object(VersionSet(self.0.api_versions.clone()))),
            "HelmVersion" => Some(Value::object(HelmVersion)),
            _ => None,
        }
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let names = ["KubeVersion", "APIVersions", "HelmVersion"];
        Some(names.into_iter().filter_map(|name| Some((name, self.field(name)?))).collect())
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        self.fields()
    }

    fn method(&self, name: &str) -> Option<Method> {
        (name == "Copy").then_some(Method::of_pointer(&[]))
    }

    fn call(&self, _: &str, _: &[Value]) -> Option<Result<Value, String>> {
        Some(Ok(Value::object(All(self.0.clone()))))
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "KubeVersion": KubeVersion::of(&self.0).json(),
            "APIVersions": self.0.api_versions,
            "HelmVersion": HelmVersion.json(),
        })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

struct KubeVersion {
    version: String,
    plain: String,
    major: String,
    minor: String,
}

impl KubeVersion {
    fn of(capabilities: &Capabilities) -> Self {
        let numbers = numbers(&capabilities.kube_version).unwrap_or_default();
        let number = |at: usize| numbers.get(at).map_or(String::new(), |n| (*n).to_owned());
        Self {
            version: capabilities.kube_version.clone(),
            plain: capabilities.plain_version(),
            major: number(0),
            minor: number(1),
        }
    }
}

impl Object for KubeVersion {
    fn type_name(&self) -> &str {
        "common.KubeVersion"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(Value::string(&*self.version)),
            "Major" => Some(Value::string(&*self.major)),
            "Minor" => Some(Value::string(&*self.minor)),
            _ => None,
        }
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(vec![
            ("Version", Value::string(&*self.version)),
            ("normalizedVersion", Value::string(&*self.plain)),
            ("Major", Value::string(&*self.major)),
            ("Minor", Value::string(&*self.minor)),
        ])
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let exported = |(name, _): &(&str, Value)| *name != "normalizedVersion";
        Some(self.fields()?.into_iter().filter(exported).collect())
    }

    fn method(&self, name: &str) -> Option<Method> {
        matches!(name, "GitVersion" | "String").then_some(Method::of_pointer(&[]))
    }

    fn call(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        match name {
            "GitVersion" => Some(Ok(Value::string(&*self.version))),
            "String" => Some(Ok(Value::string(&*self.plain))),
            _ => None,
        }
    }

    fn text_of_pointer(&self) -> Option<String> {
        Some(self.plain.clone())
    }

    fn json(&self) -> serde_json::Value {
        json!({ "Version": self.version, "Major": self.major, "Minor": self.minor })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

struct VersionSet(Vec<String>);

impl Object for VersionSet {
    fn type_name(&self) -> &str {
        "common.VersionSet"
    }

    fn kind(&self) -> &'static str {
        "slice"
    }

    fn method(&self, name: &str) -> Option<Method> {
        (name == "Has").then_some(Method::new(&[Kind::String]))
    }

    fn call(&self, _: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let [Value::String(wanted)] = arguments else { return None };
        Some(Ok(Value::Bool(self.0.iter().any(|v| v.as_bytes() == &**wanted))))
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        let entry = |(at, version): (usize, &String)| {
            (Value::Int(i64::try_from(at).unwrap_or(i64::MAX)), Value::string(version.as_str()))
        };
        Some(self.0.iter().enumerate().map(entry).collect())
    }

    fn json(&self) -> serde_json::Value {
        json!(self.0)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

struct HelmVersion;

impl Object for HelmVersion {
    fn type_name(&self) -> &str {
        "version.BuildInfo"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(Value::string(HELM_VERSION)),
            "GitTreeState" => Some(Value::string("clean")),
            "GitCommit" | "GoVersion" => Some(Value::string("")),
            "KubeClientVersion" => Some(Value::string(KUBE_CLIENT_VERSION)),
            _ => None,
        }
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let names = ["Version", "GitCommit", "GitTreeState", "GoVersion", "KubeClientVersion"];
        Some(names.into_iter().filter_map(|name| Some((name, self.field(name)?))).collect())
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(vec![
            ("version", Value::string(HELM_VERSION)),
            ("git_tree_state", Value::string("clean")),
            ("kube_client_version", Value::string(KUBE_CLIENT_VERSION)),
        ])
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "version": HELM_VERSION,
            "git_tree_state": "clean",
            "kube_client_version": KUBE_CLIENT_VERSION,
        })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kube_versions() {
        let of = |version| Capabilities::of_kube_version(version).map(|c| c.plain_version());
        assert_eq!(of("1.36").as_deref(), Ok("v1.36"));
        assert_eq!(of("v1.33.4-gke.1245000").as_deref(), Ok("v1.33.4"));
        assert_eq!(of("1.29+").as_deref(), Ok("v1.29"));
        for version in ["", "1", "abc", "v", "1..2"] {
            assert!(of(version).is_err(), "{version}");
        }
    }
}
