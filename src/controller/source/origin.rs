//! Which chart, of which version, had how: pure, whichever object says it. A HelmRelease's `spec.chart`, a HelmChart
//! and an OCIRepository all become an [`Origin`].

use kube::ResourceExt as _;
use pinnace_registry::Digest;

use super::Error;
use crate::api::GoDuration;
use crate::api::artifact::Verification;
use crate::api::helm_chart::HelmChart;
use crate::api::helm_release::HelmChartTemplateSpec;
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OciRepository;

/// A chart, and how it is had.
#[derive(Clone, Debug)]
pub struct Origin {
    /// UID and generation of the object that says where the chart is.
    pub said_by: (Option<String>, Option<i64>),
    /// Without tag.
    pub url: String,
    pub which: Which,
    /// Nothing but this is taken.
    pub digest: Option<Digest>,
    /// What the chart has to be called.
    pub name: Option<String>,
    pub access: Access,
    pub verify: Option<Verification>,
    /// Files of the chart that take the place of its values, merged in this order.
    pub values_files: Vec<String>,
    pub ignore_missing_values_files: bool,
    /// The chart's version ends with a part of its digest, so that another digest is another chart.
    pub tells_digest: bool,
}

/// Which of the versions there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// As Helm reads it: this one, or the newest of a range. Its tag is the version.
    Version(String),
    Tag(String),
    /// The newest of a range, among the tags that the regular expression fits.
    Newest {
        range: String,
        filter: Option<String>,
    },
}

impl Which {
    /// As the spec says it, for messages and as a question.
    pub fn text(&self) -> &str {
        match self {
            Self::Version(text) | Self::Tag(text) | Self::Newest { range: text, .. } => text,
        }
    }
}

/// How a registry is asked. The Secrets are of the object's namespace.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub secret: Option<String>,
    /// A ServiceAccount, whose `imagePullSecrets` are used as well.
    pub account: Option<String>,
    pub certificates: Option<String>,
    pub proxy: Option<String>,
    /// Plain HTTP.
    pub insecure: bool,
    pub timeout: Option<GoDuration>,
}

/// The chart that a HelmRelease's template names.
pub fn of_template(repository: &HelmRepository, wanted: &HelmChartTemplateSpec) -> Origin {
    let verify = wanted.verify.as_ref().map(|verify| Verification {
        provider: verify.provider,
        secret_ref: verify.secret_ref.clone(),
        ..Verification::default()
    });
    Origin {
        digest: wanted.digest.clone(),
        verify,
        values_files: wanted.values_files.clone(),
        ignore_missing_values_files: wanted.ignore_missing_values_files == Some(true),
        ..in_repository(repository, &wanted.chart, wanted.version())
    }
}

/// The chart of a HelmChart object.
pub fn of_chart(repository: &HelmRepository, chart: &HelmChart) -> Origin {
    let spec = &chart.spec;
    Origin {
        verify: spec.verify.clone(),
        values_files: spec.values_files.clone(),
        ignore_missing_values_files: spec.ignore_missing_values_files == Some(true),
        ..in_repository(repository, &spec.chart, spec.version.as_deref().unwrap_or("*"))
    }
}

fn in_repository(repository: &HelmRepository, chart: &str, version: &str) -> Origin {
    let spec = &repository.spec;
    let name = |reference: &Option<crate::api::reference::LocalObjectReference>| {
        reference.as_ref().map(|reference| reference.name.clone())
    };
    Origin {
        said_by: (repository.uid(), repository.metadata.generation),
        url: format!("{}/{chart}", spec.url.trim_end_matches('/')),
        which: Which::Version(version.to_owned()),
        digest: None,
        name: chart.rsplit('/').next().map(str::to_owned),
        access: Access {
            secret: name(&spec.secret_ref),
            account: None,
            certificates: name(&spec.cert_secret_ref),
            proxy: name(&spec.proxy_secret_ref),
            insecure: spec.insecure == Some(true),
            timeout: spec.timeout.clone(),
        },
        verify: None,
        values_files: Vec::new(),
        ignore_missing_values_files: false,
        tells_digest: false,
    }
}

/// The chart of an OCIRepository. A digest goes before a range, and that before a tag; `latest` if nothing is said.
pub fn of_artifact(artifact: &OciRepository) -> Result<Origin, Error> {
    let spec = &artifact.spec;
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let reference = spec.reference.clone().unwrap_or_default();
    let digest = said(reference.digest).map(|text| text.parse::<Digest>()).transpose();
    let digest = digest.map_err(|_| Error::Digest { name: artifact.name_any() })?;
    let which = match (&digest, said(reference.semver), said(reference.tag)) {
        (Some(_), _, _) => Which::Version("*".to_owned()),
        (None, Some(range), _) => Which::Newest { range, filter: said(reference.semver_filter) },
        (None, None, tag) => Which::Tag(tag.unwrap_or_else(|| "latest".to_owned())),
    };
    let name = |reference: &Option<crate::api::reference::LocalObjectReference>| {
        reference.as_ref().map(|reference| reference.name.clone())
    };
    Ok(Origin {
        said_by: (artifact.uid(), artifact.metadata.generation),
        url: spec.url.trim_end_matches('/').to_owned(),
        which,
        digest,
        // Flux does not ask that the chart is called as its place is.
        name: None,
        access: Access {
            secret: name(&spec.secret_ref),
            account: said(spec.service_account_name.clone()),
            certificates: name(&spec.cert_secret_ref),
            proxy: name(&spec.proxy_secret_ref),
            insecure: spec.insecure == Some(true),
            timeout: spec.timeout.clone(),
        },
        verify: spec.verify.clone(),
        values_files: Vec::new(),
        ignore_missing_values_files: false,
        tells_digest: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn origin(reference: Value) -> Result<Origin, Error> {
        let artifact = serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v1", "kind": "OCIRepository",
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 3},
            "spec": {
                "url": "oci://r.test/charts/web/", "interval": "5m", "ref": reference, "timeout": "7s",
                "secretRef": {"name": "login"}, "serviceAccountName": "puller", "insecure": true,
                "certSecretRef": {"name": "ca"}, "proxySecretRef": {"name": "proxy"},
            },
        }));
        of_artifact(&artifact.expect("an object"))
    }

    #[test]
    fn an_artifact_is_a_chart_at_an_address() {
        let found = origin(json!({})).expect("an origin");
        assert_eq!(found.url, "oci://r.test/charts/web");
        assert_eq!(found.said_by, (Some("u".to_owned()), Some(3)));
        let access = &found.access;
        let named = [&access.secret, &access.account, &access.certificates, &access.proxy];
        assert_eq!(
            named.map(|name| name.as_deref().unwrap_or("")),
            ["login", "puller", "ca", "proxy"]
        );
        assert!(access.insecure && access.timeout.as_ref().is_some_and(|t| t.get().as_secs() == 7));
    }

    #[test]
    fn a_digest_goes_before_a_range_and_that_before_a_tag() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let newest = |filter: Option<&str>| Which::Newest {
            range: "1.x".into(),
            filter: filter.map(str::to_owned),
        };
        for (reference, which, pinned) in [
            (json!({}), Which::Tag("latest".into()), false),
            (json!({"tag": ""}), Which::Tag("latest".into()), false),
            (json!({"tag": "1.0.0"}), Which::Tag("1.0.0".into()), false),
            (json!({"tag": "1.0.0", "semver": "1.x"}), newest(None), false),
            (json!({"semver": "1.x", "semverFilter": "-rc"}), newest(Some("-rc")), false),
            (json!({"digest": digest, "semver": "1.x"}), Which::Version("*".into()), true),
        ] {
            let found = origin(reference.clone()).expect("an origin");
            assert_eq!((found.which, found.digest.is_some()), (which, pinned), "{reference}");
        }
        assert!(matches!(origin(json!({"digest": "md5:1"})), Err(Error::Digest { .. })));
    }
}
