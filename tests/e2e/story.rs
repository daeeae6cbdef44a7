//! The demo's story: a version pin from the Console upgrades the agent and the operator.

use crate::world::{AGENT, OPERATOR, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_upgrades_the_agent_and_the_operator() {
    let world = World::get().await;
    let site = world.install("story").await;

    site.until_running(AGENT, "1.0.0").await;
    site.until_running(OPERATOR, "1.0.0").await;
    assert_eq!(
        site.revisions(AGENT),
        ["1 deployed 1.0.0"],
        "the release that helm installed is adopted, not deployed again"
    );
    assert_eq!(site.revisions(OPERATOR), ["1 deployed 1.0.0"]);

    let environment = world.console.environment(&site.id).await.expect("the environment");
    let status = &environment["status"];
    assert_eq!(status["phase"], "HYBRID_CLOUD_ENVIRONMENT_STATUS_PHASE_READY", "{status:#}");
    assert!(status["kubernetesVersion"].as_str().is_some_and(|v| v.contains("1.36")), "{status:#}");
    assert_eq!(status["numberOfNodes"], 1, "{status:#}");

    site.pin(serde_json::json!({"agentVersion": "1.1.0", "operatorVersion": "1.1.0"})).await;
    site.until_running(OPERATOR, "1.1.0").await;
    site.until_running(AGENT, "1.1.0").await;
    for release in [AGENT, OPERATOR] {
        let expected = ["1 superseded 1.0.0", "2 deployed 1.1.0"];
        assert_eq!(site.revisions(release), expected, "{release}: genuine helm reads the history");
    }
    let image = site.kubectl(&[
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/name=qdrant-cloud-agent",
        "--field-selector=status.phase=Running",
        "-o",
        "jsonpath={.items[*].spec.containers[*].image}",
    ]);
    assert!(image.ends_with("/qdrant/qdrant-cloud-agent:1.1.0"), "{image}");

    // Someone edits what the Console pinned: it is put back, and an Event says why.
    site.kubectl(&[
        "patch",
        "helmrelease.cd.qdrant.io",
        OPERATOR,
        "--type=merge",
        "-p",
        r#"{"spec":{"chart":{"spec":{"version":"1.0.0"}}}}"#,
    ]);
    site.until_running(OPERATOR, "1.1.0").await;
    site.kubectl(&[
        "wait",
        "helmrelease.cd.qdrant.io",
        OPERATOR,
        "--timeout=60s",
        "--for=jsonpath={.spec.chart.spec.version}=1.1.0",
    ]);

    // The customer's side was only ever dialled from within.
    let report = world.report();
    assert_eq!(report.refused_in, [], "the vendor's side tried to dial in");
    assert!(report.opened.iter().all(|seen| seen.to.port() == 443), "{report:#?}");
    site.done().await;
}
