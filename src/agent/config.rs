//! What the agent is told at start: a YAML file from its chart, and the access key from a Secret.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use http::Uri;
use serde::Deserialize;
use serde_json::Value;

use crate::model::redacted::Redacted;

/// The largest configuration file that is read, in bytes.
pub const MAX_CONFIG: u64 = 1 << 20;
/// The longest access key, in bytes.
pub const MAX_ACCESS_KEY: usize = 4096;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the Console's gRPC API is: `https://host:port`, the port always set.
    pub console: Uri,
    /// Id of the environment that this agent serves.
    pub environment: String,
    pub account: String,
    pub log_level: String,
    /// Checks the signature of every desired state.
    pub console_key: VerifyingKey,
    /// PEM certificates that are trusted besides the system's.
    pub ca_certificates: Option<String>,
    pub proxy: Proxy,
    /// Keys of the file that this version does not know, for a warning.
    pub unknown: Vec<String>,
}

/// The way out. URLs may hold a password, so they are not printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    pub http: Option<Redacted<String>>,
    pub https: Option<Redacted<String>>,
    /// Hosts, domains and networks that are reached without a proxy, separated by commas.
    pub exceptions: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is larger than {MAX_CONFIG} bytes, which no configuration needs", .0.display())]
    TooLarge(PathBuf),
    #[error("the agent's configuration is not the YAML that was expected")]
    Yaml(#[source] serde_saphyr::Error),
    #[error(
        "{field} is missing from the agent's configuration; run the Console's installation command again"
    )]
    Missing { field: &'static str },
    #[error("{field} in the agent's configuration is not usable: {problem}")]
    Field { field: &'static str, problem: String },
    #[error(
        "the access key in {} {problem}; run the Console's installation command again, which writes the Secret qdrant-cloud-creds", path.display()
    )]
    AccessKey { path: PathBuf, problem: &'static str },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(rename = "serverURL", default)]
    server_url: String,
    #[serde(rename = "grpcServerURL", default)]
    grpc_server_url: String,
    hybrid_cloud: Option<HybridCloud>,
    #[serde(default)]
    log_level: String,
    #[serde(default)]
    console_public_key: String,
    ca_certificates: Option<String>,
    http_proxy: Option<Redacted<String>>,
    https_proxy: Option<Redacted<String>>,
    no_proxy: Option<Hosts>,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HybridCloud {
    #[serde(default)]
    id: String,
    #[serde(default)]
    account_id: String,
}

/// `a,b` or `[a, b]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Hosts {
    Text(String),
    List(Vec<String>),
}

impl Config {
    /// Reads and checks a configuration file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let error = |source| Error::Read { path: path.to_owned(), source };
        if fs::metadata(path).map_err(error)?.len() > MAX_CONFIG {
            return Err(Error::TooLarge(path.to_owned()));
        }
        Self::parse(&fs::read_to_string(path).map_err(error)?)
    }

    /// Checks the text of a configuration file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let file: File = serde_saphyr::from_str(text).map_err(Error::Yaml)?;
        let console = if file.grpc_server_url.is_empty() {
            endpoint("serverURL", &file.server_url)?
        } else {
            endpoint("grpcServerURL", &file.grpc_server_url)?
        };
        let hybrid_cloud = file.hybrid_cloud.ok_or(Error::Missing { field: "hybridCloud" })?;
        Ok(Self {
            console,
            environment: id("hybridCloud.id", hybrid_cloud.id)?,
            account: id("hybridCloud.accountId", hybrid_cloud.account_id)?,
            log_level: log_level(file.log_level)?,
            console_key: public_key(&file.console_public_key)?,
            ca_certificates: file.ca_certificates.filter(|pem| !pem.trim().is_empty()),
            proxy: Proxy {
                http: proxy("httpProxy", file.http_proxy)?,
                https: proxy("httpsProxy", file.https_proxy)?,
                exceptions: match file.no_proxy {
                    None => String::new(),
                    Some(Hosts::Text(text)) => text,
                    Some(Hosts::List(list)) => list.join(","),
                },
            },
            unknown: file.unknown.into_keys().collect(),
        })
    }
}

fn endpoint(field: &'static str, text: &str) -> Result<Uri, Error> {
    if text.is_empty() {
        return Err(Error::Missing { field });
    }
    let bad = |problem: &str| Error::Field { field, problem: format!("{text:?} {problem}") };
    let url: url::Url = text.parse().map_err(|_| bad("is not a URL such as https://host:443"))?;
    if url.scheme() != "https" {
        return Err(bad("must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Field { field, problem: "it must not hold a user or password".into() });
    }
    let host = url.host_str().ok_or_else(|| bad("has no host"))?;
    let port = url.port_or_known_default().unwrap_or(443);
    format!("https://{host}:{port}/")
        .parse()
        .map_err(|_| bad("is not a URL such as https://host:443"))
}

/// Ids become object names and labels, so they have that shape.
fn id(field: &'static str, text: String) -> Result<String, Error> {
    if text.is_empty() {
        return Err(Error::Missing { field });
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.len() > 63 || !text.bytes().all(allowed) {
        let problem = format!("{:?} is not an id", text.chars().take(100).collect::<String>());
        return Err(Error::Field { field, problem });
    }
    Ok(text)
}

fn log_level(text: String) -> Result<String, Error> {
    match text.to_ascii_lowercase().as_str() {
        "" => Ok("info".into()),
        level @ ("trace" | "debug" | "info" | "warn" | "error") => Ok(level.to_owned()),
        _ => Err(Error::Field {
            field: "logLevel",
            problem: format!("{text:?} is none of debug, info, warn, error"),
        }),
    }
}

fn public_key(text: &str) -> Result<VerifyingKey, Error> {
    let field = "consolePublicKey";
    if text.is_empty() {
        return Err(Error::Missing { field });
    }
    let bad = |problem: &str| Error::Field { field, problem: problem.to_owned() };
    let bytes = STANDARD.decode(text.trim()).map_err(|_| bad("it is not base64"))?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| bad("it is not 32 bytes long"))?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| bad("it is not an Ed25519 public key"))
}

fn proxy(
    field: &'static str,
    url: Option<Redacted<String>>,
) -> Result<Option<Redacted<String>>, Error> {
    let Some(url) = url.filter(|url| !url.expose().is_empty()) else { return Ok(None) };
    let usable = url::Url::parse(url.expose())
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if usable {
        Ok(Some(url))
    } else {
        // The text may hold a password: it is not repeated.
        let problem = "expected http://[user:password@]host:port".to_owned();
        Err(Error::Field { field, problem })
    }
}

/// The file that holds the access key. It is read anew for each login, because a rotated Secret
/// changes the mounted file.
#[derive(Clone, Debug)]
pub struct AccessKeyFile(PathBuf);

impl AccessKeyFile {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The key without surrounding white space.
    pub fn read(&self) -> Result<Redacted<String>, Error> {
        let path = &self.0;
        let bad = |problem| Error::AccessKey { path: path.clone(), problem };
        let text = fs::read_to_string(path)
            .map_err(|source| Error::Read { path: path.clone(), source })?;
        let key = text.trim();
        if key.is_empty() {
            return Err(bad("is empty"));
        }
        if key.len() > MAX_ACCESS_KEY {
            return Err(bad("is longer than 4096 bytes"));
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad("holds characters that no access key has"));
        }
        Ok(Redacted::new(key.to_owned()))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn text() -> String {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
        let key = STANDARD.encode(key.as_bytes());
        format!(
            "serverURL: https://vendor.test\ngrpcServerURL: https://grpc.vendor.test:8443\n\
             hybridCloud: {{id: 1b2c, accountId: aaaa}}\nlogLevel: DEBUG\nconsolePublicKey: {key}\n"
        )
    }

    #[test]
    fn a_whole_file() {
        let more = "httpsProxy: http://u:p@proxy:3128\nnoProxy: [.svc, 10.0.0.0/8]\nlater: 1\n";
        let config = Config::parse(&(text() + more)).expect("valid");
        assert_eq!(config.console.to_string(), "https://grpc.vendor.test:8443/");
        assert_eq!(config.environment, "1b2c");
        assert_eq!(config.log_level, "debug");
        assert_eq!(config.proxy.exceptions, ".svc,10.0.0.0/8");
        assert_eq!(config.unknown, ["later"]);
        assert!(!format!("{config:?}").contains("u:p"));
    }

    #[test]
    fn the_port_is_443_and_the_server_url_stands_in() {
        let text = text().replace("grpcServerURL: https://grpc.vendor.test:8443\n", "");
        assert_eq!(
            Config::parse(&text).expect("valid").console.to_string(),
            "https://vendor.test:443/"
        );
    }

    #[test]
    fn each_bad_field_is_named() {
        let cases = [
            ("https://grpc.vendor.test:8443", "http://grpc.vendor.test", "grpcServerURL"),
            ("https://grpc.vendor.test:8443", "https://u:p@grpc", "grpcServerURL"),
            ("https://grpc.vendor.test:8443", "'%'", "grpcServerURL"),
            ("id: 1b2c", "id: ''", "hybridCloud.id"),
            ("id: 1b2c", "id: A/B", "hybridCloud.id"),
            ("accountId: aaaa", "accountId: ''", "hybridCloud.accountId"),
            ("DEBUG", "loud", "logLevel"),
            ("consolePublicKey: ", "consolePublicKey: '' #", "consolePublicKey"),
            ("consolePublicKey: ", "consolePublicKey: x", "consolePublicKey"),
            ("consolePublicKey: ", "consolePublicKey: AAAA #", "consolePublicKey"),
            ("logLevel: DEBUG", "httpsProxy: 'proxy:secret'", "httpsProxy"),
        ];
        for (from, to, field) in cases {
            let error = Config::parse(&text().replace(from, to)).expect_err(to).to_string();
            assert!(error.contains(field), "{to}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(Config::parse("[]").is_err());
    }

    #[test]
    fn the_access_key_is_checked_from_both_sides() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("access-key");
        let read = |text: &str| {
            fs::write(&path, text).expect("write");
            AccessKeyFile::new(path.clone()).read()
        };
        assert_eq!(read(" a|b\n").expect("valid").expose(), "a|b");
        assert!(read(&"k".repeat(MAX_ACCESS_KEY)).is_ok());
        for text in ["", " \n", "a b", "ä", &"k".repeat(MAX_ACCESS_KEY + 1)] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
