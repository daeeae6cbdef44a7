//! Which versions there are: the tags of the default chart repository, asked for at most every few seconds.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use semver::Version;

use super::store::Chosen;
use crate::model::digest::Digest;

mod oci;

pub use oci::OciCharts;

/// How long a list of versions is shown before the registry is asked again.
const FRESH: Duration = Duration::from_secs(15);
/// Versions that an error message names.
const NAMED: usize = 8;

/// The registry's part: what exists, and which bytes a version means.
#[async_trait]
pub trait Charts: Send + Sync {
    /// Versions of a chart, newest first.
    async fn versions(&self, chart: &str) -> Result<Vec<Version>, ChartError>;
    /// Digest of the chart's manifest.
    async fn resolve(&self, chart: &str, version: &Version) -> Result<Digest, ChartError>;
}

/// The registry's refusal, in words for people.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ChartError {
    /// Short and static, such as `Unauthorized`.
    pub reason: &'static str,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("the versions of chart {chart} could not be read from the registry: {source}")]
    Registry { chart: String, source: ChartError },
    #[error("chart {chart} has no version {version}; there {}", existing(.available))]
    UnknownVersion { chart: String, version: Version, available: Vec<Version> },
    #[error("chart {chart} has no versions yet: publish one with helm push first")]
    Empty { chart: String },
    #[error("{text:?} is not a version: write it as 1.2.3 or 1.2.3-rc.1")]
    Malformed { text: String },
}

fn existing(available: &[Version]) -> String {
    let names: Vec<String> = available.iter().take(NAMED).map(ToString::to_string).collect();
    match (names.len(), available.len()) {
        (0, _) => "are none at all".into(),
        (named, all) if named < all => {
            format!("are {} and {} older ones", names.join(", "), all - named)
        }
        (1, _) => format!("is only {}", names[0]),
        _ => format!("are {}", names.join(", ")),
    }
}

/// A cache over [`Charts`].
pub struct Catalogue {
    charts: Box<dyn Charts>,
    seen: Mutex<HashMap<String, (Instant, Vec<Version>)>>,
}

impl Catalogue {
    pub fn new(charts: Box<dyn Charts>) -> Self {
        Self { charts, seen: Mutex::default() }
    }

    /// Versions of a chart, newest first, at most [`FRESH`] old.
    pub async fn versions(&self, chart: &str) -> Result<Vec<Version>, CatalogueError> {
        let kept = {
            let seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
            seen.get(chart).filter(|(at, _)| at.elapsed() < FRESH).map(|(_, all)| all.clone())
        };
        match kept {
            Some(versions) => Ok(versions),
            None => self.read(chart).await,
        }
    }

    async fn read(&self, chart: &str) -> Result<Vec<Version>, CatalogueError> {
        let versions = match self.charts.versions(chart).await {
            Ok(versions) => versions,
            Err(source) => {
                return Err(CatalogueError::Registry { chart: chart.to_owned(), source });
            }
        };
        let mut seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        seen.insert(chart.to_owned(), (Instant::now(), versions.clone()));
        Ok(versions)
    }

    /// The version that was asked for, with its digest; the registry decides whether it exists.
    pub async fn choose(&self, chart: &str, version: &str) -> Result<Chosen, CatalogueError> {
        let malformed = |_| CatalogueError::Malformed { text: version.chars().take(80).collect() };
        let version = version.trim();
        let version: Version =
            version.strip_prefix('v').unwrap_or(version).parse().map_err(malformed)?;
        let available = self.read(chart).await?;
        if !available.contains(&version) {
            return Err(CatalogueError::UnknownVersion {
                chart: chart.to_owned(),
                version,
                available,
            });
        }
        self.resolve(chart, version).await
    }

    /// The newest release, or the newest pre-release if there is nothing else.
    pub async fn newest(&self, chart: &str) -> Result<Chosen, CatalogueError> {
        let versions = self.versions(chart).await?;
        let release = versions.iter().find(|version| version.pre.is_empty());
        match release.or(versions.first()) {
            Some(version) => self.resolve(chart, version.clone()).await,
            None => Err(CatalogueError::Empty { chart: chart.to_owned() }),
        }
    }

    async fn resolve(&self, chart: &str, version: Version) -> Result<Chosen, CatalogueError> {
        match self.charts.resolve(chart, &version).await {
            Ok(digest) => Ok(Chosen { version, digest }),
            Err(source) => Err(CatalogueError::Registry { chart: chart.to_owned(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_version_names_what_exists() {
        let error = |available: &[&str]| {
            CatalogueError::UnknownVersion {
                chart: "qdrant-operator".into(),
                version: Version::new(9, 9, 9),
                available: available.iter().map(|v| v.parse().unwrap()).collect(),
            }
            .to_string()
        };
        let start = "chart qdrant-operator has no version 9.9.9; there ";
        assert_eq!(error(&[]), format!("{start}are none at all"));
        assert_eq!(error(&["1.0.0"]), format!("{start}is only 1.0.0"));
        assert_eq!(error(&["1.1.0", "1.0.0"]), format!("{start}are 1.1.0, 1.0.0"));
        let many: Vec<String> = (0..10).rev().map(|n| format!("1.{n}.0")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(error(&many).ends_with("1.2.0 and 2 older ones"), "{}", error(&many));
    }
}
