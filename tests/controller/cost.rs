//! What a release costs the API server, and the numbers that tell.

use pinnace::cluster::traffic;
use pinnace::telemetry::admin::{Admin, Health};
use pinnace::telemetry::metrics::Metrics;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::PAUSE;
use crate::bed::{Bed, chart, condition, web};
use crate::calls::Calls;

const EIGHT: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: {{ .Release.Name }}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: {{ .Release.Name }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .Release.Name }}}
subjects: [{kind: ServiceAccount, name: {{ .Release.Name }}}]
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {text: {{ .Values.text | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {text: {{ .Values.text | quote }}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, labels: {text: {{ .Values.text }}}}
spec:
  replicas: 0
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: pause, image: "registry.test/pause:1"}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: {{ .Release.Name }}}
spec: {minAvailable: 0, selector: {matchLabels: {app: {{ .Release.Name }}}}}
"#;

/// Calls to the API for a chart of eight objects, after another one has made the kinds known. Watches and the lists that
/// begin them are counted too. A release that is as it is wanted costs nothing, however short its interval.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_release_costs_the_api_server_has_a_limit() {
    let bed = Bed::new("cost").await;
    bed.publish(&chart("web", "1.0.0").file("templates/web.yaml", EIGHT).values("text: one\n"));
    bed.publish(&chart("app", "1.0.0").file("templates/app.yaml", PAUSE));
    let calls = Calls::default();
    let controller = bed.controller_with(calls.client(bed.config().await), "counted");
    let drift = || json!({"interval": "1s", "driftDetection": {"mode": "enabled"}});
    bed.release_with("first", "web", "1.0.0", json!({}), drift()).await;
    bed.ready("first").await;
    calls.take();
    bed.release_with("web", "web", "1.0.0", json!({}), drift()).await;
    bed.ready("web").await;
    // The first one may be looked at once more meanwhile, and what all of them need of their source is anybody's.
    let shared = ["/helmrepositories/charts", "/configmaps/qdrant-cloud-registries", "/secrets/ca"];
    let of_web = || {
        let mut calls = calls.take();
        calls.retain(|c| !about(c, &["first"]) && !shared.iter().any(|end| c.ends_with(end)));
        calls
    };
    let install = of_web();
    bed.release_with("web", "web", "1.0.0", json!({"text": "two"}), drift()).await;
    bed.history("web", |history| history[0]["version"] == 2).await;
    bed.ready("web").await;
    let upgrade = of_web();
    let counted =
        format!("install {}: {install:#?}\nupgrade {}: {upgrade:#?}", install.len(), upgrade.len());
    assert!(install.len() <= 20 && upgrade.len() <= 20, "{counted}");
    // Several intervals go by while others wait in vain for their image. Until the first one's end, the last events of the
    // upgrade may still be looked at.
    let image = || json!({"image": "registry.test/nothing:1"});
    let mut idle = Vec::new();
    for late in ["late", "later"] {
        calls.take();
        bed.release_with(late, "app", "1.0.0", image(), json!({"timeout": "5s"})).await;
        bed.reason(late, "Released", "InstallFailed").await;
        idle = calls.take();
        idle.retain(|call| about(call, &["web", "first"]));
    }
    assert!(idle.is_empty(), "{idle:#?}");
    controller.stop().await;
}

/// Whether a call is about one of these releases, and not the end of what was under way.
fn about(call: &str, releases: &[&str]) -> bool {
    let of = |name: &str| {
        call.split(['/', '?', '&', '%', ' ']).any(|part| {
            part == name
                || part == format!("{name}-config")
                || part.contains(&format!(".{name}.v"))
                || part.ends_with(&format!("-{name}"))
                || part.ends_with(&format!("3D{name}"))
        })
    };
    releases.iter().copied().any(of) && !call.contains("watch=true")
}

/// However many wait, the API server has one watch for each kind; a watch by each would be a connection by each. Who comes
/// late knows of the pods in trouble all the same.
#[tokio::test(flavor = "multi_thread")]
async fn waits_share_their_watches() {
    let bed = Bed::new("share").await;
    bed.publish(&chart("app", "1.0.0").file("templates/app.yaml", PAUSE));
    let calls = Calls::default();
    let controller = bed.controller_with(calls.client(bed.config().await), "counted");
    let image = || json!({"image": "registry.test/nothing:1"});
    let names = ["r1", "r2", "r3", "r4", "r5", "r6"];
    for name in names {
        bed.release_with(name, "app", "1.0.0", image(), json!({"timeout": "30s"})).await;
    }
    for name in names {
        let status = bed.reason(name, "Released", "InstallFailed").await;
        let message = condition(&status, "Released").2;
        assert!(message.contains("registry.test/nothing:1"), "{message}");
    }
    let calls = calls.take();
    for kind in ["deployments", "pods"] {
        let of_waits = |call: &&String| {
            call.contains(&format!("/{kind}?"))
                && call.contains("watch=true")
                && !call.contains("labelSelector")
        };
        let watches: Vec<&String> = calls.iter().filter(of_waits).collect();
        assert_eq!(watches.len(), 1, "{watches:#?}");
    }
    controller.stop().await;
}

/// What `/metrics` shows: calls by verb and result, how long it took, and what the objects say.
#[tokio::test(flavor = "multi_thread")]
async fn the_controllers_numbers_can_be_scraped() {
    let bed = Bed::new("metrics").await;
    bed.publish(&web("1.0.0"));
    let metrics = Metrics::new("agent", "1.2.3");
    let client = traffic::client(bed.config().await, &metrics).expect("a client");
    let admin = Admin::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = admin.address();
    let end = CancellationToken::new();
    let serving = tokio::spawn(admin.serve(Health::new(), metrics.clone(), end.clone()));
    let controller = bed.measured_controller(client, "measured", metrics);
    bed.release("web", "web", "1.0.0", json!({})).await;
    bed.release_with("still", "web", "1.0.0", json!({}), json!({"suspend": true})).await;
    bed.release("none", "none", "1.0.0", json!({})).await;
    bed.reason("none", "Ready", "ArtifactFailed").await;
    bed.ready("web").await;
    let text = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
    let text = text.text().await.expect("text");
    for line in [
        r#"gotk_reconcile_condition{kind="HelmRelease",type="Ready",status="True"} 1"#,
        r#"gotk_reconcile_condition{kind="HelmRelease",type="Ready",status="False"} 1"#,
        r#"gotk_reconcile_condition{kind="HelmRelease",type="Stalled",status="True"} 0"#,
        "gotk_suspend_status 1",
        "controller_releases 3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    let number = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|n| n.parse::<f64>().ok()).unwrap_or_else(|| panic!("{name} in\n{text}"))
    };
    assert!(number("gotk_reconcile_duration_seconds_count") >= 1.0);
    assert!(number("controller_queue_depth") >= 0.0);
    for (verb, result) in [("patch", "success"), ("create", "success"), ("watch", "success")] {
        let name = format!(r#"kubernetes_api_requests_total{{verb="{verb}",result="{result}"}}"#);
        assert!(number(&name) >= 1.0);
    }
    controller.stop().await;
    end.cancel();
    serving.await.expect("no panic").expect("no error");
}
