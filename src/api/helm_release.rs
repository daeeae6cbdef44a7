//! HelmRelease v2: a chart that should be installed, and how.
//!
//! Defaults that Flux's controller applies (rather than its schema) are methods here, so that
//! everyone reads the same ones.

use std::{collections::BTreeMap, time::Duration};

use kube::{CustomResource, ResourceExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    GoDuration, annotation, reference::LocalObjectReference, reference::SecretKeyReference, schema,
};
use crate::model::release::{InvalidReleaseName, ReleaseName};

mod action;
mod chart;
mod drift;
mod plan;
mod post_render;
mod status;
mod values;

pub use action::*;
pub use chart::*;
pub use drift::*;
pub use plan::*;
pub use post_render::*;
pub use status::*;
pub use values::*;

/// Limit of one Helm action if nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Revisions kept if nothing else is said.
pub const DEFAULT_MAX_HISTORY: usize = 5;

/// The release that is wanted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cd.qdrant.io",
    version = "v2",
    kind = "HelmRelease",
    namespaced,
    status = "HelmReleaseStatus",
    derive = "PartialEq",
    shortname = "qdranthr",
    category = "all",
    doc = "A release of a Helm chart",
    printcolumn = r#"{"name":"Age", "type":"date", "jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready", "type":"string", "jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status", "type":"string", "jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.chart) && !has(self.chartRef)) || (!has(self.chart) && has(self.chartRef))",
    "message": "either chart or chartRef must be set",
}]))]
pub struct HelmReleaseSpec {
    /// The HelmChart to be made for this release; this or `chartRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<HelmChartTemplate>,
    /// An existing source that holds the chart; this or `chart`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_ref: Option<ChartReference>,
    /// How often the release is compared with what is wanted.
    pub interval: GoDuration,
    /// Another cluster to install into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfigReference>,
    /// Do not reconcile; a deletion while suspended does not uninstall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Name of the Helm release; `[targetNamespace-]name` if unset.
    #[schemars(length(min = 1, max = 53))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_name: Option<String>,
    /// Namespace to install into; that of this object if unset.
    #[schemars(length(min = 1, max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_namespace: Option<String>,
    /// Namespace of Helm's records; that of this object if unset.
    #[schemars(length(min = 1, max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_namespace: Option<String>,
    /// Releases that must be ready first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependencyReference>,
    /// Limit of each Helm action and each hook; 5m if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Revisions kept; 5 if unset, 0 for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_history: Option<i64>,
    /// Service account to act as.
    #[schemars(length(min = 1, max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Keep one client through the whole action; true if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_client: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_detection: Option<DriftDetection>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uninstall: Option<Uninstall>,
    /// Values from Secrets and ConfigMaps, merged in this order; `values` go over them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values_from: Vec<ValuesReference>,
    /// Values of the chart.
    #[schemars(schema_with = "schema::any")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Value>,
    /// Labels and annotations for every object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// Changes made to what the chart renders, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_renderers: Vec<PostRenderer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_render_strategy: Option<PostRenderStrategy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_strategy: Option<WaitStrategy>,
    /// When custom resources are ready, as CEL expressions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_check_exprs: Vec<HealthCheck>,
}

/// Credentials for another cluster: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.configMapRef) || has(self.secretRef)",
        "message": "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified",
    },
    {
        "rule": "!has(self.configMapRef) || !has(self.secretRef)",
        "message": "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified",
    },
]))]
pub struct KubeConfigReference {
    /// How to authenticate to a cloud's cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<LocalObjectReference>,
    /// A kubeconfig; key `value`, then `value.yaml` if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
}

/// A release that must be ready before this one is touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyReference {
    pub name: String,
    /// That of this object if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// CEL over `self` and `dep`, in place of "Ready and observed".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_expr: Option<String>,
}

/// Labels and annotations for every object of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommonMetadata {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl HelmRelease {
    /// The namespace of this object; empty only for one that no API server has seen.
    pub fn own_namespace(&self) -> String {
        self.namespace().unwrap_or_default()
    }

    /// The name that Helm knows the release by, shortened by Flux's rule.
    pub fn release_name(&self) -> Result<ReleaseName, InvalidReleaseName> {
        if let Some(name) = &self.spec.release_name {
            return ReleaseName::shortened(name);
        }
        ReleaseName::shortened(&match &self.spec.target_namespace {
            Some(target) => format!("{target}-{}", self.name_any()),
            None => self.name_any(),
        })
    }

    /// Where the chart's objects go.
    pub fn release_namespace(&self) -> String {
        self.spec.target_namespace.clone().unwrap_or_else(|| self.own_namespace())
    }

    /// Where Helm's records are kept.
    pub fn storage_namespace(&self) -> String {
        self.spec.storage_namespace.clone().unwrap_or_else(|| self.own_namespace())
    }

    /// The HelmChart that `spec.chart` becomes: `<namespace>-<name>`, shortened to the 253 bytes that a name
    /// may have, with a part of its hash at the end.
    pub fn helm_chart_name(&self) -> String {
        use sha2::Digest as _;
        let name = format!("{}-{}", self.own_namespace(), self.name_any());
        if name.len() <= 253 {
            return name;
        }
        let hash = hex::encode(sha2::Sha256::digest(&name));
        let kept: String = name.chars().take(240).collect();
        format!("{}-{}", kept.trim_end_matches(['-', '.']), &hash[..12])
    }

    /// The namespace of that HelmChart: the source's, which is this object's unless said.
    pub fn helm_chart_namespace(&self) -> String {
        let source = self.spec.chart.as_ref().map(|c| &c.spec.source_ref);
        source.and_then(|s| s.namespace.clone()).unwrap_or_else(|| self.own_namespace())
    }

    pub fn interval(&self) -> Duration {
        self.spec.interval.get()
    }

    /// How often the registry is asked for a newer chart; never if the chart is pinned to a digest.
    pub fn chart_interval(&self) -> Duration {
        let chart = self.spec.chart.as_ref().map(|chart| &chart.spec);
        match chart {
            Some(chart) if chart.digest.is_some() => Duration::MAX,
            chart => chart
                .and_then(|chart| chart.interval.as_ref())
                .map_or_else(|| self.interval(), GoDuration::get),
        }
    }

    /// Whether release records leave out the files of the chart that only templates read.
    pub fn records_are_lean(&self) -> bool {
        self.request(annotation::RECORD) == Some("lean")
    }

    /// Whether the same version of the chart under another digest is another chart: a pinned digest says so,
    /// and the strategy `Revision`.
    pub fn counts_digest(&self) -> bool {
        let chart = self.spec.chart.as_ref().map(|chart| &chart.spec);
        chart.is_some_and(|chart| {
            chart.digest.is_some() || chart.reconcile_strategy == Some(ReconcileStrategy::Revision)
        })
    }

    /// Whether the registry may have something newer: a range of versions, or another digest of the same one.
    pub fn asks_registry(&self) -> bool {
        // An object of spec.chartRef is looked after by itself.
        let Some(chart) = self.spec.chart.as_ref().map(|chart| &chart.spec) else { return false };
        let exact = semver::Version::parse(chart.version()).is_ok();
        chart.digest.is_none() && (!exact || self.counts_digest())
    }

    /// Limit of an action without one of its own.
    pub fn timeout(&self) -> Duration {
        self.spec.timeout.as_ref().map_or(DEFAULT_TIMEOUT, GoDuration::get)
    }

    pub fn install_timeout(&self) -> Duration {
        self.or_timeout(self.spec.install.as_ref().and_then(|a| a.timeout.as_ref()))
    }

    pub fn upgrade_timeout(&self) -> Duration {
        self.or_timeout(self.spec.upgrade.as_ref().and_then(|a| a.timeout.as_ref()))
    }

    pub fn rollback_timeout(&self) -> Duration {
        self.or_timeout(self.spec.rollback.as_ref().and_then(|a| a.timeout.as_ref()))
    }

    pub fn uninstall_timeout(&self) -> Duration {
        self.or_timeout(self.spec.uninstall.as_ref().and_then(|a| a.timeout.as_ref()))
    }

    pub fn test_timeout(&self) -> Duration {
        self.or_timeout(self.spec.test.as_ref().and_then(|a| a.timeout.as_ref()))
    }

    fn or_timeout(&self, own: Option<&GoDuration>) -> Duration {
        own.map_or_else(|| self.timeout(), GoDuration::get)
    }

    /// Revisions that are kept; `None` for all of them.
    pub fn max_history(&self) -> Option<usize> {
        match self.spec.max_history {
            None => Some(DEFAULT_MAX_HISTORY),
            Some(kept) => usize::try_from(kept).ok().filter(|&kept| kept > 0),
        }
    }

    pub fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    /// The value of an annotation of [`super::annotation`].
    pub fn request(&self, annotation: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(annotation).map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
