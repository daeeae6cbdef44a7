//! What a release's chart is and where it comes from, whichever object says so: `spec.chart`, a HelmChart, or an
//! OCIRepository.

use std::fmt::Debug;

use kube::api::Api;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::{Error, Pulled, Sources};
use crate::api::artifact::Verification;
use crate::api::helm_chart::HelmChart;
use crate::api::helm_release::{
    ChartReference, ChartReferenceKind, HelmChartTemplate, HelmChartTemplateSpec,
    HelmChartTemplateVerification, HelmRelease, SourceReference,
};
use crate::api::helm_repository::{HelmRepository, HelmRepositorySpec, RepositoryType};
use crate::api::oci_repository::OciRepository;
use crate::api::reference::SourceKind;
use crate::cluster::error::retried;
use crate::controller::unsupported;

/// A chart and its repository.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The repository; of an OCIRepository, one that means the same.
    pub repository: HelmRepository,
    pub template: HelmChartTemplate,
    /// The chart's version ends with a part of its digest, so that another digest is another chart.
    pub tells_digest: bool,
}

impl Sources {
    /// Where the chart of a release comes from.
    pub async fn origin(&self, release: &HelmRelease) -> Result<Origin, Error> {
        let namespace = release.own_namespace();
        if let Some(template) = &release.spec.chart {
            let name = &template.spec.source_ref.name;
            let repository = self.repository(&namespace, name).await?;
            return Ok(Origin { repository, template: template.clone(), tells_digest: false });
        }
        let Some(reference) = &release.spec.chart_ref else { return Err(Error::NoChart) };
        match reference.kind {
            ChartReferenceKind::HelmChart => self.of_helm_chart(&namespace, reference).await,
            _ => self.of_oci_repository(&namespace, reference).await,
        }
    }

    async fn of_helm_chart(
        &self,
        namespace: &str,
        reference: &ChartReference,
    ) -> Result<Origin, Error> {
        let chart: HelmChart = self.source(namespace, "HelmChart", &reference.name).await?;
        if chart.spec.suspend == Some(true) {
            return Err(Error::Suspended { kind: "HelmChart", name: reference.name.clone() });
        }
        let template = of_chart(&chart);
        let repository = self.repository(namespace, &template.spec.source_ref.name).await?;
        Ok(Origin { repository, template, tells_digest: false })
    }

    async fn of_oci_repository(
        &self,
        namespace: &str,
        reference: &ChartReference,
    ) -> Result<Origin, Error> {
        let name = &reference.name;
        let repository: OciRepository = self.source(namespace, "OCIRepository", name).await?;
        if repository.spec.suspend == Some(true) {
            return Err(Error::Suspended { kind: "OCIRepository", name: name.clone() });
        }
        if let Some(refused) = unsupported::oci_repository(&repository) {
            let kind = "OCIRepository";
            return Err(Error::Unsupported { kind, name: name.clone(), refused });
        }
        of_artifact(&repository)
    }

    async fn source<K>(&self, namespace: &str, kind: &'static str, name: &str) -> Result<K, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let found = retried(|| api.get_opt(name)).await.map_err(|source| Error::Read {
            what: format!("{kind} {namespace}/{name}"),
            source,
        })?;
        let missing =
            || Error::NoSource { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        found.ok_or_else(missing)
    }
}

/// A HelmChart as the template that a HelmRelease would have for it.
pub fn of_chart(chart: &HelmChart) -> HelmChartTemplate {
    let spec = &chart.spec;
    HelmChartTemplate {
        metadata: None,
        spec: HelmChartTemplateSpec {
            chart: spec.chart.clone(),
            version: spec.version.clone(),
            digest: None,
            source_ref: SourceReference {
                api_version: spec.source_ref.api_version.clone(),
                kind: spec.source_ref.kind,
                name: spec.source_ref.name.clone(),
                namespace: None,
            },
            interval: Some(spec.interval.clone()),
            reconcile_strategy: spec.reconcile_strategy,
            values_files: spec.values_files.clone(),
            ignore_missing_values_files: spec.ignore_missing_values_files,
            verify: spec.verify.as_ref().map(verification),
        },
    }
}

fn verification(wanted: &Verification) -> HelmChartTemplateVerification {
    HelmChartTemplateVerification {
        provider: wanted.provider,
        secret_ref: wanted.secret_ref.clone(),
    }
}

/// An OCIRepository as a repository and the one chart in it. A digest goes before a range, and that before a tag.
pub fn of_artifact(artifact: &OciRepository) -> Result<Origin, Error> {
    let (name, spec) = (artifact.name_any(), &artifact.spec);
    let (url, chart) = spec.url.trim_end_matches('/').rsplit_once('/').unwrap_or(("", ""));
    let reference = spec.reference.clone().unwrap_or_default();
    let digest = reference.digest.filter(|d| !d.is_empty());
    let digest = digest.map(|d| d.parse().map_err(|_| Error::Digest { name: name.clone() }));
    let version = reference.semver.or(reference.tag).filter(|v| !v.is_empty());
    let version = version.unwrap_or_else(|| if digest.is_some() { "*" } else { "latest" }.into());
    let mut repository = HelmRepository::new(
        &name,
        HelmRepositorySpec {
            url: url.to_owned(),
            repository_type: Some(RepositoryType::Oci),
            secret_ref: spec.secret_ref.clone(),
            cert_secret_ref: spec.cert_secret_ref.clone(),
            insecure: spec.insecure,
            timeout: spec.timeout.clone(),
            ..HelmRepositorySpec::default()
        },
    );
    repository.metadata = artifact.metadata.clone();
    let template = HelmChartTemplate {
        metadata: None,
        spec: HelmChartTemplateSpec {
            chart: chart.to_owned(),
            version: Some(version),
            digest: digest.transpose()?,
            source_ref: SourceReference {
                api_version: None,
                kind: SourceKind::HelmRepository,
                name,
                namespace: None,
            },
            interval: Some(spec.interval.clone()),
            reconcile_strategy: None,
            values_files: Vec::new(),
            ignore_missing_values_files: None,
            verify: spec.verify.as_ref().map(verification),
        },
    };
    Ok(Origin { repository, template, tells_digest: true })
}

/// The chart under a version that ends with a part of its digest, in the place of any build metadata, as in Flux.
pub fn told_apart(pulled: Pulled) -> Pulled {
    let digest: String = pulled.digest.trim_start_matches("sha256:").chars().take(12).collect();
    let version = pulled.chart.version().split('+').next().unwrap_or_default().to_owned();
    let chart = pulled.chart.with_version(&format!("{version}+{digest}"));
    Pulled { chart: chart.into(), ..pulled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn origin(reference: Value) -> Result<Origin, Error> {
        let artifact = serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v1", "kind": "OCIRepository",
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 3},
            "spec": {"url": "oci://r.test/charts/web/", "interval": "5m", "ref": reference},
        }));
        of_artifact(&artifact.expect("an object"))
    }

    #[test]
    fn an_artifact_is_a_chart_of_a_repository() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (reference, version, pinned) in [
            (json!({}), "latest", false),
            (json!({"tag": "1.0.0"}), "1.0.0", false),
            (json!({"tag": "1.0.0", "semver": "1.x"}), "1.x", false),
            (json!({"digest": digest}), "*", true),
            (json!({"digest": digest, "tag": "1.0.0"}), "1.0.0", true),
        ] {
            let found = origin(reference.clone()).expect("an origin");
            assert_eq!(found.repository.spec.url, "oci://r.test/charts");
            assert_eq!(found.repository.uid().as_deref(), Some("u"));
            let spec = &found.template.spec;
            assert_eq!((spec.chart.as_str(), spec.version()), ("web", version), "{reference}");
            assert_eq!(spec.digest.is_some(), pinned, "{reference}");
        }
        assert!(matches!(origin(json!({"digest": "md5:1"})), Err(Error::Digest { .. })));
    }
}
