//! Bringing charts and images to another registry, and holding it against what is needed there.
//! In reading order:
//!
//! 1. [`Plan`] is the exact list, by digest.
//! 2. [`Copier`] brings it over; [`check`] proves that all of it is there; [`prune`] finds what is
//!    there and in no plan.

mod attachments;
mod blobs;
mod check;
mod copy;
mod plan;
mod platforms;
mod progress;
mod prune;

pub use check::{Finding, Found, check};
pub use copy::{Copied, Copier, CopyOptions, Outcome};
pub use plan::{Item, Plan, PlanError, SYNC_LIST_NOTE};
pub use platforms::{InvalidPlatform, Platforms};
pub use progress::{Event, Progress};
pub use prune::{Extra, delete, prune};

use crate::{error::Error, reference::Reference, registries::RegistriesError};

/// Why something could not be mirrored. The names of both sides are in it.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error("cannot read {reference}")]
    Source {
        reference: Reference,
        #[source]
        source: RegistriesError,
    },
    #[error("cannot write {reference}")]
    Target {
        reference: Reference,
        #[source]
        source: RegistriesError,
    },
    #[error("{reference} has no image for {platforms}: it has {present}")]
    NoPlatform { reference: Reference, platforms: String, present: String },
    #[error("{reference} nests indexes deeper than {limit} levels")]
    TooDeep { reference: Reference, limit: usize },
    #[error("{reference} cannot be read: {why}")]
    Manifest { reference: Reference, why: String },
}

impl MirrorError {
    fn source(reference: &Reference, source: impl Into<RegistriesError>) -> Self {
        Self::Source { reference: reference.clone(), source: source.into() }
    }

    fn target(reference: &Reference, source: impl Into<RegistriesError>) -> Self {
        Self::Target { reference: reference.clone(), source: source.into() }
    }

    fn manifest(reference: &Reference, why: &crate::manifest::InvalidManifest) -> Self {
        Self::Manifest { reference: reference.clone(), why: why.to_string() }
    }

    /// True when the same may succeed later with nothing changed by a person.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Source { source, .. } | Self::Target { source, .. } => source.is_transient(),
            _ => false,
        }
    }
}

/// A registry's answer where "not there" is one.
fn optional<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
