//! A chart: what its files say, parsed and checked once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::template::ParsedFiles;
use crate::warning::Warning;

mod archive;
mod ignore;
mod load;
mod metadata;
mod record;
mod variant;

pub use archive::{MAX_ENTRIES, MAX_SIZE};
pub use ignore::{IgnoreError, Rules};
pub use metadata::{Dependency, InvalidMetadata, Maintainer, Metadata};
pub use variant::ValuesFileError;

/// One file of a chart, by its path below the chart's folder, with `/` between the parts.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub name: String,
    pub data: Arc<[u8]>,
    pub modified: Option<DateTime<Utc>>,
}

/// A loaded chart with its subcharts.
#[derive(Clone, Debug)]
pub struct Chart {
    pub(crate) metadata: Metadata,
    pub(crate) lock: Option<Value>,
    pub(crate) templates: Vec<File>,
    /// Numbers are floats, as Go's JSON decoder leaves them.
    pub(crate) values: Map<String, Value>,
    /// A chart without values.yaml is recorded without values, not with empty ones.
    pub(crate) has_values_file: bool,
    pub(crate) schema: Option<File>,
    /// Everything else: README, LICENSE, crds/, what `.Files` offers.
    pub(crate) files: Vec<File>,
    pub(crate) dependencies: Vec<Chart>,
    pub(crate) modified: Option<DateTime<Utc>>,
    /// What Helm would warn of while loading.
    pub(crate) warnings: Vec<Warning>,
    /// What its templates and those of its subcharts, if it is no subchart itself, were parsed to.
    pub(crate) parsed: ParsedFiles,
}

/// Why files are not a chart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    #[error("the chart is not a gzipped tar archive")]
    Archive(#[source] std::io::Error),
    #[error("the chart archive holds no files")]
    Empty,
    #[error("decompressed chart is larger than the maximum size {MAX_SIZE}")]
    TooLarge,
    #[error("the chart archive has more than {MAX_ENTRIES} entries")]
    TooMany,
    #[error("the chart's subcharts nest deeper than {0} levels")]
    TooDeep(usize),
    #[error("the chart archive holds {name:?}: {why}")]
    Path { name: String, why: &'static str },
    #[error("Chart.yaml file is missing")]
    NoMetadata,
    #[error("unsupported chart version: apiVersion {0:?} is neither v1 nor v2")]
    ApiVersion(String),
    #[error("cannot load {file}")]
    Yaml { file: &'static str, source: crate::yaml::YamlError },
    #[error("cannot load {file}: {why}")]
    Shape { file: &'static str, why: String },
    #[error("cannot load values.yaml")]
    Values(#[from] crate::values::ReadError),
    #[error("validation")]
    Metadata(#[from] InvalidMetadata),
    #[error("error unpacking subchart {name} in {parent}")]
    Subchart { name: String, parent: String, source: Box<ChartError> },
    #[error("error unpacking subchart tar in {parent}: expected {expected}, got {found}")]
    SubchartName { parent: String, expected: String, found: String },
}

impl Chart {
    /// The files of a `.tgz`, with the limits of [`Chart::from_archive`], for whoever looks at them
    /// one by one.
    pub fn files_of_archive(gzip: &[u8]) -> Result<Vec<File>, ChartError> {
        archive::unpack(gzip, &mut archive::Budget::default())
    }

    /// Reads a `.tgz` as Helm's archive loader does. Refuses paths that leave the chart's folder,
    /// links and devices, and more than [`MAX_SIZE`] bytes or [`MAX_ENTRIES`] entries, subcharts'
    /// archives included.
    pub fn from_archive(gzip: &[u8]) -> Result<Self, ChartError> {
        let mut budget = archive::Budget::default();
        let files = archive::unpack(gzip, &mut budget)?;
        load::chart(files, &mut budget, 0)?.of_known_version()
    }

    /// The chart of a folder's files. Whoever reads the folder applies its `.helmignore`
    /// ([`Rules`]) and refuses what is not a regular file.
    pub fn from_files(files: Vec<File>) -> Result<Self, ChartError> {
        let mut budget = archive::Budget::default();
        let mut trimmed = Vec::with_capacity(files.len());
        for file in files {
            budget.spend(file.data.len())?;
            let data = archive::without_byte_order_mark(&file.data).into();
            trimmed.push(File { data, ..file });
        }
        load::chart(trimmed, &mut budget, 0)?.of_known_version()
    }

    /// Helm asks this of the chart itself, not of its subcharts.
    fn of_known_version(self) -> Result<Self, ChartError> {
        match self.metadata.api_version.as_str() {
            "v1" | "v2" => Ok(self),
            other => Err(ChartError::ApiVersion(other.to_owned())),
        }
    }

    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    pub fn version(&self) -> &str {
        &self.metadata.version
    }

    pub fn app_version(&self) -> &str {
        &self.metadata.app_version
    }

    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The charts of its charts/ folder.
    pub fn dependencies(&self) -> &[Chart] {
        &self.dependencies
    }

    /// Any file of the chart that is neither a template nor one of the files with a meaning.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().find(|file| file.name == name).map(|file| &*file.data)
    }

    /// The text of a template by the path that errors and `# Source:` lines give it, such as
    /// `chart/charts/sub/templates/x.yaml`.
    pub fn template_text(&self, path: &str) -> Option<std::borrow::Cow<'_, str>> {
        let below = path.strip_prefix(self.name())?.strip_prefix('/')?;
        if let Some(in_subchart) = below.strip_prefix("charts/") {
            return self.dependencies.iter().find_map(|sub| sub.template_text(in_subchart));
        }
        let template = self.templates.iter().find(|template| template.name == below)?;
        Some(String::from_utf8_lossy(&template.data))
    }

    /// What Helm would warn of while loading.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The `chart` member of a Helm release record: metadata, lock, templates, values, schema,
    /// files. Helm stores the chart as it is after its dependencies were processed:
    /// see [`Chart::for_values`].
    pub fn to_record(&self) -> Value {
        record::of(self)
    }
}
