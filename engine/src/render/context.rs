//! What templates see as dot, chart by chart.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::files::Files;
use super::jinja::is_jinja;
use super::{Operation, Options};
use crate::chart::{Chart, Dependency, Metadata};
use crate::template::{Map, MapType, Str, Value, from_json, from_json_with_integers};

/// One template of the chart or its subcharts, with the dot of its chart.
pub(super) struct Renderable {
    pub(super) path: String,
    pub(super) data: Arc<[u8]>,
    pub(super) base_path: String,
    /// Shared by all templates of one chart: what one `set`s, the next one sees.
    pub(super) context: Map,
}

/// All templates, in the order in which Helm parses and runs them: deep paths first, so that a
/// chart's definitions override those of its subcharts.
pub(super) fn renderables(
    chart: &Chart,
    values: &serde_json::Map<String, Json>,
    options: &Options<'_>,
) -> Vec<Renderable> {
    let values = Json::Object(values.clone());
    let convert = if options.keep_integers { from_json_with_integers } else { from_json };
    let values = match convert(&values) {
        Value::Map(map) => map.with_kind(MapType::Values),
        _ => Map::new(MapType::Values, BTreeMap::new()),
    };
    let shared =
        Shared { release: release(options), capabilities: options.capabilities.to_value() };
    let mut found = Vec::new();
    shared.collect(chart, chart.name(), true, values, &mut found);
    found.sort_by(|a: &Renderable, b: &Renderable| {
        let slashes = |path: &str| path.matches('/').count();
        (slashes(&b.path), &b.path).cmp(&(slashes(&a.path), &a.path))
    });
    found
}

struct Shared {
    release: Value,
    capabilities: Value,
}

impl Shared {
    fn collect(
        &self,
        chart: &Chart,
        path: &str,
        is_root: bool,
        values: Map,
        found: &mut Vec<Renderable>,
    ) -> Map {
        let subcharts = Map::new(MapType::Any, BTreeMap::new());
        let context = Map::new(
            MapType::Any,
            entries([
                ("Chart", metadata(&chart.metadata, is_root)),
                ("Files", Value::object(Files::of(&chart.files))),
                ("Release", self.release.clone()),
                ("Capabilities", self.capabilities.clone()),
                ("Values", Value::Map(values.clone())),
                ("Subcharts", Value::Map(subcharts.clone())),
            ]),
        );
        for subchart in &chart.dependencies {
            let below = match values.get(subchart.name().as_bytes()) {
                Some(Value::Map(map)) => map.with_kind(MapType::Values),
                _ => Map::new(MapType::Values, BTreeMap::new()),
            };
            let path = format!("{path}/charts/{}", subchart.name());
            let context = self.collect(subchart, &path, false, below, found);
            subcharts.set(subchart.name(), Value::Map(context));
        }
        for template in chart.templates.iter().filter(|template| !is_jinja(&template.name)) {
            if chart.metadata.is_library() && !is_partial(&template.name) {
                continue;
            }
            found.push(Renderable {
                path: format!("{path}/{}", template.name),
                data: template.data.clone(),
                base_path: format!("{path}/templates"),
                context: context.clone(),
            });
        }
        context
    }
}

/// A file that only serves others.
pub(super) fn is_partial(path: &str) -> bool {
    path.rsplit_once('/').map_or(path, |(_, base)| base).starts_with('_')
}

fn entries<const N: usize>(entries: [(&str, Value); N]) -> BTreeMap<Str, Value> {
    entries.into_iter().map(|(key, value)| (Str::from(key), value)).collect()
}

pub(super) fn release(options: &Options<'_>) -> Value {
    Value::map([
        ("Name", Value::string(options.release_name)),
        ("Namespace", Value::string(options.namespace)),
        ("IsUpgrade", Value::Bool(options.operation == Operation::Upgrade)),
        ("IsInstall", Value::Bool(options.operation == Operation::Install)),
        ("Revision", Value::Int(options.revision.into())),
        ("Service", Value::string("Helm")),
    ])
}

/// Go's field names, not Chart.yaml's.
pub(super) fn metadata(metadata: &Metadata, is_root: bool) -> Value {
    let text = |text: &str| Value::string(text);
    let texts = |texts: &[String]| Value::list(texts.iter().map(|t| text(t)).collect());
    let annotations = metadata.annotations.iter();
    let annotations = annotations.map(|(key, value)| (Str::from(key.as_str()), text(value)));
    let annotations = match metadata.annotations.is_empty() {
        true => Map::nil(MapType::String),
        false => Map::new(MapType::String, annotations.collect()),
    };
    let maintainers = metadata.maintainers.iter().map(|maintainer| {
        Value::map([
            ("Name", text(&maintainer.name)),
            ("Email", text(&maintainer.email)),
            ("URL", text(&maintainer.url)),
        ])
    });
    Value::map([
        ("APIVersion", text(&metadata.api_version)),
        ("Annotations", Value::Map(annotations)),
        ("AppVersion", text(&metadata.app_version)),
        ("Condition", text(&metadata.condition)),
        ("Dependencies", Value::list(metadata.dependencies.iter().map(dependency).collect())),
        ("Deprecated", Value::Bool(metadata.deprecated)),
        ("Description", text(&metadata.description)),
        ("Home", text(&metadata.home)),
        ("Icon", text(&metadata.icon)),
        ("IsRoot", Value::Bool(is_root)),
        ("Keywords", texts(&metadata.keywords)),
        ("KubeVersion", text(&metadata.kube_version)),
        ("Maintainers", Value::list(maintainers.collect())),
        ("Name", text(&metadata.name)),
        ("Sources", texts(&metadata.sources)),
        ("Tags", text(&metadata.tags)),
        ("Type", text(&metadata.kind)),
        ("Version", text(&metadata.version)),
    ])
}

fn dependency(dependency: &Dependency) -> Value {
    let tags = dependency.tags.iter().map(|tag| Value::string(tag.as_str()));
    let imports = dependency.import_values.iter().map(from_json);
    Value::map([
        ("Name", Value::string(&*dependency.name)),
        ("Version", Value::string(&*dependency.version)),
        ("Repository", Value::string(&*dependency.repository)),
        ("Condition", Value::string(&*dependency.condition)),
        ("Tags", Value::list(tags.collect())),
        ("Enabled", Value::Bool(dependency.enabled)),
        ("ImportValues", Value::list(imports.collect())),
        ("Alias", Value::string(&*dependency.alias)),
    ])
}
