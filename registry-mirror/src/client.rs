//! One registry: manifests, blobs, tags, referrers; reading and writing.
//!
//! The HTTP is spoken here with reqwest. The ready-made clients read manifests, tokens and error
//! bodies without a limit, do not show Retry-After, and cannot limit redirects.

use std::sync::Arc;

use crate::{credentials::Credentials, error::Error, limits::Limits, secret::Secret};

mod auth;
mod catalog;
mod charts;
mod download;
mod grants;
mod http;
mod manifests;
mod paging;
mod referrers;
mod request;
mod retry;
mod scope;
mod sign_in;
mod tags;
mod tls;
mod transport;
mod upload;

pub use charts::PulledChart;
pub use download::{BlobStream, collect};
pub(crate) use referrers::fallback_tag;
pub use referrers::{Referrers, tags_of_old_signatures};
pub use upload::{BlobSource, Uploaded};

use transport::Transport;

/// How to reach a registry and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// PEM of CA certificates (each text may hold several) that are trusted beside the system's.
    pub ca_certificates: Vec<String>,
    /// For registries that want one.
    pub client_certificate: Option<ClientCertificate>,
    /// Sent to whichever registry a reference names, if it asks: make one client per registry.
    pub credentials: Credentials,
    pub limits: Limits,
    /// `http://[user:password@]host:port`, for TLS. The environment is not looked at.
    pub https_proxy: Option<Secret>,
    /// The same for registries without TLS.
    pub http_proxy: Option<Secret>,
    /// Hosts, `.domains` and networks that are reached without a proxy, separated by commas.
    pub no_proxy: Option<String>,
    /// Speak HTTP without TLS. For registries on the same machine; credentials are readable.
    pub plain_http: bool,
    /// Speak TLS with whoever answers. Credentials may then go to a stranger.
    pub accept_any_certificate: bool,
}

/// Who we say we are in TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM, with intermediate certificates after the own one.
    pub certificate: String,
    /// PEM.
    pub key: Secret,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca_certificates: Vec::new(),
            client_certificate: None,
            credentials: Credentials::Anonymous,
            limits: Limits::default(),
            https_proxy: None,
            http_proxy: None,
            no_proxy: None,
            plain_http: false,
            accept_any_certificate: false,
        }
    }
}

/// A client; clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Client(Arc<Transport>);

impl Client {
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self(Arc::new(Transport::new(options)?)))
    }

    /// What this client reads at most, and how long it waits.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }
}
