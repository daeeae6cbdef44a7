//! Why a registry did not give what was asked for, in words for people.

use std::time::Duration;

use crate::{
    digest::{Digest, InvalidDigest},
    reference::{InvalidReference, Reference},
};

/// Every message names the registry and the reference; none holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{reference} is not there: check name and version, and that it has been mirrored")]
    NotFound { reference: Reference },

    #[error(
        "{registry} wants a sign-in for {reference}, and {}",
        if *.anonymous {
            "no credentials were given: add the registry to the pull secret"
        } else {
            "refused the user name and password: check the pull secret"
        }
    )]
    Unauthorized { registry: String, reference: Reference, anonymous: bool },

    #[error("{registry} does not let this user {action} {reference}: grant it access")]
    Forbidden { registry: String, reference: Reference, action: &'static str },

    #[error("{registry} does not support {what}, which {reference} needs: {instead}")]
    Unsupported {
        registry: String,
        reference: Reference,
        what: &'static str,
        instead: &'static str,
    },

    #[error("the sign-in for {reference} at {registry} ended during an upload")]
    SignInEnded { registry: String, reference: Reference },

    #[error("cannot read {what}")]
    Source {
        what: String,
        #[source]
        source: std::io::Error,
    },

    #[error("{what} of {reference} cannot be used: {why}")]
    InvalidManifest { what: &'static str, reference: Reference, why: String },

    #[error("{what} of {reference} is larger than the limit of {limit} {unit}")]
    TooLarge { what: &'static str, reference: Reference, limit: u64, unit: &'static str },

    #[error(
        "{what} of {reference} has digest {actual}, but {expected} is wanted: the tag has moved, \
         or the registry serves other bytes"
    )]
    DigestMismatch { what: &'static str, reference: Reference, expected: Digest, actual: Digest },

    #[error(
        "{what} of {reference} has {actual} bytes instead of {expected}: the transfer broke off"
    )]
    Truncated { what: &'static str, reference: Reference, expected: u64, actual: u64 },

    #[error("{registry} broke off while it sent {what} of {reference}")]
    Interrupted {
        what: &'static str,
        registry: String,
        reference: Reference,
        #[source]
        source: reqwest::Error,
    },

    #[error("the certificate of {registry} is not trusted: give its CA certificate, or correct it")]
    Tls {
        registry: String,
        #[source]
        source: reqwest::Error,
    },

    #[error(
        "{registry} wants a client certificate that it trusts: give one and its key in its settings"
    )]
    ClientCertificate {
        registry: String,
        #[source]
        source: reqwest::Error,
    },

    #[error("{registry} cannot be reached: check name, network and proxy")]
    Unreachable {
        registry: String,
        #[source]
        source: reqwest::Error,
    },

    #[error("{registry} was too slow with {reference}")]
    TimedOut {
        registry: String,
        reference: Reference,
        #[source]
        source: reqwest::Error,
    },

    #[error(
        "{registry} redirects {reference} in a way that is not followed (too often, or to http)"
    )]
    Redirect {
        registry: String,
        reference: Reference,
        #[source]
        source: reqwest::Error,
    },

    #[error(
        "{registry} limits its requests; {reference} can be tried again {}",
        .retry_after.map_or_else(|| "later".to_owned(), |wait| format!("in {} s", wait.as_secs()))
    )]
    RateLimited { registry: String, reference: Reference, retry_after: Option<Duration> },

    #[error("{registry} answered {status} for {reference}{}{message}", separator(.message))]
    Server {
        registry: String,
        reference: Reference,
        status: u16,
        message: String,
        retry_after: Option<Duration>,
    },

    #[error("{reference} is not a Helm chart: {why}")]
    NotAChart { reference: Reference, why: String },

    #[error("{registry} answered {reference} with something that is not understood: {why}")]
    Malformed { registry: String, reference: Reference, why: String },

    #[error("{reference} names no version: add a tag or a digest")]
    NoVersion { reference: Reference },

    #[error(transparent)]
    InvalidReference(#[from] InvalidReference),

    #[error(transparent)]
    InvalidDigest(#[from] InvalidDigest),

    #[error("a CA certificate is not PEM of a certificate: {why}")]
    InvalidCa { why: String },

    #[error("a client certificate and its key are not PEM that fit together: {why}")]
    InvalidClientCertificate { why: String },

    #[error("the proxy is not a URL such as http://proxy.example:3128")]
    InvalidProxy,

    #[error("what is to be sent cannot be read")]
    Local {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
}

impl Error {
    /// A short fixed name for condition reasons and metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "NotFound",
            Self::Unauthorized { .. } => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::TooLarge { .. } => "TooLarge",
            Self::DigestMismatch { .. } => "DigestMismatch",
            Self::Truncated { .. } | Self::Interrupted { .. } => "Truncated",
            Self::Tls { .. } => "Tls",
            Self::ClientCertificate { .. } => "ClientCertificate",
            Self::Unreachable { .. } => "Unreachable",
            Self::TimedOut { .. } => "TimedOut",
            Self::Redirect { .. } => "Redirect",
            Self::RateLimited { .. } => "RateLimited",
            Self::Server { .. } => "ServerError",
            Self::NotAChart { .. } => "NotAChart",
            Self::Malformed { .. } => "Malformed",
            Self::NoVersion { .. } | Self::InvalidReference(_) => "InvalidReference",
            Self::InvalidDigest(_) => "InvalidDigest",
            Self::InvalidCa { .. } => "InvalidCa",
            Self::InvalidClientCertificate { .. } => "InvalidClientCertificate",
            Self::Unsupported { .. } => "Unsupported",
            Self::SignInEnded { .. } => "Unauthorized",
            Self::Source { .. } => "Source",
            Self::InvalidManifest { .. } => "InvalidManifest",
            Self::InvalidProxy => "InvalidProxy",
            Self::Local { .. } => "Local",
            Self::Setup(_) => "Setup",
        }
    }

    /// True when the same request may succeed later with nothing changed by a person.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Server { status, .. } => *status >= 500,
            Self::Truncated { .. }
            | Self::Interrupted { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::SignInEnded { .. }
            | Self::RateLimited { .. } => true,
            _ => false,
        }
    }

    /// How long the registry asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Server { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }
}

fn separator(message: &str) -> &'static str {
    if message.is_empty() { "" } else { ": " }
}
