//! Bad input, each with what a person is told.

use serde_json::json;

use crate::world::{AGENT, OPERATOR, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_console_says_what_is_wrong() {
    let world = World::get().await;
    let console = &world.console;
    let id =
        console.create("refused", json!({"namespace": "refused"})).await.expect("an environment");

    let error =
        console.pin(&id, json!({"operatorVersion": "9.9.9"})).await.expect_err("unknown version");
    assert_eq!(error.status, 400, "{error:?}");
    assert!(error.message.contains("9.9.9") && error.message.contains("1.1.0"), "{error:?}");

    let error = console.create("again", json!({"namespace": "refused"})).await.expect_err("taken");
    assert_eq!(error.status, 409, "{error:?}");
    assert!(error.message.contains("refused"), "{error:?}");

    let mut stranger = console.clone();
    stranger.key = "wrong".into();
    let error = stranger.environment(&id).await.expect_err("wrong api key");
    assert_eq!(error.status, 401, "{error:?}");
    assert!(!error.message.contains("wrong\""), "{error:?}");

    let error = console.create("bad name!", json!({"namespace": "x"})).await.expect_err("bad name");
    assert_eq!(error.status, 400, "{error:?}");
    console.delete(&id).await.expect("deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_says_what_is_wrong_and_leaves_the_old_release_alone() {
    let world = World::get().await;
    let site = world.install("conditions").await;
    site.until_running(OPERATOR, "1.0.0").await;
    // From here on a person looks after this release with kubectl.
    site.kubectl(&["annotate", "helmrelease.cd.qdrant.io", OPERATOR, "cd.qdrant.io/pin=detached"]);

    let cases = [
        // A chart that is not there.
        (json!({"chart": {"spec": {"chart": "no-such-chart", "digest": null}}}), "no-such-chart"),
        // Bytes that do not match the pin.
        (
            json!({"chart": {"spec": {"chart": "qdrant-operator", "version": "1.1.0",
                "digest": format!("sha256:{}", "0".repeat(64))}}}),
            "sha256:0000",
        ),
        // Something that it does not do.
        (
            json!({"chart": {"spec": {"digest": null, "sourceRef": {"kind": "GitRepository"}}}}),
            "GitRepository",
        ),
    ];
    for (change, told) in cases {
        let patch = json!({"spec": change}).to_string();
        site.kubectl(&[
            "patch",
            "helmrelease.cd.qdrant.io",
            OPERATOR,
            "--type=merge",
            "-p",
            &patch,
        ]);
        site.until_condition(OPERATOR, "Ready", "False", told).await;
        assert_eq!(site.revisions(OPERATOR), ["1 deployed 1.0.0"], "the old release is untouched");
    }
    site.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_registry_credentials_are_named() {
    let world = World::get().await;
    let site = world.install("credentials").await;
    site.until_running(OPERATOR, "1.0.0").await;
    site.kubectl(&["delete", "secret", "qdrant-registry-creds"]);
    site.kubectl(&[
        "create",
        "secret",
        "docker-registry",
        "qdrant-registry-creds",
        &format!("--docker-server={}", World::REGISTRY),
        "--docker-username=nobody",
        "--docker-password=wrong-password",
    ]);
    site.pin(json!({"operatorVersion": "1.1.0"})).await;
    let told = site.until_condition(OPERATOR, "Ready", "False", World::REGISTRY).await;
    assert!(told.contains("Unauthorized") && told.contains("pull secret"), "{told}");
    assert!(!told.contains("wrong-password"), "{told}");
    assert_eq!(site.revisions(OPERATOR), ["1 deployed 1.0.0"], "the old release is untouched");
    site.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_access_key_is_said_in_the_agents_log() {
    let world = World::get().await;
    let site = world.install("accesskey").await;
    site.until_running(AGENT, "1.0.0").await;
    site.kubectl(&["delete", "secret", "qdrant-cloud-creds"]);
    site.kubectl(&[
        "create",
        "secret",
        "generic",
        "qdrant-cloud-creds",
        &format!("--from-literal=access-key={}|not-the-key", site.id),
    ]);
    site.kubectl(&["rollout", "restart", &format!("deployment/{AGENT}")]);
    site.kubectl(&["rollout", "status", &format!("deployment/{AGENT}"), "--timeout=90s"]);
    let log = site.until_log(AGENT, "access key").await;
    assert!(!log.contains("not-the-key"), "{log}");
    site.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_database_is_marked_and_the_operator_goes_on() {
    let world = World::get().await;
    let site = world.install("malformed").await;
    site.until_running(OPERATOR, "1.0.0").await;
    // The schema refuses this one …
    let told =
        site.kubectl_refused(&["apply", "-f", "-"], &qdrant_cluster("too-small", 0, "v1.16.0"));
    assert!(told.contains("spec.size"), "{told}");
    // … and the operator this one, which no schema can.
    let name = "qdrant-bad-version";
    site.kubectl_stdin(&["apply", "-f", "-"], &qdrant_cluster("bad-version", 1, "not a version"));
    site.kubectl(&[
        "wait",
        &format!("qdrantcluster.qdrant.io/{name}"),
        "--for=jsonpath={.status.phase}=FailedToCreate",
        "--timeout=60s",
    ]);
    let reason =
        site.kubectl(&["get", "qdrantcluster.qdrant.io", name, "-o", "jsonpath={.status.reason}"]);
    assert!(reason.contains("not a version"), "{reason}");
    site.kubectl_stdin(&["apply", "-f", "-"], &qdrant_cluster("fine", 1, "v1.16.0"));
    site.kubectl(&[
        "wait",
        "qdrantcluster.qdrant.io/qdrant-fine",
        "--for=jsonpath={.status.phase}=Healthy",
        "--timeout=120s",
    ]);
    site.kubectl(&["delete", "qdrantcluster.qdrant.io", "--all", "--timeout=60s"]);
    site.done().await;
}

fn qdrant_cluster(id: &str, size: u32, version: &str) -> String {
    json!({
        "apiVersion": "qdrant.io/v1", "kind": "QdrantCluster",
        "metadata": {
            "name": format!("qdrant-{id}"),
            "labels": {"cluster-id": id, "customer-id": "tests"},
        },
        "spec": {"id": id, "version": version, "size": size},
    })
    .to_string()
}
