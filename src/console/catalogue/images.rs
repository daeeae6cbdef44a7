//! The images that a chart needs: those of its rendered objects and of its annotations. Pure.

use std::collections::BTreeSet;

use anyhow::Context as _;
use pinnace_engine::render::{Capabilities, Options};
use pinnace_engine::{Chart, Rendered, render};
use pinnace_registry::images_of;
use serde::Deserialize;
use serde_json::Value;

/// What charts see when they are rendered, and what their operators will be asked for.
pub struct See<'a> {
    pub namespace: &'a str,
    pub kube_version: Option<&'a str>,
    pub api_versions: &'a [String],
    /// Versions of the database, by which the operator completes the name of its image.
    pub database_versions: &'a BTreeSet<String>,
}

/// Every image of a chart with these values, each once, as it is written.
pub fn of(chart: &Chart, values: &Value, see: &See<'_>) -> anyhow::Result<BTreeSet<String>> {
    let name = || format!("{} {}", chart.name(), chart.version());
    let mut capabilities = match see.kube_version {
        None => Capabilities::default(),
        Some(version) => Capabilities::of_kube_version(version)
            .with_context(|| format!("invalid kube version '{version}'"))?,
    };
    capabilities.api_versions.extend(see.api_versions.iter().cloned());
    let options =
        Options { capabilities, keep_integers: true, ..Options::new(chart.name(), see.namespace) };
    let none = Value::Object(serde_json::Map::new());
    let values = if values.is_null() { &none } else { values };
    let rendered = render(chart, values, &options).with_context(|| {
        format!("cannot render {} to find its images: give the values that it needs", name())
    })?;
    let mut images = BTreeSet::new();
    for object in objects(&rendered).with_context(name)? {
        images.extend(images_of(&object));
        images.extend(databases(&object, see.database_versions));
    }
    annotated(chart, &mut images).with_context(name)?;
    Ok(images)
}

fn objects(rendered: &Rendered) -> anyhow::Result<Vec<Value>> {
    let manifests = rendered.manifests.iter().map(|manifest| (&manifest.source, &manifest.content));
    let hooks = rendered.hooks.iter().map(|hook| (&hook.path, &hook.manifest));
    let read = |(source, text): (&String, &String)| {
        pinnace_engine::yaml::from_str(text).with_context(|| format!("cannot read {source}"))
    };
    manifests.chain(hooks).map(read).collect()
}

/// What `artifacthub.io/images` lists, and `images` of charts that are older than it; in all
/// subcharts too.
fn annotated(chart: &Chart, images: &mut BTreeSet<String>) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Entry {
        image: String,
    }
    for key in ["artifacthub.io/images", "images"] {
        let Some(text) = chart.metadata().annotations.get(key) else { continue };
        let entries: Vec<Entry> = serde_saphyr::from_str(text)
            .with_context(|| format!("the annotation {key} is not a list of images"))?;
        images.extend(entries.into_iter().map(|entry| entry.image));
    }
    chart.dependencies().iter().try_for_each(|chart| annotated(chart, images))
}

/// The operator is told the database's repository in its settings, and the version by each
/// QdrantCluster.
fn databases(object: &Value, versions: &BTreeSet<String>) -> Vec<String> {
    if versions.is_empty() || object["kind"] != "ConfigMap" {
        return Vec::new();
    }
    let files = object["data"].as_object().into_iter().flat_map(serde_json::Map::values);
    let settings = files.filter_map(|file| serde_saphyr::from_str::<Value>(file.as_str()?).ok());
    settings
        .filter_map(|settings| {
            let image = &settings["features"]["clusterManagement"]["qdrant"]["image"];
            image["repository"].as_str().map(str::to_owned)
        })
        .flat_map(|repository| {
            versions.iter().map(move |version| format!("{repository}:{version}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use pinnace_engine::chart::File;
    use serde_json::json;

    use super::*;

    fn chart(files: &[(&str, &str)]) -> Chart {
        let file = |(name, text): &(&str, &str)| File {
            name: (*name).to_owned(),
            data: text.as_bytes().to_vec().into(),
            modified: None,
        };
        Chart::from_files(files.iter().map(file).collect()).unwrap()
    }

    fn found(chart: &Chart, values: &Value, versions: &[&str]) -> Vec<String> {
        let database_versions = &versions.iter().map(ToString::to_string).collect();
        let see = See { namespace: "n", kube_version: None, api_versions: &[], database_versions };
        of(chart, values, &see).unwrap().into_iter().collect()
    }

    const METADATA: &str = "
apiVersion: v2
name: app
version: 1.0.0
annotations:
  artifacthub.io/images: |
    - name: tool
      image: r.test/tool:3
";

    #[test]
    fn rendered_with_their_values_and_annotated() {
        let pod = "
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: c, image: '{{ .Values.registry }}/app:{{ .Chart.Version }}'}]}
";
        let hook = "
apiVersion: v1
kind: Pod
metadata: {name: h, annotations: {helm.sh/hook: pre-install}}
spec: {containers: [{name: c, image: r.test/hook:1}]}
";
        let chart = chart(&[
            ("Chart.yaml", METADATA),
            ("values.yaml", "registry: r.test"),
            ("templates/pod.yaml", pod),
            ("templates/hook.yaml", hook),
        ]);
        let all = ["r.test/app:1.0.0", "r.test/hook:1", "r.test/tool:3"];
        assert_eq!(found(&chart, &Value::Null, &[]), all);
        let values = json!({ "registry": "s.test" });
        assert_eq!(found(&chart, &values, &[])[2], "s.test/app:1.0.0");
    }

    #[test]
    fn databases_of_the_operator() {
        let settings = "
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  config.yaml: |
    features: {clusterManagement: {qdrant: {image: {repository: r.test/qdrant}}}}
";
        let chart = chart(&[
            ("Chart.yaml", "{apiVersion: v2, name: op, version: 1.0.0}"),
            ("templates/settings.yaml", settings),
        ]);
        assert!(found(&chart, &Value::Null, &[]).is_empty());
        let wanted = ["r.test/qdrant:v1", "r.test/qdrant:v2"];
        assert_eq!(found(&chart, &Value::Null, &["v1", "v2"]), wanted);
    }

    #[test]
    fn charts_that_cannot_be_rendered_say_what_to_do() {
        let chart = chart(&[
            ("Chart.yaml", METADATA),
            ("templates/a.yaml", "{{ required \"need x\" .Values.x }}"),
        ]);
        let none = BTreeSet::new();
        let see =
            See { namespace: "n", kube_version: None, api_versions: &[], database_versions: &none };
        let error = format!("{:#}", of(&chart, &Value::Null, &see).unwrap_err());
        assert!(error.contains("app 1.0.0") && error.contains("need x"), "{error}");
    }
}
