//! What pins: a desired state as the Console signs it, or objects as kubectl prints them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use pinnace_registry::Digest;
use serde_json::Value;

use crate::model::desired::{ClusterWant, Desired};

/// A chart that somebody wants.
#[derive(Debug, PartialEq)]
pub struct Pin {
    /// `oci://host/path/name`
    pub chart: String,
    /// Exact, or a range if there is no digest.
    pub version: String,
    pub digest: Option<Digest>,
    pub values: Value,
}

#[derive(Debug, Default, PartialEq)]
pub struct Pinned {
    pub pins: Vec<Pin>,
    /// Of all databases that are wanted.
    pub database_versions: BTreeSet<String>,
}

/// The longest file, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Reads a file, - for stdin.
pub fn read(path: &Path) -> anyhow::Result<Pinned> {
    let named = || format!("cannot read the pins in {}", path.display());
    let mut text = String::new();
    let length = match path.to_str() {
        Some("-") => std::io::stdin().take(LONGEST + 1).read_to_string(&mut text),
        _ => fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text)),
    };
    if length.with_context(named)? as u64 > LONGEST {
        bail!("{} is longer than {LONGEST} bytes", path.display());
    }
    parse(&text).with_context(named)
}

fn parse(text: &str) -> anyhow::Result<Pinned> {
    if let Ok(desired) = serde_json::from_str::<Desired>(text) {
        return Ok(of_desired(desired));
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let mut objects = Vec::new();
    for document in documents {
        match document {
            Value::Object(mut list) if list.contains_key("items") => {
                if let Some(Value::Array(items)) = list.remove("items") {
                    objects.extend(items);
                }
            }
            Value::Null => {}
            object => objects.push(object),
        }
    }
    of_objects(&objects)
}

fn of_desired(desired: Desired) -> Pinned {
    let url = desired.charts.url.trim_end_matches('/').to_owned();
    let pins = desired.pins.into_values().map(|pin| Pin {
        chart: format!("{url}/{}", pin.chart),
        version: pin.version.to_string(),
        digest: Some(pin.digest),
        values: pin.values,
    });
    let versions = desired.clusters.into_values().filter_map(|want| match want {
        ClusterWant::Present { spec, .. } => spec["version"].as_str().map(str::to_owned),
        ClusterWant::Deleted => None,
    });
    Pinned { pins: pins.collect(), database_versions: versions.collect() }
}

fn of_objects(objects: &[Value]) -> anyhow::Result<Pinned> {
    let of_kind = |kind: &'static str| objects.iter().filter(move |o| o["kind"] == kind);
    let urls: BTreeMap<&str, &str> = of_kind("HelmRepository")
        .filter_map(|o| Some((o["metadata"]["name"].as_str()?, o["spec"]["url"].as_str()?)))
        .collect();
    let mut pinned = Pinned::default();
    for release in of_kind("HelmRelease") {
        let name = release["metadata"]["name"].as_str().unwrap_or_default();
        let spec = &release["spec"]["chart"]["spec"];
        let Some(chart) = spec["chart"].as_str() else {
            bail!("HelmRelease {name} has no spec.chart.spec.chart");
        };
        let repository = spec["sourceRef"]["name"].as_str().unwrap_or_default();
        let Some(url) = urls.get(repository) else {
            bail!(
                "HelmRelease {name} needs HelmRepository {repository}: put it into the same file"
            );
        };
        let digest = spec["digest"].as_str().map(str::parse).transpose()?;
        pinned.pins.push(Pin {
            chart: format!("{}/{chart}", url.trim_end_matches('/')),
            version: spec["version"].as_str().unwrap_or("*").to_owned(),
            digest,
            values: release["spec"]["values"].clone(),
        });
    }
    let versions = of_kind("QdrantCluster").filter_map(|o| o["spec"]["version"].as_str());
    pinned.database_versions = versions.map(str::to_owned).collect();
    if pinned.pins.is_empty() {
        bail!("it is neither a desired state of the Console nor a list with HelmRelease objects");
    }
    Ok(pinned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desired_state() {
        let digest = Digest::of(b"x");
        let text = serde_json::json!({
            "environment": "e",
            "generation": 3,
            "pins": { "app": {
                "chart": "app", "version": "1.2.0", "digest": digest, "values": { "a": 1 },
            } },
            "charts": { "url": "oci://r.test/charts" },
            "clusters": {
                "1": { "want": "present", "spec": { "version": "v1.15.0" } },
                "2": { "want": "deleted" },
            },
        });
        let pinned = parse(&text.to_string()).unwrap();
        assert_eq!(pinned.pins[0].chart, "oci://r.test/charts/app");
        assert_eq!(pinned.pins[0].digest, Some(digest));
        assert_eq!(pinned.database_versions, ["v1.15.0".to_owned()].into());
    }

    const OBJECTS: &str = "
apiVersion: v1
kind: List
items:
- kind: HelmRepository
  metadata: {name: vendor}
  spec: {url: 'oci://r.test/charts/'}
- kind: HelmRelease
  metadata: {name: a}
  spec:
    chart: {spec: {chart: app, version: '1.x', sourceRef: {name: vendor}}}
    values: {b: 2}
---
kind: QdrantCluster
spec: {version: v1.15.0}
";

    #[test]
    fn objects_of_kubectl() {
        let pinned = parse(OBJECTS).unwrap();
        let wanted = Pin {
            chart: "oci://r.test/charts/app".to_owned(),
            version: "1.x".to_owned(),
            digest: None,
            values: serde_json::json!({ "b": 2 }),
        };
        assert_eq!(pinned.pins, [wanted]);
        assert_eq!(pinned.database_versions.len(), 1);
    }

    #[test]
    fn refused() {
        let error = |text: &str| format!("{:#}", parse(text).unwrap_err());
        assert!(error("a: 1").contains("neither"));
        let lonely = OBJECTS.replace("name: vendor}\n  spec: {url", "name: other}\n  spec: {url");
        assert!(error(&lonely).contains("HelmRepository vendor"));
    }
}
