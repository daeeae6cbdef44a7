//! The people's commands on a real API server, with genuine kubectl and helm beside them.

use std::path::Path;
use std::process::{Command, Output};

use pinnace::model::condition::READY;
use pinnace_testbed::{Cluster, tool};
use serde_json::{Value, json};

use crate::bed::{self, Bed, Chart, chart};

const WEB: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: web-config}
data: {text: {{ .Values.text | quote }}, version: {{ .Chart.Version | quote }}}
---
apiVersion: v1
kind: Secret
metadata: {name: web-secret}
stringData: {password: {{ .Values.login | quote }}}
"#;
const OLD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-old}\n";
const NEW: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-new}\n";
const HOOK: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web-hook\n  \
                    annotations: {helm.sh/hook: pre-upgrade}\n";
const SECRET: &str = "correct-horse";

/// A program with the test's cluster and namespace.
struct People<'a> {
    bed: &'a Bed,
    kubeconfig: String,
}

impl<'a> People<'a> {
    fn new(bed: &'a Bed) -> Self {
        Self { bed, kubeconfig: Cluster::shared().kubeconfig().display().to_string() }
    }

    fn try_pinnace(&self, verb: &str, args: &[&str]) -> Output {
        let mut pinnace = Command::new(env!("CARGO_BIN_EXE_pinnace"));
        pinnace.arg(verb).args(["-n", self.bed.namespace(), "--kubeconfig", &self.kubeconfig]);
        pinnace.args(args).output().expect("pinnace starts")
    }

    /// Standard output; panics if it does not end with this code.
    fn pinnace_ending(&self, code: i32, verb: &str, args: &[&str]) -> String {
        let output = self.try_pinnace(verb, args);
        let words = String::from_utf8_lossy(&output.stderr);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "pinnace {verb} {args:?}: {said}{words}");
        said
    }

    fn pinnace(&self, verb: &str, args: &[&str]) -> String {
        self.pinnace_ending(0, verb, args)
    }

    fn json(&self, verb: &str, args: &[&str]) -> Value {
        let text = self.pinnace(verb, &[args, &["-o", "json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }
}

fn web(version: &str) -> Chart {
    chart("web", version).file("templates/web.yaml", WEB).values("text: default\nlogin: none\n")
}

/// A release whose login comes from a Secret.
async fn install(bed: &Bed) {
    bed.publish(&web("1.0.0").file("templates/old.yaml", OLD));
    bed.publish(&web("2.0.0").file("templates/new.yaml", NEW).file("templates/hook.yaml", HOOK));
    let values = format!("login: {SECRET}\n");
    bed.apply(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
        "stringData": {"values.yaml": values},
    }))
    .await;
    let from = json!({"valuesFrom": [{"kind": "Secret", "name": "login"}]});
    bed.release_with("web", "web", "1.0.0", json!({"text": "one"}), from).await;
    bed.ready("web").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_see_of_a_release() {
    let bed = Bed::new("people").await;
    let controller = bed.start_controller();
    install(&bed).await;
    let people = People::new(&bed);

    let table = people.pinnace("get", &[]);
    assert!(
        table.starts_with("NAME   READY   REVISION   RUNNING     WANTED      REASON"),
        "{table}"
    );
    assert!(table.contains("web    True    1          web-1.0.0   web-1.0.0   InstallSucceeded"));
    let resource = ["get", "helmreleases.cd.qdrant.io"];
    assert_eq!(
        people.pinnace("get", &["-o", "name"]),
        bed.kubectl(&[&resource[..], &["-o", "name"]].concat())
    );
    let theirs = bed.kubectl(&[&resource[..], &["web", "-o", "json"]].concat());
    let theirs: Value = serde_json::from_str(&theirs).expect("JSON of kubectl");
    let ours = people.json("get", &["web"]);
    assert_eq!((&ours["spec"], &ours["status"]), (&theirs["spec"], &theirs["status"]));
    assert!(people.pinnace("get", &["-A"]).contains(&format!("\n{} ", bed.namespace())));
    let missing = people.try_pinnace("get", &["nothing"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no HelmRelease nothing"));

    let history = people.json("history", &["web"]);
    let theirs: Value =
        serde_json::from_str(&bed.helm(&["history", "web", "-o", "json"])).expect("JSON of helm");
    for field in ["revision", "status", "chart", "app_version", "description"] {
        assert_eq!(history[0][field], theirs[0][field], "{field}");
    }

    let values = people.pinnace("values", &["web"]);
    assert_eq!(values, "login: '[redacted]'\ntext: one\n");
    let theirs = bed.helm(&["get", "values", "web", "-o", "yaml"]);
    assert_eq!(people.pinnace("values", &["web", "--show-secrets"]), theirs);
    let manifest = people.pinnace("manifest", &["web"]);
    assert!(
        !manifest.contains(SECRET) && manifest.contains("password: '[redacted]'"),
        "{manifest}"
    );
    let theirs = bed.helm(&["get", "manifest", "web"]);
    assert_eq!(people.pinnace("manifest", &["web", "--show-secrets"]).trim(), theirs.trim());

    let why = people.pinnace("why", &["web"]);
    assert!(why.starts_with("web is ready.\n"), "{why}");
    kubectl_finds_the_plugin(&people);
    names_are_completed(&people);
    controller.stop().await;
}

/// `kubectl pinnace` runs a link to the same program, which says so in its texts.
fn kubectl_finds_the_plugin(people: &People<'_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_pinnace"));
    std::os::unix::fs::symlink(program, folder.path().join("kubectl-pinnace")).expect("a link");
    let kubectl = |args: &[&str]| {
        let output = Command::new(tool("kubectl"))
            .args(args)
            .env("PATH", folder.path())
            .env("KUBECONFIG", &people.kubeconfig)
            .output()
            .expect("kubectl starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let names = kubectl(&["pinnace", "get", "-n", people.bed.namespace(), "-o", "name"]);
    assert_eq!(names, "helmrelease.cd.qdrant.io/web\n");
    let usage = kubectl(&["pinnace", "why", "--help"]);
    assert!(usage.contains("Usage: kubectl pinnace why [OPTIONS] <RELEASE>"), "{usage}");
}

/// As bash asks, through the script that `pinnace completion bash` prints.
fn names_are_completed(people: &People<'_>) {
    let namespace = people.bed.namespace();
    let words = ["pinnace", "why", "-n", namespace, "w"];
    let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .env("PINNACE_COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", "4")
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "false")
        .env("KUBECONFIG", &people.kubeconfig)
        .arg("--")
        .args(words)
        .output()
        .expect("pinnace starts");
    let found = String::from_utf8_lossy(&output.stdout);
    assert!(found.lines().any(|line| line == "web"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_changes_nothing_and_tells_all() {
    let bed = Bed::new("preview").await;
    let controller = bed.start_controller();
    install(&bed).await;
    let people = People::new(&bed);
    let versions = || {
        let objects = ["configmap/web-config", "configmap/web-old", "secret/web-secret"];
        objects.map(|object| bed.field(object, "{.metadata.resourceVersion}"))
    };
    let before = versions();

    assert!(people.pinnace("diff", &["web"]).contains("0 to create, 0 to change, 0 to delete"));
    let login = "--set=login=another-horse";
    let told = people.pinnace_ending(1, "diff", &["web", "--version", "2.0.0", login]);
    let namespace = bed.namespace();
    for line in [
        "web: revision 1, web@1.0.0 -> web@2.0.0".to_owned(),
        format!("+ ConfigMap {namespace}/web-new"),
        format!("- ConfigMap {namespace}/web-old"),
        format!("~ ConfigMap {namespace}/web-config"),
        "    /data/version: \"1.0.0\" -> \"2.0.0\"".to_owned(),
        "    /data/password: \"[redacted]\" -> \"[redacted]\"".to_owned(),
        "* pre-upgrade hook: ConfigMap web-hook".to_owned(),
        "1 to create, 2 to change, 1 to delete, 0 unchanged".to_owned(),
    ] {
        assert!(told.lines().any(|found| found == line), "{line} is not in\n{told}");
    }
    assert!(!told.contains(SECRET) && !told.contains("another-horse"), "{told}");
    let none = people.pinnace_ending(2, "diff", &["web", "--version", "9.0.0"]);
    assert_eq!(none, "");

    bed.kubectl(&["annotate", "helmrelease.cd.qdrant.io", "web", "cd.qdrant.io/plan=2.0.0"]);
    let planned = |release: &pinnace::api::helm_release::HelmRelease| {
        release.status.as_ref().is_some_and(|status| status.plan.is_some())
    };
    let plan = bed.until("web", planned).await.status.and_then(|status| status.plan);
    let plan = plan.expect("a plan");
    assert_eq!(plan.error, None);
    assert_eq!(plan.chart.as_deref(), Some("web@2.0.0"));
    assert_eq!(plan.create, [format!("ConfigMap {namespace}/web-new")]);
    assert_eq!(plan.delete, [format!("ConfigMap {namespace}/web-old")]);
    assert_eq!(plan.change[0].object, format!("ConfigMap {namespace}/web-config"));
    assert_eq!(plan.change[0].fields, ["/data/version"]);
    assert_eq!((plan.hooks, plan.unchanged), (vec!["pre-upgrade: ConfigMap web-hook".into()], 1));
    assert_eq!(versions(), before, "nothing was applied");
    assert_eq!(bed.helm_history("web").len(), 1);

    // A suspended release is planned as well: for the spec as it would be after a resumption.
    people.pinnace("suspend", &["web"]);
    bed.kubectl(&[
        "annotate",
        "--overwrite",
        "helmrelease.cd.qdrant.io",
        "web",
        "cd.qdrant.io/plan=spec",
    ]);
    let asked = |release: &pinnace::api::helm_release::HelmRelease| {
        let plan = release.status.as_ref().and_then(|status| status.plan.as_ref());
        plan.is_some_and(|plan| plan.request == "spec" && plan.change.is_empty())
    };
    bed.until("web", asked).await;
    bed.kubectl(&["annotate", "helmrelease.cd.qdrant.io", "web", "cd.qdrant.io/plan-"]);
    bed.until("web", |release| !planned(release)).await;
    controller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_goes_back_and_lets_the_controller_go_on() {
    let bed = Bed::new("goback").await;
    let controller = bed.start_controller();
    install(&bed).await;
    let people = People::new(&bed);
    let from = json!({"valuesFrom": [{"kind": "Secret", "name": "login"}]});
    bed.release_with("web", "web", "2.0.0", json!({"text": "two"}), from).await;
    bed.history("web", |history| history[0]["version"] == 2).await;
    bed.ready("web").await;

    let said = people.pinnace("rollback", &["web"]);
    assert!(said.contains("release web is at revision 3, which is revision 1 again"), "{said}");
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "one");
    let statuses: Vec<_> = bed.helm_history("web").into_iter().map(|(n, s, _)| (n, s)).collect();
    let expected = [(1, "superseded"), (2, "superseded"), (3, "deployed")];
    assert_eq!(statuses, expected.map(|(n, s)| (n, s.to_owned())));
    let why = people.pinnace("why", &["web"]);
    assert!(why.starts_with("web is suspended: nothing is done about it.\n"), "{why}");
    assert!(
        why.contains(&format!("To do       pinnace resume web -n {}", bed.namespace())),
        "{why}"
    );
    assert_eq!(people.try_pinnace("reconcile", &["web"]).status.code(), Some(1));

    people.pinnace("resume", &["web"]);
    assert_eq!(bed.field("configmap/web-config", "{.data.text}"), "two");
    assert_eq!(bed.helm_history("web").len(), 4);
    people.pinnace("reconcile", &["web", "--force"]);
    assert_eq!(bed.helm_history("web").len(), 5);
    controller.stop().await;
}

const PAUSE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers: [{name: app, image: {{ .Values.image }}}]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn why_names_the_cause() {
    let bed = Bed::new("why").await;
    let values = "image: registry.test/nothing:1\n";
    bed.publish(&chart("app", "1.0.0").file("templates/app.yaml", PAUSE).values(values));
    let controller = bed.start_controller();
    let people = People::new(&bed);
    // Long enough that the trouble is seen before it counts as failure.
    bed.release_with("app", "app", "1.0.0", json!({}), json!({"timeout": "10m"})).await;
    bed.until("app", |release| {
        let status = release.status.clone().unwrap_or_default();
        bed::condition(&status, READY).2.contains("waiting: ")
    })
    .await;
    // The kubelet needs a moment to say what is wrong with the image; each look takes a while, too.
    let mut looks = (0..300).map(|_| people.json("why", &["app"]));
    let why = looks.find(|why| why["facts"].to_string().contains("mage"));
    let why = why.expect("the image that is not there is named");
    assert_eq!(why["verdict"], "working", "{why:#}");
    let text = why["facts"].to_string();
    assert!(text.contains("0 of 1 replicas are"), "{why:#}");
    assert!(why["next"].as_str().is_some_and(|next| next.contains("it waits until")), "{why:#}");
    assert_eq!(people.try_pinnace("why", &["app", "--exit-code"]).status.code(), Some(1));

    // A source that is not there.
    let other = json!({"chart": {"spec": {
        "chart": "app", "version": "1.0.0",
        "sourceRef": {"kind": "HelmRepository", "name": "gone"},
    }}});
    bed.release_with("lost", "app", "1.0.0", json!({}), other).await;
    bed.reason("lost", READY, "SourceNotReady").await;
    let why = people.pinnace("why", &["lost"]);
    assert!(why.contains("the source of its chart cannot be used"), "{why}");
    assert!(why.contains("Source      HelmRepository gone is not there"), "{why}");
    controller.stop().await;
}
