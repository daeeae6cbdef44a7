//! How to reach one mirror or registry: who asks, whom to trust, through which proxy.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    client::{ClientCertificate, Options},
    credentials::Credentials,
    keychain::{Keychain, KeychainError},
    secret::Secret,
};

/// A mirror or registry. What is not set is as in the [`Options`] that all share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Endpoint {
    /// `host[:port][/path]`
    pub location: String,
    /// Name of a Secret of type dockerconfigjson, for those who can read Secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Name of a Secret with `tls.crt` and `tls.key`, our certificate there, or `ca.crt`, or both,
    /// for those who can read Secrets; they put what is in it into the other fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_secret: Option<String>,
    /// File as `docker login` writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_config_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File whose first line is the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<PathBuf>,
    /// `http://[user:password@]host:port`; empty for none, whatever the others use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_proxy: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub plain_http: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub accept_any_certificate: bool,
    /// For callers that have it at hand; a table has no field for it.
    #[serde(skip)]
    pub client_certificate: Option<ClientCertificate>,
}

/// Why a registry's settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("cannot read {}, which the settings of {location} name", path.display())]
    Read {
        location: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the settings of {location} have {given} and not {missing}: give both")]
    Half { location: String, given: &'static str, missing: &'static str },
    #[error("the settings of {location} name the Secret {secret}, which cannot be read here")]
    Secret { location: String, secret: String },
    #[error(transparent)]
    Keychain(#[from] KeychainError),
}

/// No file that settings name is longer.
const LONGEST_FILE: u64 = 1024 * 1024;

impl Endpoint {
    /// A mirror that needs nothing special.
    pub fn at(location: &str) -> Self {
        Self { location: location.to_owned(), ..Self::default() }
    }

    /// The options for a client of this registry. `secrets` are the dockerconfigjson documents by
    /// name; `keychain` is asked if no credentials are set here.
    pub async fn options(
        &self,
        host: &str,
        base: &Options,
        keychain: &Keychain,
        secrets: &BTreeMap<String, Secret>,
    ) -> Result<Options, EndpointError> {
        if let Some(secret) = self.certificate_secret.clone() {
            return Err(EndpointError::Secret { location: self.location.clone(), secret });
        }
        let mut options = base.clone();
        options.credentials = self.credentials(host, keychain, secrets).await?;
        options.ca_certificates.extend(self.ca_certificates.clone());
        if let Some(path) = &self.ca_file {
            options.ca_certificates.push(self.read(path)?);
        }
        match (&self.client_certificate_file, &self.client_key_file) {
            (Some(certificate), Some(key)) => {
                let (certificate, key) = (self.read(certificate)?, self.read(key)?.into());
                options.client_certificate = Some(ClientCertificate { certificate, key });
            }
            (Some(_), None) => return Err(self.half("clientCertificateFile", "clientKeyFile")),
            (None, Some(_)) => return Err(self.half("clientKeyFile", "clientCertificateFile")),
            (None, None) => {}
        }
        if self.client_certificate.is_some() {
            options.client_certificate.clone_from(&self.client_certificate);
        }
        if let Some(proxy) = &self.proxy {
            let proxy = (!proxy.is_empty()).then(|| Secret::from(proxy.as_str()));
            options.https_proxy.clone_from(&proxy);
            options.http_proxy = proxy;
        }
        if let Some(no_proxy) = &self.no_proxy {
            options.no_proxy = Some(no_proxy.clone());
        }
        options.plain_http |= self.plain_http;
        options.accept_any_certificate |= self.accept_any_certificate;
        Ok(options)
    }

    /// The first field that names a file of the machine which reads the table.
    pub(super) fn file(&self) -> Option<&'static str> {
        [
            (&self.docker_config_file, "dockerConfigFile"),
            (&self.password_file, "passwordFile"),
            (&self.ca_file, "caFile"),
            (&self.client_certificate_file, "clientCertificateFile"),
            (&self.client_key_file, "clientKeyFile"),
        ]
        .into_iter()
        .find_map(|(path, field)| path.as_ref().map(|_| field))
    }

    async fn credentials(
        &self,
        host: &str,
        keychain: &Keychain,
        secrets: &BTreeMap<String, Secret>,
    ) -> Result<Credentials, EndpointError> {
        if let Some(name) = &self.secret {
            let unusable =
                || EndpointError::Secret { location: self.location.clone(), secret: name.clone() };
            let document = secrets.get(name).ok_or_else(unusable)?;
            return Credentials::from_docker_config(document.expose().as_bytes(), host)
                .map_err(|source| KeychainError::File { path: name.into(), source }.into());
        }
        match (&self.username, &self.password_file) {
            (Some(username), Some(path)) => {
                let text = self.read(path)?;
                let password = text.lines().next().unwrap_or_default();
                return Ok(Credentials::basic(username.as_str(), password));
            }
            (Some(_), None) => return Err(self.half("username", "passwordFile")),
            (None, Some(_)) => return Err(self.half("passwordFile", "username")),
            (None, None) => {}
        }
        Ok(match &self.docker_config_file {
            Some(path) => Keychain::file(path).credentials(host).await?,
            None => keychain.credentials(host).await?,
        })
    }

    fn read(&self, path: &Path) -> Result<String, EndpointError> {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text))
            .map_err(|source| EndpointError::Read {
                location: self.location.clone(),
                path: path.to_owned(),
                source,
            })?;
        Ok(text)
    }

    fn half(&self, given: &'static str, missing: &'static str) -> EndpointError {
        EndpointError::Half { location: self.location.clone(), given, missing }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}
