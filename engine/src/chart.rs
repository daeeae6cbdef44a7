//! A chart: what its files say, parsed and checked once.

/// A loaded chart with its subcharts.
#[derive(Clone, Debug)]
pub struct Chart {
    name: String,
    version: String,
}

#[derive(Debug, thiserror::Error)]
#[error("not built yet")]
pub struct ChartError;

impl Chart {
    /// Reads a `.tgz` as Helm's archive loader does.
    pub fn from_archive(_gzip: &[u8]) -> Result<Self, ChartError> {
        Err(ChartError)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn app_version(&self) -> &str {
        ""
    }

    /// The `chart` member of a Helm release record: metadata, lock, templates, values, schema, files.
    pub fn to_record(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
