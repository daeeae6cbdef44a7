//! `GET /telemetry` of each node of each database, reduced to health, version, names and counts.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::{ResourceExt as _, api::DynamicObject};
use reqwest::StatusCode;
use serde::Deserialize;

use crate::{
    api::cluster::CLUSTER_ID,
    cluster::events::shortened,
    proto::pinnace::agent::v1::{Collection, DatabaseNode, DatabaseTelemetry},
};

const PORT: u16 = 6333;
/// The time that one node has to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const MAX_BODY: usize = 4 << 20;
/// The most collections of a node that are reported.
const MAX_COLLECTIONS: usize = 500;
/// The longest name of a collection or version, in bytes.
const MAX_NAME: usize = 255;
/// Nodes that are asked at the same time.
const CONCURRENCY: usize = 4;

/// Asks databases how they are.
pub struct Databases {
    http: reqwest::Client,
}

/// One node to ask.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    cluster: String,
    name: String,
    address: String,
    /// The pod's Ready condition.
    ready: bool,
}

/// What a node said.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Body(Vec<u8>),
    /// It wants an API key, which the agent does not have.
    Locked,
    /// Nothing, an error, or too much.
    Nothing,
}

impl Databases {
    pub fn new() -> Result<Self, reqwest::Error> {
        // Databases are in the same cluster: never through a proxy, never redirected elsewhere.
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http })
    }

    /// One record for each cluster that has running pods.
    pub async fn sample(
        &self,
        clusters: &[Arc<DynamicObject>],
        pods: &[Arc<Pod>],
        now: DateTime<Utc>,
    ) -> Vec<DatabaseTelemetry> {
        let answers = stream::iter(targets(clusters, pods))
            .map(|target| async move { (self.ask(&target).await, target) })
            .buffered(CONCURRENCY);
        let mut records: Vec<DatabaseTelemetry> = Vec::new();
        let mut answers = std::pin::pin!(answers);
        while let Some((answer, target)) = answers.next().await {
            let node = node(target.name, target.ready, &answer);
            match records.last_mut().filter(|record| record.cluster_id == target.cluster) {
                Some(record) => record.nodes.push(node),
                None => records.push(DatabaseTelemetry {
                    cluster_id: target.cluster,
                    at: Some(now.into()),
                    nodes: vec![node],
                }),
            }
        }
        records
    }

    async fn ask(&self, target: &Target) -> Answer {
        let url = format!("http://{}:{PORT}/telemetry?details_level=1", target.address);
        let Ok(response) = self.http.get(url).send().await else { return Answer::Nothing };
        if is_locked(response.status()) {
            return Answer::Locked;
        }
        let Ok(response) = response.error_for_status() else { return Answer::Nothing };
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) if body.len() + chunk.len() <= MAX_BODY => body.extend_from_slice(&chunk),
                _ => return Answer::Nothing,
            }
        }
        Answer::Body(body)
    }
}

fn is_locked(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Running pods of the clusters, those of one cluster together.
fn targets(clusters: &[Arc<DynamicObject>], pods: &[Arc<Pod>]) -> Vec<Target> {
    let mut targets = Vec::new();
    for cluster in clusters {
        let Some(id) = cluster.labels().get(CLUSTER_ID) else { continue };
        for pod in pods.iter().filter(|pod| pod.labels().get(CLUSTER_ID) == Some(id)) {
            let Some(status) = &pod.status else { continue };
            if status.phase.as_deref() != Some("Running") {
                continue;
            }
            if let Some(ip) = &status.pod_ip {
                let address = if ip.contains(':') { format!("[{ip}]") } else { ip.clone() };
                let ready = is_ready(status);
                targets.push(Target { cluster: id.clone(), name: pod.name_any(), address, ready });
            }
        }
    }
    targets
}

fn is_ready(status: &PodStatus) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[derive(Deserialize)]
struct Body {
    result: Telemetry,
}

#[derive(Deserialize)]
struct Telemetry {
    #[serde(default)]
    app: App,
    #[serde(default)]
    collections: Collections,
}

#[derive(Default, Deserialize)]
struct App {
    #[serde(default)]
    version: String,
}

#[derive(Default, Deserialize)]
struct Collections {
    #[serde(default)]
    collections: Vec<Named>,
}

/// Qdrant writes the number of points beside the name at a low level of detail (`vectors`), and per
/// shard at a higher one.
#[derive(Deserialize)]
struct Named {
    #[serde(default, alias = "name")]
    id: String,
    #[serde(default, alias = "vectors", alias = "points_count")]
    points: u64,
}

/// A node by its answer. Without one that can be read it is not healthy; one that wants an API key is as
/// healthy as its pod is ready, and nothing else is known of it.
fn node(name: String, ready: bool, answer: &Answer) -> DatabaseNode {
    let body = match answer {
        Answer::Locked => return DatabaseNode { name, healthy: ready, ..DatabaseNode::default() },
        Answer::Body(body) => serde_json::from_slice::<Body>(body).ok(),
        Answer::Nothing => None,
    };
    let Some(Body { result }) = body else {
        return DatabaseNode { name, ..DatabaseNode::default() };
    };
    let collections = result.collections.collections.into_iter().take(MAX_COLLECTIONS);
    DatabaseNode {
        name,
        version: shortened(&result.app.version, MAX_NAME),
        healthy: true,
        collections: collections
            .map(|named| Collection { name: shortened(&named.id, MAX_NAME), points: named.points })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_running_pods_of_clusters_are_asked() {
        let cluster = |id: &str| {
            let cluster = json!({
                "apiVersion": "qdrant.io/v1", "kind": "QdrantCluster",
                "metadata": { "name": "x", "labels": { CLUSTER_ID: id } },
            });
            Arc::new(serde_json::from_value(cluster).expect("a cluster"))
        };
        let pod = |name: &str, id: &str, phase: &str, ip: &str| {
            let pod = json!({
                "metadata": { "name": name, "labels": { CLUSTER_ID: id } },
                "status": { "phase": phase, "podIP": ip },
            });
            Arc::new(serde_json::from_value(pod).expect("a pod"))
        };
        let pods = [
            pod("a-0", "a", "Running", "10.0.0.1"),
            pod("a-1", "a", "Pending", "10.0.0.2"),
            pod("b-0", "b", "Running", "fd00::1"),
            pod("z-0", "z", "Running", "10.0.0.4"),
        ];
        let found = targets(&[cluster("a"), cluster("b")], &pods);
        let found: Vec<_> = found.iter().map(|t| (t.name.as_str(), t.address.as_str())).collect();
        assert_eq!(found, [("a-0", "10.0.0.1"), ("b-0", "[fd00::1]")]);
    }

    #[test]
    fn names_and_counts_and_nothing_else() {
        let body = json!({ "result": {
            "id": "secret", "app": { "version": "1.15.0", "name": "qdrant" },
            "collections": { "collections": [
                { "id": "books", "vectors": 12, "config": { "x": 1 } }, { "id": "films" },
            ]},
        }});
        let found = node("n".into(), false, &Answer::Body(body.to_string().into_bytes()));
        assert!(found.healthy);
        let collections: Vec<_> =
            found.collections.iter().map(|c| (c.name.as_str(), c.points)).collect();
        assert_eq!(
            (found.version.as_str(), collections),
            ("1.15.0", vec![("books", 12), ("films", 0)])
        );
        for body in [&b"{}"[..], b"<html>"] {
            assert!(!node("n".into(), true, &Answer::Body(body.to_vec())).healthy);
        }
        assert!(!node("n".into(), true, &Answer::Nothing).healthy);
    }

    #[test]
    fn a_node_that_wants_a_key_is_as_healthy_as_its_pod() {
        for (status, locked) in [(401, true), (403, true), (400, false), (500, false)] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(is_locked(status), locked, "{status}");
        }
        for ready in [true, false] {
            let found = node("n".into(), ready, &Answer::Locked);
            assert_eq!(found, DatabaseNode { name: "n".into(), healthy: ready, ..found.clone() });
            assert!(found.version.is_empty() && found.collections.is_empty());
        }
        let status = |value| -> PodStatus {
            serde_json::from_value(json!({ "conditions": [
                { "type": "Initialized", "status": "True" }, { "type": "Ready", "status": value },
            ]}))
            .expect("a status")
        };
        assert!(is_ready(&status("True")) && !is_ready(&status("False")));
        assert!(!is_ready(&PodStatus::default()));
    }
}
