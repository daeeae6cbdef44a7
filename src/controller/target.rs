//! Which cluster a release goes to, and as whom it is reached: `kubeConfig`, `serviceAccountName`, `persistentClient`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::HeaderValue;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::api::helm_release::{HelmRelease, KubeConfigReference};
use crate::cluster::error::{chain, explain, retried};
use crate::cluster::fence::Fence;
use crate::cluster::{Cluster, relay};

/// Clusters and accounts that are remembered.
const MAX_KNOWN: usize = 64;
/// Where a kubeconfig is looked for in its Secret if nothing is said.
const KEYS: [&str; 2] = ["value", "value.yaml"];

/// Where a release is, and as whom it is reached.
#[derive(Clone)]
pub struct Target {
    pub cluster: Cluster,
    /// Another cluster than that of the HelmRelease.
    pub remote: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {kind} {name}: {}", explain(source))]
    Read { kind: &'static str, name: String, source: kube::Error },
    #[error("{kind} {name} is not there: create it, or correct spec.{field}")]
    Missing { kind: &'static str, name: String, field: &'static str },
    #[error(
        "Secret {name} has no key {key}: add a kubeconfig there, or name its key in spec.kubeConfig.secretRef.key"
    )]
    NoKey { name: String, key: String },
    #[error("the kubeconfig of Secret {name} cannot be used: {why}")]
    Kubeconfig { name: String, why: String },
    #[error("spec.serviceAccountName {0:?} is no name of a service account")]
    Account(String),
}

impl Error {
    /// Whether what leads to the cluster is gone, so that nothing can be done there any longer.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

/// What a target is made of. Another version of the kubeconfig is another target.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Way {
    /// Of the kubeconfig's Secret: UID, resourceVersion, key.
    kube_config: Option<[String; 3]>,
    /// As the header of a call.
    account: Option<HeaderValue>,
}

/// The clusters that releases go to.
pub struct Targets {
    client: Client,
    own: Cluster,
    /// For the clients of other clusters; that of the own one has it already.
    fence: Fence,
    known: Mutex<HashMap<Way, Cluster>>,
}

impl Targets {
    pub fn new(client: Client, own: Cluster, fence: Fence) -> Self {
        Self { client, own, fence, known: Mutex::default() }
    }

    /// The target of a release. What is known of its cluster is shared by all releases that go there the same way, but
    /// for `persistentClient: false`, which asks anew.
    pub async fn of(&self, release: &HelmRelease) -> Result<Target, Error> {
        let spec = &release.spec;
        let namespace = release.own_namespace();
        let account = spec.service_account_name.as_ref();
        let account = account.map(|name| user(&namespace, name)).transpose()?;
        let fresh = spec.persistent_client == Some(false);
        let kube_config = match &spec.kube_config {
            Some(reference) => Some(self.kube_config(&namespace, reference).await?),
            None => None,
        };
        let remote = kube_config.is_some();
        let way = Way { kube_config: kube_config.as_ref().map(|k| k.version.clone()), account };
        if way == (Way { kube_config: None, account: None }) {
            let cluster = if fresh { Cluster::new(self.client.clone()) } else { self.own.clone() };
            return Ok(Target { cluster, remote });
        }
        if let Some(cluster) = self.known(&way).filter(|_| !fresh) {
            return Ok(Target { cluster, remote });
        }
        let mut client = match kube_config {
            Some(found) => self.fence.client(found.client().await?),
            None => self.client.clone(),
        };
        if let Some(user) = &way.account {
            client = acting_as(client, user);
        }
        let cluster = Cluster::new(client);
        if !fresh {
            self.remember(way, cluster.clone());
        }
        Ok(Target { cluster, remote })
    }

    /// Whether the account that a release is to be made as is there no longer.
    pub async fn lost(&self, release: &HelmRelease) -> Result<bool, Error> {
        let Some(name) = &release.spec.service_account_name else { return Ok(false) };
        if release.spec.kube_config.is_some() {
            return Ok(false);
        }
        let api: Api<ServiceAccount> =
            Api::namespaced(self.client.clone(), &release.own_namespace());
        let found = retried(|| api.get_opt(name)).await;
        let failed = |source| Error::Read { kind: "ServiceAccount", name: name.clone(), source };
        found.map(|account| account.is_none()).map_err(failed)
    }

    fn known(&self, way: &Way) -> Option<Cluster> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(way).cloned()
    }

    fn remember(&self, way: Way, cluster: Cluster) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(way, cluster);
    }

    async fn kube_config(
        &self,
        namespace: &str,
        reference: &KubeConfigReference,
    ) -> Result<Found, Error> {
        let reference = reference.secret_ref.clone().unwrap_or_default();
        let name = reference.name;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = retried(|| api.get_opt(&name)).await;
        let failed = |source| Error::Read { kind: "Secret", name: name.clone(), source };
        let Some(secret) = secret.map_err(failed)? else {
            return Err(Error::Missing { kind: "Secret", name, field: "kubeConfig.secretRef" });
        };
        let data = secret.data.unwrap_or_default();
        let wanted = reference.key.as_deref();
        let keys = wanted.map_or(KEYS.to_vec(), |key| vec![key]);
        let Some((key, text)) = keys.iter().find_map(|key| Some((*key, data.get(*key)?))) else {
            return Err(Error::NoKey { name, key: keys.join(" or ") });
        };
        let metadata = secret.metadata;
        let version = [metadata.uid, metadata.resource_version, Some(key.to_owned())];
        let text = String::from_utf8_lossy(&text.0).into_owned();
        Ok(Found { version: version.map(Option::unwrap_or_default), name, text })
    }
}

/// A kubeconfig as it was read.
struct Found {
    version: [String; 3],
    name: String,
    text: String,
}

impl Found {
    async fn client(&self) -> Result<Client, Error> {
        let refuse = |why: String| Error::Kubeconfig { name: self.name.clone(), why };
        // The parser's own words could quote a secret.
        let config = Kubeconfig::from_yaml(&self.text)
            .map_err(|_| refuse("it is not a kubeconfig".to_owned()))?;
        check(&config).map_err(|why| refuse(why.to_owned()))?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(config, &options).await;
        let config = config.map_err(|e| refuse(chain(&e)))?;
        Client::try_from(config).map_err(|e| refuse(explain(&e)))
    }
}

/// A kubeconfig comes from whoever may write a Secret: it may neither run programs here nor read files, and does not
/// switch off the check of the server's certificate.
fn check(config: &Kubeconfig) -> Result<(), &'static str> {
    for cluster in config.clusters.iter().filter_map(|c| c.cluster.as_ref()) {
        if cluster.insecure_skip_tls_verify == Some(true) {
            return Err(
                "insecure-skip-tls-verify: give the authority as certificate-authority-data",
            );
        }
        if cluster.certificate_authority.is_some() {
            return Err("certificate-authority names a file: use certificate-authority-data");
        }
    }
    for user in config.auth_infos.iter().filter_map(|user| user.auth_info.as_ref()) {
        if user.exec.is_some() || user.auth_provider.is_some() {
            return Err("it runs a program to log in: use a token or a client certificate");
        }
        let files = [&user.token_file, &user.client_certificate, &user.client_key];
        if files.iter().any(|file| file.is_some()) {
            return Err("it names files: use token, client-certificate-data and client-key-data");
        }
    }
    Ok(())
}

/// How the API server knows a service account.
fn user(namespace: &str, account: &str) -> Result<HeaderValue, Error> {
    let plain = account.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    let name = format!("system:serviceaccount:{namespace}:{account}");
    let header = HeaderValue::try_from(name).ok().filter(|_| plain && !account.is_empty());
    header.ok_or_else(|| Error::Account(account.chars().take(100).collect()))
}

/// A client whose calls are those of another user, as far as its own account may say so.
fn acting_as(client: Client, user: &HeaderValue) -> Client {
    let user = user.clone();
    relay::client(client, move |client, mut request| {
        request.headers_mut().insert("impersonate-user", user.clone());
        async move { client.send(request).await }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_runs_and_reads_nothing() {
        let config = |user: &str, cluster: &str| {
            let text = format!(
                "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"https://h\", {cluster}}}}}]\n\
                 users: [{{name: u, user: {{{user}}}}}]\n"
            );
            check(&Kubeconfig::from_yaml(&text).expect("a kubeconfig"))
        };
        assert_eq!(config("token: t", "certificate-authority-data: YQ=="), Ok(()));
        for (user, cluster) in [
            ("exec: {command: sh}", ""),
            ("auth-provider: {name: gcp, config: {}}", ""),
            ("tokenFile: /etc/passwd", ""),
            ("client-certificate: /a, client-key: /b", ""),
            ("token: t", "certificate-authority: /etc/passwd"),
            ("token: t", "insecure-skip-tls-verify: true"),
        ] {
            assert!(config(user, cluster).is_err(), "{user} {cluster}");
        }
    }

    #[test]
    fn accounts_have_plain_names() {
        let header = user("n", "deployer").expect("a name");
        assert_eq!(header, "system:serviceaccount:n:deployer");
        for wrong in ["", "a:b", "a/b", "a\nb"] {
            assert!(user("n", wrong).is_err(), "{wrong:?}");
        }
    }
}
