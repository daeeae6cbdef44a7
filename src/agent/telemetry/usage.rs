//! Capacity of the nodes, and how many of the agent's namespace's pods run on each: pure.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use k8s_openapi::{
    api::core::v1::{Node, Pod},
    apimachinery::pkg::api::resource::Quantity,
};
use kube::ResourceExt as _;

use crate::proto::pinnace::agent::v1::{NodeUsage, Usage};

/// The most nodes in one record.
const MAX_NODES: usize = 200;
/// The most resources of a node that are reported.
const MAX_RESOURCES: usize = 20;

/// The usage at `now`.
pub fn usage(nodes: &[impl AsRef<Node>], pods: &[impl AsRef<Pod>], now: DateTime<Utc>) -> Usage {
    let mut counts = HashMap::<&str, u32>::new();
    for pod in pods {
        if let Some(node) = pod.as_ref().spec.as_ref().and_then(|spec| spec.node_name.as_deref()) {
            *counts.entry(node).or_default() += 1;
        }
    }
    let mut nodes: Vec<NodeUsage> = nodes
        .iter()
        .map(|node| {
            let node = node.as_ref();
            let status = node.status.as_ref();
            NodeUsage {
                name: node.name_any(),
                capacity: quantities(status.and_then(|status| status.capacity.as_ref())),
                allocatable: quantities(status.and_then(|status| status.allocatable.as_ref())),
                pods: counts.get(node.name_any().as_str()).copied().unwrap_or(0),
            }
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes.truncate(MAX_NODES);
    Usage { at: Some(now.into()), nodes }
}

fn quantities(all: Option<&BTreeMap<String, Quantity>>) -> HashMap<String, String> {
    let all = all.into_iter().flatten().take(MAX_RESOURCES);
    all.map(|(name, quantity)| (name.clone(), quantity.0.clone())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    #[test]
    fn pods_are_counted_by_node() {
        let node = |name: &str| -> Arc<Node> {
            Arc::new(
                serde_json::from_value(json!({
                    "metadata": { "name": name }, "status": { "capacity": { "cpu": "4" } },
                }))
                .expect("a node"),
            )
        };
        let pod = |node: &str| -> Arc<Pod> {
            let pod = json!({ "metadata": {}, "spec": { "nodeName": node, "containers": [] } });
            Arc::new(serde_json::from_value(pod).expect("a pod"))
        };
        let usage = usage(&[node("b"), node("a")], &[pod("a"), pod("a"), pod("c")], Utc::now());
        let found: Vec<_> = usage.nodes.iter().map(|n| (n.name.as_str(), n.pods)).collect();
        assert_eq!(found, [("a", 2), ("b", 0)]);
        assert_eq!(usage.nodes[0].capacity["cpu"], "4");
    }
}
