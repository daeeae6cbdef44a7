//! Where charts come from, in words for the region's status: pure.

use kube::ResourceExt as _;

use crate::{
    agent::pins::REPOSITORY,
    api::{helm_release::HelmRelease, helm_repository::HelmRepository},
    model::condition::{self, reason},
};

/// `charts from oci://… with the account in Secret a, the certificates in Secret b`.
pub fn described(repository: &HelmRepository) -> String {
    let spec = &repository.spec;
    let parts = [
        ("the account", &spec.secret_ref),
        ("the certificates", &spec.cert_secret_ref),
        ("the proxy", &spec.proxy_secret_ref),
    ];
    let with: Vec<String> = parts
        .iter()
        .filter_map(|(what, secret)| Some(format!("{what} in Secret {}", secret.as_ref()?.name)))
        .collect();
    let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(", ")) };
    let suspended = if spec.suspend == Some(true) { ", suspended" } else { "" };
    format!("charts from {}{with}{suspended}", spec.url)
}

/// Why a release cannot have its chart, if it cannot.
pub fn unreachable(release: &HelmRelease) -> Option<String> {
    let chart = release.spec.chart.as_ref()?;
    if chart.spec.source_ref.name != REPOSITORY {
        return None;
    }
    let conditions = &release.status.as_ref()?.conditions;
    let ready = conditions.iter().find(|c| c.type_ == condition::READY && c.status == "False")?;
    let source = [reason::ARTIFACT_FAILED, reason::SOURCE_NOT_READY];
    source
        .contains(&ready.reason.as_str())
        .then(|| format!("HelmRelease {}: {}", release.name_any(), ready.message))
}
