//! From the object that names a chart to the chart's bytes: credentials, mirrors, registry, signatures, cache.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt as _};
use pinnace_engine::Chart;
use pinnace_engine::chart::ValuesFileError;
use pinnace_registry::verify::Verdict;
use pinnace_registry::{Cache, Digest, PulledChart, Reference, Registries, Rules};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, Semaphore};

use super::render::told;
use super::unsupported;
use crate::api::helm_chart::HelmChart;
use crate::api::helm_release::{ChartReferenceKind, HelmRelease, ReconcileStrategy};
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OciRepository;
use crate::cluster::error::retried;
use crate::cluster::registry_table::Table;

mod access;
mod answers;
mod artifact;
mod error;
pub mod origin;
mod signatures;
mod versions;

use access::Secrets;
use answers::{Answers, Question};
pub use error::{Class, Error, Kind};
use origin::{Origin, Which};
use signatures::{Asked, Verdicts};

/// Parsed charts that are kept in memory.
const PARSED: usize = 16;

/// A chart as it was pulled.
#[derive(Clone)]
pub struct Pulled {
    /// Of the OCI manifest.
    pub digest: String,
    /// The OCI manifest.
    pub manifest: Bytes,
    /// Under which it was found; nothing if its digest was known before.
    pub tag: Option<String>,
    /// Where it came from, without tag.
    pub url: String,
    /// Bytes of the archive.
    pub size: usize,
    pub chart: Arc<Chart>,
    /// Whether the same version under another digest is another chart.
    pub counts_digest: bool,
    /// Where the images are that the chart names.
    pub mirrors: Arc<Rules>,
    /// By whom it is signed, if anybody was asked for.
    pub signed: Option<Verdict>,
}

/// The mirrors of a namespace, as its table says now.
pub async fn mirrors(client: &Client, namespace: &str) -> Result<Rules, Error> {
    Ok(Table::read(client, namespace).await?.rules)
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

    /// The chart of a release: that of `spec.chart`, or what the object of `spec.chartRef` has found. With a digest
    /// that is in the cache, and signatures that were looked at before if any are asked for, no registry is asked.
    pub async fn chart(&self, release: &HelmRelease) -> Result<Pulled, Error> {
        let namespace = release.own_namespace();
        if let Some(template) = &release.spec.chart {
            let wanted = &template.spec;
            let repository = self.repository(&namespace, &wanted.source_ref.name).await?;
            let origin = origin::of_template(&repository, wanted);
            let pulled = self.pulled(&namespace, &origin, Some(release)).await?;
            return Ok(Pulled { counts_digest: release.counts_digest(), ..pulled });
        }
        let Some(reference) = &release.spec.chart_ref else { return Err(Error::NoChart) };
        let name = &reference.name;
        let (origin, tag, counts_digest) = match reference.kind {
            ChartReferenceKind::HelmChart => {
                let chart: HelmChart = self.object(&namespace, "HelmChart", name).await?;
                let found = artifact::of_chart(&chart)?;
                let repository = self.repository(&namespace, &chart.spec.source_ref.name).await?;
                let origin = origin::of_chart(&repository, &chart);
                let strategy = chart.spec.reconcile_strategy;
                let revision = strategy == Some(ReconcileStrategy::Revision);
                (Origin { digest: Some(found), ..origin }, None, revision)
            }
            _ => {
                let object: OciRepository = self.object(&namespace, "OCIRepository", name).await?;
                let (tag, digest) = artifact::of_oci_repository(&object)?;
                let origin = origin::of_artifact(&object)?;
                (Origin { digest: Some(digest), ..origin }, tag, true)
            }
        };
        let mut pulled = self.pulled(&namespace, &origin, None).await?;
        if origin.tells_digest {
            pulled.chart = artifact::told_apart(&pulled.chart, tag.as_deref(), &pulled.digest)?;
        }
        Ok(Pulled { counts_digest, ..pulled })
    }

    /// What an OCIRepository stands for now: its registry is asked.
    pub async fn of_artifact(&self, object: &OciRepository) -> Result<Pulled, Error> {
        let origin = origin::of_artifact(object)?;
        self.pulled(&object.namespace().unwrap_or_default(), &origin, None).await
    }

    /// What a HelmChart stands for now: its registry is asked.
    pub async fn of_chart(&self, chart: &HelmChart) -> Result<Pulled, Error> {
        let namespace = chart.namespace().unwrap_or_default();
        let repository = self.repository(&namespace, &chart.spec.source_ref.name).await?;
        self.pulled(&namespace, &origin::of_chart(&repository, chart), None).await
    }

    /// `release`: an answer of the registry that is not too old for it will do.
    async fn pulled(
        &self,
        namespace: &str,
        origin: &Origin,
        release: Option<&HelmRelease>,
    ) -> Result<Pulled, Error> {
        let url = &origin.url;
        let reference = Reference::parse(url).map_err(Error::Reference)?;
        if reference.tag().is_some() || reference.digest().is_some() {
            return Err(Error::Tagged { url: url.clone() });
        }
        let table = Table::read(&self.client, namespace).await?;
        let secrets = Secrets::new(self.client.clone(), namespace);
        let asked = Asked::of(&secrets, origin.verify.as_ref(), &table, &reference).await?;
        let question = Question::of(namespace, origin, &table);
        let known = match &origin.digest {
            Some(digest) => Some(digest.to_string()),
            None => release.and_then(|release| self.answers.known(&question, release)),
        };
        let cached = self.cached(known.as_deref()).await;
        let verdict = known.as_deref().and_then(|digest| self.verdicts.known(digest, &asked));
        let (pulled, tag, signed) = match (cached, verdict) {
            (Some(pulled), Some(verdict)) => (pulled, None, verdict),
            (cached, _) => {
                let _permit = self.at_once.acquire().await;
                let registries = secrets.registries(&origin.access, &table, &reference).await?;
                let named = known.is_none();
                let (reference, digest) =
                    versions::located(&registries, &reference, origin, known).await?;
                let signed = match self.verdicts.known(digest.as_str(), &asked) {
                    Some(verdict) => verdict,
                    None => asked.verify(&registries, &reference, &digest).await?,
                };
                self.verdicts.note(&digest, &asked, &signed);
                let pulled = match cached {
                    Some(pulled) => pulled,
                    None => self.pull(&registries, &reference, &digest).await?,
                };
                self.answers.note(question, &pulled.digest);
                let tag = reference.tag().filter(|_| named).map(str::to_owned);
                (pulled, tag, signed)
            }
        };
        let mut chart = self.parse(url, &pulled).await?;
        check(&chart, origin)?;
        if !origin.values_files.is_empty() {
            chart = Arc::new(
                with_values_files(&chart, origin)
                    .map_err(|source| Error::ValuesFiles { url: url.clone(), source })?,
            );
        }
        let (size, mirrors) = (pulled.archive.len(), Arc::new(table.rules));
        let signed = (signed != Verdict::NotAsked).then_some(signed);
        let (digest, manifest, url) = (pulled.digest, pulled.manifest, url.clone());
        let counts_digest = false;
        Ok(Pulled { digest, manifest, tag, url, size, chart, counts_digest, mirrors, signed })
    }

    async fn repository(&self, namespace: &str, name: &str) -> Result<HelmRepository, Error> {
        let kind = "HelmRepository";
        let repository: HelmRepository = self.object(namespace, kind, name).await?;
        if repository.spec.suspend == Some(true) {
            return Err(Error::Suspended { kind, name: name.to_owned() });
        }
        if let Some(refused) = unsupported::repository(&repository) {
            return Err(Error::Unsupported { kind, name: name.to_owned(), refused });
        }
        Ok(repository)
    }

    async fn object<K>(&self, namespace: &str, kind: &'static str, name: &str) -> Result<K, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let found = retried(|| api.get_opt(name))
            .await
            .map_err(|source| Error::Read { what: format!("{kind} {namespace}/{name}"), source })?;
        let missing =
            || Error::NoSource { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        found.ok_or_else(missing)
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

/// The chart with the values files that are wanted. Its version tells them apart, as it does in Flux, whose
/// suffix is the generation of the HelmChart; ours is the same wherever the files are.
fn with_values_files(chart: &Chart, origin: &Origin) -> Result<Chart, ValuesFileError> {
    let files = &origin.values_files;
    let chart = chart.with_values_files(files, origin.ignore_missing_values_files)?;
    let files = hex::encode(Sha256::digest(files.join("\n")));
    let sign = if chart.version().contains('+') { '.' } else { '+' };
    Ok(chart.with_version(&format!("{}{sign}{}", chart.version(), &files[..12])))
}

/// The chart must be what its name and version say: a digest proves bytes, not intentions.
fn check(chart: &Chart, origin: &Origin) -> Result<(), Error> {
    let named = origin.name.as_ref().is_none_or(|name| chart.name() == name);
    let version = match &origin.which {
        Which::Version(version) if semver::Version::parse(version).is_ok() => Some(version),
        _ => None,
    };
    if named && version.is_none_or(|version| chart.version() == version) {
        return Ok(());
    }
    let name = origin.name.as_deref().unwrap_or_else(|| chart.name());
    Err(Error::OtherChart {
        url: origin.url.clone(),
        found: format!("{}@{}", chart.name(), chart.version()),
        wanted: format!("{name}@{}", origin.which.text()),
    })
}
