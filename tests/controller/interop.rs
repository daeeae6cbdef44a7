//! Genuine Helm and the controller on the same releases, in both directions: what one has made, the other lists, reads,
//! tests, upgrades, rolls back and uninstalls.

use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::bed::{Bed, Chart, condition, web};

/// A hook of every upgrade, and the chart's test.
const HOOKS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-hook, annotations: {helm.sh/hook: "pre-upgrade,pre-rollback"}}
data: {revision: "{{ .Release.Revision }}"}
---
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: "registry.test/crane:1", command: [/crane, version]}]
"#;

fn with_hooks(version: &str) -> Chart {
    web(version)
        .file("templates/hooks.yaml", HOOKS)
        .file("templates/NOTES.txt", "text is {{ .Values.text }}")
}

/// The controller makes the release with the text "one", then with "two", and ends.
async fn made_twice(bed: &Bed) {
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({"text": "one"})).await;
    bed.ready("web").await;
    bed.release("web", "web", "1.0.0", json!({"text": "two"})).await;
    bed.history("web", |history| history[0]["version"] == 2).await;
    bed.ready("web").await;
    controller.stop().await;
}

fn text_of(bed: &Bed) -> String {
    bed.field("configmap/web-config", "{.data.text}")
}

/// Revisions and their statuses, as `helm history` tells them.
fn told(bed: &Bed) -> Vec<String> {
    bed.helm_history("web")
        .iter()
        .map(|(n, status, chart)| format!("{n} {status} {chart}"))
        .collect()
}

fn rows(bed: &Bed, args: &[&str]) -> Value {
    let text = bed.helm(&[args, &["-o", "json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

/// Helm reads every part of a release that the controller made, tests it, and takes it further while the controller
/// is away.
#[tokio::test(flavor = "multi_thread")]
async fn helm_takes_over_what_the_controller_made() {
    let bed = Bed::new("ours").await;
    crate::scenarios::image().await;
    let folder = bed.write(&with_hooks("1.1.0")).to_string_lossy().into_owned();
    bed.publish(&with_hooks("1.0.0"));
    made_twice(&bed).await;

    let list = rows(&bed, &["list"]);
    let row = &list[0];
    let part = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (part("name"), part("chart"), part("revision")),
        ("web".into(), "web-1.0.0".into(), "2".into())
    );
    assert_eq!((part("status"), part("app_version")), ("deployed".into(), "7".into()));
    let status = rows(&bed, &["status", "web"]);
    assert_eq!(status["info"]["status"], "deployed");
    assert_eq!(status["info"]["notes"], "text is two");
    assert_eq!(status["config"], json!({"text": "two"}));
    let all = bed.helm(&["get", "all", "web"]);
    for part in [
        "text is two",
        "COMPUTED VALUES:",
        "# Source: web/templates/web.yaml",
        "helm.sh/hook: test",
    ] {
        assert!(all.contains(part), "{part} is not in {all}");
    }
    assert_eq!(
        bed.helm(&["get", "values", "web", "--revision", "1", "-o", "json"]).trim(),
        r#"{"text":"one"}"#
    );
    assert!(bed.helm(&["get", "metadata", "web"]).contains("DEPLOYED_AT"));
    assert!(bed.helm(&["test", "web", "--timeout", "120s"]).contains("Succeeded"));

    bed.helm(&["rollback", "web", "1", "--wait"]);
    assert_eq!(text_of(&bed), "one");
    assert_eq!(bed.field("configmap/web-hook", "{.data.revision}"), "1", "the target's hook");
    bed.helm(&["upgrade", "web", &folder, "--reuse-values", "--set", "more=x"]);
    assert_eq!(bed.field("configmap/web-config", "{.data.version}"), "1.1.0");
    assert_eq!(text_of(&bed), "one", "the values of the record");
    assert_eq!(
        told(&bed),
        [
            "1 superseded web-1.0.0",
            "2 superseded web-1.0.0",
            "3 superseded web-1.0.0",
            "4 deployed web-1.1.0"
        ]
    );
    bed.helm(&["uninstall", "web", "--keep-history", "--wait"]);
    assert!(!bed.exists("configmap/web-config"));
    assert!(told(&bed)[3].starts_with("4 uninstalled"));
}

/// What Helm made is adopted, upgraded, rolled back after a failure, and uninstalled with all of its history.
#[tokio::test(flavor = "multi_thread")]
async fn the_controller_takes_over_what_helm_made() {
    let bed = Bed::new("theirs").await;
    bed.publish(&with_hooks("1.0.0"));
    bed.publish(&with_hooks("1.1.0"));
    let broken = "apiVersion: v1\nkind: Pod\nmetadata: {name: broken}\nspec: {containers: [{name: a, image: \"registry.test/nothing:1\"}]}\n";
    bed.publish(&with_hooks("2.0.0").file("templates/broken.yaml", broken));
    let folder = bed.write(&with_hooks("1.0.0")).to_string_lossy().into_owned();
    bed.helm(&["install", "web", &folder, "--set", "text=mine"]);
    bed.helm(&["upgrade", "web", &folder, "--set", "text=ours"]);
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({"text": "ours"})).await;
    bed.ready("web").await;
    assert_eq!(told(&bed), ["1 superseded web-1.0.0", "2 deployed web-1.0.0"], "adopted as it is");
    bed.release("web", "web", "1.1.0", json!({"text": "ours"})).await;
    bed.history("web", |history| history[0]["version"] == 3).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-hook", "{.data.revision}"), "3");
    let more = json!({"timeout": "4s", "upgrade": {"remediation": {"remediateLastFailure": true}}});
    bed.release_with("web", "web", "2.0.0", json!({"text": "bad"}), more).await;
    bed.reason("web", "Remediated", "RollbackSucceeded").await;
    assert_eq!(
        told(&bed)[2..],
        ["3 superseded web-1.1.0", "4 failed web-2.0.0", "5 deployed web-1.1.0"]
    );
    assert_eq!(text_of(&bed), "ours");
    bed.kubectl(&["wait", "--for=delete", "pod/broken", "--timeout=90s"]);
    bed.delete("web").await;
    assert_eq!(bed.helm(&["list", "-q"]).trim(), "");
    assert!(!bed.exists("configmap/web-config"));
    controller.stop().await;
}

/// A Helm that was killed leaves a pending revision, which keeps every other Helm away for good. The controller gives it
/// the time that an action may take, says until when, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_helm_left_pending_is_taken_over_in_time() {
    let bed = Bed::new("killed").await;
    let never = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: never, annotations: {helm.sh/hook: pre-upgrade}}\n\
                 spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: a, image: \"registry.test/nothing:1\"}]}}}\n";
    bed.publish(&with_hooks("1.1.0"));
    let good = bed.write(&with_hooks("1.0.0")).to_string_lossy().into_owned();
    let slow = bed.write(&with_hooks("1.0.1").file("templates/never.yaml", never));
    bed.helm(&["install", "web", &good]);
    let mut helm =
        bed.helm_command(&["upgrade", "web", &slow.to_string_lossy()]).spawn().expect("helm");
    bed.kubectl(&["wait", "--for=create", "job/never", "--timeout=90s"]);
    helm.kill().expect("killed");
    helm.wait().expect("ended");
    assert_eq!(told(&bed), ["1 deployed web-1.0.0", "2 pending-upgrade web-1.0.1"]);

    let controller = bed.start_controller();
    bed.release_with("web", "web", "1.1.0", json!({"text": "on"}), json!({"timeout": "20s"})).await;
    let status = bed.reason("web", "Ready", "PendingRelease").await;
    let message = condition(&status, "Ready").2;
    assert!(
        message.contains("another Helm client") && message.contains("next attempt"),
        "{message}"
    );
    bed.ready("web").await;
    assert_eq!(
        told(&bed),
        ["1 superseded web-1.0.0", "2 failed web-1.0.1", "3 deployed web-1.1.0"]
    );
    assert_eq!(text_of(&bed), "on");
    controller.stop().await;
}

/// `helm upgrade`, `helm rollback` and `helm uninstall` by hand are noticed at once, without an interval, and put back.
#[tokio::test(flavor = "multi_thread")]
async fn what_helm_does_by_hand_is_noticed_and_put_back() {
    let bed = Bed::new("hands").await;
    bed.publish(&with_hooks("1.0.0"));
    let folder = bed.write(&with_hooks("1.0.0")).to_string_lossy().into_owned();
    let controller = bed.start_controller();
    let hour = || json!({"interval": "1h"});
    bed.release_with("web", "web", "1.0.0", json!({"text": "one"}), hour()).await;
    bed.ready("web").await;
    bed.release_with("web", "web", "1.0.0", json!({"text": "two"}), hour()).await;
    bed.history("web", |history| history[0]["version"] == 2).await;
    bed.ready("web").await;

    bed.helm(&["rollback", "web", "1"]);
    bed.history("web", |history| history[0]["version"] == 4).await;
    bed.ready("web").await;
    assert_eq!(text_of(&bed), "two");
    bed.helm(&["upgrade", "web", &folder, "--set", "text=theirs"]);
    bed.history("web", |history| history[0]["version"] == 6).await;
    bed.ready("web").await;
    assert_eq!(text_of(&bed), "two");
    // Of six revisions five are kept.
    let statuses: Vec<_> = bed.helm_history("web").into_iter().map(|(n, s, _)| (n, s)).collect();
    let superseded = |n| (n, "superseded".to_owned());
    assert_eq!(statuses[..4], [2, 3, 4, 5].map(superseded));
    assert_eq!(statuses[4..], [(6, "deployed".to_owned())]);
    let before = bed.field("configmap/web-config", "{.metadata.uid}");
    bed.helm(&["uninstall", "web"]);
    bed.appears("web-config", |object| object["metadata"]["uid"] != before.as_str()).await;
    bed.history("web", |history| history[0]["version"] == 1).await;
    let status = bed.ready("web").await;
    assert_eq!(condition(&status, "Ready").1, "InstallSucceeded");
    assert_eq!(told(&bed), ["1 deployed web-1.0.0"]);
    controller.stop().await;
}

/// Text that gzip cannot make smaller.
fn noise(bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                [(state % 64) as usize],
        )
    };
    (0..bytes).map(|_| letter()).collect()
}

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: toolarges.interop.test}
spec:
  group: interop.test
  names: {kind: TooLarge, plural: toolarges}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"#;

/// A record that a Secret cannot hold is refused before anything is written, the chart's definitions included; without the files
/// that only templates read, it is as good a record as any, for Helm too.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_refused_or_made_lean() {
    let bed = Bed::new("large").await;
    let large = with_hooks("1.0.0")
        .file("crds/definition.yaml", DEFINITION)
        .file("files/large.txt", &noise(1_100_000));
    bed.publish(&large);
    bed.publish(&with_hooks("1.1.0").file("files/fits.txt", &noise(500_000)));
    let controller = bed.start_controller();
    bed.release("web", "web", "1.1.0", json!({"text": "fits"})).await;
    bed.ready("web").await;
    bed.delete("web").await;

    bed.release("web", "web", "1.0.0", json!({"text": "large"})).await;
    let status = bed.reason("web", "Ready", "InstallFailed").await;
    let message = condition(&status, "Ready").2;
    for part in ["1048576", "cd.qdrant.io/record: lean"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    assert!(!bed.exists("configmap/web-config") && !bed.exists("crd/toolarges.interop.test"));
    assert_eq!(bed.helm(&["list", "-q"]).trim(), "");

    bed.kubectl(&["annotate", "helmrelease/web", "cd.qdrant.io/record=lean"]);
    bed.ready("web").await;
    let release = bed.until("web", |_| true).await;
    assert_eq!(release.name_any(), "web");
    assert!(bed.exists("crd/toolarges.interop.test"));
    bed.kubectl(&["delete", "crd/toolarges.interop.test"]);
    controller.stop().await;
    bed.helm(&[
        "upgrade",
        "web",
        &bed.write(&with_hooks("1.2.0")).to_string_lossy(),
        "--reuse-values",
    ]);
    bed.helm(&["rollback", "web", "1", "--wait"]);
    assert_eq!(
        (text_of(&bed), bed.field("configmap/web-config", "{.data.version}")),
        ("large".into(), "1.0.0".into())
    );
    assert!(bed.helm(&["get", "all", "web"]).contains("text is large"));
}

/// Helm 3 wrote with client-side apply: what it wrote and the chart no longer has goes.
#[tokio::test(flavor = "multi_thread")]
async fn fields_that_helm_3_wrote_go_with_the_chart() {
    let bed = Bed::new("helm3").await;
    bed.publish(&web("1.0.0"));
    let old = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "web-config",
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "meta.helm.sh/release-name": "web",
                "meta.helm.sh/release-namespace": bed.namespace(),
            },
        },
        "data": {"text": "old", "gone": "x"},
    });
    let path = bed.file("old.json", &old.to_string());
    bed.kubectl(&["create", "--field-manager=helm", "-f", &path]);
    bed.kubectl(&["label", "configmap/web-config", "mine=kept"]);
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({})).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "default");
    assert_eq!(bed.field("configmap/web-config", "{.data.gone}"), "");
    assert_eq!(bed.field("configmap/web-config", "{.metadata.labels.mine}"), "kept");
    controller.stop().await;
}

/// People and the controller take turns: what we deployed, genuine Helm rolls back and uninstalls.
#[tokio::test(flavor = "multi_thread")]
async fn helm_rolls_back_and_uninstalls_what_the_controller_made() {
    let bed = Bed::new("turns").await;
    bed.publish(&web("1.0.0"));
    made_twice(&bed).await;

    bed.helm(&["rollback", "web", "1", "--wait"]);
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "one");
    let controller = bed.start_controller();
    bed.history("web", |history| history[0]["version"] == 4).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "two");
    controller.stop().await;

    bed.helm(&["uninstall", "web", "--wait"]);
    assert!(!bed.exists("configmap/web-config"));
    assert!(!bed.exists("secret/sh.helm.release.v1.web.v4"));
}
