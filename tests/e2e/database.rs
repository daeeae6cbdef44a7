//! A QdrantCluster from the Console's API: made, healthy, deleted.

use serde_json::json;

use crate::world::{OPERATOR, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_made_and_deleted_through_the_console() {
    let world = World::get().await;
    let site = world.install("database").await;
    site.until_running(OPERATOR, "1.0.0").await;

    let clusters = format!("/api/cluster/v1/accounts/{}/clusters", world.console.account);
    let body = json!({"cluster": {
        "accountId": world.console.account,
        "name": "first",
        "cloudProviderId": "hybrid",
        "cloudProviderRegionId": site.id,
        "configuration": {"numberOfNodes": 2, "version": "v1.16.0"},
    }});
    let made = world.console.call("POST", &clusters, Some(body)).await.expect("a cluster");
    let id = made["cluster"]["id"].as_str().expect("an id").to_owned();
    let path = format!("{clusters}/{id}");
    let state = site
        .until_answer(&path, "the cluster is healthy", |answer| {
            answer["cluster"]["state"]["phase"] == "CLUSTER_PHASE_HEALTHY"
        })
        .await;
    let nodes = state["cluster"]["state"]["nodes"].as_array().cloned().unwrap_or_default();
    assert_eq!(nodes.len(), 2, "{state:#}");
    let name = format!("qdrant-{id}");
    assert_eq!(
        site.kubectl(&["get", "statefulset", &name, "-o", "jsonpath={.status.readyReplicas}"]),
        "2"
    );
    let listed = world.console.call("GET", &clusters, None).await.expect("the list");
    assert!(
        listed["items"]
            .as_array()
            .is_some_and(|items| items.iter().any(|c| c["id"] == id.as_str()))
    );

    world.console.call("DELETE", &path, None).await.expect("deleted");
    site.kubectl(&[
        "wait",
        "--for=delete",
        &format!("qdrantcluster.qdrant.io/{name}"),
        "--timeout=120s",
    ]);
    site.kubectl(&["wait", "--for=delete", &format!("statefulset/{name}"), "--timeout=120s"]);
    site.until_refused(&path, 404).await;
    site.done().await;
}
