//! Watches what is there and tells the Console and QdrantCloudRegion.status about it.

mod component;
mod distribution;
mod observe;
mod region;
mod repository;

use std::{sync::Arc, time::Duration};

use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use self::observe::{Known, Seen, observe};
use super::{FIELD_MANAGER, chain, enforce::Failures, link::Status, world::World};
use crate::{
    api::region::{QdrantCloudRegion, QdrantCloudRegionStatus},
    model::desired::Desired,
    proto::pinnace::agent::v1::Observed,
};

/// Changes that come this close together are reported together.
const QUIET: Duration = Duration::from_millis(200);
/// How often the API server is asked for its version.
const VERSION_AGE: Duration = Duration::from_secs(10 * 60);
/// A status that could not be written is tried again after this time.
const RETRY: Duration = Duration::from_secs(10);

/// Reports what is there.
pub struct Reporter {
    pub client: Client,
    pub namespace: String,
    pub environment: String,
    pub world: World,
    pub desired: watch::Receiver<Option<Arc<Desired>>>,
    pub failures: watch::Receiver<Failures>,
    pub link: watch::Receiver<Status>,
    pub observed: watch::Sender<Option<Arc<Observed>>>,
}

impl Reporter {
    /// Runs until it is dropped.
    pub async fn run(mut self) {
        let mut changes = self.world.changes();
        let mut written = None;
        let mut version = (String::new(), Instant::now());
        self.world.ready().await;
        loop {
            changes.mark_unchanged();
            if version.0.is_empty() || version.1.elapsed() > VERSION_AGE {
                version = (self.version().await.unwrap_or(version.0), Instant::now());
            }
            let known = Known {
                namespace: self.namespace.clone(),
                desired: self.desired.borrow_and_update().clone(),
                failures: self.failures.borrow_and_update().clone(),
                link: self.link.borrow_and_update().clone(),
            };
            let (observed, status) = observe(&Seen::of(&self.world, &version.0), &known);
            self.observed.send_if_modified(|last| {
                let changed = last.as_deref() != Some(&observed);
                *last = Some(Arc::new(observed));
                changed
            });
            let mut failed = false;
            if written.as_ref() != Some(&status) && !self.world.regions.is_empty() {
                match self.write(&status).await {
                    Ok(()) => written = Some(status),
                    Err(error) => {
                        tracing::warn!("cannot write QdrantCloudRegion.status: {}", chain(&error));
                        failed = true;
                    }
                }
            }
            tokio::select! {
                Ok(()) = changes.changed() => {}
                Ok(()) = self.desired.changed() => {}
                Ok(()) = self.failures.changed() => {}
                Ok(()) = self.link.changed() => {}
                () = sleep(if failed || version.0.is_empty() { RETRY } else { VERSION_AGE }) => {}
                else => return,
            }
            sleep(QUIET).await;
        }
    }

    async fn version(&self) -> Option<String> {
        match self.client.apiserver_version().await {
            Ok(version) => Some(version.git_version),
            Err(error) => {
                tracing::warn!("cannot read the cluster's version: {}", chain(&error));
                None
            }
        }
    }

    async fn write(&self, status: &QdrantCloudRegionStatus) -> Result<(), kube::Error> {
        let api: Api<QdrantCloudRegion> = Api::all(self.client.clone());
        let region = json!({
            "apiVersion": "qdrant.io/v1",
            "kind": "QdrantCloudRegion",
            "metadata": { "name": self.environment },
            "status": status,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        api.patch_status(&self.environment, &parameters, &Patch::Apply(region)).await.map(|_| ())
    }
}
