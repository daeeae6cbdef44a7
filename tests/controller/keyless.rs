//! The site's own policy: charts signed without a key, by who its trusted root says.

use std::process::Command;

use pinnace_testbed::{Cluster, tool};
use serde_json::{Value, json};

use crate::bed::{Bed, condition, web};
use crate::registries::registry;

/// Genuine sigstore-go signs a chart in a log of the second version; gives the root by which that counts.
fn signed(chart: &str) -> Value {
    let run = Command::new(tool("cosign-sign"))
        .args(["rekor2", chart])
        .env("SSL_CERT_FILE", Cluster::shared().ca())
        .output()
        .expect("cosign-sign");
    let error = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "cosign-sign {chart}: {error}");
    let made: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    made["trustedRoot"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_used_if_the_sites_policy_knows_its_signer() {
    let bed = Bed::new("keyless").await;
    bed.publish(&web("1.0.0"));
    let (client, place) = registry(&bed, "web");
    let digest = client.resolve(&place.with_tag("1.0.0").expect("a tag")).await.expect("there");
    let root = signed(&format!("{}@{digest}", place.path()));
    let policy = async |mode: &str, subject: &str| {
        let policy = json!({
            "prefix": place.path(),
            "mode": mode,
            "keyless": {
                "trustedRoot": root.to_string(),
                "identities": [{"issuer": "https://issuer.example.com", "subject": subject}],
            },
        });
        let policies = json!({"policies": [policy]}).to_string();
        bed.apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "qdrant-cloud-registries"}, "data": {"policies.yaml": policies},
        }))
        .await;
    };
    // Somebody else's name; nobody's; the one who has signed.
    policy("require", "other@example.com").await;
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({})).await;
    let status = bed.reason("web", "Ready", "ArtifactFailed").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("build@example.com") && message.contains("not trusted"), "{message}");
    policy("require", "").await;
    let status = bed.reason("web", "Ready", "SourceNotReady").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("anybody could sign"), "{message}");
    policy("require", "build@example.com").await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.version}"), "1.0.0");

    // One without a signature is only used where the site says so.
    bed.publish(&web("1.1.0"));
    bed.release("web", "web", "1.1.0", json!({})).await;
    let status = bed.reason("web", "Ready", "ArtifactFailed").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("no signature of the kind that is asked for"), "{message}");
    policy("warn", "build@example.com").await;
    bed.history("web", |history| history[0]["chartVersion"] == "1.1.0").await;
    controller.stop().await;
}
