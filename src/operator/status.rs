//! What is reported of a database.

use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::ResourceExt as _;

use super::{database::Database, desired};
use crate::api::cluster::{ClusterPhase, NodeStatus, QdrantClusterStatus};

/// Condition: clients can connect to at least one node.
pub const ACCEPTING_CONNECTION: &str = "AcceptingConnection";
/// The most bytes of a reason that are kept.
const MAX_REASON: usize = 1024;

/// What was seen of a database that could be read.
pub struct Observation<'a> {
    pub stateful_set: Option<&'a StatefulSet>,
    pub pods: &'a [Pod],
    /// Why its objects could not be applied.
    pub failure: Option<String>,
    pub generation: Option<i64>,
    pub now: Timestamp,
}

/// The status of a database, from what it was and what was seen.
pub fn of(
    database: &Database,
    was: &QdrantClusterStatus,
    seen: &Observation<'_>,
) -> QdrantClusterStatus {
    let nodes: Vec<NodeStatus> = seen.pods.iter().map(node).collect();
    let ready = seen.pods.iter().filter(|pod| is_ready(pod)).count();
    let current = i32::try_from(seen.pods.len()).unwrap_or(i32::MAX);
    let mut indexes: Vec<i32> =
        seen.pods.iter().filter(|pod| is_ready(pod)).filter_map(index).collect();
    indexes.sort_unstable();
    let (phase, reason) = match &seen.failure {
        Some(failure) => (failed(was), Some(failure.clone())),
        None => phase(database, was, seen, ready),
    };
    let version = (phase == ClusterPhase::Healthy)
        .then(|| database.spec.version.clone())
        .or_else(|| was.version.clone());
    let selector = desired::selector(database);
    let selector: Vec<_> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    QdrantClusterStatus {
        observed_generation: seen.generation,
        phase: Some(phase),
        reason: reason.map(|reason| crate::cluster::events::shortened(&reason, MAX_REASON)),
        available_nodes: Some(i32::try_from(ready).unwrap_or(i32::MAX)),
        available_node_indexes: indexes,
        conditions: vec![accepting(was, ready, seen)],
        version,
        current_nodes: Some(current),
        selector: Some(selector.join(",")),
        nodes: nodes.into_iter().map(|node| (node.name.clone(), node)).collect(),
        ..QdrantClusterStatus::default()
    }
}

/// The status of a QdrantCluster that could not be read: what runs goes on running.
pub fn refused(
    was: &QdrantClusterStatus,
    reason: &str,
    generation: Option<i64>,
) -> QdrantClusterStatus {
    QdrantClusterStatus {
        observed_generation: generation,
        phase: Some(failed(was)),
        reason: Some(crate::cluster::events::shortened(reason, MAX_REASON)),
        ..was.clone()
    }
}

/// What people are told when a status differs from the one before.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// Nothing has to be done about it.
    pub good: bool,
    /// The phase.
    pub reason: String,
    pub note: String,
}

/// A new phase is told, and a new reason for a failure; numbers that change underway are not.
pub fn change(was: &QdrantClusterStatus, now: &QdrantClusterStatus) -> Option<Change> {
    use ClusterPhase::*;
    let phase = now.phase?;
    let is_failure =
        matches!(phase, FailedToCreate | FailedToUpdate | FailedToSuspend | FailedToResume);
    let is_told = was.phase == Some(phase) && !(is_failure && was.reason != now.reason);
    if is_told {
        return None;
    }
    let reason = format!("{phase:?}");
    let before = was.phase.map_or_else(String::new, |was| format!(" after {was:?}"));
    let why = now.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    let note = format!("{reason}{before}{why}");
    Some(Change { good: !is_failure && phase != NotReady, reason, note })
}

/// A database that was never healthy could not be created; any other could not be updated.
fn failed(was: &QdrantClusterStatus) -> ClusterPhase {
    if was.version.is_none() { ClusterPhase::FailedToCreate } else { ClusterPhase::FailedToUpdate }
}

fn phase(
    database: &Database,
    was: &QdrantClusterStatus,
    seen: &Observation<'_>,
    ready: usize,
) -> (ClusterPhase, Option<String>) {
    let wanted = usize::try_from(database.replicas()).unwrap_or(0);
    let missing = || Some(format!("{ready} of {wanted} nodes are ready"));
    if database.spec.suspend == Some(true) {
        return match seen.pods.len() {
            0 => (ClusterPhase::Suspended, None),
            left => (ClusterPhase::Suspending, Some(format!("{left} nodes are still running"))),
        };
    }
    if ready == wanted && seen.pods.len() == wanted && is_rolled_out(seen) {
        return (ClusterPhase::Healthy, None);
    }
    let phase = match was.phase {
        _ if was.version.is_none() => ClusterPhase::Creating,
        Some(ClusterPhase::Suspended | ClusterPhase::Suspending | ClusterPhase::Resuming) => {
            ClusterPhase::Resuming
        }
        // What was healthy had as many nodes as were wanted then.
        Some(ClusterPhase::Healthy) if was.current_nodes != Some(database.replicas()) => {
            ClusterPhase::Scaling
        }
        _ if seen.pods.len() > wanted => ClusterPhase::Scaling,
        // Scaling goes on until the new nodes are ready.
        Some(ClusterPhase::Scaling) => ClusterPhase::Scaling,
        _ if !is_rolled_out(seen) && was.version.as_ref() != Some(&database.spec.version) => {
            ClusterPhase::Upgrading
        }
        _ if !is_rolled_out(seen) => ClusterPhase::Updating,
        _ => ClusterPhase::NotReady,
    };
    (phase, missing())
}

/// Whether every node runs what the StatefulSet says now.
fn is_rolled_out(seen: &Observation<'_>) -> bool {
    let Some(set) = seen.stateful_set else { return false };
    let Some(status) = &set.status else { return false };
    status.observed_generation >= set.metadata.generation
        && status.updated_replicas.unwrap_or(0) == status.replicas
        && status.current_revision == status.update_revision
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

fn index(pod: &Pod) -> Option<i32> {
    pod.name_any().rsplit_once('-')?.1.parse().ok()
}

fn node(pod: &Pod) -> NodeStatus {
    let status = pod.status.clone().unwrap_or_default();
    let container = status.container_statuses.unwrap_or_default().into_iter().next();
    let image = pod.spec.as_ref().and_then(|spec| spec.containers.first()?.image.clone());
    let waiting = container.as_ref().and_then(|c| c.state.as_ref()?.waiting.clone());
    let ready = is_ready(pod);
    let state = if pod.metadata.deletion_timestamp.is_some() {
        "terminating"
    } else if ready {
        "healthy"
    } else {
        "not_ready"
    };
    NodeStatus {
        name: pod.name_any(),
        started_at: status.start_time.map(|time| time.0.to_string()),
        state: Some(state.into()),
        version: image.and_then(|i| i.rsplit_once(':').map(|(_, tag)| tag.to_owned())),
        liveness: container.as_ref().map(|c| c.started == Some(true)),
        pod_phase: status.phase,
        pod_reason: waiting.as_ref().and_then(|w| w.reason.clone()).or(status.reason),
        pod_message: waiting.and_then(|w| w.message).or(status.message),
        restart_count: container.map(|c| c.restart_count),
        ..NodeStatus::default()
    }
}

fn accepting(was: &QdrantClusterStatus, ready: usize, seen: &Observation<'_>) -> Condition {
    let (status, reason, message) = match ready {
        0 => ("False", "NoNodeReady", "no node is ready".to_owned()),
        1 => ("True", "NodesReady", "1 node is ready".to_owned()),
        many => ("True", "NodesReady", format!("{many} nodes are ready")),
    };
    let before = was.conditions.iter().find(|c| c.type_ == ACCEPTING_CONNECTION);
    let since = match before {
        Some(before) if before.status == status => before.last_transition_time.clone(),
        _ => Time(seen.now),
    };
    Condition {
        type_: ACCEPTING_CONNECTION.into(),
        status: status.into(),
        reason: reason.into(),
        message,
        last_transition_time: since,
        observed_generation: seen.generation,
    }
}

#[cfg(test)]
mod tests;
