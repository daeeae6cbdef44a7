//! A QdrantCluster from the Console's API: made, healthy, deleted.

use crate::world::{OPERATOR, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_made_and_deleted_through_the_console() {
    let world = World::get().await;
    let site = world.install("database").await;
    site.until_running(OPERATOR, "1.0.0").await;

    let clusters = world.console.clusters();
    let id = site.database(2).await;
    let path = format!("{clusters}/{id}");
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
