//! Chart and values to manifests, hooks and notes.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use crate::Chart;
pub use crate::template::World;
use crate::template::{
    Budget, Environment, Map, MapType, Place, Run, TemplateError, TemplateSet, on_large_stack,
};
use crate::values::schema::{self, SchemaError};
use crate::values::{self, TypeMismatch};
use crate::version;
use crate::warning::Warning;

mod capabilities;
mod context;
mod files;
mod jinja;
mod manifests;
mod order;

pub use capabilities::{Capabilities, InvalidKubeVersion};
pub use jinja::JinjaError;
pub use manifests::{ManifestError, split};
pub use order::install as install_order;

/// Whether `.Release.IsInstall` or `.Release.IsUpgrade` is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Install,
    Upgrade,
}

/// The template function `lookup`. An object that is not there is `Value::Null`; empty `name` lists.
pub trait Lookup: Sync {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String>;
}

/// What a rendering is of, besides the chart and its values. [`Options::new`] has what `helm
/// template` starts from.
pub struct Options<'a> {
    pub release_name: &'a str,
    pub namespace: &'a str,
    pub revision: u32,
    pub operation: Operation,
    pub capabilities: Capabilities,
    /// None: `lookup` finds nothing, as in `helm template`.
    pub lookup: Option<&'a dyn Lookup>,
    /// Values are not held against the schemas of the charts.
    pub skip_schema_validation: bool,
    /// Whole numbers in `values` are Go's int64, as `--set` makes them. Otherwise every number is a
    /// float64, as in values that were read from JSON or YAML.
    pub keep_integers: bool,
    /// What `now`, passwords, keys and certificates are made of.
    pub world: World<'a>,
    /// What all templates together may use: [`Budget::default`], unless there is a reason.
    pub budget: Budget,
}

impl<'a> Options<'a> {
    /// A first installation into a cluster of the default version that `lookup` cannot see, with
    /// values read from YAML that are held against the schemas, and this machine's clock.
    pub fn new(release_name: &'a str, namespace: &'a str) -> Self {
        Self {
            release_name,
            namespace,
            revision: 1,
            operation: Operation::Install,
            capabilities: Capabilities::default(),
            lookup: None,
            skip_schema_validation: false,
            keep_integers: false,
            world: World::system(),
            budget: Budget::default(),
        }
    }
}

/// One object of the release, in install order.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// `chart/templates/file.yaml`, for the `# Source:` line.
    pub source: String,
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub content: String,
}

/// One hook, in the shape of Helm's release record.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    pub name: String,
    pub kind: String,
    pub path: String,
    pub manifest: String,
    /// `pre-install`, `post-upgrade`, `test` …
    pub events: Vec<String>,
    pub weight: i64,
    pub delete_policies: Vec<String>,
    pub output_log_policies: Vec<String>,
}

/// One file of a crds/ folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Crd {
    pub filename: String,
    pub content: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    pub manifests: Vec<Manifest>,
    pub hooks: Vec<Hook>,
    pub crds: Vec<Crd>,
    pub notes: String,
    /// What Helm would log as a warning.
    pub warnings: Vec<Warning>,
}

impl Rendered {
    /// The release's manifest: the very string that Helm stores and prints.
    pub fn manifest(&self) -> String {
        let mut text = String::new();
        for manifest in &self.manifests {
            text.extend(["---\n# Source: ", &manifest.source, "\n", &manifest.content, "\n"]);
        }
        text
    }
}

/// Why a chart cannot be rendered. Nothing has been applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    #[error("{0} charts are not installable")]
    NotInstallable(String),
    #[error("values must be a mapping")]
    Values,
    #[error("cannot merge the values with those of the chart")]
    TypeMismatch(#[from] TypeMismatch),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {actual}")]
    KubeVersion { wanted: String, actual: String },
    #[error("{}", .0.helm_text())]
    Template(TemplateError),
    #[error(transparent)]
    Jinja(#[from] JinjaError),
    #[error(transparent)]
    Manifest(#[from] Unsortable),
}

/// Templates ran, but what they wrote is not Kubernetes objects.
pub struct Unsortable {
    pub error: ManifestError,
    /// What the templates wrote, by path. It may hold secrets.
    pub files: BTreeMap<String, String>,
}

impl std::fmt::Display for Unsortable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Unsortable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl std::fmt::Debug for Unsortable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsortable").field("error", &self.error).finish_non_exhaustive()
    }
}

impl RenderError {
    /// Where in the chart's templates it happened, the outermost include first; empty if nowhere.
    pub fn places(&self) -> Vec<Place> {
        match self {
            RenderError::Template(error) => error.places(),
            RenderError::Jinja(error) => {
                vec![Place { file: error.file.clone(), line: error.line, column: None }]
            }
            _ => Vec::new(),
        }
    }
}

/// Coalesces `values` (what the user supplied) with the chart's, checks schemas, and renders.
pub fn render(
    chart: &Chart,
    values: &Value,
    options: &Options<'_>,
) -> Result<Rendered, RenderError> {
    let mut warnings = Vec::new();
    let rendered = render_with_warnings(chart, values, options, &mut warnings)?;
    Ok(Rendered { warnings, ..rendered })
}

/// [`render`], with the warnings in a list of the caller's, who gets them even if rendering fails.
pub fn render_with_warnings(
    chart: &Chart,
    values: &Value,
    options: &Options<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Rendered, RenderError> {
    let user = match values {
        Value::Null => serde_json::Map::new(),
        Value::Object(map) => map.clone(),
        _ => return Err(RenderError::Values),
    };
    if !matches!(chart.metadata().kind.as_str(), "" | "application") {
        return Err(RenderError::NotInstallable(chart.metadata().kind.clone()));
    }
    warnings.extend_from_slice(chart.warnings());
    let chart = chart.for_values(&user, warnings)?;
    let values = values::of(&chart, &user, warnings)?;
    if !options.skip_schema_validation {
        schema::check(&chart, &values, warnings)?;
    }
    check_kube_version(&chart, &options.capabilities)?;
    let started = Instant::now();
    let files = || {
        let mut files = execute(&chart, &values, options)?;
        let time = options.budget.time.saturating_sub(started.elapsed());
        files.extend(jinja::execute(&chart, &values, options, Budget { time, ..options.budget })?);
        Ok::<_, RenderError>(files)
    };
    let mut files = on_large_stack(files)?;
    let notes = take_notes(chart.name(), &mut files);
    let (manifests, hooks) = manifests::sort(files, warnings)?;
    let mut crds = Vec::new();
    collect_crds(&chart, chart.name(), &mut crds);
    Ok(Rendered { manifests, hooks, crds, notes, warnings: Vec::new() })
}

/// Takes out all notes and returns the chart's own.
fn take_notes(chart: &str, files: &mut BTreeMap<String, String>) -> String {
    const NOTES: [&str; 2] = ["NOTES.txt", "NOTES.txt.j2"];
    let own = NOTES.map(|name| files.remove(&format!("{chart}/templates/{name}")));
    files.retain(|path, _| !NOTES.iter().any(|name| path.ends_with(name)));
    own.into_iter().flatten().next().unwrap_or_default()
}

fn check_kube_version(chart: &Chart, capabilities: &Capabilities) -> Result<(), RenderError> {
    let wanted = &chart.metadata().kube_version;
    if wanted.is_empty() || version::is_compatible(wanted, &capabilities.plain_version()) {
        return Ok(());
    }
    Err(RenderError::KubeVersion {
        wanted: wanted.clone(),
        actual: capabilities.kube_version.clone(),
    })
}

/// Runs all templates but partials with these values as they are, as Helm's `engine.Render` does; the
/// results by path. Must be called inside of [`on_large_stack`].
pub fn execute(
    chart: &Chart,
    values: &serde_json::Map<String, Value>,
    options: &Options<'_>,
) -> Result<BTreeMap<String, String>, RenderError> {
    execute_as(chart, values, options, false)
}

/// [`execute`]; for a linter, `required` and `fail` let it go on.
pub(crate) fn execute_as(
    chart: &Chart,
    values: &serde_json::Map<String, Value>,
    options: &Options<'_>,
    is_lint: bool,
) -> Result<BTreeMap<String, String>, RenderError> {
    let renderables = context::renderables(chart, values, options);
    let mut set = TemplateSet::new();
    for renderable in &renderables {
        let parsed = chart.parsed.get(&renderable.path, &renderable.data);
        set.add(&parsed.map_err(|error| RenderError::Template(error.into()))?);
    }
    let environment = Environment {
        lookup: options.lookup,
        now: options.world.now,
        random: options.world.random,
        budget: options.budget,
        is_lint,
    };
    let run = Run::new(&environment);
    let mut files = BTreeMap::new();
    for renderable in renderables.iter().filter(|r| !context::is_partial(&r.path)) {
        let template = BTreeMap::from([
            ("Name".into(), renderable.path.as_str().into()),
            ("BasePath".into(), renderable.base_path.as_str().into()),
        ]);
        let template = Map::new(MapType::Values, template);
        renderable.context.set("Template", crate::template::Value::Map(template));
        let dot = crate::template::Value::Map(renderable.context.with_kind(MapType::Values));
        let text = set.text(&renderable.path, dot, &run).map_err(RenderError::Template)?;
        files.insert(renderable.path.clone(), text);
    }
    Ok(files)
}

/// The crds/ folders, the chart's own before its subcharts'.
fn collect_crds(chart: &Chart, path: &str, crds: &mut Vec<Crd>) {
    let is_manifest = |name: &str| {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        ["yaml", "yml", "json"].iter().any(|known| known.eq_ignore_ascii_case(extension))
    };
    for file in &chart.files {
        if file.name.starts_with("crds/") && is_manifest(&file.name) {
            crds.push(Crd {
                filename: format!("{path}/{}", file.name),
                content: String::from_utf8_lossy(&file.data).into_owned(),
            });
        }
    }
    for subchart in chart.dependencies() {
        collect_crds(subchart, &format!("{path}/charts/{}", subchart.name()), crds);
    }
}
