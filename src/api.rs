//! The Kubernetes types, one file per kind. `pinnace crds` writes crds/ from [`definitions`].
//!
//! The kinds of `cd.qdrant.io` have the schema of Flux's (helm-controller v1.6, source-controller
//! v1.9) under another group, so that an object of one is an object of the other; the additions
//! are `HelmRelease.spec.chart.spec.digest` and `HelmRelease.status.plan`. The kinds of `qdrant.io` are those of qdrant's
//! kubernetes-api v1.37.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

pub mod artifact;
pub mod cluster;
mod definition;
pub mod duration;
pub mod helm_chart;
pub mod helm_release;
pub mod helm_repository;
pub mod oci_repository;
pub mod reference;
pub mod region;
mod schema;

pub use duration::GoDuration;

/// Flux's annotations, whose prefix the renamed group keeps.
pub mod annotation {
    /// Reconcile now; `status.lastHandledReconcileAt` echoes the value.
    pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
    /// One upgrade by force, if equal to [`REQUESTED_AT`].
    pub const FORCE_AT: &str = "reconcile.fluxcd.io/forceAt";
    /// Forget counted failures, if equal to [`REQUESTED_AT`].
    pub const RESET_AT: &str = "reconcile.fluxcd.io/resetAt";
    /// Ours: fill `status.plan` with what an upgrade to this version would do, or to the spec if it is `spec`.
    pub const PLAN: &str = "cd.qdrant.io/plan";
    /// Ours: how much of the chart a release record holds. `lean` leaves out the files that only templates read.
    pub const RECORD: &str = "cd.qdrant.io/record";
}

/// Finalizer of HelmRelease, HelmChart and HelmRepository.
pub const FINALIZER: &str = "finalizers.qdrant.io";
/// Origin labels on everything that a HelmRelease made: its name and namespace.
pub const ORIGIN_NAME: &str = "cd.qdrant.io/name";
/// See [`ORIGIN_NAME`].
pub const ORIGIN_NAMESPACE: &str = "cd.qdrant.io/namespace";

/// Every definition, sorted by name.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        definition::of::<helm_release::HelmRelease>(),
        definition::of::<helm_repository::HelmRepository>(),
        definition::of::<helm_chart::HelmChart>(),
        definition::of::<oci_repository::OciRepository>(),
        definition::of::<region::QdrantCloudRegion>(),
        definition::of::<cluster::QdrantCluster>(),
    ];
    all.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    all
}

#[cfg(test)]
mod tests {
    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::Value;

    /// Every field of every kind, read and written again without loss.
    fn round_trip<K: Serialize + DeserializeOwned>(yaml: &str) {
        let before: Value = serde_saphyr::from_str(yaml).expect("YAML");
        let object: K = serde_json::from_value(before.clone()).expect("a valid object");
        assert_eq!(serde_json::to_value(&object).expect("JSON"), before);
    }

    #[test]
    fn every_field_survives() {
        round_trip::<super::helm_release::HelmRelease>(include_str!(
            "api/testdata/helm-release.yaml"
        ));
        round_trip::<super::helm_repository::HelmRepository>(include_str!(
            "api/testdata/helm-repository.yaml"
        ));
        round_trip::<super::helm_chart::HelmChart>(include_str!("api/testdata/helm-chart.yaml"));
        round_trip::<super::oci_repository::OciRepository>(include_str!(
            "api/testdata/oci-repository.yaml"
        ));
        round_trip::<super::cluster::QdrantCluster>(include_str!(
            "api/testdata/qdrant-cluster.yaml"
        ));
        round_trip::<super::region::QdrantCloudRegion>(include_str!(
            "api/testdata/qdrant-cloud-region.yaml"
        ));
    }
}
