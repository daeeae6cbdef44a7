//! Behaviours as data: each folder of tests/scenarios/ is a story of steps, told to a controller on a real API server.
//!
//! `scenario.yaml` has the charts to `publish` (`FOLDER` of tests/scenarios/charts/, or `FOLDER@VERSION`, or `FOLDER@VERSION=TAG` to have another
//! tag, too) and the `steps`. What a step does: `apply` objects, apply a `release` (the spec's fields over the usual ones; `name` and
//! `version` are short), run `kubectl`, `delete` a release, or try a
//! change of it that has to be `refused` with the words of `message`. What it waits for: `until`, conditions as `STATUS REASON`,
//! and `status`, a part of it, and `absent` conditions. What is looked at then: `message` of Ready, `history` as
//! `VERSION STATUS ACTION`, `helm` as `VERSION STATUS`, `objects` that have to be there as they are told, `gone`
//! objects, and reasons of `events`. `${NAMESPACE}` stands for the scenario's own,
//! `${REGISTRY}` for the host of the registry. A field of a `release` that is `null` is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use pinnace_testbed::{Cluster, Image, tool};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bed::{self, Bed};

/// Scenarios that run at the same time.
const AT_ONCE: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    #[serde(default)]
    publish: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    apply: Vec<Value>,
    release: Option<Value>,
    kubectl: Option<Vec<String>>,
    delete: Option<String>,
    refused: Option<Value>,
    /// The release that the rest is about; `app` if nothing is said.
    of: Option<String>,
    #[serde(default)]
    until: BTreeMap<String, String>,
    status: Option<Value>,
    message: Option<String>,
    #[serde(default)]
    absent: Vec<String>,
    history: Option<Vec<String>>,
    helm: Option<Vec<String>>,
    #[serde(default)]
    objects: Vec<Value>,
    #[serde(default)]
    gone: Vec<String>,
    #[serde(default)]
    events: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn scenarios() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let folders = std::fs::read_dir(&root).expect("scenarios");
    let mut names: Vec<PathBuf> = folders.map(|f| f.expect("a folder").path()).collect();
    names.retain(|folder| folder.join("scenario.yaml").exists());
    names.retain(|folder| folder.to_string_lossy().contains(&wanted));
    names.sort();
    assert!(!names.is_empty(), "no scenario {wanted:?}");
    image().await;
    let runs = names.into_iter().map(|folder| async move {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let run = tokio::spawn(async move { play(&folder).await });
        (name, run.await.is_ok())
    });
    let ended: Vec<(String, bool)> =
        futures::stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<&String> = ended.iter().filter(|(_, good)| !good).map(|(n, _)| n).collect();
    assert!(failed.is_empty(), "{} of {} scenarios failed: {failed:?}", failed.len(), ended.len());
}

/// An image whose program can succeed and fail.
pub async fn image() {
    tokio::task::spawn_blocking(|| {
        Image::new("registry.test/crane:1").file(tool("crane")).push(Cluster::shared());
    })
    .await
    .expect("an image");
}

async fn play(folder: &Path) {
    let bed = Bed::new("scenario").await;
    let text = std::fs::read_to_string(folder.join("scenario.yaml")).expect("scenario.yaml");
    let text = text.replace("${NAMESPACE}", bed.namespace());
    let text = text.replace("${REGISTRY}", &Cluster::shared().registry().to_string());
    let scenario: Scenario = serde_saphyr::from_str(&text).expect("a scenario");
    for chart in &scenario.publish {
        publish(&bed, folder, chart);
    }
    let controller = bed.start_controller();
    for (number, step) in scenario.steps.iter().enumerate() {
        let told = format!("{} step {}", folder.display(), number + 1);
        step.act(&bed).await;
        step.look(&bed, &told).await;
    }
    controller.stop().await;
}

fn publish(bed: &Bed, folder: &Path, chart: &str) {
    let (name, version) = chart.split_once('@').map_or((chart, None), |(n, v)| (n, Some(v)));
    let tagged = version.and_then(|version| version.split_once('='));
    let charts = folder.parent().expect("a parent").join("charts").join(name);
    bed.publish_folder(&charts, tagged.map_or(version, |(version, _)| Some(version)));
    if let Some((version, tag)) = tagged {
        let reference = format!("registry.test/{}/{name}:{version}", bed.namespace());
        Cluster::shared().run("crane", &["tag", &reference, tag]);
    }
}

impl Step {
    fn name(&self) -> String {
        let release = self.release.as_ref().and_then(|r| r["name"].as_str());
        self.of.as_deref().or(release).unwrap_or("app").to_owned()
    }

    async fn act(&self, bed: &Bed) {
        for object in &self.apply {
            bed.apply(object.clone()).await;
        }
        if let Some(args) = &self.kubectl {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            bed.kubectl(&args);
        }
        if let Some(name) = &self.delete {
            bed.delete(name).await;
        }
        if let Some(change) = &self.refused {
            let patch = Patch::Merge(change);
            let tried = bed.releases().patch(&self.name(), &PatchParams::default(), &patch).await;
            let said =
                tried.map(|_| "it was let through".to_owned()).unwrap_or_else(|e| e.to_string());
            let wanted = self.message.as_deref().expect("a message");
            assert!(said.contains(wanted), "{wanted:?} is not in {said:?}");
        }
        if let Some(release) = &self.release {
            let mut spec = release.clone();
            let fields = spec.as_object_mut().expect("a map");
            let mut text = |name: &str, or: &str| {
                let value = fields.remove(name);
                value.and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_else(|| or.to_owned())
            };
            let (name, version) = (text("name", "app"), text("version", "1.0.0"));
            let chart = text("from", "app");
            let values = fields.remove("values").unwrap_or_else(|| json!({}));
            bed.release_with(&name, &chart, &version, values, spec).await;
        }
    }

    async fn look(&self, bed: &Bed, told: &str) {
        let name = self.name();
        if self.delete.is_none() && (!self.until.is_empty() || self.status.is_some()) {
            let seen = bed.until(&name, |release| self.is_there(release)).await;
            let status = seen.status.clone().unwrap_or_default();
            let ready = bed::condition(&status, "Ready").2;
            let wanted = self.message.as_deref().unwrap_or_default();
            assert!(ready.contains(wanted), "{told}: {wanted:?} is not in {ready:?}");
            if let Some(history) = &self.history {
                let told_of = |s: &pinnace::api::helm_release::Snapshot| {
                    let action = s.action.as_deref().unwrap_or_default();
                    format!("{} {} {action}", s.version, s.status)
                };
                let found: Vec<String> = status.history.iter().map(told_of).collect();
                assert_eq!(&found, history, "{told}");
            }
            for reason in &self.events {
                bed.event(&seen.name_any(), reason).await;
            }
        }
        if let Some(helm) = &self.helm {
            let found = bed.helm_history(&name);
            let found: Vec<String> = found.iter().map(|(n, s, _)| format!("{n} {s}")).collect();
            assert_eq!(&found, helm, "{told}");
        }
        for object in &self.objects {
            let named = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let kind = named("/kind").expect("a kind").to_lowercase();
            let key = format!("{kind}/{}", named("/metadata/name").expect("a name"));
            let own = bed.namespace().to_owned();
            let namespace = named("/metadata/namespace").map_or(own, str::to_owned);
            let found = bed.kubectl(&[
                "-n",
                &namespace,
                "get",
                &key,
                "-o",
                "json",
                "--show-managed-fields",
            ]);
            let found: Value = serde_json::from_str(&found).expect("JSON");
            assert!(contains(&found, object), "{told}: {key} is not {object:#}, but {found:#}");
        }
        for object in &self.gone {
            assert!(!bed.exists(object), "{told}: {object} is still there");
        }
    }

    fn is_there(&self, release: &pinnace::api::helm_release::HelmRelease) -> bool {
        let status = release.status.clone().unwrap_or_default();
        // What another generation says is no answer.
        let newest = status
            .conditions
            .iter()
            .any(|c| c.type_ == "Ready" && c.observed_generation == release.metadata.generation);
        let conditions = self.until.iter().all(|(type_, wanted)| {
            let (value, reason, _) = bed::condition(&status, type_);
            format!("{value} {reason}") == *wanted
        });
        let part = self.status.as_ref().is_none_or(|part| contains(&json!(status), part));
        let absent = self.absent.iter().all(|c| bed::condition(&status, c).0.is_empty());
        newest && conditions && absent && part
    }
}

/// Whether `live` says everything that `wanted` says.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| {
            let found = live.get(name).unwrap_or(&Value::Null);
            contains(found, wanted)
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| live.iter().any(|live| contains(live, wanted)))
        }
        _ => live == wanted,
    }
}
