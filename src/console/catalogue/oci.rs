//! Charts in an OCI registry.

use async_trait::async_trait;
use pinnace_registry::{Client, Reference};
use semver::Version;

use super::{ChartError, Charts};
use crate::model::digest::Digest;

/// One chart repository, such as `oci://registry.example/qdrant-charts`.
pub struct OciCharts {
    client: Client,
    repository: String,
}

impl OciCharts {
    pub fn new(client: Client, repository: String) -> Self {
        Self { client, repository }
    }

    fn reference(&self, chart: &str) -> Result<Reference, ChartError> {
        let text = format!("{}/{chart}", self.repository);
        Reference::parse(&text).map_err(invalid)
    }
}

#[async_trait]
impl Charts for OciCharts {
    async fn versions(&self, chart: &str) -> Result<Vec<Version>, ChartError> {
        self.client.chart_versions(&self.reference(chart)?).await.map_err(failed)
    }

    async fn resolve(&self, chart: &str, version: &Version) -> Result<Digest, ChartError> {
        let reference = self.reference(chart)?.with_tag(&version.to_string()).map_err(invalid)?;
        let digest = self.client.resolve(&reference).await.map_err(failed)?;
        Digest::try_from(digest)
            .map_err(|error| ChartError { reason: "InvalidDigest", message: chain(&error) })
    }

    async fn archive(&self, chart: &str, digest: &Digest) -> Result<Vec<u8>, ChartError> {
        let reference = self.reference(chart)?;
        let digest = digest.to_string();
        let pulled = self.client.pull_chart(&reference, Some(&digest)).await.map_err(failed)?;
        Ok(pulled.archive.to_vec())
    }
}

fn invalid(error: pinnace_registry::InvalidReference) -> ChartError {
    ChartError { reason: "InvalidReference", message: chain(&error) }
}

fn failed(error: pinnace_registry::Error) -> ChartError {
    ChartError { reason: error.reason(), message: chain(&error) }
}

/// An error with its causes, for a place that shows one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
