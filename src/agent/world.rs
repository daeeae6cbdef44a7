//! What the agent sees of its cluster: one watch per kind, shared by enforcement, reports and telemetry.

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{Node, Pod, Secret},
    storage::v1::{StorageClass, VolumeAttributesClass},
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{
        WatchStreamExt as _,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, hash::Hash, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{chain, pins};
use crate::{
    api::{
        cluster::QdrantCluster, helm_release::HelmRelease, helm_repository::HelmRepository,
        region::QdrantCloudRegion,
    },
    cluster::pages,
};

/// A kind that the cluster does not have is looked for this often.
const MISSING: Duration = Duration::from_secs(30);

/// Watched objects. Kinds that the agent writes are kept as they are, so that fields of newer versions
/// are seen too.
#[derive(Clone)]
pub struct World {
    pub releases: Store<DynamicObject>,
    pub repositories: Store<DynamicObject>,
    pub regions: Store<DynamicObject>,
    pub clusters: Store<DynamicObject>,
    pub ca_secret: Store<DynamicObject>,
    pub proxy_secret: Store<DynamicObject>,
    pub deployments: Store<Deployment>,
    pub stateful_sets: Store<StatefulSet>,
    pub pods: Store<Pod>,
    pub nodes: Store<Node>,
    pub storage_classes: Store<StorageClass>,
    pub attributes_classes: Store<VolumeAttributesClass>,
    pub snapshot_classes: Store<DynamicObject>,
    changed: watch::Receiver<()>,
    listed: watch::Receiver<bool>,
}

impl World {
    /// Starts the watches; they end when `tasks` is dropped.
    pub fn watch(
        client: &Client,
        namespace: &str,
        environment: &str,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (sender, changed) = watch::channel(());
        let mut watches = Watches { client, namespace, tasks, changed: Arc::new(sender) };
        let only = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
        let snapshot =
            GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", "VolumeSnapshotClass");
        let (announce, listed) = watch::channel(false);
        let world = Self {
            releases: watches.own(ApiResource::erase::<HelmRelease>(&()), true, pages::config()),
            repositories: watches.own(
                ApiResource::erase::<HelmRepository>(&()),
                true,
                pages::config(),
            ),
            regions: watches.own(
                ApiResource::erase::<QdrantCloudRegion>(&()),
                false,
                only(environment),
            ),
            clusters: watches.own(ApiResource::erase::<QdrantCluster>(&()), true, pages::config()),
            ca_secret: watches.own(ApiResource::erase::<Secret>(&()), true, only(pins::CA_SECRET)),
            proxy_secret: watches.own(
                ApiResource::erase::<Secret>(&()),
                true,
                only(pins::PROXY_SECRET),
            ),
            deployments: watches.of(Api::namespaced(client.clone(), namespace)),
            stateful_sets: watches.of(Api::namespaced(client.clone(), namespace)),
            pods: watches.of(Api::namespaced(client.clone(), namespace)),
            nodes: watches.of(Api::all(client.clone())),
            storage_classes: watches.of(Api::all(client.clone())),
            attributes_classes: watches.of(Api::all(client.clone())),
            snapshot_classes: watches.own(ApiResource::from_gvk(&snapshot), false, pages::config()),
            changed,
            listed,
        };
        tasks.spawn(world.clone().announce(announce));
        world
    }

    /// Notified after each change of any of the objects.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.clone()
    }

    /// The watched object with the name and kind of `wanted`.
    pub fn get(&self, wanted: &pins::Wanted) -> Option<Arc<DynamicObject>> {
        let store = self.store(&wanted.resource.kind, wanted.name())?;
        store.get(&ObjectRef::from_obj_with(&wanted.object, wanted.resource.clone()))
    }

    /// Waits until the kinds that the agent writes have been listed once.
    pub async fn ready(&self) {
        if self.listed.clone().wait_for(|listed| *listed).await.is_err() {
            // The watches were ended, and whoever waits here is about to be.
            std::future::pending::<()>().await;
        }
    }

    /// The one waiter: a store wakes only the last of several tasks that wait for it.
    async fn announce(self, listed: watch::Sender<bool>) {
        let own = [
            &self.releases,
            &self.repositories,
            &self.regions,
            &self.clusters,
            &self.ca_secret,
            &self.proxy_secret,
        ];
        for store in own {
            if store.wait_until_ready().await.is_err() {
                return;
            }
        }
        listed.send_replace(true);
        // Those who ask later find the answer as long as this is not dropped.
        listed.closed().await;
    }

    fn store(&self, kind: &str, name: &str) -> Option<&Store<DynamicObject>> {
        match kind {
            "HelmRelease" => Some(&self.releases),
            "HelmRepository" => Some(&self.repositories),
            "QdrantCloudRegion" => Some(&self.regions),
            "QdrantCluster" => Some(&self.clusters),
            "Secret" if name == pins::PROXY_SECRET => Some(&self.proxy_secret),
            "Secret" => Some(&self.ca_secret),
            _ => None,
        }
    }
}

struct Watches<'a> {
    client: &'a Client,
    namespace: &'a str,
    tasks: &'a mut JoinSet<()>,
    changed: Arc<watch::Sender<()>>,
}

impl Watches<'_> {
    fn own(
        &mut self,
        resource: ApiResource,
        namespaced: bool,
        config: watcher::Config,
    ) -> Store<DynamicObject> {
        let client = self.client.clone();
        let api = if namespaced {
            Api::namespaced_with(client, self.namespace, &resource)
        } else {
            Api::all_with(client, &resource)
        };
        let writer = reflector::store::Writer::new(resource.clone());
        self.start(watcher(api, config), writer, resource.kind)
    }

    fn of<K>(&mut self, api: Api<K>) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let writer = reflector::store::Writer::new(());
        self.start(pages::without_managers(api), writer, K::kind(&()).into_owned())
    }

    fn start<K>(
        &mut self,
        events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
        writer: reflector::store::Writer<K>,
        kind: String,
    ) -> Store<K>
    where
        K: Resource + Clone + Send + Sync + 'static,
        K::DynamicType: Clone + Eq + Hash + Send + Sync,
    {
        let store = writer.as_reader();
        let changed = self.changed.clone();
        let events = events.default_backoff().reflect(writer);
        self.tasks.spawn(async move {
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(_) => {
                        changed.send_replace(());
                    }
                    Err(error) => {
                        tracing::debug!(kind, "watch: {}", chain(&error));
                        // A kind that the cluster does not have is looked for again, without hurry.
                        if is_missing(&error) {
                            sleep(MISSING).await;
                        }
                    }
                }
            }
        });
        store
    }
}

fn is_missing(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}
