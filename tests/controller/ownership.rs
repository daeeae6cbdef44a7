//! Whose a release is, and whose an object: what is there already is adopted, taken over, or left alone.

use serde_json::json;

use crate::bed::{self, Bed, web};

#[tokio::test(flavor = "multi_thread")]
async fn what_helm_installed_is_adopted_as_it_is() {
    let bed = Bed::new("adopt").await;
    let web = web("1.0.0");
    bed.publish(&web);
    let folder = bed.write(&web).to_string_lossy().into_owned();
    bed.helm(&["install", "web", &folder, "--set", "text=mine"]);
    let before = bed.field("configmap/web-config", "{.metadata.resourceVersion}");
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({"text": "mine"})).await;
    let status = bed.ready("web").await;
    assert_eq!(status.history.len(), 1);
    assert_eq!(bed.helm_history("web"), [(1, "deployed".into(), "web-1.0.0".into())]);
    assert_eq!(bed.field("configmap/web-config", "{.metadata.resourceVersion}"), before);
    // A person's upgrade is noticed, and put back.
    bed.helm(&["upgrade", "web", &folder, "--set", "text=theirs"]);
    bed.history("web", |history| history[0]["version"] == 3).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "mine");
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_belongs_to_one_object_under_one_name() {
    let bed = Bed::new("claim").await;
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    let named = |name: &str| json!({"releaseName": name, "interval": "1s"});
    bed.release_with("one", "web", "1.0.0", json!({"text": "one"}), named("web")).await;
    bed.ready("one").await;
    bed.release_with("two", "web", "1.0.0", json!({"text": "two"}), named("web")).await;
    let status = bed.reason("two", "Stalled", "StateError").await;
    let (_, _, message) = bed::condition(&status, "Stalled");
    assert!(message.contains("HelmRelease one"), "{message}");
    bed.delete("two").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "one");
    // Under another name it is made anew, and what was made before goes first.
    bed.release_with("one", "web", "1.0.0", json!({"text": "one"}), named("other")).await;
    bed.history("one", |history| history[0]["name"] == "other").await;
    bed.ready("one").await;
    assert!(!bed.exists("configmap/web-config") && bed.exists("configmap/other-config"));
    bed.delete("one").await;
    assert_eq!(bed.helm(&["list", "-q"]).trim(), "");
    assert!(!bed.exists("configmap/other-config"));
    controller.stop().await;
}

/// The second one gets the release as soon as the first is gone, long before its interval is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_taken_over_by_whoever_waits_for_its_name() {
    let bed = Bed::new("heir").await;
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    let named = || json!({"releaseName": "web", "interval": "1h"});
    bed.release_with("one", "web", "1.0.0", json!({"text": "one"}), named()).await;
    bed.ready("one").await;
    bed.release_with("two", "web", "1.0.0", json!({"text": "two"}), named()).await;
    bed.reason("two", "Stalled", "StateError").await;
    bed.delete("one").await;
    bed.ready("two").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "two");
    controller.stop().await;
}

/// A watch on the kind knows only what belongs to a release: what it does not show is not overwritten unseen.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_taken_over_or_left_by_its_owner() {
    let bed = Bed::new("there").await;
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    bed.release("first", "web", "1.0.0", json!({})).await;
    bed.ready("first").await;
    let config = |release: &str, metadata: serde_json::Value| {
        let mut object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("{release}-config")}, "data": {"text": "theirs", "more": "kept"},
        });
        json_patch::merge(&mut object["metadata"], &metadata);
        object
    };
    let owned = json!({
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": bed.namespace(),
        },
    });
    bed.apply(config("nobodys", json!({}))).await;
    bed.apply(config("kept", json!({}))).await;
    bed.apply(config("anothers", owned)).await;
    let data = |release: &str, name: &str| {
        bed.field(&format!("configmap/{release}-config"), &format!("{{.data.{name}}}"))
    };
    bed.release("nobodys", "web", "1.0.0", json!({})).await;
    bed.ready("nobodys").await;
    let expected = ("default".to_owned(), "kept".to_owned());
    assert_eq!((data("nobodys", "text"), data("nobodys", "more")), expected);
    let refuse = json!({"install": {"disableTakeOwnership": true}});
    bed.release_with("kept", "web", "1.0.0", json!({}), refuse).await;
    bed.release("anothers", "web", "1.0.0", json!({})).await;
    for name in ["kept", "anothers"] {
        bed.reason(name, "Released", "InstallFailed").await;
        assert_eq!(data(name, "text"), "theirs", "{name}");
    }
    controller.stop().await;
}
