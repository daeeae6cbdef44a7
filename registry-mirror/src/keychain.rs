//! Credentials as people keep them on a machine: the files of `docker login`, `helm registry
//! login` and `podman login`, and the credential helpers that they name.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    credentials::{Credentials, CredentialsError, LONGEST},
    secret::Secret,
};

mod credential_helper;

/// Files that are asked for a registry's credentials, the first that knows it first. They are
/// read anew for each registry, so that a login takes effect at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keychain {
    files: Vec<PathBuf>,
    /// A file that was named by a person must be there.
    required: bool,
    /// A dockerconfigjson that is at hand, and what messages call it.
    document: Option<(PathBuf, Secret)>,
}

/// Why the credentials of a registry cannot be had. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    #[error("cannot read the registry logins in {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the registry logins in {} cannot be used", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: CredentialsError,
    },
    #[error("docker-credential-{name} gave no credentials for {host}: {why}")]
    Helper { name: String, host: String, why: String },
    #[error("docker-credential-{name}, which {} names, cannot be run: is it on the PATH?", path.display())]
    NoHelper {
        name: String,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

#[derive(Deserialize)]
struct Helpers {
    #[serde(default, rename = "credHelpers")]
    by_host: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    all: String,
}

impl Keychain {
    /// One file, which must be there.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { files: vec![path.into()], required: true, document: None }
    }

    /// A dockerconfigjson that somebody else may have written, such as a Secret of that name: its
    /// own entries alone count. A credential helper that it names is not run.
    pub fn document(name: impl Into<PathBuf>, document: impl Into<Secret>) -> Self {
        let document = Some((name.into(), document.into()));
        Self { files: Vec::new(), required: false, document }
    }

    /// The places where helm, docker and podman keep logins; `variable` reads an environment
    /// variable. Files that are not there are passed over.
    pub fn standard(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name: &str| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = folder("HOME");
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let helm = folder("HELM_REGISTRY_CONFIG")
            .or_else(|| Some(folder("HELM_CONFIG_HOME")?.join("registry/config.json")))
            .or_else(|| Some(folder("XDG_CONFIG_HOME")?.join("helm/registry/config.json")))
            .or_else(|| below_home(".config/helm/registry/config.json"));
        let docker = folder("DOCKER_CONFIG").or_else(|| below_home(".docker"));
        let podman = folder("REGISTRY_AUTH_FILE")
            .or_else(|| Some(folder("XDG_RUNTIME_DIR")?.join("containers/auth.json")));
        let files = [docker.map(|folder| folder.join("config.json")), helm, podman];
        Self { files: files.into_iter().flatten().collect(), required: false, document: None }
    }

    /// The credentials for `host` (with its port, if it has one); anonymous if no file knows it.
    pub async fn credentials(&self, host: &str) -> Result<Credentials, KeychainError> {
        if let Some((name, document)) = &self.document {
            return match Credentials::from_docker_config(document.expose().as_bytes(), host) {
                Err(CredentialsError::NoEntry { .. }) => Ok(Credentials::Anonymous),
                found => found.map_err(|source| KeychainError::File { path: name.clone(), source }),
            };
        }
        for path in &self.files {
            let Some(document) = self.read(path)? else { continue };
            if let Some(found) = of_document(path, &document, host).await? {
                return Ok(found);
            }
        }
        Ok(Credentials::Anonymous)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, KeychainError> {
        use io::Read as _;
        let failed = |source| KeychainError::Read { path: path.to_owned(), source };
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.required => {
                return Ok(None);
            }
            opened => opened.map_err(failed)?,
        };
        let mut document = Vec::new();
        file.take(LONGEST as u64 + 1).read_to_end(&mut document).map_err(failed)?;
        Ok(Some(document))
    }
}

/// A helper for this host, then the file's own entry, then the helper for all hosts.
async fn of_document(
    path: &Path,
    document: &[u8],
    host: &str,
) -> Result<Option<Credentials>, KeychainError> {
    let unusable = |source| KeychainError::File { path: path.to_owned(), source };
    if document.len() > LONGEST {
        return Err(unusable(CredentialsError::TooLong));
    }
    let helpers: Helpers =
        serde_json::from_slice(document).map_err(|_| unusable(CredentialsError::Malformed))?;
    let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    let own = helpers.by_host.get(server).or_else(|| helpers.by_host.get(host));
    if let Some(name) = own {
        return credential_helper::get(name, server, path).await;
    }
    match Credentials::from_docker_config(document, host) {
        Ok(found) => return Ok(Some(found)),
        // A file with a helper for all keeps entries without content, or none.
        Err(CredentialsError::NoEntry { .. } | CredentialsError::Incomplete { .. }) => {}
        Err(source) => return Err(unusable(source)),
    }
    if helpers.all.is_empty() {
        return Ok(None);
    }
    credential_helper::get(&helpers.all, server, path).await
}

#[cfg(test)]
mod tests;
