//! Which versions there are, and what is in them: the tags of the default chart repository, asked for at most every
//! few seconds, and the images of their charts, looked at once for each digest.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Mutex,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use pinnace_engine::Chart;
use semver::Version;
use serde_json::Value;

use super::store::Chosen;
use crate::model::digest::Digest;

pub mod images;
mod oci;

pub use oci::OciCharts;

/// How long a list of versions is shown before the registry is asked again.
const FRESH: Duration = Duration::from_secs(15);
/// Versions that are looked into at one time.
const SIDE_BY_SIDE: usize = 4;
/// Digests and charts that are remembered.
const REMEMBERED: usize = 2048;
/// Versions that an error message names.
const NAMED: usize = 8;

/// The registry's part: what exists, and which bytes a version means.
#[async_trait]
pub trait Charts: Send + Sync {
    /// Versions of a chart, newest first.
    async fn versions(&self, chart: &str) -> Result<Vec<Version>, ChartError>;
    /// Digest of the chart's manifest.
    async fn resolve(&self, chart: &str, version: &Version) -> Result<Digest, ChartError>;
    /// The archive of the chart with this digest.
    async fn archive(&self, chart: &str, digest: &Digest) -> Result<Vec<u8>, ChartError>;
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

/// One version of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub version: Version,
    /// Digest and images, or why they are not known.
    pub content: Result<Content, String>,
}

/// What a version is.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    pub digest: Digest,
    /// As the chart names them, with the Console's own values.
    pub images: Vec<String>,
}

/// Versions of a chart, newest first, and whether there are older ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub more: bool,
}

/// A cache over [`Charts`].
pub struct Catalogue {
    charts: Box<dyn Charts>,
    seen: Mutex<HashMap<String, (Instant, Vec<Version>)>>,
    /// By chart and version. A tag may move.
    digests: Mutex<HashMap<(String, Version), (Instant, Digest)>>,
    /// By digest, and so for ever.
    images: Mutex<HashMap<Digest, Vec<String>>>,
}

impl Catalogue {
    pub fn new(charts: Box<dyn Charts>) -> Self {
        let (seen, digests, images) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { charts, seen, digests, images }
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

    /// At most `size` versions after `after`, with what is in them. `values` are those that the charts are
    /// rendered with to find their images.
    pub async fn page(
        &self,
        chart: &str,
        after: Option<&Version>,
        size: usize,
        values: &Value,
    ) -> Result<Page, CatalogueError> {
        let mut versions = self.versions(chart).await?;
        versions.retain(|version| after.is_none_or(|after| version < after));
        let more = versions.len() > size;
        versions.truncate(size);
        let entries = stream::iter(versions).map(async |version| {
            let content = self.content(chart, &version, values).await;
            Entry { version, content }
        });
        Ok(Page { entries: entries.buffered(SIDE_BY_SIDE).collect().await, more })
    }

    async fn content(
        &self,
        chart: &str,
        version: &Version,
        values: &Value,
    ) -> Result<Content, String> {
        let key = (chart.to_owned(), version.clone());
        let known = {
            let digests = self.digests.lock().unwrap_or_else(|e| e.into_inner());
            digests.get(&key).filter(|(at, _)| at.elapsed() < FRESH).map(|(_, d)| d.clone())
        };
        let digest = match known {
            Some(digest) => digest,
            None => {
                let found = self.charts.resolve(chart, version).await;
                let digest = found.map_err(|error| error.to_string())?;
                let mut digests = self.digests.lock().unwrap_or_else(|e| e.into_inner());
                bounded(&mut digests).insert(key, (Instant::now(), digest.clone()));
                digest
            }
        };
        let known = {
            let images = self.images.lock().unwrap_or_else(|e| e.into_inner());
            images.get(&digest).cloned()
        };
        let images = match known {
            Some(images) => images,
            None => {
                let found = self.look_into(chart, &digest, values).await?;
                let mut images = self.images.lock().unwrap_or_else(|e| e.into_inner());
                bounded(&mut images).insert(digest.clone(), found.clone());
                found
            }
        };
        Ok(Content { digest, images })
    }

    async fn look_into(
        &self,
        chart: &str,
        digest: &Digest,
        values: &Value,
    ) -> Result<Vec<String>, String> {
        let archive = self.charts.archive(chart, digest).await.map_err(|e| e.to_string())?;
        let values = values.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let chart = Chart::from_archive(&archive)?;
            let none = BTreeSet::new();
            let see = images::See {
                namespace: "qdrant",
                kube_version: None,
                api_versions: &[],
                database_versions: &none,
            };
            images::of(&chart, &values, &see)
        });
        match looking.await {
            Ok(Ok(images)) => Ok(images.into_iter().collect()),
            Ok(Err(error)) => Err(format!("{error:#}")),
            Err(error) => Err(format!("the chart could not be looked into: {error}")),
        }
    }

    async fn resolve(&self, chart: &str, version: Version) -> Result<Chosen, CatalogueError> {
        match self.charts.resolve(chart, &version).await {
            Ok(digest) => Ok(Chosen { version, digest }),
            Err(source) => Err(CatalogueError::Registry { chart: chart.to_owned(), source }),
        }
    }
}

/// A memory that has grown too large begins anew.
fn bounded<K, V>(map: &mut HashMap<K, V>) -> &mut HashMap<K, V> {
    if map.len() >= REMEMBERED {
        map.clear();
    }
    map
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use serde_json::json;

    use super::*;

    /// Versions 1.0.0 to 1.4.0, of which one cannot be had; counts what is asked.
    struct Fake(Arc<AtomicUsize>);

    #[async_trait]
    impl Charts for Fake {
        async fn versions(&self, _: &str) -> Result<Vec<Version>, ChartError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok((0..5).rev().map(|minor| Version::new(1, minor, 0)).collect())
        }

        async fn resolve(&self, _: &str, version: &Version) -> Result<Digest, ChartError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Digest::of(version.to_string().as_bytes()))
        }

        async fn archive(&self, _: &str, digest: &Digest) -> Result<Vec<u8>, ChartError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            if *digest == Digest::of(b"1.3.0") {
                return Err(ChartError { reason: "NotFound", message: "it is gone".into() });
            }
            let pod = "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: '{{ .Values.registry }}/a:1'}]}\n";
            let files = [
                ("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
                ("app/templates/pod.yaml", pod),
            ];
            let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let mut tar = tar::Builder::new(gzip);
            for (name, text) in files {
                let mut header = tar::Header::new_gnu();
                header.set_size(text.len() as u64);
                header.set_mode(0o644);
                tar.append_data(&mut header, name, text.as_bytes()).expect("a file");
            }
            Ok(tar.into_inner().expect("a tar").finish().expect("an archive"))
        }
    }

    #[tokio::test]
    async fn pages_follow_each_other_and_nothing_is_asked_twice() {
        let asked = Arc::new(AtomicUsize::new(0));
        let catalogue = Catalogue::new(Box::new(Fake(asked.clone())));
        let values = json!({"registry": "r.test"});
        let page = async |after: Option<&Version>| {
            catalogue.page("app", after, 2, &values).await.expect("a page")
        };
        let first = page(None).await;
        let content = first.entries[0].content.as_ref().expect("1.4.0");
        assert_eq!(content.images, ["r.test/a:1"]);
        assert_eq!(content.digest, Digest::of(b"1.4.0"));
        assert_eq!(first.entries[1].content, Err("it is gone".to_owned()), "it hides no other");
        let last = first.entries.last().map(|entry| &entry.version);
        let second = page(last).await;
        assert_eq!(second.entries[0].version, Version::new(1, 2, 0));
        assert!(first.more && second.more);
        let third = page(Some(&Version::new(1, 1, 0))).await;
        assert_eq!((third.entries.len(), third.more), (1, false));
        // One list, and for each version its digest and its archive.
        assert_eq!(asked.load(Ordering::SeqCst), 1 + 2 * 5);
        page(last).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1 + 2 * 5);
    }

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
