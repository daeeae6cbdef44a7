//! From a HelmRelease to the chart's bytes: HelmRepository, credentials, registry, cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use pinnace_engine::Chart;
use pinnace_engine::chart::ValuesFileError;
use pinnace_engine::version::{Constraint, Version};
use pinnace_registry::{Cache, Credentials, Limits, PulledChart, Reference};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, Semaphore};

use super::render::told;
use super::unsupported::{self, Unsupported};
use crate::api::helm_release::{HelmChartTemplateSpec, HelmRelease};
use crate::api::helm_repository::{HelmRepository, HelmRepositorySpec};
use crate::cluster::error::{explain, retried};
use crate::model::condition::reason;

mod answers;

use answers::{Answers, Question};

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
    #[error("{}", told(.0))]
    Reference(pinnace_registry::InvalidReference),
    #[error("{url} has no version that matches {wanted:?}: the newest are {newest}")]
    NoVersion { url: String, wanted: String, newest: String },
    #[error("{0:?} is neither a version nor a range of versions")]
    Version(String),
    #[error("{}: {}", .0.reason(), told(.0))]
    Registry(pinnace_registry::Error),
    #[error("{url} is not a chart that can be used: {message}")]
    Chart { url: String, message: String },
    #[error("{url} is chart {found}, and the release wants {wanted}")]
    OtherChart { url: String, found: String, wanted: String },
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
}

impl Sources {
    pub fn new(client: Client, cache: Cache, concurrency: usize) -> Self {
        let at_once = Semaphore::new(concurrency.max(1));
        Self { client, cache, parsed: Mutex::default(), at_once, answers: Answers::default() }
    }

    /// The chart that `wanted` names. With a digest in the spec that is in the cache, no registry is asked.
    pub async fn chart(
        &self,
        release: &HelmRelease,
        wanted: &HelmChartTemplateSpec,
    ) -> Result<Pulled, Error> {
        let namespace = release.own_namespace();
        let repository = self.repository(&namespace, &wanted.source_ref.name).await?;
        let url = format!("{}/{}", repository.spec.url.trim_end_matches('/'), wanted.chart);
        let reference = Reference::parse(&url).map_err(Error::Reference)?;
        let question = Question::of(&namespace, &repository, wanted);
        let known = match &wanted.digest {
            Some(digest) => Some(digest.to_string()),
            None => self.answers.known(&question, release),
        };
        let pulled = match self.cached(known.as_deref()).await {
            Some(pulled) => pulled,
            None => {
                let _permit = self.at_once.acquire().await;
                let registry = self.registry(&namespace, &repository, &reference).await?;
                let pulled = self.pull(&registry, &reference, wanted).await?;
                self.answers.note(question, &pulled.digest);
                pulled
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
        Ok(Pulled { digest: pulled.digest, url, size: pulled.archive.len(), chart })
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

    async fn registry(
        &self,
        namespace: &str,
        repository: &HelmRepository,
        reference: &Reference,
    ) -> Result<pinnace_registry::Client, Error> {
        let spec = &repository.spec;
        let credentials = match &spec.secret_ref {
            None => Credentials::Anonymous,
            Some(secret) => {
                let data = self.secret(namespace, &secret.name).await?;
                credentials(&secret.name, &data, reference.host())?
            }
        };
        let ca_certificates = match &spec.cert_secret_ref {
            None => Vec::new(),
            Some(secret) => {
                let data = self.secret(namespace, &secret.name).await?;
                vec![authority(&secret.name, &data)?]
            }
        };
        let options = options(&repository.spec, credentials, ca_certificates);
        pinnace_registry::Client::new(options).map_err(Error::Registry)
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Data, Error> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = retried(|| api.get(name))
            .await
            .map_err(|source| Error::Read { what: format!("Secret {namespace}/{name}"), source })?;
        Ok(secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect())
    }

    async fn pull(
        &self,
        registry: &pinnace_registry::Client,
        reference: &Reference,
        wanted: &HelmChartTemplateSpec,
    ) -> Result<PulledChart, Error> {
        let version = version(registry, reference, wanted.version()).await?;
        let reference = reference.with_tag(&version).map_err(Error::Reference)?;
        let digest = match &wanted.digest {
            Some(digest) => digest.to_string(),
            None => registry.resolve(&reference).boxed().await.map_err(Error::Registry)?,
        };
        if let Some(pulled) = self.cached(Some(&digest)).await {
            return Ok(pulled);
        }
        let pulled = registry
            .pull_chart(&reference, Some(&digest))
            .boxed()
            .await
            .map_err(Error::Registry)?;
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

type Data = HashMap<String, Vec<u8>>;

/// How the registry of a repository is asked.
fn options(
    spec: &HelmRepositorySpec,
    credentials: Credentials,
    ca_certificates: Vec<String>,
) -> pinnace_registry::Options {
    let mut limits = Limits::default();
    if let Some(timeout) = &spec.timeout {
        limits.request_timeout = timeout.get();
    }
    pinnace_registry::Options {
        ca_certificates,
        credentials,
        limits,
        plain_http: spec.insecure == Some(true),
        ..Default::default()
    }
}

fn credentials(name: &str, data: &Data, host: &str) -> Result<Credentials, Error> {
    let text = |key: &str| data.get(key).map(|v| String::from_utf8_lossy(v).trim().to_owned());
    if let Some(config) = data.get(".dockerconfigjson") {
        return Credentials::from_docker_config(config, host)
            .map_err(|source| Error::Credentials { name: name.to_owned(), source });
    }
    match (text("username"), text("password")) {
        (Some(username), Some(password)) => Ok(Credentials::basic(username, password)),
        _ => Err(Error::Secret {
            name: name.to_owned(),
            key: ".dockerconfigjson",
            instead: "make it with kubectl create secret docker-registry",
        }),
    }
}

fn authority(name: &str, data: &Data) -> Result<String, Error> {
    if data.contains_key("tls.crt") || data.contains_key("tls.key") {
        return Err(Error::Secret {
            name: name.to_owned(),
            key: "use for tls.crt and tls.key",
            instead: "client certificates are not supported by this version",
        });
    }
    match data.get("ca.crt") {
        Some(pem) => Ok(String::from_utf8_lossy(pem).into_owned()),
        None => Err(Error::Secret {
            name: name.to_owned(),
            key: "ca.crt",
            instead: "add the certificate of the registry's authority as PEM",
        }),
    }
}

/// An exact version is taken as it is; a range is looked up among the registry's tags.
async fn version(
    registry: &pinnace_registry::Client,
    reference: &Reference,
    wanted: &str,
) -> Result<String, Error> {
    if semver::Version::parse(wanted).is_ok() {
        return Ok(wanted.to_owned());
    }
    let range = Constraint::parse(wanted)
        .map_err(|_| Error::Version(wanted.chars().take(100).collect()))?;
    let versions = registry.chart_versions(reference).boxed().await.map_err(Error::Registry)?;
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
    fn a_repository_is_asked_with_its_credentials_and_within_its_time() {
        let spec: HelmRepositorySpec = serde_json::from_value(serde_json::json!({
            "url": "oci://r", "type": "oci", "insecure": true, "timeout": "7s",
        }))
        .expect("a spec");
        let data = |key: &str, text: &str| (key.to_owned(), text.as_bytes().to_vec());
        let plain = Data::from([data("username", "u\n"), data("password", "p")]);
        let asked = options(&spec, credentials("s", &plain, "r").expect("valid"), Vec::new());
        assert!(asked.plain_http);
        assert_eq!(asked.limits.request_timeout, Duration::from_secs(7));
        assert!(!matches!(asked.credentials, Credentials::Anonymous));
        let error = credentials("s", &Data::new(), "r").expect_err("no credentials");
        assert!(error.to_string().contains("Secret s has no .dockerconfigjson"), "{error}");
    }

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
