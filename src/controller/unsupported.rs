//! Which fields of a spec this version refuses: a field is either honoured or refused, never ignored.

use crate::api::helm_release::{
    ChartNameChangeStrategy, HelmRelease, ServerSideApply, WaitStrategyName,
};
use crate::api::helm_repository::{CloudProvider, HelmRepository, RepositoryType};
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
    let checks = [
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
            chart.and_then(|c| c.verify.as_ref()).is_some_and(|v| v.secret_ref.is_none()),
            "chart.spec.verify",
            "name the Secret with the public keys in secretRef; signers without keys go into the ConfigMap qdrant-cloud-registries",
        ),
        (spec.kube_config.is_some(), "kubeConfig", "run the controller in that cluster"),
        (
            elsewhere(&spec.target_namespace),
            "targetNamespace",
            "make the HelmRelease in the namespace that it installs into",
        ),
        (elsewhere(&spec.storage_namespace), "storageNamespace", REMOVE),
        (spec.service_account_name.is_some(), "serviceAccountName", REMOVE),
        (spec.persistent_client == Some(false), "persistentClient", REMOVE),
        (spec.test.as_ref().is_some_and(|t| set(t.enable)), "test.enable", "set it to false"),
        (
            spec.wait_strategy.as_ref().is_some_and(|w| w.name != WaitStrategyName::Poller),
            "waitStrategy.name",
            REMOVE,
        ),
        (!spec.health_check_exprs.is_empty(), "healthCheckExprs", REMOVE),
        (set(install.disable_open_api_validation), "install.disableOpenAPIValidation", REMOVE),
        (set(install.create_namespace), "install.createNamespace", REMOVE),
        (install.server_side_apply == Some(false), "install.serverSideApply", REMOVE),
        (set(upgrade.disable_open_api_validation), "upgrade.disableOpenAPIValidation", REMOVE),
        (set(upgrade.force), "upgrade.force", REMOVE),
        (set(rollback.force), "rollback.force", REMOVE),
        (set(upgrade.preserve_values), "upgrade.preserveValues", "give all values in spec.values"),
        (
            set(upgrade.cleanup_on_fail),
            "upgrade.cleanupOnFail",
            "use upgrade.remediation, which rolls back",
        ),
        (set(rollback.cleanup_on_fail), "rollback.cleanupOnFail", REMOVE),
        (
            upgrade.server_side_apply == Some(ServerSideApply::Disabled),
            "upgrade.serverSideApply",
            "set it to auto or enabled",
        ),
        (
            rollback.server_side_apply == Some(ServerSideApply::Disabled),
            "rollback.serverSideApply",
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

/// The first field of the repository that cannot be honoured.
pub fn repository(repository: &HelmRepository) -> Option<Unsupported> {
    let spec = &repository.spec;
    let checks = [
        (
            spec.repository_type != Some(RepositoryType::Oci),
            "type",
            "set it to oci: charts come from OCI registries only",
        ),
        (
            spec.provider.is_some_and(|p| p != CloudProvider::Generic),
            "provider",
            "use generic with secretRef",
        ),
        (
            spec.pass_credentials == Some(true),
            "passCredentials",
            "remove the field: a registry gets its own credentials only",
        ),
        (
            spec.access_from.is_some(),
            "accessFrom",
            "remove the field: releases use repositories of their own namespace",
        ),
    ];
    let found = checks.into_iter().find(|(refused, _, _)| *refused);
    found.map(|(_, field, instead)| Unsupported { field, instead })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn release(more: Value) -> HelmRelease {
        let mut spec = json!({
            "interval": "1m",
            "chart": {"spec": {"chart": "c", "sourceRef": {"kind": "HelmRepository", "name": "r"}}},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "x", "namespace": "n"}, "spec": spec,
        }))
        .expect("a release")
    }

    fn chart(more: (&str, Value)) -> Value {
        let mut spec = json!({"chart": "c", "sourceRef": {"kind": "HelmRepository", "name": "r"}});
        spec[more.0] = more.1;
        json!({"chart": {"spec": spec}})
    }

    #[test]
    fn refused() {
        let source = |field: &str, value: &str| {
            let mut source = json!({"kind": "HelmRepository", "name": "r"});
            source[field] = json!(value);
            chart(("sourceRef", source))
        };
        let cases = [
            ("chart.spec.sourceRef.kind", source("kind", "Bucket")),
            ("chart.spec.sourceRef.namespace", source("namespace", "other")),
            ("chart.spec.verify", chart(("verify", json!({"provider": "cosign"})))),
            ("kubeConfig", json!({"kubeConfig": {"secretRef": {"name": "k"}}})),
            ("targetNamespace", json!({"targetNamespace": "other"})),
            ("storageNamespace", json!({"storageNamespace": "other"})),
            ("serviceAccountName", json!({"serviceAccountName": "s"})),
            ("persistentClient", json!({"persistentClient": false})),
            ("test.enable", json!({"test": {"enable": true}})),
            ("waitStrategy.name", json!({"waitStrategy": {"name": "legacy"}})),
            (
                "healthCheckExprs",
                json!({"healthCheckExprs": [{"apiVersion": "v1", "current": "true"}]}),
            ),
            (
                "install.disableOpenAPIValidation",
                json!({"install": {"disableOpenAPIValidation": true}}),
            ),
            ("install.createNamespace", json!({"install": {"createNamespace": true}})),
            ("install.serverSideApply", json!({"install": {"serverSideApply": false}})),
            (
                "upgrade.disableOpenAPIValidation",
                json!({"upgrade": {"disableOpenAPIValidation": true}}),
            ),
            ("upgrade.force", json!({"upgrade": {"force": true}})),
            ("upgrade.preserveValues", json!({"upgrade": {"preserveValues": true}})),
            ("upgrade.cleanupOnFail", json!({"upgrade": {"cleanupOnFail": true}})),
            ("upgrade.serverSideApply", json!({"upgrade": {"serverSideApply": "disabled"}})),
            (
                "upgrade.chartNameChangeStrategy",
                json!({"upgrade": {"chartNameChangeStrategy": "Reinstall"}}),
            ),
        ];
        for (field, more) in cases {
            let found = first(&release(more)).map(|u| u.field);
            assert_eq!(found, Some(field));
        }
    }

    #[test]
    fn honoured() {
        let action = json!({
            "timeout": "1m", "disableWait": true, "disableWaitForJobs": true, "disableHooks": true,
            "disableSchemaValidation": true, "disableTakeOwnership": true, "crds": "CreateReplace",
            "remediation": {"retries": 1, "remediateLastFailure": true},
        });
        let all = json!({
            "releaseName": "x", "targetNamespace": "n", "storageNamespace": "n", "timeout": "1m",
            "maxHistory": 3, "suspend": false, "persistentClient": true, "values": {"a": 1},
            "valuesFrom": [{"kind": "Secret", "name": "s"}],
            "install": action, "upgrade": action, "driftDetection": {"mode": "warn"},
            "rollback": {"timeout": "1m", "disableWait": true, "disableHooks": true},
            "uninstall": {"keepHistory": true, "deletionPropagation": "foreground"},
            "waitStrategy": {"name": "poller"}, "test": {"enable": false},
        });
        assert_eq!(first(&release(all)), None);
        assert_eq!(first(&release(json!({}))), None);
    }
}
