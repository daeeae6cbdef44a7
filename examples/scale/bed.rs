//! The namespace in which the releases are, and the wait for them.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use pinnace::api::helm_release::HelmRelease;
use serde_json::{Value, json};

/// Releases that are written at the same time.
const AT_ONCE: usize = 16;
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(3600);

pub struct Bed {
    client: Client,
    pub namespace: String,
}

impl Bed {
    /// A namespace with the HelmRepository `charts`.
    pub async fn new(name: &str, registry: &str, ca: &Path) -> anyhow::Result<Self> {
        let client = Client::try_default().await?;
        let bed = Self { client, namespace: name.to_owned() };
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let all: Api<Namespace> = Api::all(bed.client.clone());
        all.patch(name, &params(), &Patch::Apply(namespace)).await?;
        let ca = std::fs::read_to_string(ca).with_context(|| format!("{}", ca.display()))?;
        let secrets: Api<Secret> = Api::namespaced(bed.client.clone(), name);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca"}, "stringData": {"ca.crt": ca},
        });
        secrets.patch("ca", &params(), &Patch::Apply(secret)).await?;
        let kind = GroupVersionKind::gvk("cd.qdrant.io", "v1", "HelmRepository");
        let kind = ApiResource::from_gvk_with_plural(&kind, "helmrepositories");
        let repositories: Api<DynamicObject> =
            Api::namespaced_with(bed.client.clone(), name, &kind);
        let repository = json!({
            "apiVersion": "cd.qdrant.io/v1", "kind": "HelmRepository", "metadata": {"name": "charts"},
            "spec": {
                "url": format!("oci://{registry}"), "type": "oci", "interval": "10m",
                "certSecretRef": {"name": "ca"},
            },
        });
        repositories.patch("charts", &params(), &Patch::Apply(repository)).await?;
        Ok(bed)
    }

    fn releases(&self) -> Api<HelmRelease> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Has these releases be `chart` in `version`, and waits until they are. How long the slowest took, from the first
    /// write.
    pub async fn bring(
        &self,
        names: &[String],
        chart: &str,
        version: &str,
    ) -> anyhow::Result<Duration> {
        let config = watcher::Config::default();
        // The watcher mends what breaks a watch.
        let seen = watcher(self.releases(), config).default_backoff().applied_objects();
        let mut seen = std::pin::pin!(seen.filter_map(async |release| release.ok()));
        let begun = Instant::now();
        let write = async |name: &String| {
            let release = release(name, chart, version);
            self.releases().patch(name, &params(), &Patch::Apply(release)).await
        };
        let writing = futures::stream::iter(names.iter().map(write)).buffer_unordered(AT_ONCE);
        let writing = writing.try_for_each(|_| futures::future::ready(Ok(())));
        let mut missing: HashSet<&str> = names.iter().map(String::as_str).collect();
        let waiting = async {
            while let Some(release) = seen.next().await {
                if is_ready(&release, version) {
                    missing.remove(release.name_any().as_str());
                }
                if missing.is_empty() {
                    return Ok(begun.elapsed());
                }
            }
            bail!("the watch has ended")
        };
        let both = async { tokio::try_join!(async { Ok(writing.await?) }, waiting) };
        match tokio::time::timeout(PATIENCE, both).await {
            Ok(done) => Ok(done?.1),
            Err(_) => bail!("the releases were not ready in {} s", PATIENCE.as_secs()),
        }
    }
}

fn params() -> PatchParams {
    PatchParams::apply("scale").force()
}

/// Looked at once a minute, and held against the cluster.
fn release(name: &str, chart: &str, version: &str) -> Value {
    json!({
        "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease", "metadata": {"name": name},
        "spec": {
            "interval": "1m", "driftDetection": {"mode": "enabled"},
            "chart": {"spec": {
                "chart": chart, "version": version, "interval": "10m",
                "sourceRef": {"kind": "HelmRepository", "name": "charts"},
            }},
        },
    })
}

fn is_ready(release: &HelmRelease, version: &str) -> bool {
    let Some(status) = &release.status else { return false };
    let ready = status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    let newest = status.history.first().is_some_and(|head| head.chart_version == version);
    ready && newest && status.observed_generation == release.metadata.generation
}
