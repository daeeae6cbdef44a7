//! Which resource a kind is, whether it is namespaced, and what the cluster serves: asked now and then, shared
//! by all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

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

/// How long an answer is believed: definitions come, go and change their scope.
const BELIEVED: Duration = Duration::from_secs(300);

/// A cache of discovery. What was found is believed for 5 minutes; a kind that was not found is asked for
/// again, and all that was found before it is doubted.
pub struct Discovery {
    client: Client,
    kinds: RwLock<HashMap<(String, String), Believed<Kind>>>,
    capabilities: Mutex<Option<Believed<Capabilities>>>,
}

/// An answer, and when it was given.
struct Believed<T> {
    answer: T,
    since: Instant,
}

impl<T: Clone> Believed<T> {
    fn now(answer: T) -> Self {
        Self { answer, since: Instant::now() }
    }

    /// The answer, unless it is too old.
    fn at(&self, now: Instant) -> Option<T> {
        (now.saturating_duration_since(self.since) < BELIEVED).then(|| self.answer.clone())
    }
}

impl Discovery {
    pub fn new(client: Client) -> Self {
        Self { client, kinds: RwLock::default(), capabilities: Mutex::default() }
    }

    /// How `kind` of `api_version` is served.
    pub async fn kind(&self, api_version: &str, kind: &str) -> Result<Kind, Error> {
        let wanted = (api_version.to_owned(), kind.to_owned());
        let now = Instant::now();
        if let Some(known) = self.kinds.read().await.get(&wanted).and_then(|k| k.at(now)) {
            return Ok(known);
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let unknown =
            || Error::UnknownKind { api_version: wanted.0.clone(), kind: wanted.1.clone() };
        let found = error::retried(|| oneshot::pinned_kind(&self.client, &gvk)).await;
        match found {
            Ok((resource, capabilities)) => {
                let found = Kind { resource, namespaced: namespaced(&capabilities) };
                self.kinds.write().await.insert(wanted, Believed::now(found.clone()));
                Ok(found)
            }
            Err(e) if matches!(e, kube::Error::Discovery(_)) || error::is_code(&e, 404) => {
                self.kinds.write().await.clear();
                Err(unknown())
            }
            Err(e) => Err(Error::api("discover", format!("{kind} of {api_version}"), e)),
        }
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

    /// Version and API versions of the cluster, asked again after 5 minutes and after
    /// [`Discovery::forget_capabilities`].
    pub async fn capabilities(&self) -> Result<Capabilities, Error> {
        let mut cached = self.capabilities.lock().await;
        if let Some(known) = cached.as_ref().and_then(|c| c.at(Instant::now())) {
            return Ok(known);
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
        Ok(cached.insert(Believed::now(found)).answer.clone())
    }

    /// To be called after CustomResourceDefinitions have come.
    pub async fn forget_capabilities(&self) {
        *self.capabilities.lock().await = None;
    }
}

fn namespaced(capabilities: &ApiCapabilities) -> bool {
    capabilities.scope == Scope::Namespaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_believed_for_a_while() {
        let answer = Believed::now(1);
        assert_eq!(answer.at(answer.since + Duration::from_secs(299)), Some(1));
        assert_eq!(answer.at(answer.since + BELIEVED), None);
    }
}
