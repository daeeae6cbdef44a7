//! A namespace of the shared cluster, charts in its registry, and a controller in this process.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Event};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource, ResourceExt as _};
use pinnace::api::helm_release::{HelmRelease, HelmReleaseStatus};
use pinnace::cluster::fence::Fence;
use pinnace::controller::{self, Settings};
use pinnace::telemetry::metrics::Metrics;
use pinnace_testbed::{Cluster, Namespace};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Bed {
    pub client: Client,
    pub namespace: Namespace<'static>,
    folder: tempfile::TempDir,
}

/// A chart's files.
pub struct Chart {
    name: String,
    version: String,
    files: Vec<(String, String)>,
}

pub fn chart(name: &str, version: &str) -> Chart {
    let yaml = format!("apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: \"7\"\n");
    let files = vec![("Chart.yaml".to_owned(), yaml)];
    Chart { name: name.into(), version: version.into(), files }
}

/// A chart of one ConfigMap, `RELEASE-config`: `text` of the values, and the chart's version.
pub fn web(version: &str) -> Chart {
    chart("web", version).file("templates/web.yaml", WEB).values("text: default\n")
}

const WEB: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {text: {{ .Values.text | quote }}, version: {{ .Chart.Version | quote }}}
"#;

impl Chart {
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.retain(|(before, _)| before != path);
        self.files.push((path.into(), text.into()));
        self
    }

    pub fn values(self, yaml: &str) -> Self {
        self.file("values.yaml", yaml)
    }
}

/// Status, reason and message of a condition.
pub fn condition(status: &HelmReleaseStatus, type_: &str) -> (String, String, String) {
    let found = status.conditions.iter().find(|c| c.type_ == type_);
    found.map(|c| (c.status.clone(), c.reason.clone(), c.message.clone())).unwrap_or_default()
}

/// Objects as they are made and changed. What breaks a watch, the watcher mends.
fn seen<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    watcher(api, config).default_backoff().applied_objects().filter_map(async |seen| seen.ok())
}

async fn config() -> kube::Config {
    let config = kube::config::Kubeconfig::read_from(Cluster::shared().kubeconfig());
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(config.expect("kubeconfig"), &options);
    config.await.expect("config")
}

impl Bed {
    /// For clients of one's own.
    pub async fn config(&self) -> kube::Config {
        config().await
    }

    pub async fn new(prefix: &'static str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let namespace = tokio::task::spawn_blocking(move || {
            let cluster = Cluster::shared();
            let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
            cluster.kubectl(&["apply", "--server-side", "-f", crds]);
            cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "-f", crds]);
            cluster.namespace(prefix)
        })
        .await
        .expect("a namespace");
        let client = Client::try_from(config().await).expect("client");
        let folder = tempfile::tempdir().expect("a folder");
        let bed = Self { client, namespace, folder };
        bed.repository().await;
        bed
    }

    /// A kubeconfig for this machine, as text.
    pub fn kubeconfig(&self) -> String {
        std::fs::read_to_string(self.space().kubeconfig()).expect("a kubeconfig")
    }

    fn space(&self) -> &'static Cluster {
        Cluster::shared()
    }

    pub fn namespace(&self) -> &str {
        self.namespace.name()
    }

    /// The HelmRepository `charts`, as seen from this machine.
    async fn repository(&self) {
        let ca = std::fs::read_to_string(self.space().ca()).expect("ca");
        let url = format!("oci://{}/{}", self.space().registry(), self.namespace());
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca"}, "stringData": {"ca.crt": ca},
        }))
        .await;
        self.apply(json!({
            "apiVersion": "cd.qdrant.io/v1", "kind": "HelmRepository", "metadata": {"name": "charts"},
            "spec": {"url": url, "type": "oci", "interval": "1m", "certSecretRef": {"name": "ca"}},
        }))
        .await;
    }

    /// Applies any object in the test's namespace.
    pub async fn apply(&self, object: Value) {
        let path = self.file(&format!("{}.json", rand::random::<u64>()), &object.to_string());
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &path]);
    }

    /// Writes a file of the test's own and returns its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    }

    pub fn kubectl(&self, args: &[&str]) -> String {
        let args: Vec<&str> = ["-n", self.namespace()].iter().chain(args).copied().collect();
        self.space().kubectl(&args)
    }

    pub fn field(&self, object: &str, path: &str) -> String {
        self.kubectl(&["get", object, "-o", &format!("jsonpath={path}")])
    }

    /// The same; empty if the object is not there.
    pub fn field_if_any(&self, object: &str, path: &str) -> String {
        self.kubectl(&["get", object, "--ignore-not-found", "-o", &format!("jsonpath={path}")])
    }

    /// Whether the record of this revision says that its pre-upgrade hook has succeeded.
    pub fn hook_succeeded(&self, release: &str, revision: u32) -> bool {
        let secret = format!("secret/sh.helm.release.v1.{release}.v{revision}");
        let path = r"{.metadata.annotations.cd\.qdrant\.io/hooks-succeeded}";
        self.field_if_any(&secret, path).contains("pre-upgrade")
    }

    pub fn exists(&self, object: &str) -> bool {
        !self.kubectl(&["get", object, "--ignore-not-found", "-o", "name"]).is_empty()
    }

    /// Genuine Helm, as administrator.
    pub fn helm(&self, args: &[&str]) -> String {
        let args: Vec<&str> = ["-n", self.namespace()].iter().chain(args).copied().collect();
        self.space().run("helm", &args)
    }

    /// The same, to be started by the caller.
    pub fn helm_command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.space().enter("helm");
        command.args(["-n", self.namespace()]).args(args);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
    }

    /// Revision, status and chart, as `helm history` tells them.
    pub fn helm_history(&self, release: &str) -> Vec<(u64, String, String)> {
        let text = self.helm(&["history", release, "-o", "json"]);
        let rows: Vec<Value> = serde_json::from_str(&text).expect("history");
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        rows.iter()
            .map(|r| (r["revision"].as_u64().unwrap_or(0), text(r, "status"), text(r, "chart")))
            .collect()
    }

    /// Writes the chart's files and returns their folder.
    pub fn write(&self, chart: &Chart) -> PathBuf {
        let folder = self.folder.path().join(&chart.version).join(&chart.name);
        for (path, text) in &chart.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        folder
    }

    /// Packs the chart and pushes it with genuine Helm.
    pub fn publish(&self, chart: &Chart) {
        let folder = self.write(chart).to_string_lossy().into_owned();
        let out = self.folder.path().to_string_lossy().into_owned();
        self.helm(&["package", &folder, "-d", &out]);
        let archive = format!("{out}/{}-{}.tgz", chart.name, chart.version);
        self.helm(&["push", &archive, &format!("oci://registry.test/{}", self.namespace())]);
    }

    /// Packs a folder, under another version if one is given, and pushes it with genuine Helm.
    pub fn publish_folder(&self, folder: &std::path::Path, version: Option<&str>) {
        let out = self.folder.path().join(rand::random::<u64>().to_string());
        let out_text = out.to_string_lossy();
        let folder = folder.to_string_lossy();
        let version: Vec<&str> = version.into_iter().flat_map(|v| ["--version", v]).collect();
        self.helm(&[["package", &*folder, "-d", &*out_text].as_slice(), &version].concat());
        let archive = std::fs::read_dir(&out).expect("a folder").next().expect("an archive");
        let archive = archive.expect("an archive").path().to_string_lossy().into_owned();
        self.helm(&["push", &archive, &format!("oci://registry.test/{}", self.namespace())]);
    }

    pub fn releases(&self) -> Api<HelmRelease> {
        Api::namespaced(self.client.clone(), self.namespace())
    }

    /// Makes or changes a HelmRelease.
    pub async fn release(&self, name: &str, chart: &str, version: &str, values: Value) {
        self.release_with(name, chart, version, values, json!({})).await;
    }

    /// The same, with further fields of the spec.
    pub async fn release_with(
        &self,
        name: &str,
        chart: &str,
        version: &str,
        values: Value,
        more: Value,
    ) {
        let mut spec = json!({
            "interval": "10m", "timeout": "60s", "values": values,
            "chart": {"spec": {
                "chart": chart, "version": version,
                "sourceRef": {"kind": "HelmRepository", "name": "charts"},
            }},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        if let Some(fields) = spec.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        let object = json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease", "metadata": {"name": name}, "spec": spec,
        });
        let params = PatchParams::apply("test").force();
        self.releases().patch(name, &params, &Patch::Apply(object)).await.expect("applied");
    }

    /// Watches until the release is as wanted.
    pub async fn until(
        &self,
        name: &str,
        mut wanted: impl FnMut(&HelmRelease) -> bool,
    ) -> HelmRelease {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut seen = std::pin::pin!(seen(self.releases(), config));
        let mut last = None;
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let release = seen.next().await.expect("a watch");
                if wanted(&release) {
                    return release;
                }
                last = Some(release);
            }
        });
        match found.await {
            Ok(release) => release,
            Err(_) => panic!("{name} did not become as wanted: {:#?}", last.map(|r| r.status)),
        }
    }

    /// Waits until its newest generation is Ready.
    pub async fn ready(&self, name: &str) -> HelmReleaseStatus {
        let ready = |release: &HelmRelease| {
            let status = release.status.clone().unwrap_or_default();
            status.observed_generation == release.metadata.generation
                && condition(&status, "Ready").0 == "True"
        };
        self.until(name, ready).await.status.unwrap_or_default()
    }

    /// Waits for a condition to have this reason.
    pub async fn reason(&self, name: &str, type_: &str, reason: &str) -> HelmReleaseStatus {
        let wanted = |release: &HelmRelease| {
            let status = release.status.clone().unwrap_or_default();
            condition(&status, type_).1 == reason
        };
        self.until(name, wanted).await.status.unwrap_or_default()
    }

    /// Watches a ConfigMap until it is as wanted.
    pub async fn appears(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), self.namespace());
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut seen = std::pin::pin!(seen(api, config));
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let object = json!(seen.next().await.expect("a watch"));
                if wanted(&object) {
                    return object;
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("{name} did not become as wanted"))
    }

    /// Waits for an Event about a release: it comes after the status that it tells of.
    pub async fn event(&self, name: &str, reason: &str) {
        let api: Api<Event> = Api::namespaced(self.client.clone(), self.namespace());
        let about = [("kind", "HelmRelease"), ("name", name)]
            .map(|(field, value)| format!("involvedObject.{field}={value}"));
        let config =
            watcher::Config::default().fields(&format!("{},reason={reason}", about.join(",")));
        let mut seen = std::pin::pin!(seen(api, config));
        let first = tokio::time::timeout(PATIENCE, seen.next()).await;
        let first = first.unwrap_or_else(|_| panic!("no Event {reason} about {name}"));
        first.expect("a watch");
    }

    pub async fn history(&self, name: &str, wanted: impl Fn(&Value) -> bool) {
        self.until(name, |release| {
            let history = release.status.as_ref().map(|s| json!(s.history)).unwrap_or_default();
            wanted(&history)
        })
        .await;
    }

    /// Deletes the HelmRelease and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        let api = self.releases();
        let uid = api.get(name).await.expect("a release").uid().unwrap_or_default();
        api.delete(name, &DeleteParams::default()).await.expect("deleted");
        let gone = kube::runtime::wait::await_condition(
            api,
            name,
            kube::runtime::wait::conditions::is_deleted(&uid),
        );
        tokio::time::timeout(PATIENCE, gone).await.expect("gone in time").expect("gone");
    }

    pub fn start_controller(&self) -> Controller {
        self.controller_with(self.client.clone(), "controller-1")
    }

    pub fn controller_with(&self, client: Client, identity: &str) -> Controller {
        let metrics = Metrics::new("test", "0");
        self.measured_controller(client, identity, metrics)
    }

    /// A controller that registers its numbers in `metrics`.
    pub fn measured_controller(
        &self,
        client: Client,
        identity: &str,
        metrics: Metrics,
    ) -> Controller {
        let settings = Settings {
            namespace: self.namespace().to_owned(),
            identity: identity.to_owned(),
            cache_dir: self.folder.path().join("cache"),
            concurrency: 2,
            metrics,
            guard: None,
            fence: Fence::default(),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(controller::run(client, settings, stop.clone()));
        Controller { stop, task }
    }
}

/// A controller at work.
pub struct Controller {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), controller::Error>>,
}

impl Controller {
    /// As by SIGKILL, as far as one process can do that to a part of itself.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|e| e.is_cancelled()), "it was still at work");
    }

    /// As on SIGTERM.
    pub async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task);
        ended.await.expect("ended in time").expect("no panic").expect("no error");
    }
}
