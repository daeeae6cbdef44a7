//! What the tests start: a genuine registry, a registry of our own, and a client for each.

use std::{path::PathBuf, time::Duration};

use pinnace_registry::{Client, Error, Limits, Options, Reference};

pub mod counted;
pub mod fake;
pub mod genuine;
pub mod image;
pub mod tls;

/// Retries without long waits.
pub fn limits() -> Limits {
    Limits {
        attempts: 3,
        backoff: Duration::from_millis(2),
        longest_wait: Duration::from_secs(5),
        ..Limits::default()
    }
}

/// An anonymous client without TLS, for registries of our own.
pub fn plain(limits: Limits) -> Client {
    Client::new(Options { limits, plain_http: true, ..Options::default() }).unwrap()
}

pub fn reference(text: impl AsRef<str>) -> Reference {
    Reference::parse(text.as_ref()).unwrap()
}

/// For tests that speak HTTP themselves. Whoever comes second finds the one TLS stack installed.
pub fn http() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// The error, after it was checked to be of this kind and to name what it is about.
pub fn refused<T: std::fmt::Debug>(result: Result<T, Error>, reason: &str, about: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.reason(), reason, "{error:?}");
    assert!(error.to_string().contains(about), "{error} does not name {about}");
    error
}

/// A tool that `make tools` builds.
pub fn tool(name: &str) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let folder = variable("PINNACE_TOOLS").unwrap_or_else(|| {
        let home = variable("HOME").unwrap_or_default();
        variable("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache")).join("pinnace/tools")
    });
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run `make tools` first", path.display());
    path
}
