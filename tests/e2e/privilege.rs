//! What the agents did, in the words of the API server's audit log.

use crate::world::{AGENT, World};

/// Cluster-scoped things that the agent may read.
const READS: &[&str] = &[
    "nodes",
    "storageclasses",
    "volumesnapshotclasses",
    "volumeattributesclasses",
    "customresourcedefinitions",
    "clusterroles",
    "clusterrolebindings",
    "namespaces",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_touches_nothing_outside_its_namespace_but_the_named_reads() {
    let world = World::get().await;
    let site = world.install("privilege").await;
    site.until_running(AGENT, "1.0.0").await;
    site.pin(serde_json::json!({"agentVersion": "1.1.0", "operatorVersion": "1.1.0"})).await;
    site.until_running(AGENT, "1.1.0").await;

    let user = format!("system:serviceaccount:{}:{AGENT}", site.namespace);
    let mut seen = 0;
    let mut wrong = Vec::new();
    for event in world.audit() {
        if event["user"]["username"] != user.as_str() {
            continue;
        }
        seen += 1;
        let object = &event["objectRef"];
        let namespace = object["namespace"].as_str().unwrap_or_default();
        let resource = object["resource"].as_str().unwrap_or_default();
        let verb = event["verb"].as_str().unwrap_or_default();
        let reading = matches!(verb, "get" | "list" | "watch");
        let fine = namespace == site.namespace
            || (namespace.is_empty() && reading && (resource.is_empty() || READS.contains(&resource)))
            || (resource == "qdrantcloudregions" && object["name"] == site.id.as_str())
            || (resource == "qdrantcloudregions" && reading)
            || (reading && resource == "namespaces" && object["name"] == site.namespace.as_str())
            // Asking what one may do changes nothing.
            || resource.starts_with("selfsubject");
        let granted = event["responseStatus"]["code"].as_u64().unwrap_or_default() != 403;
        if !fine || !granted {
            let name = object["name"].as_str().unwrap_or_default();
            let code = &event["responseStatus"]["code"];
            wrong.push(format!("{verb} {resource} {namespace}/{name}: {code}"));
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(seen > 50, "the audit log has only {seen} requests of {user}");
    assert!(
        wrong.is_empty(),
        "{user} went too far, or asked for what it may not:\n{}",
        wrong.join("\n")
    );
    site.done().await;
}
