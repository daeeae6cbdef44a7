//! Which resource a kind is, whether it is namespaced, and what the cluster serves: asked once, shared by all.

use std::collections::HashMap;

use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use kube::discovery::{ApiCapabilities, Scope, oneshot};
use tokio::sync::{Mutex, RwLock};

use super::{Error, Object, error};

/// How an API serves a kind.
#[derive(Clone, Debug)]
pub struct Kind {
    pub resource: ApiResource,
    pub namespaced: bool,
}

/// What a cluster says of itself, for templates.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// Such as `v1.36.3`.
    pub kube_version: String,
    /// Both `group/version` and `group/version/Kind`, sorted.
    pub api_versions: Vec<String>,
}

/// A cache of discovery. A kind that was found stays; one that was not is asked for again.
pub struct Discovery {
    client: Client,
    kinds: RwLock<HashMap<(String, String), Kind>>,
    capabilities: Mutex<Option<Capabilities>>,
}

impl Discovery {
    pub fn new(client: Client) -> Self {
        Self { client, kinds: RwLock::default(), capabilities: Mutex::default() }
    }

    /// How `kind` of `api_version` is served.
    pub async fn kind(&self, api_version: &str, kind: &str) -> Result<Kind, Error> {
        let wanted = (api_version.to_owned(), kind.to_owned());
        if let Some(known) = self.kinds.read().await.get(&wanted) {
            return Ok(known.clone());
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let unknown =
            || Error::UnknownKind { api_version: wanted.0.clone(), kind: wanted.1.clone() };
        let found = error::retried(|| oneshot::pinned_kind(&self.client, &gvk)).await;
        let (resource, capabilities) = found.map_err(|e| match e {
            kube::Error::Discovery(_) => unknown(),
            e if error::is_code(&e, 404) => unknown(),
            e => Error::api("discover", format!("{kind} of {api_version}"), e),
        })?;
        let found = Kind { resource, namespaced: namespaced(&capabilities) };
        self.kinds.write().await.insert(wanted, found.clone());
        Ok(found)
    }

    /// Gives the object the namespace that it will be in: `default` for namespaced kinds that name none,
    /// and no namespace for cluster-wide kinds.
    pub async fn place(&self, object: &mut Object, default: &str) -> Result<(), Error> {
        let kind = self.kind(&object.key.api_version, &object.key.kind).await?;
        if kind.namespaced {
            let namespace = object.key.namespace.get_or_insert_with(|| default.to_owned());
            object.value["metadata"]["namespace"] = namespace.as_str().into();
        } else {
            object.key.namespace = None;
            if let Some(metadata) = object.value["metadata"].as_object_mut() {
                metadata.remove("namespace");
            }
        }
        Ok(())
    }

    /// Version and API versions of the cluster, asked once until [`Discovery::forget_capabilities`].
    pub async fn capabilities(&self) -> Result<Capabilities, Error> {
        let mut cached = self.capabilities.lock().await;
        if let Some(known) = &*cached {
            return Ok(known.clone());
        }
        let failed = |e| Error::api("read", "the cluster's capabilities", e);
        let version = error::retried(|| self.client.apiserver_version()).await.map_err(failed)?;
        let found = error::retried(|| kube::Discovery::new(self.client.clone()).run_aggregated())
            .await
            .map_err(failed)?;
        let mut api_versions = Vec::new();
        for group in found.groups() {
            for version in group.versions() {
                let resources = group.versioned_resources(version);
                let Some((first, _)) = resources.first() else { continue };
                api_versions.push(first.api_version.clone());
                api_versions
                    .extend(resources.iter().map(|(r, _)| format!("{}/{}", r.api_version, r.kind)));
            }
        }
        api_versions.sort();
        api_versions.dedup();
        let found = Capabilities { kube_version: version.git_version, api_versions };
        Ok(cached.insert(found).clone())
    }

    /// To be called after CustomResourceDefinitions have come, and from time to time.
    pub async fn forget_capabilities(&self) {
        *self.capabilities.lock().await = None;
    }
}

fn namespaced(capabilities: &ApiCapabilities) -> bool {
    capabilities.scope == Scope::Namespaced
}
