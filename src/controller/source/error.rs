//! Why a chart cannot be had, and what the conditions say then.

use std::time::Duration;

use pinnace_engine::chart::ValuesFileError;
use pinnace_registry::RegistriesError;

use crate::cluster::error::explain;
use crate::cluster::registry_table::{self, TABLE};
use crate::controller::render::told;
use crate::controller::unsupported::Unsupported;
use crate::model::condition::reason;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{kind} {namespace}/{name} is not there: create it, or correct its name in the spec")]
    NoSource { kind: &'static str, namespace: String, name: String },
    #[error("{kind} '{namespace}/{name}' is not ready: {why}")]
    NotReady { kind: &'static str, namespace: String, name: String, why: String },
    #[error("the spec names no chart: set spec.chart or spec.chartRef")]
    NoChart,
    #[error(
        "OCIRepository {name}: spec.ref.digest is not a digest (sha256: and 64 hexadecimal digits)"
    )]
    Digest { name: String },
    #[error("spec.ref.semverFilter {filter:?} cannot be used: {why}")]
    Filter { filter: String, why: String },
    #[error("cannot read {what}: {}", explain(source))]
    Read { what: String, source: kube::Error },
    #[error("{kind} {name}: {refused}")]
    Unsupported { kind: &'static str, name: String, refused: Unsupported },
    #[error("chart {url}: {}", told(source))]
    ValuesFiles { url: String, source: ValuesFileError },
    #[error("{kind} {name} is suspended")]
    Suspended { kind: &'static str, name: String },
    #[error("Secret {name} has no {key}: {instead}")]
    Secret { name: String, key: &'static str, instead: &'static str },
    #[error("Secret {name}: {}", told(source))]
    Credentials { name: String, source: pinnace_registry::CredentialsError },
    #[error("Secret {name}: {key} {why}")]
    SecretText { name: String, key: String, why: String },
    #[error("ConfigMap {TABLE}: {0}")]
    Table(#[from] registry_table::Error),
    #[error("{0}")]
    Verify(String),
    #[error("{}", told(.0))]
    Reference(pinnace_registry::InvalidReference),
    #[error("{url} names a tag: say it in spec.ref")]
    Tagged { url: String },
    #[error("{url} has no version that matches {wanted:?}: the newest are {newest}")]
    NoVersion { url: String, wanted: String, newest: String },
    #[error("{0:?} is neither a version nor a range of versions")]
    Version(String),
    #[error("{}: {}", .0.reason(), told(.0))]
    Registry(RegistriesError),
    #[error("{url} is not a chart that can be used: {message}")]
    Chart { url: String, message: String },
    #[error("{url} is chart {found}, and {wanted} is wanted")]
    OtherChart { url: String, found: String, wanted: String },
    #[error(
        "artifact revision {tag} does not match chart version {version}: push the chart under its version"
    )]
    Mutation { tag: String, version: String },
}

/// The words for one failure in a source's status. They are Flux's (source-controller `api/v1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Of an OCIRepository.
    pub artifact: &'static str,
    /// Of a HelmChart.
    pub chart: &'static str,
    pub kind: Kind,
}

/// Which condition a failure is told by, besides Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may go by itself.
    Fetch,
    /// It stays until the spec changes.
    Stalled,
    Signature,
}

impl Error {
    /// The reason of a HelmRelease's Ready condition: the source is not there, or what it holds cannot be had.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoSource { .. }
            | Self::NotReady { .. }
            | Self::NoChart
            | Self::Digest { .. }
            | Self::Read { .. }
            | Self::Unsupported { .. }
            | Self::Suspended { .. }
            | Self::Secret { .. }
            | Self::SecretText { .. }
            | Self::Table(_)
            | Self::Verify(_)
            | Self::Credentials { .. } => reason::SOURCE_NOT_READY,
            Self::Mutation { .. } => reason::CHART_MUTATE_ERROR,
            _ => reason::ARTIFACT_FAILED,
        }
    }

    /// How a source tells of it.
    pub fn class(&self) -> Class {
        let class = |artifact, chart, kind| Class { artifact, chart, kind };
        match self {
            Self::Reference(_) | Self::Tagged { .. } => {
                class("URLInvalid", "InvalidChartReference", Kind::Stalled)
            }
            Self::Digest { .. } | Self::Version(_) | Self::Filter { .. } | Self::NoChart => {
                class("OCIArtifactPullFailed", "InvalidChartReference", Kind::Stalled)
            }
            Self::Unsupported { kind: "HelmRepository", .. }
            | Self::NoSource { .. }
            | Self::NotReady { .. }
            | Self::Suspended { .. } => {
                class("SourceUnavailable", "SourceUnavailable", Kind::Fetch)
            }
            Self::Unsupported { .. } => {
                class(reason::UNSUPPORTED, reason::UNSUPPORTED, Kind::Stalled)
            }
            Self::ValuesFiles { .. } => {
                class("ValuesFilesError", "ValuesFilesError", Kind::Stalled)
            }
            Self::Verify(_) | Self::Registry(RegistriesError::Signature(_)) => {
                class("VerificationError", "ChartVerificationError", Kind::Signature)
            }
            Self::Registry(error) if is_signature(error) => {
                class("VerificationError", "ChartVerificationError", Kind::Signature)
            }
            Self::Registry(error) if matches!(error.reason(), "Unauthorized" | "Forbidden") => {
                class("AuthenticationFailed", "AuthenticationError", Kind::Fetch)
            }
            Self::Secret { .. } | Self::SecretText { .. } | Self::Credentials { .. } => {
                class("AuthenticationFailed", "AuthenticationError", Kind::Fetch)
            }
            Self::Chart { .. } => {
                class("OCIArtifactLayerOperationFailed", "ChartPackageError", Kind::Fetch)
            }
            Self::NoVersion { .. } => {
                class("OCIArtifactPullFailed", "InvalidChartReference", Kind::Fetch)
            }
            _ => class("OCIArtifactPullFailed", "ChartPullError", Kind::Fetch),
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

/// Whether the last place that was asked has the artifact, and no signature that counts.
fn is_signature(error: &RegistriesError) -> bool {
    match error {
        RegistriesError::Signature(_) => true,
        RegistriesError::Nowhere { failures, .. } => {
            failures.last().is_some_and(|(_, error)| is_signature(error))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_person_can_mend_is_stalled() {
        let version = Error::Version("x".into());
        assert_eq!(version.class().kind, Kind::Stalled);
        let missing =
            Error::NoVersion { url: "u".into(), wanted: "1".into(), newest: "none".into() };
        assert_eq!(
            (missing.class().kind, missing.class().chart),
            (Kind::Fetch, "InvalidChartReference")
        );
        let refused = Unsupported { field: "provider", instead: "use generic" };
        let of = |kind| Error::Unsupported { kind, name: "r".into(), refused: refused.clone() };
        assert_eq!(of("OCIRepository").class().kind, Kind::Stalled);
        assert_eq!(of("HelmRepository").class().kind, Kind::Fetch, "another object has to change");
    }
}
