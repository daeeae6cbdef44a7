//! Stage 7's decision: what the agent observed becomes what people are shown. Pure.
//!
//! Past its lease nothing is shown as good: the phase is FAILED_TO_SYNC and messages say "last known".

use chrono::DateTime;
use pbjson_types::Timestamp;

use super::{
    live::Freshness,
    pins::{AGENT, OPERATOR_RELEASE},
    store::ObservationRow,
};
use crate::proto::{
    pinnace::agent::v1::{Component, Phase},
    qdrant::cloud::{
        common::v1::KeyValue,
        hybrid::v1::{
            HybridCloudEnvironmentCapabilities as Capabilities,
            HybridCloudEnvironmentClusterCreationReadiness as Readiness,
            HybridCloudEnvironmentComponentStatus as ComponentStatus,
            HybridCloudEnvironmentComponentStatusPhase as ComponentPhase,
            HybridCloudEnvironmentStatus as Status,
            HybridCloudEnvironmentStatusPhase as StatusPhase,
            HybridCloudEnvironmentStorageClass as StorageClass,
            HybridCloudEnvironmentVolumeAttributesClass as AttributesClass,
            HybridCloudEnvironmentVolumeSnapshotClass as SnapshotClass, KubernetesDistribution,
        },
    },
};

/// The status of an environment; none until the agent first reports.
pub fn environment(row: Option<&ObservationRow>, freshness: Freshness, now: i64) -> Option<Status> {
    let ObservationRow { observed, at } = row?;
    let stale = stale(freshness, now);
    let region = observed.region.clone().unwrap_or_default();
    let mut components: Vec<ComponentStatus> = observed
        .components
        .iter()
        .map(|(name, seen)| component_status(name, seen, stale.as_deref(), now))
        .collect();
    components.sort_by(|a, b| a.name.cmp(&b.name));
    let ready =
        |name: &str| observed.components.get(name).is_some_and(|c| c.phase() == Phase::Ready);
    let unready = components.iter().any(|c| c.phase() != ComponentPhase::Ready);
    let phase = match region.phase.as_str() {
        _ if stale.is_some() => StatusPhase::FailedToSync,
        "FailedToSync" => StatusPhase::FailedToSync,
        "Ready" if !unready && !components.is_empty() => StatusPhase::Ready,
        _ => StatusPhase::NotReady,
    };
    let clusters_ready = stale.is_none() && ready(OPERATOR_RELEASE);
    let readiness = if clusters_ready { Readiness::Ready } else { Readiness::NotReady };
    Some(Status {
        last_modified_at: Some(timestamp(*at)),
        phase: phase as i32,
        kubernetes_version: region.kubernetes_version,
        number_of_nodes: region.number_of_nodes,
        capabilities: Some(Capabilities {
            volume_snapshot: region.volume_snapshot,
            volume_expansion: region.volume_expansion,
        }),
        message: summary(&region.message, &components, stale.as_deref()),
        component_statuses: components,
        cluster_creation_readiness: readiness as i32,
        kubernetes_distribution: distribution(&region.kubernetes_distribution).map(Into::into),
        storage_classes: region
            .storage_classes
            .into_iter()
            .map(|class| StorageClass {
                name: class.name,
                default: class.default,
                provisioner: class.provisioner,
                allow_volume_expansion: class.allow_volume_expansion,
                reclaim_policy: class.reclaim_policy,
                parameters: pairs(class.parameters),
            })
            .collect(),
        volume_snapshot_classes: region
            .volume_snapshot_classes
            .into_iter()
            .map(|class| SnapshotClass { name: class.name, driver: class.driver })
            .collect(),
        volume_attributes_classes: region
            .volume_attributes_classes
            .into_iter()
            .map(|class| AttributesClass {
                name: class.name,
                driver: class.driver,
                parameters: pairs(class.parameters),
            })
            .collect(),
        ..Default::default()
    })
}

/// "last known, 14 min ago", or nothing if the state is fresh.
pub fn stale(freshness: Freshness, now: i64) -> Option<String> {
    match freshness {
        Freshness::Fresh { .. } | Freshness::Never => None,
        Freshness::Stale { last_seen } => Some(format!("last known, {}", ago(now - last_seen))),
    }
}

/// `3 s ago`, `14 min ago`, `5 h ago`, `2 days ago`.
pub fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s} s ago"),
        s @ 120..7200 => format!("{} min ago", s / 60),
        s @ 7200..172_800 => format!("{} h ago", s / 3600),
        s => format!("{} days ago", s / 86_400),
    }
}

fn component_status(
    name: &str,
    seen: &Component,
    stale: Option<&str>,
    now: i64,
) -> ComponentStatus {
    let phase = match seen.phase() {
        _ if stale.is_some() => ComponentPhase::Unspecified,
        Phase::Ready => ComponentPhase::Ready,
        Phase::NotReady => ComponentPhase::NotReady,
        Phase::NotFound => ComponentPhase::NotFound,
        Phase::Unspecified => ComponentPhase::Unspecified,
    };
    let said = message(seen, now);
    let message = match stale {
        Some(stale) if said.is_empty() => stale.to_owned(),
        Some(stale) => format!("{stale}: {said}"),
        None => said,
    };
    ComponentStatus {
        name: name.to_owned(),
        namespace: seen.namespace.clone(),
        version: seen.running_version.clone(),
        phase: phase as i32,
        message,
    }
}

/// Keeps a failed attempt visible: `running 1.0.0, upgrade to 1.1.0 failed: …; next try in 5 min`.
pub fn message(seen: &Component, now: i64) -> String {
    let Component { running_version: running, attempted_version: attempted, .. } = seen;
    let detail = seen.message.as_str();
    let mut text = if failed(seen) {
        let what = if running.is_empty() {
            format!("install of {attempted} failed")
        } else {
            format!("running {running}, upgrade to {attempted} failed")
        };
        if detail.is_empty() { what } else { format!("{what}: {detail}") }
    } else if !attempted.is_empty() && attempted != running {
        let from = if running.is_empty() {
            "installing".into()
        } else {
            format!("running {running}, upgrading to")
        };
        let what = format!("{from} {attempted}");
        if detail.is_empty() { what } else { format!("{what}: {detail}") }
    } else {
        detail.to_owned()
    };
    if let Some(next) = &seen.next_try {
        let wait = next.seconds - now;
        let when = match wait {
            ..=0 => "now".into(),
            1..120 => format!("in {wait} s"),
            _ => format!("in {} min", wait / 60),
        };
        text += &format!("; next try {when}");
    }
    if seen.detached {
        text = format!("detached by the customer: {text}");
    }
    text
}

/// The attempted version is not the one that runs, and a reason says that the attempt is over.
pub fn failed(seen: &Component) -> bool {
    let over = seen.reason.ends_with("Failed")
        || seen.reason.ends_with("Error")
        || seen.reason.starts_with("Rollback")
        || seen.reason == "RetriesExceeded";
    over && !seen.attempted_version.is_empty() && seen.attempted_version != seen.running_version
}

/// One line that answers what is wrong.
fn summary(region: &str, components: &[ComponentStatus], stale: Option<&str>) -> String {
    if let Some(stale) = stale {
        return format!("the agent is not connected; {stale}");
    }
    let troubled = components
        .iter()
        .filter(|c| c.phase() != ComponentPhase::Ready || c.message.contains(" failed"));
    let mut lines: Vec<String> = troubled.map(|c| format!("{}: {}", c.name, c.message)).collect();
    if !region.is_empty() {
        lines.insert(0, region.to_owned());
    }
    lines.join("; ")
}

/// The words that the API shows for the agent and the operator.
pub fn title(release: &str) -> &str {
    match release {
        AGENT => "Agent",
        OPERATOR_RELEASE => "Operator",
        other => other,
    }
}

fn pairs(map: std::collections::HashMap<String, String>) -> Vec<KeyValue> {
    let mut pairs: Vec<KeyValue> =
        map.into_iter().map(|(key, value)| KeyValue { key, value }).collect();
    pairs.sort_by(|a, b| a.key.cmp(&b.key));
    pairs
}

fn distribution(name: &str) -> Option<KubernetesDistribution> {
    KubernetesDistribution::from_str_name(&format!(
        "KUBERNETES_DISTRIBUTION_{}",
        name.to_ascii_uppercase()
    ))
    .filter(|distribution| *distribution != KubernetesDistribution::Unspecified)
}

/// Seconds since 1970 as the wire has them.
pub fn timestamp(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// `2026-11-21 10:15 UTC`.
pub fn clock(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
