//! Objects of a live cluster: apply, wait, remove. It knows release names as owners, but no release records.
//!
//! * [`object`] — the objects of a manifest, and how they are named in messages
//! * [`discovery`] — which resource a kind is, asked once and shared
//! * [`sight`] — what watches show of objects; [`apply`] — server-side apply with Helm's ownership; [`managed`] — after Helm 3's client-side one;
//!   [`list_keys`] — lists that are merged by item; [`prune`] — removal of what a chart no longer has
//! * [`crd`] — the crds/ folder; [`drift`] — what is not as it was applied;
//!   [`preview`] — what an apply would change
//! * [`ready`] — pure: is this object ready, on its way, or beyond hope; [`wait`] — the watches that ask it; [`pages`] — how they list
//! * [`expression`] — pure: CEL about objects; [`health`] — when custom resources are ready by it
//! * [`failure`] — what the pods of a failed release had to say
//! * [`registry_table`] — the site's registries instead of which
//! * [`process`] — a program in a pod; [`namespace`] — where a release goes; [`lease`] — one leader; [`fence`] — no write by another; [`events`] — Kubernetes Events; [`traffic`] — calls, counted; [`error`] — what went wrong, for people

use std::sync::Arc;

use kube::Client;
use kube::api::{Api, DynamicObject};

pub mod apply;
pub mod clock;
pub mod crd;
pub mod discovery;
pub mod drift;
pub mod error;
pub mod events;
pub mod expression;
pub mod failure;
pub mod fence;
pub mod health;
pub mod lease;
pub mod list_keys;
pub mod managed;
pub mod namespace;
pub mod object;
pub mod pages;
pub mod pauses;
pub mod preview;
pub mod process;
pub mod prune;
pub mod ready;
pub mod registry_table;
pub mod relay;
pub mod sight;
pub mod traffic;
pub mod wait;

pub use error::Error;
pub use object::{Key, Object};

/// The field manager of release objects: that of genuine Helm 4, so that a person and the controller can
/// take turns without conflicts.
pub const FIELD_MANAGER: &str = "helm";

/// A cluster and what is known of it. Cheap to clone; clones share the discovery cache, what watches show, and watches.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    discovery: Arc<discovery::Discovery>,
    sight: sight::Sight,
    watches: wait::Watches,
}

impl Cluster {
    pub fn new(client: Client) -> Self {
        let discovery = Arc::new(discovery::Discovery::new(client.clone()));
        Self {
            client,
            discovery,
            sight: sight::Sight::default(),
            watches: wait::Watches::default(),
        }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn discovery(&self) -> &discovery::Discovery {
        &self.discovery
    }

    /// What watches show of release objects; whoever watches fills it.
    pub fn sight(&self) -> &sight::Sight {
        &self.sight
    }

    /// What waits watch together.
    pub fn watches(&self) -> &wait::Watches {
        &self.watches
    }

    /// The API for the objects of `key`'s kind, in its namespace if the kind has one.
    pub async fn api(&self, key: &Key) -> Result<Api<DynamicObject>, Error> {
        let kind = self.discovery.kind(&key.api_version, &key.kind).await?;
        Ok(match key.namespace.as_deref() {
            Some(namespace) if kind.namespaced => {
                Api::namespaced_with(self.client.clone(), namespace, &kind.resource)
            }
            _ => Api::all_with(self.client.clone(), &kind.resource),
        })
    }

    /// The object, or None if it is not there. A kind that the cluster does not serve has no objects.
    pub async fn get(&self, key: &Key) -> Result<Option<DynamicObject>, Error> {
        let api = match self.api(key).await {
            Ok(api) => api,
            Err(Error::UnknownKind { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        error::retried(|| api.get_opt(&key.name)).await.map_err(|e| Error::api("read", key, e))
    }
}
