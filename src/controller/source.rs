//! From a HelmRelease to the chart's bytes: HelmRepository, credentials, mirrors, registry, signatures, cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use kube::Client;
use kube::api::Api;
use pinnace_engine::Chart;
use pinnace_engine::chart::ValuesFileError;
use pinnace_engine::version::{Constraint, Version};
use pinnace_registry::verify::Verdict;
use pinnace_registry::{Cache, Digest, PulledChart, Reference, Registries, RegistriesError, Rules};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, Semaphore};

use super::render::told;
use super::unsupported::{self, Unsupported};
use crate::api::helm_release::{HelmChartTemplateSpec, HelmRelease};
use crate::api::helm_repository::HelmRepository;
use crate::cluster::error::{explain, retried};
use crate::cluster::registry_table::{self, TABLE, Table};
use crate::model::condition::reason;

mod access;
mod answers;
mod signatures;

use access::Secrets;
use answers::{Answers, Question};
use signatures::{Asked, Verdicts};

/// Parsed charts that are kept in memory.
const PARSED: usize = 16;

/// A chart as it was pulled.
#[derive(Clone)]
pub struct Pulled {
    /// Of the OCI manifest.
    pub digest: String,
    /// Where it came from, without tag.
    pub url: String,
    /// Bytes of the archive.
    pub size: usize,
    pub chart: Arc<Chart>,
    /// Where the images are that the chart names.
    pub mirrors: Arc<Rules>,
    /// By whom it is signed, if anybody was asked for.
    pub signed: Option<Verdict>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "HelmRepository {namespace}/{name} is not there: create it, or correct spec.chart.spec.sourceRef"
    )]
    NoRepository { namespace: String, name: String },
    #[error("cannot read {what}: {}", explain(source))]
    Read { what: String, source: kube::Error },
    #[error("HelmRepository {name}: {refused}")]
    Unsupported { name: String, refused: Unsupported },
    #[error("chart {url}: {}", told(source))]
    ValuesFiles { url: String, source: ValuesFileError },
    #[error("HelmRepository {name} is suspended")]
    Suspended { name: String },
    #[error("Secret {name} has no {key}: {instead}")]
    Secret { name: String, key: &'static str, instead: &'static str },
    #[error("Secret {name}: {}", told(source))]
    Credentials { name: String, source: pinnace_registry::CredentialsError },
    #[error("Secret {name}: {key} {why}")]
    SecretText { name: String, key: String, why: String },
    #[error("ConfigMap {TABLE}: {0}")]
    Table(#[from] registry_table::Error),
    #[error("spec.chart.spec.verify: {0}")]
    Verify(String),
    #[error("{}", told(.0))]
    Reference(pinnace_registry::InvalidReference),
    #[error("{url} has no version that matches {wanted:?}: the newest are {newest}")]
    NoVersion { url: String, wanted: String, newest: String },
    #[error("{0:?} is neither a version nor a range of versions")]
    Version(String),
    #[error("{}: {}", .0.reason(), told(.0))]
    Registry(RegistriesError),
    #[error("{url} is not a chart that can be used: {message}")]
    Chart { url: String, message: String },
    #[error("{url} is chart {found}, and the release wants {wanted}")]
    OtherChart { url: String, found: String, wanted: String },
}

/// The mirrors of a namespace, as its table says now.
pub async fn mirrors(client: &Client, namespace: &str) -> Result<Rules, Error> {
    Ok(Table::read(client, namespace).await?.rules)
}

impl Error {
    /// The reason of the Ready condition: the source is not there, or what it holds cannot be had.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoRepository { .. }
            | Self::Read { .. }
            | Self::Unsupported { .. }
            | Self::Suspended { .. }
            | Self::Secret { .. }
            | Self::SecretText { .. }
            | Self::Table(_)
            | Self::Verify(_)
            | Self::Credentials { .. } => reason::SOURCE_NOT_READY,
            _ => reason::ARTIFACT_FAILED,
        }
    }

    /// How long the registry asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Registry(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// Pulls charts, and keeps them parsed.
pub struct Sources {
    client: Client,
    cache: Cache,
    parsed: Mutex<HashMap<String, Arc<Chart>>>,
    /// Bounds the memory that pulls take at one time.
    at_once: Semaphore,
    answers: Answers,
    verdicts: Verdicts,
}

impl Sources {
    pub fn new(client: Client, cache: Cache, concurrency: usize) -> Self {
        let at_once = Semaphore::new(concurrency.max(1));
        let (parsed, answers, verdicts) =
            (Mutex::default(), Answers::default(), Verdicts::default());
        Self { client, cache, parsed, at_once, answers, verdicts }
    }

    /// The chart that `wanted` names. With a digest in the spec that is in the cache, and signatures that were
    /// looked at before if any are asked for, no registry is asked.
    pub async fn chart(
        &self,
        release: &HelmRelease,
        wanted: &HelmChartTemplateSpec,
    ) -> Result<Pulled, Error> {
        let namespace = release.own_namespace();
        let repository = self.repository(&namespace, &wanted.source_ref.name).await?;
        let url = format!("{}/{}", repository.spec.url.trim_end_matches('/'), wanted.chart);
        let reference = Reference::parse(&url).map_err(Error::Reference)?;
        let table = Table::read(&self.client, &namespace).await?;
        let secrets = Secrets::new(self.client.clone(), &namespace);
        let asked = Asked::of(&secrets, wanted, &table, &reference).await?;
        let question = Question::of(&namespace, &repository, &table, wanted);
        let known = match &wanted.digest {
            Some(digest) => Some(digest.to_string()),
            None => self.answers.known(&question, release),
        };
        let cached = self.cached(known.as_deref()).await;
        let verdict = known.as_deref().and_then(|digest| self.verdicts.known(digest, &asked));
        let (pulled, signed) = match (cached, verdict) {
            (Some(pulled), Some(verdict)) => (pulled, verdict),
            (cached, _) => {
                let _permit = self.at_once.acquire().await;
                let registries = secrets.registries(&repository, &table, &reference).await?;
                let (reference, digest) = located(&registries, &reference, wanted, known).await?;
                let signed = asked.verify(&registries, &reference, &digest).await?;
                self.verdicts.note(&digest, &asked, &signed);
                let pulled = match cached {
                    Some(pulled) => pulled,
                    None => self.pull(&registries, &reference, &digest).await?,
                };
                self.answers.note(question, &pulled.digest);
                (pulled, signed)
            }
        };
        let mut chart = self.parse(&url, &pulled).await?;
        check(&url, &chart, wanted)?;
        if !wanted.values_files.is_empty() {
            chart = Arc::new(
                with_values_files(&chart, wanted)
                    .map_err(|source| Error::ValuesFiles { url: url.clone(), source })?,
            );
        }
        let (size, mirrors) = (pulled.archive.len(), Arc::new(table.rules));
        let signed = (signed != Verdict::NotAsked).then_some(signed);
        Ok(Pulled { digest: pulled.digest, url, size, chart, mirrors, signed })
    }

    async fn repository(&self, namespace: &str, name: &str) -> Result<HelmRepository, Error> {
        let api: Api<HelmRepository> = Api::namespaced(self.client.clone(), namespace);
        let found = retried(|| api.get_opt(name)).await.map_err(|source| Error::Read {
            what: format!("HelmRepository {namespace}/{name}"),
            source,
        })?;
        let missing = || Error::NoRepository { namespace: namespace.into(), name: name.into() };
        let repository = found.ok_or_else(missing)?;
        let spec = &repository.spec;
        if spec.suspend == Some(true) {
            return Err(Error::Suspended { name: name.to_owned() });
        }
        if let Some(refused) = unsupported::repository(&repository) {
            return Err(Error::Unsupported { name: name.to_owned(), refused });
        }
        Ok(repository)
    }

    async fn cached(&self, digest: Option<&str>) -> Option<PulledChart> {
        match self.cache.get(digest?).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(error = %told(&error), "the chart cache was not read");
                None
            }
        }
    }

    async fn pull(
        &self,
        registries: &Registries,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<PulledChart, Error> {
        if let Some(pulled) = self.cached(Some(digest.as_str())).await {
            return Ok(pulled);
        }
        let pulled =
            registries.pull_chart(reference, digest).boxed().await.map_err(Error::Registry)?;
        if let Err(error) = self.cache.put(&pulled).await {
            tracing::warn!(error = %told(&error), "the chart was not cached");
        }
        Ok(pulled)
    }

    async fn parse(&self, url: &str, pulled: &PulledChart) -> Result<Arc<Chart>, Error> {
        let mut parsed = self.parsed.lock().await;
        if let Some(chart) = parsed.get(&pulled.digest) {
            return Ok(chart.clone());
        }
        let archive = pulled.archive.clone();
        let broken = |message| Error::Chart { url: url.to_owned(), message };
        let chart = tokio::task::spawn_blocking(move || Chart::from_archive(&archive))
            .await
            .map_err(|e| broken(e.to_string()))?
            .map_err(|e| broken(told(&e)))?;
        if parsed.len() >= PARSED {
            parsed.clear();
        }
        let chart = Arc::new(chart);
        parsed.insert(pulled.digest.clone(), chart.clone());
        Ok(chart)
    }
}

/// What is asked for by name, and the digest that this is: the one that is known, or the one of the version.
async fn located(
    registries: &Registries,
    reference: &Reference,
    wanted: &HelmChartTemplateSpec,
    known: Option<String>,
) -> Result<(Reference, Digest), Error> {
    if let Some(digest) = known.and_then(|digest| digest.parse().ok()) {
        // The version is for messages alone.
        let reference = reference.with_tag(wanted.version()).unwrap_or_else(|_| reference.clone());
        return Ok((reference, digest));
    }
    let version = version(registries, reference, wanted.version()).await?;
    let reference = reference.with_tag(&version).map_err(Error::Reference)?;
    let digest = registries.resolve(&reference).boxed().await.map_err(Error::Registry)?;
    Ok((reference, digest))
}

/// An exact version is taken as it is; a range is looked up among the registry's tags.
async fn version(
    registries: &Registries,
    reference: &Reference,
    wanted: &str,
) -> Result<String, Error> {
    if semver::Version::parse(wanted).is_ok() {
        return Ok(wanted.to_owned());
    }
    let range = Constraint::parse(wanted)
        .map_err(|_| Error::Version(wanted.chars().take(100).collect()))?;
    let versions = registries.chart_versions(reference).boxed().await.map_err(Error::Registry)?;
    newest(&versions, &range).ok_or_else(|| Error::NoVersion {
        url: reference.to_string(),
        wanted: wanted.to_owned(),
        newest: versions
            .iter()
            .take(3)
            .map(semver::Version::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// The first of the versions, which come newest first, that is in the range as Helm reads it.
fn newest(versions: &[semver::Version], range: &Constraint) -> Option<String> {
    let mut texts = versions.iter().map(semver::Version::to_string);
    texts.find(|text| Version::parse(text).is_ok_and(|v| range.matches(&v)))
}

/// The chart with the values files that are wanted. Its version tells them apart, as it does in Flux, whose
/// suffix is the generation of the HelmChart; ours is the same wherever the files are.
fn with_values_files(
    chart: &Chart,
    wanted: &HelmChartTemplateSpec,
) -> Result<Chart, ValuesFileError> {
    let ignore_missing = wanted.ignore_missing_values_files == Some(true);
    let chart = chart.with_values_files(&wanted.values_files, ignore_missing)?;
    let files = hex::encode(Sha256::digest(wanted.values_files.join("\n")));
    let sign = if chart.version().contains('+') { '.' } else { '+' };
    Ok(chart.with_version(&format!("{}{sign}{}", chart.version(), &files[..12])))
}

/// The chart must be what its name and version say: a digest proves bytes, not intentions.
fn check(url: &str, chart: &Chart, wanted: &HelmChartTemplateSpec) -> Result<(), Error> {
    let name = wanted.chart.rsplit('/').next().unwrap_or_default();
    let exact = semver::Version::parse(wanted.version()).is_ok();
    if chart.name() == name && (!exact || chart.version() == wanted.version()) {
        return Ok(());
    }
    Err(Error::OtherChart {
        url: url.to_owned(),
        found: format!("{}@{}", chart.name(), chart.version()),
        wanted: format!("{name}@{}", wanted.version()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_helm() {
        let versions: Vec<semver::Version> =
            ["2.1.0-rc.1", "2.0.1", "1.10.0", "1.2.9", "1.2.3", "1.1.0", "0.9.0"]
                .iter()
                .map(|text| text.parse().expect("a version"))
                .collect();
        for (range, expected) in [
            ("1.2", Some("1.2.9")),
            ("1", Some("1.10.0")),
            ("v1.2.3", Some("1.2.3")),
            ("=1.2.3", Some("1.2.3")),
            ("1.x", Some("1.10.0")),
            ("*", Some("2.0.1")),
            ("~1.2.3", Some("1.2.9")),
            ("^1.2", Some("1.10.0")),
            ("1.1 - 1.2.3", Some("1.2.3")),
            (">=1.0, <1.2.9", Some("1.2.3")),
            (">=1.0 <1.2.9", Some("1.2.3")),
            ("<1 || 1.1.x", Some("1.1.0")),
            (">=1.2.0, !=2.0.1", Some("1.10.0")),
            (">=2.0.0-0", Some("2.1.0-rc.1")),
            (">2.1", None),
        ] {
            let range = Constraint::parse(range).unwrap_or_else(|e| panic!("{range}: {e}"));
            assert_eq!(newest(&versions, &range).as_deref(), expected);
        }
        assert!(Constraint::parse("newest").is_err());
    }
}
