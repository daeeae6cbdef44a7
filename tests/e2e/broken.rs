//! A version that never becomes ready is rolled back; the old one serves on, and the Console shows both.

use crate::world::{OPERATOR, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_never_becomes_ready_is_rolled_back_and_shown() {
    let world = World::get().await;
    let site = world.install("broken").await;
    site.until_running(OPERATOR, "1.0.0").await;

    // The pin does not set the timeout: it is the user's.
    site.kubectl(&[
        "patch",
        "helmrelease.cd.qdrant.io",
        OPERATOR,
        "--type=merge",
        "-p",
        r#"{"spec":{"timeout":"20s"}}"#,
    ]);
    site.pin(serde_json::json!({"operatorVersion": "1.2.0"})).await;
    let versions = site
        .until("the failed upgrade of the operator is shown, rolled back", |versions| {
            let operator = &versions["operator"];
            operator["wanted"] == "1.2.0"
                && operator["attempted"] == "1.2.0"
                && operator["running"] == "1.0.0"
                && operator["message"].as_str().is_some_and(|m| m.contains("1.2.0"))
        })
        .await;
    let revisions = site.revisions(OPERATOR);
    assert_eq!(revisions.first().map(String::as_str), Some("1 superseded 1.0.0"), "{revisions:?}");
    assert_eq!(revisions.get(1).map(String::as_str), Some("2 failed 1.2.0"), "{revisions:?}");
    assert_eq!(revisions.last().map(String::as_str), Some("3 deployed 1.0.0"), "{revisions:?}");
    let image = site.kubectl(&[
        "get",
        "deployment",
        OPERATOR,
        "-o",
        "jsonpath={.spec.template.spec.containers[*].image}",
    ]);
    assert!(image.ends_with(":1.0.0"), "{image}\n{versions:#}");
    site.kubectl(&["rollout", "status", &format!("deployment/{OPERATOR}"), "--timeout=60s"]);

    // A version that works goes through again.
    site.pin(serde_json::json!({"operatorVersion": "1.1.0"})).await;
    site.until_running(OPERATOR, "1.1.0").await;
    site.done().await;
}
