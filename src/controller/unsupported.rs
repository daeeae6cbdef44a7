//! Which fields of a spec this version refuses: a field is either honoured or refused, never ignored.

use crate::api::helm_release::{
    ActionStrategy, ChartNameChangeStrategy, DriftDetectionMode, HelmRelease, ServerSideApply,
    WaitStrategyName,
};
use crate::api::reference::SourceKind;

/// A field that cannot be honoured, and what to do instead.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field} is not supported by this version: {instead}")]
pub struct Unsupported {
    pub field: &'static str,
    pub instead: &'static str,
}

const REMOVE: &str = "remove the field";

/// The first field of the spec that cannot be honoured.
pub fn first(release: &HelmRelease) -> Option<Unsupported> {
    let own = release.own_namespace();
    let spec = &release.spec;
    let elsewhere = |namespace: &Option<String>| namespace.as_ref().is_some_and(|n| *n != own);
    let set = |flag: Option<bool>| flag == Some(true);
    let chart = spec.chart.as_ref().map(|c| &c.spec);
    let (install, upgrade) =
        (spec.install.clone().unwrap_or_default(), spec.upgrade.clone().unwrap_or_default());
    let rollback = spec.rollback.clone().unwrap_or_default();
    let drift = spec.drift_detection.as_ref();
    let checks: [(bool, &'static str, &'static str); 30] = [
        (spec.chart_ref.is_some(), "chartRef", "name the chart in spec.chart"),
        (
            chart.is_some_and(|c| c.source_ref.kind != SourceKind::HelmRepository),
            "chart.spec.sourceRef.kind",
            "use a HelmRepository of type oci",
        ),
        (
            chart.is_some_and(|c| elsewhere(&c.source_ref.namespace)),
            "chart.spec.sourceRef.namespace",
            "use a HelmRepository of the same namespace",
        ),
        (
            chart.is_some_and(|c| !c.values_files.is_empty()),
            "chart.spec.valuesFiles",
            "use spec.values",
        ),
        (
            chart.is_some_and(|c| c.verify.is_some()),
            "chart.spec.verify",
            "pin the chart with spec.chart.spec.digest",
        ),
        (spec.kube_config.is_some(), "kubeConfig", "run the controller in that cluster"),
        (
            elsewhere(&spec.target_namespace),
            "targetNamespace",
            "make the HelmRelease in the namespace that it installs into",
        ),
        (elsewhere(&spec.storage_namespace), "storageNamespace", REMOVE),
        (!spec.depends_on.is_empty(), "dependsOn", REMOVE),
        (spec.service_account_name.is_some(), "serviceAccountName", REMOVE),
        (spec.persistent_client == Some(false), "persistentClient", REMOVE),
        (
            drift.is_some_and(|d| d.mode.is_some_and(|m| m != DriftDetectionMode::Disabled)),
            "driftDetection.mode",
            "set it to disabled",
        ),
        (drift.is_some_and(|d| !d.ignore.is_empty()), "driftDetection.ignore", REMOVE),
        (spec.test.as_ref().is_some_and(|t| set(t.enable)), "test.enable", "set it to false"),
        (spec.common_metadata.is_some(), "commonMetadata", "set labels through the chart's values"),
        (!spec.post_renderers.is_empty(), "postRenderers", "change the chart or its values"),
        (spec.post_render_strategy.is_some(), "postRenderStrategy", REMOVE),
        (
            spec.wait_strategy.as_ref().is_some_and(|w| w.name != WaitStrategyName::Poller),
            "waitStrategy.name",
            REMOVE,
        ),
        (!spec.health_check_exprs.is_empty(), "healthCheckExprs", REMOVE),
        (
            install.strategy.as_ref().is_some_and(|s| s.name == ActionStrategy::RetryOnFailure),
            "install.strategy.name",
            "use RemediateOnFailure with install.remediation.retries",
        ),
        (set(install.disable_open_api_validation), "install.disableOpenAPIValidation", REMOVE),
        (set(install.create_namespace), "install.createNamespace", REMOVE),
        (install.server_side_apply == Some(false), "install.serverSideApply", REMOVE),
        (
            upgrade.strategy.as_ref().is_some_and(|s| s.name == ActionStrategy::RetryOnFailure),
            "upgrade.strategy.name",
            "use RemediateOnFailure with upgrade.remediation.retries",
        ),
        (set(upgrade.disable_open_api_validation), "upgrade.disableOpenAPIValidation", REMOVE),
        (set(upgrade.force) || set(rollback.force), "upgrade.force", REMOVE),
        (set(upgrade.preserve_values), "upgrade.preserveValues", "give all values in spec.values"),
        (
            set(upgrade.cleanup_on_fail) || set(rollback.cleanup_on_fail),
            "upgrade.cleanupOnFail",
            "use upgrade.remediation, which rolls back",
        ),
        (
            upgrade.server_side_apply == Some(ServerSideApply::Disabled)
                || rollback.server_side_apply == Some(ServerSideApply::Disabled),
            "upgrade.serverSideApply",
            "set it to auto or enabled",
        ),
        (
            upgrade.chart_name_change_strategy == Some(ChartNameChangeStrategy::Reinstall),
            "upgrade.chartNameChangeStrategy",
            "set it to InPlaceUpdate",
        ),
    ];
    checks
        .into_iter()
        .find(|(refused, _, _)| *refused)
        .map(|(_, field, instead)| Unsupported { field, instead })
}
