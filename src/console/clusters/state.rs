//! What is shown of a cluster: the QdrantCluster's status as the agent saw it. Pure.

use chrono::DateTime;
use pbjson_types::Timestamp;
use serde_json::Value;

use crate::{
    console::{
        live::Freshness,
        status,
        store::{ClusterRow, ObservationRow},
    },
    proto::qdrant::cloud::{
        cluster::v1::{
            Cluster, ClusterEndpoint, ClusterNodeInfo, ClusterNodeState, ClusterPhase, ClusterState,
        },
        hybrid::v1::HybridCloudEnvironment as Environment,
    },
};

const REST_PORT: i32 = 6333;
const GRPC_PORT: i32 = 6334;
/// A silent agent's clusters are UNKNOWN after this many seconds.
const UNKNOWN_AFTER: i64 = 300;

/// The cluster with its state.
pub fn shown(
    row: ClusterRow,
    home: &Environment,
    observation: Option<&ObservationRow>,
    freshness: Freshness,
    now: i64,
) -> Cluster {
    let mut cluster = row.document;
    let seen = observation.and_then(|row| row.observed.clusters.get(&cluster.id));
    let namespace = home.configuration.as_ref().map(|c| c.namespace.as_str()).unwrap_or_default();
    let mut state = match seen.and_then(|seen| seen.status.as_ref()) {
        Some(text) => observed(&serde_json::to_value(text).unwrap_or_default(), namespace),
        None => ClusterState::default(),
    };
    let reason = seen.map(|seen| seen.reason.clone()).unwrap_or_default();
    if state.reason.is_empty() {
        state.reason = reason;
    }
    state.endpoint = Some(ClusterEndpoint {
        url: format!("http://qdrant-{}.{namespace}.svc", cluster.id),
        rest_port: REST_PORT,
        grpc_port: GRPC_PORT,
    });
    let service = cluster
        .configuration
        .as_ref()
        .and_then(|c| c.database_configuration.as_ref())
        .and_then(|d| d.service.as_ref());
    state.jwt_rbac = service.is_some_and(|service| service.api_key.is_some());
    let silent = match freshness {
        Freshness::Stale { last_seen } if now - last_seen > UNKNOWN_AFTER => Some(last_seen),
        _ => None,
    };
    if cluster.deleted_at.is_some() {
        state.phase = ClusterPhase::Deleting as i32;
    } else if let Some(last_seen) = silent {
        state.phase = ClusterPhase::Unknown as i32;
        let ago = status::ago(now - last_seen);
        state.reason = format!("the agent is not connected; last known, {ago}: {}", state.reason);
    } else if state.phase == 0 {
        let found = seen.is_none_or(|seen| seen.present);
        let phase = if found { ClusterPhase::Creating } else { ClusterPhase::NotFound };
        state.phase = phase as i32;
    }
    cluster.state = Some(state);
    cluster
}

fn observed(status: &Value, namespace: &str) -> ClusterState {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let nodes = status["nodes"].as_object().into_iter().flatten().map(|(_, node)| {
        let name = text(node, "name");
        let state = match node["state"].as_str() {
            Some("starting") => ClusterNodeState::Starting,
            Some("healthy") => ClusterNodeState::Healthy,
            Some("unhealthy") => ClusterNodeState::Unhealthy,
            Some("suspended") => ClusterNodeState::Suspended,
            Some("recovering") => ClusterNodeState::Recovering,
            _ => ClusterNodeState::Unspecified,
        };
        ClusterNodeInfo {
            started_at: time(&node["started_at"]),
            version: text(node, "version"),
            endpoint: Some(ClusterEndpoint {
                url: format!("http://{name}.{namespace}.svc"),
                rest_port: REST_PORT,
                grpc_port: GRPC_PORT,
            }),
            state: state as i32,
            availability_zone: text(node, "zone"),
            name,
            ..Default::default()
        }
    });
    let mut nodes: Vec<ClusterNodeInfo> = nodes.collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let up = status["availableNodes"].as_f64().unwrap_or_default();
    ClusterState {
        version: text(status, "version"),
        nodes_up: up as u32,
        phase: phase(status["phase"].as_str().unwrap_or_default()) as i32,
        reason: text(status, "reason"),
        nodes,
        ..Default::default()
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(status::timestamp(at.timestamp()))
}

/// `FailedToCreate` is CLUSTER_PHASE_FAILED_TO_CREATE.
fn phase(name: &str) -> ClusterPhase {
    let words = crate::console::mask::snake(name).to_ascii_uppercase();
    ClusterPhase::from_str_name(&format!("CLUSTER_PHASE{words}"))
        .filter(|phase| *phase as i32 <= ClusterPhase::ManualMaintenance as i32)
        .unwrap_or(ClusterPhase::Unspecified)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::pinnace::agent::v1::{Cluster as Seen, Observed};

    fn row(deleted_at: Option<i64>) -> ClusterRow {
        let deleted_at = deleted_at.map(status::timestamp);
        let document = Cluster { id: "c1".into(), deleted_at, ..Default::default() };
        ClusterRow { document, deleted_in: None }
    }

    fn seen(present: bool, status: Value) -> ObservationRow {
        let status = serde_json::from_value(status).unwrap();
        let seen = Seen { present, status, ..Default::default() };
        let clusters = [("c1".to_owned(), seen)].into();
        ObservationRow { observed: Observed { clusters, ..Default::default() }, at: 0 }
    }

    fn state(row: ClusterRow, seen: Option<&ObservationRow>, freshness: Freshness) -> ClusterState {
        shown(row, &Environment::default(), seen, freshness, 1000).state.unwrap()
    }

    #[test]
    fn phases() {
        let fresh = Freshness::Fresh { last_seen: 1000 };
        let stale = Freshness::Stale { last_seen: 100 };
        assert_eq!(state(row(None), None, fresh).phase(), ClusterPhase::Creating);
        let healthy = seen(
            true,
            serde_json::json!({
                "phase": "Healthy", "availableNodes": 1, "version": "v1.2.3",
                "nodes": {"0": {"name": "qdrant-c1-0", "state": "healthy", "started_at": "2026-01-01T00:00:00Z"}},
            }),
        );
        let shown = state(row(None), Some(&healthy), fresh);
        assert_eq!(shown.phase(), ClusterPhase::Healthy);
        assert_eq!((shown.nodes_up, shown.version.as_str()), (1, "v1.2.3"));
        assert_eq!(shown.nodes[0].state(), ClusterNodeState::Healthy);
        assert!(shown.nodes[0].started_at.is_some());
        assert_eq!(state(row(None), Some(&healthy), stale).phase(), ClusterPhase::Unknown);
        assert_eq!(state(row(Some(3)), Some(&healthy), fresh).phase(), ClusterPhase::Deleting);
        let gone = seen(false, Value::Null);
        assert_eq!(state(row(None), Some(&gone), fresh).phase(), ClusterPhase::NotFound);
        assert_eq!(phase("FailedToCreate"), ClusterPhase::FailedToCreate);
        assert_eq!(phase("Deleting"), ClusterPhase::Unspecified);
    }
}
