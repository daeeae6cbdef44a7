//! Charts by `spec.chartRef`: what OCIRepository and HelmChart find, say of it, and wake.

use pinnace_testbed::Cluster;
use serde_json::{Value, json};

use crate::bed::{Bed, Chart, condition, web};

/// An OCIRepository `web`, of the chart `web`, looked at once an hour; its spec's other fields are given.
async fn artifact(bed: &Bed, more: Value) {
    let url = format!("oci://{}/{}/web", Cluster::shared().registry(), bed.namespace());
    let mut spec = json!({"url": url, "interval": "1h", "certSecretRef": {"name": "ca"}});
    json_patch::merge(&mut spec, &more);
    bed.apply(json!({
        "apiVersion": "cd.qdrant.io/v1", "kind": "OCIRepository", "metadata": {"name": "web"}, "spec": spec,
    }))
    .await;
}

/// A HelmRelease `web` whose chart is that of another object.
async fn release(bed: &Bed, kind: &str) {
    bed.apply(json!({
        "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease", "metadata": {"name": "web"},
        "spec": {"interval": "1h", "chartRef": {"kind": kind, "name": "web"}, "values": {}},
    }))
    .await;
}

/// Waits until the condition of a source has this reason, in its newest generation; its message.
fn reason(bed: &Bed, object: &str, type_: &str, reason: &str) -> String {
    let path = format!(r#"{{.status.conditions[?(@.type=="{type_}")]"#);
    let generation = bed.field(object, "{.metadata.generation}");
    let observed = format!("--for=jsonpath={{.status.observedGeneration}}={generation}");
    bed.kubectl(&["wait", object, "--timeout=90s", &observed]);
    let wanted = format!("--for=jsonpath={path}.reason}}={reason}");
    bed.kubectl(&["wait", object, "--timeout=90s", &wanted]);
    bed.field(object, &format!("{path}.message}}"))
}

fn saying(version: &str, text: &str) -> Chart {
    web(version).values(&format!("text: {text}\n"))
}

const OBJECT: &str = "ocirepository/web";

/// Another chart under the same tag is another digest, and so another version: an upgrade, as soon as the source
/// has been asked to look.
#[tokio::test(flavor = "multi_thread")]
async fn a_chart_comes_from_an_artifact() {
    let bed = Bed::new("artifact").await;
    let controller = bed.start_controller();
    release(&bed, "OCIRepository").await;
    let status = bed.reason("web", "Ready", "SourceNotReady").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("OCIRepository") && message.contains("is not there"), "{message}");

    artifact(&bed, json!({"ref": {"tag": "1.0.0"}})).await;
    let message = reason(&bed, OBJECT, "FetchFailed", "OCIArtifactPullFailed");
    assert!(message.contains("NotFound"), "{message}");
    bed.publish(&saying("1.0.0", "one"));
    bed.kubectl(&["annotate", OBJECT, "reconcile.fluxcd.io/requestedAt=1"]);
    let status = bed.ready("web").await;
    let message = reason(&bed, OBJECT, "Ready", "Succeeded");
    let revision = bed.field(OBJECT, "{.status.artifact.revision}");
    assert_eq!(message, format!("stored artifact for digest '{revision}'"));
    let digest = revision.strip_prefix("1.0.0@").expect("a tag and a digest").to_owned();
    let version = format!("1.0.0+{}", &digest["sha256:".len()..][..12]);
    assert_eq!(status.history[0].chart_version, version);
    assert_eq!(status.history[0].oci_digest.as_ref(), Some(&digest));
    assert_eq!(status.last_attempted_revision_digest.as_ref(), Some(&digest));
    assert_eq!(status.helm_chart, None);
    assert_eq!(bed.field("configmap/web-config", "{.data.version}"), version);
    assert_eq!(bed.field(OBJECT, "{.status.lastHandledReconcileAt}"), "1");
    assert_eq!(bed.field(OBJECT, "{.status.conditions[*].type}"), "Ready ArtifactInStorage");

    bed.publish(&saying("1.0.0", "two"));
    bed.kubectl(&["annotate", "--overwrite", OBJECT, "reconcile.fluxcd.io/requestedAt=2"]);
    bed.history("web", |history| history[0]["version"] == 2).await;
    let status = bed.ready("web").await;
    assert_ne!(status.history[0].chart_version, version);
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "two");

    // A digest holds what it names, whatever the tag is by now.
    artifact(&bed, json!({"ref": {"digest": digest}})).await;
    bed.history("web", |history| history[0]["version"] == 3).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "one");
    assert_eq!(bed.field(OBJECT, "{.status.artifact.revision}"), digest);
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_version_that_a_filter_lets_through() {
    let bed = Bed::new("semver").await;
    for version in ["1.0.0", "1.1.0", "1.2.0-rc.1", "2.0.0"] {
        bed.publish(&saying(version, "x"));
    }
    let controller = bed.start_controller();
    artifact(&bed, json!({"ref": {"semver": "1.x"}})).await;
    release(&bed, "OCIRepository").await;
    let status = bed.ready("web").await;
    assert!(status.history[0].chart_version.starts_with("1.1.0+"), "{:?}", status.history[0]);
    artifact(&bed, json!({"ref": {"semver": ">=1.0.0-0", "semverFilter": "-rc"}})).await;
    let pre = |history: &Value| {
        history[0]["chartVersion"].as_str().is_some_and(|v| v.starts_with("1.2.0-rc.1+"))
    };
    bed.history("web", pre).await;
    artifact(&bed, json!({"ref": {"semver": "3.x"}})).await;
    let message = reason(&bed, OBJECT, "FetchFailed", "OCIArtifactPullFailed");
    assert!(message.contains("no version that matches \"3.x\""), "{message}");
    bed.reason("web", "Ready", "SourceNotReady").await;
    assert!(bed.field(OBJECT, "{.status.artifact.revision}").starts_with("1.2.0-rc.1@"));
    controller.stop().await;
}

/// What it says of itself is why the release is not ready; nothing that runs is touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_source_keeps_what_it_has() {
    let bed = Bed::new("sources").await;
    bed.publish(&saying("1.0.0", "one"));
    bed.publish(&saying("1.1.0", "two"));
    let controller = bed.start_controller();
    artifact(&bed, json!({"ref": {"tag": "1.0.0"}})).await;
    release(&bed, "OCIRepository").await;
    bed.ready("web").await;
    artifact(&bed, json!({"ref": {"tag": "1.1.0"}, "suspend": true})).await;
    bed.kubectl(&["annotate", "helmrelease/web", "reconcile.fluxcd.io/requestedAt=1"]);
    bed.until("web", |release| {
        let status = release.status.clone().unwrap_or_default();
        status.last_handled_reconcile_at.as_deref() == Some("1")
            && condition(&status, "Ready").0 == "True"
    })
    .await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "one");
    artifact(&bed, json!({"ref": {"tag": "1.1.0"}, "suspend": false})).await;
    bed.history("web", |history| history[0]["version"] == 2).await;

    for (field, told) in [
        (json!({"provider": "aws"}), "spec.provider"),
        (json!({"provider": null, "ignore": "*.md"}), "spec.ignore"),
        (
            json!({"ignore": null, "layerSelector": {"mediaType": "text/plain"}}),
            "spec.layerSelector.mediaType",
        ),
    ] {
        let mut more = json!({"ref": {"tag": "1.1.0"}});
        json_patch::merge(&mut more, &field);
        artifact(&bed, more).await;
        let message = reason(&bed, OBJECT, "Stalled", "Unsupported");
        assert!(message.contains(told), "{message}");
    }
    let status = bed.reason("web", "Ready", "SourceNotReady").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("OCIRepository '") && message.contains("is not ready"), "{message}");
    controller.stop().await;
}

/// A chart by `spec.chart`, then by a HelmChart that somebody made: the one of the template goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_chart_comes_from_a_helm_chart() {
    let bed = Bed::new("helmchart").await;
    for version in ["1.0.0", "1.1.0"] {
        bed.publish(&saying(version, "plain").file("more.yaml", "text: more\n"));
    }
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({})).await;
    bed.ready("web").await;
    let of_template = format!("helmchart/{}-web", bed.namespace());
    assert!(bed.exists(&of_template));
    let of_own = async |version: &str, files: Value| {
        bed.apply(json!({
            "apiVersion": "cd.qdrant.io/v1", "kind": "HelmChart", "metadata": {"name": "web"},
            "spec": {
                "chart": "web", "version": version, "interval": "1h", "valuesFiles": files,
                "ignoreMissingValuesFiles": true,
                "sourceRef": {"kind": "HelmRepository", "name": "charts"},
            },
        }))
        .await;
    };
    of_own("1.0.x", json!([])).await;
    bed.kubectl(&[
        "patch",
        "helmrelease/web",
        "--type=merge",
        "-p",
        r#"{"spec": {"chart": null, "chartRef": {"kind": "HelmChart", "name": "web"}}}"#,
    ]);
    let status = bed.ready("web").await;
    assert_eq!((status.history.len(), status.helm_chart), (1, None), "it is the same chart");
    assert!(!bed.exists(&of_template));
    let message = reason(&bed, "helmchart/web", "Ready", "ChartPullSucceeded");
    assert_eq!(message, "pulled 'web' chart with version '1.0.0'");

    of_own("1.x", json!(["values.yaml", "more.yaml", "missing.yaml"])).await;
    bed.history("web", |history| history[0]["version"] == 2).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "more");
    reason(&bed, "helmchart/web", "Ready", "ChartPackageSucceeded");
    of_own("newest", json!([])).await;
    reason(&bed, "helmchart/web", "Stalled", "InvalidChartReference");
    bed.reason("web", "Ready", "SourceNotReady").await;
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_signed_as_its_spec_asks() {
    let bed = Bed::new("signed-artifact").await;
    bed.publish(&saying("1.0.0", "one"));
    let signer = crate::registries::Signer::new(&bed, "ours");
    crate::registries::keys(&bed, &signer.public()).await;
    let controller = bed.start_controller();
    let verify = json!({"provider": "cosign", "secretRef": {"name": "keys"}});
    artifact(&bed, json!({"ref": {"tag": "1.0.0"}, "verify": verify})).await;
    let message = reason(&bed, OBJECT, "SourceVerified", "VerificationError");
    assert!(message.contains("no signature of the kind that is asked for"), "{message}");
    let (client, web) = crate::registries::registry(&bed, "web");
    let tagged = web.with_tag("1.0.0").expect("a tag");
    let digest = client.resolve(&tagged).await.expect("there").parse().expect("a digest");
    signer.sign(&client, &web, &digest).await;
    bed.kubectl(&["annotate", OBJECT, "reconcile.fluxcd.io/requestedAt=1"]);
    let message = reason(&bed, OBJECT, "SourceVerified", "Succeeded");
    assert!(message.contains("by a trusted key"), "{message}");
    release(&bed, "OCIRepository").await;
    bed.ready("web").await;
    controller.stop().await;
}
