//! Which fields of a spec this version refuses: a field is either honoured or refused, never ignored.

use crate::api::artifact::{Verification, VerificationProvider};
use crate::api::helm_chart::HelmChart;
use crate::api::helm_release::{ChartReferenceKind, HelmRelease};
use crate::api::helm_repository::{CloudProvider, HelmRepository, RepositoryType};
use crate::api::oci_repository::OciRepository;
use crate::api::reference::SourceKind;

/// The layers that hold a chart (`pkg/registry/constants.go`); the second one is what Helm wrote at first.
const CHART_LAYERS: [&str; 2] =
    ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// A field that cannot be honoured, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field} is not supported by this version: {instead}")]
pub struct Unsupported {
    pub field: &'static str,
    pub instead: &'static str,
}

/// The first field of the spec that cannot be honoured.
pub fn first(release: &HelmRelease) -> Option<Unsupported> {
    let own = release.own_namespace();
    let spec = &release.spec;
    let elsewhere = |namespace: &Option<String>| namespace.as_ref().is_some_and(|n| *n != own);
    let chart = spec.chart.as_ref().map(|c| &c.spec);
    let reference = spec.chart_ref.as_ref();
    let checks = [
        (
            reference.is_some_and(|r| r.kind == ChartReferenceKind::ExternalArtifact),
            "chartRef.kind",
            "use an OCIRepository or a HelmChart",
        ),
        (
            reference.is_some_and(|r| elsewhere(&r.namespace)),
            "chartRef.namespace",
            "use an OCIRepository or a HelmChart of the same namespace",
        ),
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
        (
            spec.kube_config.as_ref().is_some_and(|k| k.config_map_ref.is_some()),
            "kubeConfig.configMapRef",
            "give a kubeconfig with a token in spec.kubeConfig.secretRef",
        ),
    ];
    first_of(checks)
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
    first_of(checks)
}

/// The first field of the chart that cannot be honoured.
pub fn chart(chart: &HelmChart) -> Option<Unsupported> {
    let spec = &chart.spec;
    let kind = (
        spec.source_ref.kind != SourceKind::HelmRepository,
        "sourceRef.kind",
        "use a HelmRepository of type oci",
    );
    first_of(std::iter::once(kind).chain(verification(spec.verify.as_ref())))
}

/// The first field of the OCIRepository that cannot be honoured.
pub fn oci_repository(repository: &OciRepository) -> Option<Unsupported> {
    let spec = &repository.spec;
    let media_type = spec.layer_selector.as_ref().and_then(|l| l.media_type.as_deref());
    let checks = [
        (
            spec.provider.is_some_and(|p| p != CloudProvider::Generic),
            "provider",
            "use generic with secretRef",
        ),
        (
            spec.ignore.as_ref().is_some_and(|ignore| !ignore.is_empty()),
            "ignore",
            "use the chart's own .helmignore when it is packed",
        ),
        (
            media_type.is_some_and(|m| !m.is_empty() && !is_chart_layer(m)),
            "layerSelector.mediaType",
            "leave it out: the layer of the Helm chart is taken",
        ),
    ];
    first_of(checks.into_iter().chain(verification(spec.verify.as_ref())))
}

/// Whether a layer of this type holds a chart.
pub fn is_chart_layer(media_type: &str) -> bool {
    CHART_LAYERS.contains(&media_type)
}

type Check = (bool, &'static str, &'static str);

fn first_of(checks: impl IntoIterator<Item = Check>) -> Option<Unsupported> {
    let found = checks.into_iter().find(|(refused, _, _)| *refused);
    found.map(|(_, field, instead)| Unsupported { field, instead })
}

/// What a verification needs that it can be done at all.
fn verification(verify: Option<&Verification>) -> [Check; 3] {
    let without_key = |v: &&Verification| v.secret_ref.is_none();
    let keyless = verify.filter(without_key);
    let with_keys = verify.filter(|v| !without_key(v));
    [
        (
            keyless.is_some_and(|v| v.provider == VerificationProvider::Notation),
            "verify.secretRef",
            "name the Secret with the trust policy and its certificates",
        ),
        (
            keyless.is_some_and(|v| {
                v.trusted_root_secret_ref.is_none() || v.match_oidc_identity.is_empty()
            }),
            "verify",
            "name the Secret with the public keys in secretRef, or the signers in matchOIDCIdentity and the Secret \
             with trusted_root.json in trustedRootSecretRef: no root is fetched from elsewhere",
        ),
        (
            with_keys.is_some_and(|v| {
                v.trusted_root_secret_ref.is_some() || !v.match_oidc_identity.is_empty()
            }),
            "verify.matchOIDCIdentity",
            "leave out either the signers or the keys in secretRef",
        ),
    ]
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
            (
                "chartRef.kind",
                json!({"chart": null, "chartRef": {"kind": "ExternalArtifact", "name": "x"}}),
            ),
            (
                "chartRef.namespace",
                json!({"chart": null, "chartRef": {"kind": "HelmChart", "name": "x", "namespace": "o"}}),
            ),
            ("chart.spec.verify", chart(("verify", json!({"provider": "cosign"})))),
            ("kubeConfig.configMapRef", json!({"kubeConfig": {"configMapRef": {"name": "k"}}})),
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
            "waitStrategy": {"name": "legacy"}, "test": {"enable": true},
        });
        assert_eq!(first(&release(all)), None);
        assert_eq!(first(&release(json!({}))), None);
    }
}
