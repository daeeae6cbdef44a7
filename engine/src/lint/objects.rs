//! What the templates wrote, and the files of crds/.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Findings, deprecations, names};
use crate::Chart;
use crate::render::{Capabilities, split};
use crate::yaml;

/// Extensions that templates/ may have: Helm's, and Jinja's.
const EXTENSIONS: [&str; 5] = [".yaml", ".yml", ".tpl", ".txt", ".j2"];

/// Looks at the chart's own templates; its subcharts are charts of their own.
pub(super) fn check(
    chart: &Chart,
    rendered: &BTreeMap<String, String>,
    capabilities: &Capabilities,
    findings: &mut Findings,
) {
    let minor = capabilities.minor();
    for template in &chart.templates {
        let name = template.name.as_str();
        let extension = name.rfind('.').map_or("", |dot| &name[dot..]);
        if !EXTENSIONS.contains(&extension) {
            findings.error(
                name,
                format!(
                    "file extension '{extension}' not valid. Valid extensions are .yaml, .yml, .tpl, \
                     .txt, or .j2"
                ),
            );
        }
        let is_yaml = [".yaml", ".yml"].iter().any(|known| known.eq_ignore_ascii_case(extension));
        let Some(content) = rendered.get(&format!("{}/{name}", chart.name())) else { continue };
        if !is_yaml || content.trim().is_empty() {
            continue;
        }
        if let Some(line) = content.lines().find(|line| !line.trim().is_empty())
            && line.starts_with([' ', '\t'])
        {
            findings.warning(
                name,
                format!(
                    "document starts with an illegal indent: {line:?}, which may cause parsing problems"
                ),
            );
        }
        for document in split(content) {
            match yaml::from_str(document) {
                Ok(object) => check_object(name, &object, document, minor, findings),
                Err(error) => findings.error(name, format!("unable to parse YAML: {error}")),
            }
        }
    }
}

fn check_object(path: &str, object: &Value, document: &str, minor: u32, findings: &mut Findings) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    if object.is_null() {
        return;
    }
    let is_generated = name.is_empty() && !text("/metadata/generateName").is_empty();
    if kind != "List"
        && !is_generated
        && let Some(why) = names::refused(kind, name)
    {
        findings.warning(
            path,
            format!(
                "object name does not conform to Kubernetes naming requirements: {name:?}: \
                 metadata.name: Invalid value: {name:?}: {why}"
            ),
        );
    }
    if let Some(why) = deprecations::of(api_version, kind, minor) {
        findings.warning(path, why);
    }
    if matches!(kind, "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet")
        && !["matchLabels", "matchExpressions"].iter().any(|word| document.contains(word))
    {
        findings.error(
            path,
            format!("a {kind} must contain matchLabels or matchExpressions, and {name:?} does not"),
        );
    }
    let items = object.get("items").and_then(Value::as_array).into_iter().flatten();
    let keeps =
        |item: &Value| item.pointer("/metadata/annotations/helm.sh~1resource-policy").is_some();
    if kind == "List" && items.into_iter().any(keeps) {
        findings
            .error(path, "annotation 'helm.sh/resource-policy' within List objects are ignored");
    }
}

pub(super) fn check_crds(chart: &Chart, findings: &mut Findings) {
    for file in chart.files.iter().filter(|file| file.name.starts_with("crds/")) {
        let name = file.name.as_str();
        if ![".yaml", ".yml", ".json"].iter().any(|known| name.to_lowercase().ends_with(known)) {
            continue;
        }
        for document in split(&String::from_utf8_lossy(&file.data)) {
            let object = match yaml::from_str(document) {
                Ok(Value::Null) => continue,
                Ok(object) => object,
                Err(error) => {
                    findings.error(name, format!("unable to parse YAML: {error}"));
                    continue;
                }
            };
            let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
            if !text("apiVersion").starts_with("apiextensions.k8s.io") {
                findings.error(name, "apiVersion is not in 'apiextensions.k8s.io'");
            }
            if text("kind") != "CustomResourceDefinition" {
                findings.error(name, "object kind is not 'CustomResourceDefinition'");
            }
        }
    }
}
