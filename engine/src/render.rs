//! Chart and values to manifests, hooks and notes.

use serde_json::Value;

use crate::Chart;

/// Whether `.Release.IsInstall` or `.Release.IsUpgrade` is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Install,
    Upgrade,
}

/// What a live cluster says of itself.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Such as `v1.36.3`.
    pub kube_version: String,
    /// Both `group/version` and `group/version/Kind`.
    pub api_versions: Vec<String>,
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

pub struct Options<'a> {
    pub release_name: &'a str,
    pub namespace: &'a str,
    pub revision: u32,
    pub operation: Operation,
    pub capabilities: Capabilities,
    /// None: `lookup` finds nothing, as in `helm template`.
    pub lookup: Option<&'a dyn Lookup>,
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
    pub warnings: Vec<String>,
}

impl Rendered {
    /// The release's manifest: the very string that Helm stores and prints.
    pub fn manifest(&self) -> String {
        self.manifests
            .iter()
            .map(|m| format!("---\n# Source: {}\n{}\n", m.source, m.content))
            .collect()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not built yet")]
pub struct RenderError;

/// Coalesces `values` (what the user supplied) with the chart's, checks schemas, and renders.
pub fn render(
    _chart: &Chart,
    _values: &Value,
    _options: &Options<'_>,
) -> Result<Rendered, RenderError> {
    Err(RenderError)
}
