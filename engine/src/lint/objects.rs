//! What the templates wrote.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Findings, deprecations, names};
use crate::Chart;
use crate::render::Capabilities;
use crate::template::quote::quote;
use crate::yaml::{self, Fields};

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
        let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
        let extension = file.rfind('.').map_or("", |dot| &file[dot..]);
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
        if is_yaml && !content.trim().is_empty() {
            check_file(name, content, minor, findings);
        }
    }
}

fn check_file(name: &str, content: &str, minor: u32, findings: &mut Findings) {
    if let Some(line) = content.lines().find(|line| !line.trim().is_empty())
        && line.starts_with([' ', '\t'])
    {
        findings.warning(
            name,
            format!(
                "document starts with an illegal indent: {}, which may cause parsing problems",
                quote(line.as_bytes())
            ),
        );
    }
    for object in Object::all_of(content) {
        match object {
            Err(why) => findings.error(name, format!("unable to parse YAML: {why}")),
            Ok(object) => object.check(name, minor, findings),
        }
    }
}

/// What is looked at of an object, as Helm's linter decodes it.
#[derive(Default)]
pub(super) struct Object<'a> {
    pub api_version: String,
    pub kind: String,
    name: String,
    has_generated_name: bool,
    /// A List with an item whose annotation says to keep it.
    keeps_items: bool,
    document: &'a str,
}

impl<'a> Object<'a> {
    /// The objects of a file, without its empty documents.
    pub fn all_of(text: &'a str) -> impl Iterator<Item = Result<Self, String>> {
        yaml::documents(text).into_iter().filter_map(|document| match document {
            Ok(document) => Self::read(document).transpose(),
            Err(error) => Some(Err(error.to_string())),
        })
    }

    fn read(document: &'a str) -> Result<Option<Self>, String> {
        let value = yaml::from_str_exact(document).map_err(|error| error.to_string())?;
        if value.is_null() {
            return Ok(None);
        }
        let mut object = Self { document, ..Self::default() };
        let fields = Fields::of(&value, "expected a Kubernetes object")?;
        fields.text("apiVersion", &mut object.api_version)?;
        fields.text("kind", &mut object.kind)?;
        let below = |why: String| format!("metadata.{why}");
        let metadata = fields.fields("metadata", false)?;
        metadata.text("name", &mut object.name).map_err(below)?;
        metadata.text("namespace", &mut String::new()).map_err(below)?;
        let generated = value.pointer("/metadata/generateName").and_then(Value::as_str);
        object.has_generated_name = generated.is_some_and(|name| !name.is_empty());
        if object.kind == "List" {
            object.keeps_items = keeps_items(&fields)?;
        }
        Ok(Some(object))
    }

    fn check(&self, path: &str, minor: u32, findings: &mut Findings) {
        let Self { api_version, kind, name, .. } = self;
        let needs_name = kind != "List" && !self.has_generated_name;
        if needs_name || !name.is_empty() {
            check_name(path, kind, name, findings);
        }
        if let Some(why) = deprecations::of(api_version, kind, minor) {
            findings.warning(path, why);
        }
        if matches!(kind.as_str(), "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet")
            && !["matchLabels", "matchExpressions"].iter().any(|word| self.document.contains(word))
        {
            findings.error(
                path,
                format!(
                    "a {kind} must contain matchLabels or matchExpressions, and {} does not",
                    quote(name.as_bytes())
                ),
            );
        }
        if self.keeps_items {
            findings.error(
                path,
                "annotation 'helm.sh/resource-policy' within List objects are ignored",
            );
        }
    }
}

fn keeps_items(list: &Fields<'_>) -> Result<bool, String> {
    let mut items = Vec::new();
    list.each("items", &mut items, |item| {
        let mut annotations = BTreeMap::new();
        if !item.is_null() {
            let metadata = Fields::of(item, "items")?.fields("metadata", false)?;
            metadata.text_map("annotations", &mut annotations)?;
        }
        Ok(annotations.contains_key("helm.sh/resource-policy"))
    })?;
    Ok(items.contains(&true))
}

fn check_name(path: &str, kind: &str, name: &str, findings: &mut Findings) {
    let shown = quote(name.as_bytes());
    let reasons: Vec<String> = names::refused(kind, name)
        .into_iter()
        .map(|why| format!("metadata.name: Invalid value: {shown}: {why}"))
        .collect();
    let why = match reasons.as_slice() {
        [] => return,
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    findings.warning(
        path,
        format!("object name does not conform to Kubernetes naming requirements: {shown}: {why}"),
    );
}
