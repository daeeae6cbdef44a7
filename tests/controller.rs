//! The controller on a real API server, with charts from a real registry, and genuine Helm reading along.

#[path = "controller/bed.rs"]
mod bed;
#[path = "controller/calls.rs"]
mod calls;
#[path = "controller/certificates.rs"]
mod certificates;
#[path = "controller/commands.rs"]
mod commands;
#[path = "controller/cost.rs"]
mod cost;
#[path = "controller/faults.rs"]
mod faults;
#[path = "controller/gate.rs"]
mod gate;
#[path = "controller/interop.rs"]
mod interop;
#[path = "controller/keyless.rs"]
mod keyless;
#[path = "controller/ownership.rs"]
mod ownership;
#[allow(dead_code, reason = "the chaos program uses the rest")]
#[path = "chaos/plan.rs"]
mod plan;
#[allow(dead_code, reason = "the chaos program uses the rest")]
#[path = "chaos/proxy.rs"]
mod proxy;
#[path = "controller/registries.rs"]
mod registries;
#[path = "chaos/runs.rs"]
mod runs;
#[path = "controller/scenarios.rs"]
mod scenarios;
#[path = "controller/sources.rs"]
mod sources;

use bed::{Bed, chart, web};
use gate::Gate;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn install_upgrade_and_uninstall_with_helm_reading_along() {
    let bed = Bed::new("story").await;
    bed.publish(&web("1.0.0"));
    bed.publish(&web("1.1.0"));
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({"text": "one"})).await;
    let status = bed.ready("web").await;
    assert_eq!(bed::condition(&status, "Ready").1, "InstallSucceeded");
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "one");
    bed.release("web", "web", "1.1.0", json!({"text": "two"})).await;
    bed.history("web", |history| history[0]["chartVersion"] == "1.1.0").await;
    let status = bed.ready("web").await;
    assert_eq!(bed::condition(&status, "Ready").1, "UpgradeSucceeded");
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "two");
    let history = bed.helm_history("web");
    assert_eq!(
        history,
        [(1, "superseded".into(), "web-1.0.0".into()), (2, "deployed".into(), "web-1.1.0".into())]
    );
    assert!(bed.helm(&["get", "all", "web"]).contains("text: two"));
    bed.delete("web").await;
    assert_eq!(bed.helm(&["list", "-q"]).trim(), "");
    assert!(!bed.exists("configmap/web-config"));
    controller.stop().await;
}

const PAUSE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: pause, image: {{ .Values.image }}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_does_not_become_ready_is_rolled_back() {
    let bed = Bed::new("rollback").await;
    let app = |version: &str, image: &str| {
        let values = format!("image: {image}\n");
        chart("app", version).file("templates/app.yaml", PAUSE).values(&values)
    };
    bed.publish(&app("1.0.0", "registry.test/pause:1"));
    bed.publish(&app("2.0.0", "registry.test/nothing:1"));
    let controller = bed.start_controller();
    let remediation = json!({"remediateLastFailure": true});
    // Half of this is how long the missing image has to stay missing.
    let more = || json!({"upgrade": {"remediation": remediation, "timeout": "20s"}});
    bed.release_with("app", "app", "1.0.0", json!({}), more()).await;
    bed.ready("app").await;
    bed.release_with("app", "app", "2.0.0", json!({}), more()).await;
    let status = bed.reason("app", "Stalled", "RetriesExceeded").await;
    let (released, ready) = (bed::condition(&status, "Released"), bed::condition(&status, "Ready"));
    assert_eq!((released.0.as_str(), released.1.as_str()), ("False", "UpgradeFailed"));
    assert!(released.2.contains("ImagePullBackOff"), "{}", released.2);
    assert_eq!((ready.0.as_str(), ready.1.as_str()), ("False", "RollbackSucceeded"));
    let image = "{.spec.template.spec.containers[0].image}";
    assert_eq!(bed.field("deployment/app", image), "registry.test/pause:1");
    let statuses: Vec<_> = bed.helm_history("app").into_iter().map(|(n, s, _)| (n, s)).collect();
    let expected = [(1, "superseded"), (2, "failed"), (3, "deployed")];
    assert_eq!(statuses, expected.map(|(n, s)| (n, s.to_owned())));
    controller.stop().await;
}

const HOOK: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: pre-upgrade}
"#;

/// The process ends after its first, second, third … write of an upgrade, until one upgrade is through.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_write_was_the_last_the_successor_ends_the_same_revision() {
    let bed = Bed::new("resume").await;
    let web = |version: &str| web(version).file("templates/hook.yaml", HOOK);
    bed.publish(&web("1.0.0"));
    bed.publish(&web("2.0.0"));
    let mut interrupted = 0;
    for writes in 1..40 {
        let name = format!("r{writes}");
        let controller = bed.start_controller();
        bed.release(&name, "web", "1.0.0", json!({})).await;
        bed.ready(&name).await;
        controller.stop().await;

        bed.release(&name, "web", "2.0.0", json!({})).await;
        let gate = Gate::after(writes);
        let dying = bed.controller_with(gate.client(bed.config().await), "dying");
        let ended = tokio::select! {
            () = gate.closed() => false,
            _ = bed.ready(&name) => true,
        };
        dying.kill().await;
        let hook = || bed.field_if_any(&format!("configmap/{name}-hook"), "{.metadata.uid}");
        let succeeded = bed.hook_succeeded(&name, 2).then(hook);

        let successor = bed.controller_with(bed.client.clone(), "successor");
        let status = bed.ready(&name).await;
        assert_eq!(status.history[0].version, 2, "after write {writes}");
        let history: Vec<_> = bed.helm_history(&name).into_iter().map(|(n, s, _)| (n, s)).collect();
        let expected = [(1, "superseded".to_owned()), (2, "deployed".to_owned())];
        assert_eq!(history, expected, "after write {writes}");
        assert_eq!(bed.field(&format!("configmap/{name}-config"), "{.data.version}"), "2.0.0");
        if let Some(uid) = succeeded {
            assert_eq!(hook(), uid, "the hook ran again after write {writes}");
        }
        successor.stop().await;
        if ended {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted > 6, "only {interrupted} upgrades were interrupted");
}

const BROKEN: &str = r#"{{ fail (printf "no luck: %s" (randAlphaNum 12)) }}"#;

/// Each attempt says something else, and yet does not cause the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_chart_that_fails_at_random_is_not_tried_in_a_loop() {
    let bed = Bed::new("loop").await;
    bed.publish(&chart("broken", "1.0.0").file("templates/web.yaml", BROKEN));
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    bed.release("broken", "broken", "1.0.0", json!({})).await;
    let status = bed.reason("broken", "Released", "InstallFailed").await;
    assert!(bed::condition(&status, "Ready").2.contains("no luck"), "{status:#?}");
    // As long as it takes to install five others.
    for name in ["a", "b", "c", "d", "e"] {
        bed.release(name, "web", "1.0.0", json!({})).await;
        bed.ready(name).await;
    }
    let status = bed.until("broken", |_| true).await.status.unwrap_or_default();
    assert!(status.failures.unwrap_or(0) < 6, "{:?} attempts", status.failures);
    controller.stop().await;
}

/// The wait for an image that cannot be had ends when another is wanted; nobody has failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_newer_spec_ends_a_wait_and_is_acted_upon() {
    let bed = Bed::new("preempt").await;
    bed.publish(&chart("app", "1.0.0").file("templates/app.yaml", PAUSE));
    let controller = bed.start_controller();
    let more = || json!({"timeout": "30m"});
    let image = |tag: &str| json!({"image": format!("registry.test/{tag}")});
    bed.release_with("app", "app", "1.0.0", image("nothing:1"), more()).await;
    bed.until("app", |release| {
        let status = release.status.clone().unwrap_or_default();
        bed::condition(&status, "Ready").2.contains("waiting")
    })
    .await;
    bed.release_with("app", "app", "1.0.0", image("pause:1"), more()).await;
    let status = bed.ready("app").await;
    assert_eq!((status.install_failures, status.upgrade_failures), (None, None));
    let history: Vec<_> = bed.helm_history("app").into_iter().map(|(n, s, _)| (n, s)).collect();
    assert_eq!(history, [(1, "failed".to_owned()), (2, "deployed".to_owned())]);
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_files_of_the_chart_take_the_place_of_its_values() {
    let bed = Bed::new("files").await;
    let web = web("1.0.0");
    bed.publish(&web.file("prod.yaml", "text: production\n"));
    let controller = bed.start_controller();
    let files = |files: serde_json::Value, ignore: bool| {
        json!({"chart": {"spec": {
            "chart": "web", "version": "1.0.0", "valuesFiles": files,
            "ignoreMissingValuesFiles": ignore,
            "sourceRef": {"kind": "HelmRepository", "name": "charts"},
        }}})
    };
    bed.release("web", "web", "1.0.0", json!({})).await;
    bed.ready("web").await;
    bed.release_with("web", "web", "1.0.0", json!({}), files(json!(["none.yaml"]), false)).await;
    let status = bed.reason("web", "Ready", "ArtifactFailed").await;
    assert!(bed::condition(&status, "Ready").2.contains("\"none.yaml\""), "{status:#?}");
    let both = json!(["values.yaml", "prod.yaml", "none.yaml"]);
    bed.release_with("web", "web", "1.0.0", json!({}), files(both, true)).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "production");
    let version = bed.field("configmap/web-config", "{.data.version}");
    assert!(version.starts_with("1.0.0+"), "{version}");
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_helm_chart_object_tells_which_chart_is_used() {
    let bed = Bed::new("chart").await;
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    let more = json!({"chart": {
        "metadata": {"labels": {"mine": "label"}, "annotations": {"mine": "annotation"}},
        "spec": {
            "chart": "web", "version": "1.x", "interval": "20m",
            "sourceRef": {"kind": "HelmRepository", "name": "charts"},
        },
    }});
    bed.release_with("web", "web", "1.x", json!({}), more).await;
    let status = bed.ready("web").await;
    let object = format!("helmchart/{}-web", bed.namespace());
    assert_eq!(status.helm_chart, Some(format!("{0}/{0}-web", bed.namespace())));
    for (path, expected) in [
        ("{.metadata.labels.mine}", "label"),
        ("{.metadata.annotations.mine}", "annotation"),
        ("{.spec.version}", "1.x"),
        ("{.spec.interval}", "20m"),
        ("{.status.artifact.revision}", "1.0.0"),
        ("{.status.conditions[0].reason}", "ChartPullSucceeded"),
    ] {
        assert_eq!(bed.field(&object, path), expected, "{path}");
    }
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_repository_gives_no_charts() {
    let bed = Bed::new("suspended").await;
    bed.publish(&web("1.0.0"));
    let suspend = |on: bool| {
        let patch = format!("{{\"spec\": {{\"suspend\": {on}}}}}");
        bed.kubectl(&["patch", "helmrepository/charts", "--type=merge", "-p", &patch]);
    };
    suspend(true);
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({})).await;
    bed.reason("web", "Ready", "SourceNotReady").await;
    suspend(false);
    bed.ready("web").await;
    controller.stop().await;
}

/// The dependency's change wakes its dependents: no interval is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_those_it_depends_on() {
    let bed = Bed::new("depends").await;
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    let after = |more: serde_json::Value| {
        let mut reference = json!({"name": "base", "namespace": bed.namespace()});
        json_patch::merge(&mut reference, &more);
        json!({"dependsOn": [reference], "interval": "1h"})
    };
    bed.release_with("late", "web", "1.0.0", json!({}), after(json!({}))).await;
    let expression = json!({"readyExpr": "dep.metadata.labels['stage'] == self.spec.values.text"});
    bed.release_with("later", "web", "1.0.0", json!({"text": "two"}), after(expression)).await;
    let status = bed.reason("late", "Ready", "DependencyNotReady").await;
    let message = bed::condition(&status, "Ready").2;
    assert_eq!(message, format!("dependency {}/base is not there", bed.namespace()));
    bed.release("base", "web", "1.0.0", json!({})).await;
    bed.ready("late").await;
    bed.reason("later", "Ready", "DependencyNotReady").await;
    bed.kubectl(&["label", "helmrelease/base", "stage=two"]);
    bed.ready("later").await;
    let broken = after(json!({"readyExpr": "dep.("}));
    bed.release_with("late", "web", "1.0.0", json!({}), broken).await;
    let status = bed.reason("late", "Stalled", "InvalidCELExpression").await;
    assert_eq!(bed::condition(&status, "Ready").1, "InvalidCELExpression");
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_install_is_left_and_tried_again_in_place() {
    let bed = Bed::new("retry").await;
    bed.publish(&chart("app", "1.0.0").file("templates/app.yaml", PAUSE));
    let controller = bed.start_controller();
    let strategy = json!({"name": "RetryOnFailure", "retryInterval": "1s"});
    let more = json!({"install": {"strategy": strategy, "timeout": "2s"}, "upgrade": {"strategy": strategy, "timeout": "60s"}});
    let image = json!({"image": "registry.test/nothing:1"});
    bed.release_with("app", "app", "1.0.0", image, more).await;
    let status = bed.reason("app", "Released", "InstallFailed").await;
    assert_eq!(bed::condition(&status, "Remediated").0, "");
    // The second attempt is an upgrade of what the first has left; only it has the time to see the image come.
    bed.until("app", |release| {
        let status = release.status.clone().unwrap_or_default();
        json!(status.last_attempted_release_action) == "upgrade"
    })
    .await;
    let history = bed.helm_history("app");
    assert_eq!((history[0].0, history[0].1.as_str()), (1, "failed"));
    assert_eq!(history[1].0, 2);
    controller.stop().await;
}

/// Long before the interval is over: what others do to an object wakes its release.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_is_put_right_as_the_spec_says() {
    let bed = Bed::new("drift").await;
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    let mode = |drift: serde_json::Value| json!({"driftDetection": drift, "interval": "1h"});
    let text = || bed.field_if_any("configmap/web-config", "{.data.text}");
    let edit = |patch: &str| {
        bed.kubectl(&["patch", "configmap/web-config", "--type=merge", "-p", patch]);
    };
    bed.release_with("web", "web", "1.0.0", json!({}), json!({"interval": "1h"})).await;
    bed.ready("web").await;

    // Without a word in the spec, what is gone comes back.
    bed.kubectl(&["delete", "configmap/web-config"]);
    bed.appears("web-config", |map| map["data"]["text"] == "default").await;

    let warn = mode(json!({"mode": "warn"}));
    bed.release_with("web", "web", "1.0.0", json!({}), warn).await;
    bed.ready("web").await;
    edit(r#"{"data": {"text": "edited", "more": "theirs"}}"#);
    let status = bed.reason("web", "Drifted", "DriftDetected").await;
    let message = bed::condition(&status, "Drifted").2;
    assert!(
        message.ends_with(&format!("ConfigMap {}/web-config: /data/text", bed.namespace())),
        "{message}"
    );
    assert_eq!(bed::condition(&status, "Ready").0, "True");
    assert_eq!(text(), "edited");

    let ignore = json!([{"paths": ["/data/version"], "target": {"kind": "ConfigMap"}}]);
    let enabled = mode(json!({"mode": "enabled", "ignore": ignore}));
    bed.release_with("web", "web", "1.0.0", json!({}), enabled).await;
    bed.appears("web-config", |map| map["data"]["text"] == "default").await;
    edit(r#"{"data": {"text": "again", "version": "theirs"}}"#);
    let map = bed.appears("web-config", |map| map["data"]["text"] == "default").await;
    assert_eq!(
        (&map["data"]["version"], &map["data"]["more"]),
        (&json!("theirs"), &json!("theirs"))
    );
    assert_eq!(bed.helm_history("web").len(), 1);
    controller.stop().await;
}

/// What the spec changes of the rendered objects is applied and recorded; a change of it is an upgrade.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_spec_changes_of_the_rendered_objects_is_applied() {
    let bed = Bed::new("patched").await;
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    let more = |value: &str| {
        let operations = format!("- {{op: replace, path: /data/text, value: {value}}}");
        let merge =
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-config}\ndata: {merged: x}\n";
        json!({
            "commonMetadata": {"labels": {"team": "ours"}},
            "postRenderers": [{"kustomize": {"patches": [
                {"patch": operations, "target": {"kind": "ConfigMap"}}, {"patch": merge},
            ]}}],
        })
    };
    let data = |name: &str| bed.field("configmap/web-config", &format!("{{.data.{name}}}"));
    bed.release_with("web", "web", "1.0.0", json!({}), more("one")).await;
    bed.ready("web").await;
    assert_eq!((data("text"), data("merged")), ("one".to_owned(), "x".to_owned()));
    assert_eq!(bed.field("configmap/web-config", "{.metadata.labels.team}"), "ours");
    assert!(bed.helm(&["get", "manifest", "web"]).contains("merged: x"));
    bed.release_with("web", "web", "1.0.0", json!({}), more("two")).await;
    bed.history("web", |history| history[0]["version"] == 2).await;
    let status = bed.ready("web").await;
    assert_eq!(data("text"), "two");
    assert!(status.observed_post_renderers_digest.is_some());
    let broken = json!({"postRenderers": [{"kustomize": {"patches": [{"patch": "text"}]}}]});
    bed.release_with("web", "web", "1.0.0", json!({}), broken).await;
    let status = bed.reason("web", "Stalled", "Unsupported").await;
    let message = bed::condition(&status, "Stalled").2;
    assert!(message.starts_with("spec.postRenderers[0].kustomize.patches[0]: "), "{message}");
    assert_eq!(bed.helm_history("web").len(), 2);
    controller.stop().await;
}

/// A change of an object that values come from is seen at once, long before the interval is over.
#[tokio::test(flavor = "multi_thread")]
async fn values_from_an_object_are_watched() {
    let bed = Bed::new("values").await;
    bed.publish(&web("1.0.0"));
    let values = |text: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values"},
            "data": {"values.yaml": format!("text: {text}\n")},
        })
    };
    let controller = bed.start_controller();
    let more = json!({"valuesFrom": [{"kind": "ConfigMap", "name": "values"}]});
    bed.release_with("web", "web", "1.0.0", json!({}), more).await;
    bed.reason("web", "Ready", "ValuesError").await;
    bed.apply(values("one")).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "one");
    bed.apply(values("two")).await;
    bed.history("web", |history| history[0]["version"] == 2).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "two");
    controller.stop().await;
}

/// Another cluster is reached by the kubeconfig in a Secret; here it is the same one by another way.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_to_another_cluster() {
    let bed = Bed::new("remote").await;
    bed.publish(&web("1.0.0"));
    let controller = bed.start_controller();
    let more = |key: &str| {
        let secret = json!({"name": "there", "key": key});
        json!({"kubeConfig": {"secretRef": secret}, "persistentClient": false})
    };
    bed.release_with("web", "web", "1.0.0", json!({}), more("config")).await;
    let status = bed.reason("web", "Ready", "RESTClientError").await;
    let message = bed::condition(&status, "Ready").2;
    assert!(message.starts_with("Secret there is not there"), "{message}");
    let config = bed.kubeconfig();
    let running = config.replace("token:", "exec: {command: sh, apiVersion: v1}, token:");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "there"},
        "stringData": {"config": config, "running": running},
    });
    bed.apply(secret).await;
    bed.release_with("web", "web", "1.0.0", json!({}), more("running")).await;
    let program = |release: &pinnace::api::helm_release::HelmRelease| {
        let status = release.status.clone().unwrap_or_default();
        bed::condition(&status, "Ready").2.contains("it runs a program to log in")
    };
    bed.until("web", program).await;
    bed.release_with("web", "web", "1.0.0", json!({}), more("config")).await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "default");
    // When the way there is gone, the object goes without its release.
    bed.kubectl(&["delete", "secret/there"]);
    bed.delete("web").await;
    assert!(bed.exists("configmap/web-config"));
    controller.stop().await;
}
