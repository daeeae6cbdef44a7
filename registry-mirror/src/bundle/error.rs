//! Why a bundle was not written, or is not used.

use std::{io, path::PathBuf};

use crate::{
    cache::CacheError,
    digest::Digest,
    error::Error,
    reference::{InvalidReference, Reference},
};

/// Every message names the bundle's file, or the reference that it is about.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    #[error("{} is not a bundle that can be used: {why}", path.display())]
    Malformed { path: PathBuf, why: String },

    #[error(
        "{} is compressed in one piece, so nothing can be read from its middle: unpack it with \
         `zstd -d`, or export it again",
        path.display()
    )]
    NotSeekable { path: PathBuf },

    #[error(
        "{} carries no signature: export it with --key, or allow unsigned bundles",
        path.display()
    )]
    Unsigned { path: PathBuf },

    #[error(
        "{} is signed by {}, and none of the trusted keys ({}) is among them",
        path.display(),
        .by.join(", "),
        .trusted.join(", ")
    )]
    NotTrusted { path: PathBuf, by: Vec<String>, trusted: Vec<String> },

    #[error(
        "the signature of {} by {key} does not fit its content: the file was changed after it was \
         signed",
        path.display()
    )]
    BadSignature { path: PathBuf, key: String },

    #[error("{what} is not a key that can be used: {why}")]
    Key { what: String, why: &'static str },

    #[error("{digest} in {} is damaged (its bytes have {actual}): copy it again", path.display())]
    Damaged { path: PathBuf, digest: Digest, actual: Digest },

    #[error("{} has no {digest}, which it should hold", path.display())]
    Missing { path: PathBuf, digest: Digest },

    #[error(
        "{} leaves out {digest}, which is in the bundle that it is based on (index {base}): give \
         that one with --base",
        path.display()
    )]
    InBase { path: PathBuf, digest: Digest, base: Digest },

    #[error("{} is not the bundle that {} is based on: that one has the index {}", base.display(),
        path.display(), wanted.as_ref().map_or("of none", Digest::as_str))]
    WrongBase { path: PathBuf, base: PathBuf, wanted: Option<Digest> },

    #[error("{reference} cannot be bundled: {why}")]
    NotBundled { reference: Reference, why: String },

    #[error("{reference} stands for {first} and for {second} in one bundle")]
    Ambiguous { reference: Reference, first: Digest, second: Digest },

    #[error(transparent)]
    Registry(#[from] Error),

    #[error(transparent)]
    Cache(#[from] CacheError),

    #[error(transparent)]
    InvalidReference(#[from] InvalidReference),
}

impl BundleError {
    /// A short fixed name, such as `Unsigned`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read { .. } => "Read",
            Self::Write { .. } => "Write",
            Self::Malformed { .. } => "Malformed",
            Self::NotSeekable { .. } => "NotSeekable",
            Self::Unsigned { .. } => "Unsigned",
            Self::NotTrusted { .. } => "NotTrusted",
            Self::BadSignature { .. } => "BadSignature",
            Self::Key { .. } => "Key",
            Self::Damaged { .. } => "Damaged",
            Self::Missing { .. } => "Missing",
            Self::InBase { .. } => "InBase",
            Self::WrongBase { .. } => "WrongBase",
            Self::NotBundled { .. } => "NotBundled",
            Self::Ambiguous { .. } => "Ambiguous",
            Self::Registry(error) => error.reason(),
            Self::Cache(_) => "Cache",
            Self::InvalidReference(_) => "InvalidReference",
        }
    }
}
