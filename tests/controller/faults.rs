//! One kind of fault after the other between the controller and the API server, at the calls where it hurts: each ends
//! at one clean revision, with each hook run once.

use kube::Client;
use kube::api::DeleteParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use super::bed::{Bed, chart};
use super::plan::{Call, Fault, Plan};
use super::proxy::Proxy;
use super::runs::Runs;

const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-config"}
data: {version: {{ .Chart.Version | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-{{ .Chart.Version | replace "." "-" }}"}
"#;

const HOOKS: &str = r#"
{{- range list "pre-upgrade" "post-upgrade" "pre-delete" "post-delete" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.Release.Name }}-{{ . }}
  annotations:
    helm.sh/hook: {{ . }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
"#;

/// A controller that reaches the API server by way of a proxy, and what hooks ran.
struct Site {
    bed: Bed,
    proxy: Proxy,
    runs: Runs,
}

impl Site {
    async fn new(name: &'static str) -> Self {
        let bed = Bed::new(name).await;
        for version in ["1.0.0", "2.0.0"] {
            let chart = chart("web", version).file("templates/objects.yaml", OBJECTS);
            bed.publish(&chart.file("templates/hooks.yaml", HOOKS));
        }
        let proxy = Proxy::start(bed.config().await).await;
        let runs = Runs::watch(bed.client.clone(), bed.namespace());
        Self { bed, proxy, runs }
    }

    async fn client(&self) -> Client {
        let config = Kubeconfig::from_yaml(&self.proxy.kubeconfig()).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options).await;
        Client::try_from(config.expect("a configuration")).expect("a client")
    }

    /// Installs a release, upgrades it and uninstalls it, the last two with `times` faults at the calls for which
    /// `which` is true.
    async fn survives(
        &self,
        name: &str,
        fault: Fault,
        times: usize,
        which: impl Fn(&Call) -> bool + Copy + Send + 'static,
    ) {
        let bed = &self.bed;
        bed.release(name, "web", "1.0.0", json!({})).await;
        bed.ready(name).await;
        self.begin(fault, times, which);
        bed.release(name, "web", "2.0.0", json!({})).await;
        let status = bed.ready(name).await;
        let hit = self.proxy.take_counts().values().sum::<usize>();
        assert!(hit > 0, "{name}: nothing went wrong");
        assert_eq!(status.history[0].version, 2, "{name}");
        let history: Vec<_> = bed.helm_history(name).into_iter().map(|(n, s, _)| (n, s)).collect();
        let expected = [(1, "superseded".to_owned()), (2, "deployed".to_owned())];
        assert_eq!(history, expected, "{name}");
        assert_eq!(bed.field(&format!("configmap/{name}-config"), "{.data.version}"), "2.0.0");
        assert!(!bed.exists(&format!("configmap/{name}-1-0-0")), "{name}: left over");
        assert!(bed.exists(&format!("configmap/{name}-2-0-0")), "{name}: lost");
        self.ran_once(name, ["pre-upgrade", "post-upgrade"]).await;

        self.begin(fault, times, which);
        bed.delete(name).await;
        self.proxy.follow(Plan::nothing());
        self.proxy.take_counts();
        for left in ["config", "2-0-0"] {
            assert!(!bed.exists(&format!("configmap/{name}-{left}")), "{name}: {left} is left");
        }
        let records = bed.kubectl(&["get", "secrets", "-l", &format!("name={name}"), "-o", "name"]);
        assert_eq!(records, "", "{name}");
        self.ran_once(name, ["pre-delete", "post-delete"]).await;
    }

    fn begin(&self, fault: Fault, times: usize, which: impl Fn(&Call) -> bool + Send + 'static) {
        self.proxy.follow(Plan::hit(fault, times, which));
        // Or there would be none to hit for minutes.
        self.proxy.drop_watches();
    }

    async fn ran_once(&self, name: &str, events: [&str; 2]) {
        let ran = self.runs.take(name).await;
        let expected =
            events.map(|event| ((format!("{name}.v2/{event}"), format!("{name}-{event}")), 1));
        assert_eq!(ran, expected.into(), "{name}");
    }
}

fn is(call: &Call, method: &str, path: &str) -> bool {
    call.method == method && call.path.contains(path)
}

/// Of quotas, which the caller knows nothing of.
#[tokio::test(flavor = "multi_thread")]
async fn conflicts_of_others_are_no_failures() {
    let site = Site::new("fault-409").await;
    let controller = site.bed.controller_with(site.client().await, "one");
    site.survives("hook", Fault::Conflict, 3, |c| is(c, "PATCH", "-upgrade")).await;
    site.survives("object", Fault::Conflict, 3, |c| is(c, "PATCH", "-config")).await;
    site.survives("gone", Fault::Conflict, 3, |c| is(c, "DELETE", "/configmaps/")).await;
    site.survives("begun", Fault::Conflict, 1, |c| is(c, "POST", "/secrets")).await;
    site.survives("record", Fault::Conflict, 1, |c| is(c, "PUT", "/secrets/")).await;
    site.survives("removed", Fault::Conflict, 2, |c| {
        is(c, "DELETE", "/secrets/") || is(c, "PATCH", "/helmreleases/")
    })
    .await;
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_are_gone_begin_anew() {
    let site = Site::new("fault-410").await;
    let controller = site.bed.controller_with(site.client().await, "one");
    site.survives("gone", Fault::Gone, 12, |_| true).await;
    site.survives("dropped", Fault::DroppedWatch, 12, |_| true).await;
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_asked_again() {
    let site = Site::new("fault-5xx").await;
    let controller = site.bed.controller_with(site.client().await, "one");
    site.survives("throttled", Fault::Throttled, 4, Call::writes).await;
    site.survives("failing", Fault::ServerError, 8, Call::writes).await;
    site.survives("reading", Fault::ServerError, 8, |c| !c.writes()).await;
    site.survives("late", Fault::Latency, 6, |_| true).await;
    controller.stop().await;
}

/// The write was made, and nobody was told.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_leads_to_no_second_revision_and_no_second_run() {
    let site = Site::new("fault-lost").await;
    let controller = site.bed.controller_with(site.client().await, "one");
    site.survives("begun", Fault::LostReply, 1, |c| is(c, "POST", "/secrets")).await;
    site.survives("record", Fault::LostReply, 1, |c| is(c, "PUT", "/secrets/")).await;
    site.survives("hook", Fault::LostReply, 2, |c| is(c, "PATCH", "-upgrade")).await;
    site.survives("object", Fault::LostReply, 2, |c| is(c, "PATCH", "-config")).await;
    site.survives("status", Fault::LostReply, 2, |c| is(c, "PATCH", "/helmreleases/")).await;
    site.survives("gone", Fault::LostReply, 4, |c| is(c, "DELETE", "/")).await;
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_none() {
    let site = Site::new("fault-half").await;
    let controller = site.bed.controller_with(site.client().await, "one");
    site.survives("reading", Fault::HalfClosed, 4, |c| is(c, "GET", "/secrets")).await;
    site.survives("record", Fault::HalfClosed, 1, |c| is(c, "PUT", "/secrets/")).await;
    site.survives("hook", Fault::HalfClosed, 2, |c| is(c, "PATCH", "-upgrade")).await;
    controller.stop().await;
}

const REFUSED: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: refused}
data: {"no key": "has a space"}
"#;

/// The way back is deployed, and the process ends before the revision from before is superseded.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_way_back_that_was_cut_short_one_revision_is_deployed() {
    let site = Site::new("fault-tidy").await;
    let bed = &site.bed;
    bed.publish(&chart("web", "3.0.0").file("templates/refused.yaml", REFUSED));
    let controller = bed.controller_with(site.client().await, "one");
    let more = || json!({"upgrade": {"remediation": {"remediateLastFailure": true}}});
    bed.release_with("back", "web", "1.0.0", json!({}), more()).await;
    bed.ready("back").await;
    let superseding = |c: &Call| is(c, "PUT", "/secrets/sh.helm.release.v1.back.v1");
    site.proxy.follow(Plan::hit(Fault::ServerError, 1, superseding));
    bed.release_with("back", "web", "3.0.0", json!({}), more()).await;
    bed.reason("back", "Stalled", "RetriesExceeded").await;
    assert_eq!(site.proxy.take_counts().len(), 1);
    let statuses: Vec<_> = bed.helm_history("back").into_iter().map(|(_, s, _)| s).collect();
    assert_eq!(statuses, ["superseded", "failed", "deployed"]);
    controller.stop().await;
}

/// The release is gone, the object not yet: what a person has installed under the name since is not the object's.
#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_that_outlived_its_release_leaves_the_next_one_alone() {
    let site = Site::new("fault-stale").await;
    let bed = &site.bed;
    let controller = bed.controller_with(site.client().await, "one");
    bed.release("stale", "web", "1.0.0", json!({})).await;
    bed.ready("stale").await;
    let finalizing =
        |c: &Call| is(c, "PATCH", "/helmreleases/stale") && !c.path.ends_with("/status");
    site.proxy.follow(Plan::hit(Fault::ServerError, usize::MAX, finalizing));
    bed.releases().delete("stale", &DeleteParams::default()).await.expect("deleted");
    bed.reason("stale", "Ready", "ReconcileError").await;
    controller.kill().await;
    assert!(!bed.exists("configmap/stale-config"));

    let folder = bed.write(&chart("web", "1.0.0").file("templates/objects.yaml", OBJECTS));
    bed.helm(&["install", "stale", &folder.to_string_lossy()]);
    site.proxy.follow(Plan::nothing());
    let controller = bed.controller_with(site.client().await, "two");
    bed.delete("stale").await;
    assert!(bed.exists("configmap/stale-config"));
    assert_eq!(bed.helm_history("stale").len(), 1);
    controller.stop().await;
}

/// It takes as long as the longest wait for an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let site = Site::new("fault-silence").await;
    let controller = site.bed.controller_with(site.client().await, "one");
    site.survives("record", Fault::Silence, 1, |c| is(c, "PUT", "/secrets/")).await;
    controller.stop().await;
}
