//! The HTTP client under it all, and what its errors mean.

use std::io;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use reqwest::{NoProxy, Proxy, redirect::Policy};

use super::{Options, tls};
use crate::{error::Error, reference::Reference};

/// What is known of the servers that a client has met.
#[derive(Debug, Default)]
pub(super) struct Acquaintance {
    /// One has asked who we are.
    pub asked: Arc<AtomicBool>,
    /// One has answered a request.
    pub answered: AtomicBool,
}

impl Acquaintance {
    /// As [`explain`]. A server that asked for a certificate and then hung up without a word did not like
    /// what it got: what it says of that is often lost, since our request is on its way already and is
    /// answered with a reset.
    pub(super) fn explain(&self, error: reqwest::Error, reference: &Reference) -> Error {
        let is_stranger = self.asked.load(Relaxed) && !self.answered.load(Relaxed);
        match explain(error, reference) {
            Error::Unreachable { registry, source }
                if is_stranger && source.is_request() && !source.is_connect() =>
            {
                Error::ClientCertificate { registry, source }
            }
            explained => explained,
        }
    }
}

pub(super) fn client(options: &Options, met: &Acquaintance) -> Result<reqwest::Client, Error> {
    let limits = &options.limits;
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("pinnace/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls::config(options, met.asked.clone())?)
        // Also for redirects and token services: nothing is ever sent in the clear.
        .https_only(!options.plain_http)
        .redirect(Policy::limited(limits.redirects))
        .connect_timeout(limits.connect_timeout)
        .read_timeout(limits.idle_timeout)
        .timeout(limits.request_timeout)
        .no_proxy();
    let proxies: [(_, fn(&str) -> _); 2] = [
        (&options.https_proxy, |url| Proxy::https(url)),
        (&options.http_proxy, |url| Proxy::http(url)),
    ];
    for (proxy, make) in proxies {
        let Some(proxy) = proxy else { continue };
        let proxy = make(proxy.expose()).map_err(|_| Error::InvalidProxy)?;
        let except = options.no_proxy.as_deref().and_then(NoProxy::from_string);
        builder = builder.proxy(proxy.no_proxy(except));
    }
    builder.build().map_err(Error::Setup)
}

/// What a failed request means. URLs are dropped: after a redirect they may carry signatures.
pub(super) fn explain(error: reqwest::Error, reference: &Reference) -> Error {
    let registry = reference.host().to_owned();
    let reference = reference.clone();
    let source = error.without_url();
    if source.is_redirect() || (source.is_builder() && !source.is_connect()) {
        Error::Redirect { registry, reference, source }
    } else if wants_certificate(&source) {
        Error::ClientCertificate { registry, source }
    } else if is_tls(&source) {
        Error::Tls { registry, source }
    } else if source.is_timeout() && !source.is_connect() {
        Error::TimedOut { registry, reference, source }
    } else {
        Error::Unreachable { registry, source }
    }
}

/// What a body that ended too early means.
pub(super) fn broken_off(
    error: reqwest::Error,
    what: &'static str,
    reference: &Reference,
) -> Error {
    if error.is_timeout() {
        return explain(error, reference);
    }
    let (registry, reference) = (reference.host().to_owned(), reference.clone());
    Error::Interrupted { what, registry, reference, source: error.without_url() }
}

/// True if the other side has said that it does not know us. With TLS 1.3 it says so when the
/// handshake is over for us; of what TLS has made of that, the text alone comes through HTTP.
fn wants_certificate(error: &reqwest::Error) -> bool {
    const SAID: &str = "received fatal alert: ";
    const ALERTS: [&str; 6] = [
        "CertificateRequired",
        "BadCertificate",
        "UnsupportedCertificate",
        "CertificateUnknown",
        "CertificateExpired",
        "UnknownCA",
    ];
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if text.split_once(SAID).is_some_and(|(_, alert)| ALERTS.contains(&alert)) {
            return true;
        }
        next = cause.source();
    }
    false
}

/// Looks through the chain of causes; an I/O error hides the one that it wraps.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if cause.is::<rustls::Error>() || wrapped.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        next = wrapped.map_or_else(|| cause.source(), |inner| Some(inner));
    }
    false
}
