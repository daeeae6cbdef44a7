//! Where it all happens: a namespace, the proxy before its API server, and what watches show of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::runtime::{watcher, watcher::Event};
use pinnace::api::helm_release::HelmRelease;
use pinnace_testbed::{Cluster, Image, tool};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bed::Bed;
use crate::chart;
use crate::child::{Child, Settings};
use crate::proxy::Proxy;
use crate::runs::Runs;

/// How long an operation may take after the last disturbance before it counts as stuck: half a minute until a leader
/// whose lease was not answered gives up, as long until its successor gives up a list that was not, and a minute for the
/// work.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a controller is looked at that may have ended by itself.
const LOOKED_AT: Duration = Duration::from_millis(200);

type Releases = HashMap<String, Arc<HelmRelease>>;

pub struct World {
    pub bed: Bed,
    pub proxy: Proxy,
    pub runs: Runs,
    folder: tempfile::TempDir,
    releases: watch::Sender<Releases>,
    _watching: JoinSet<()>,
}

impl World {
    pub async fn new() -> Self {
        let bed = Bed::new("chaos").await;
        tokio::task::block_in_place(|| {
            Image::new("registry.test/crane:1").file(tool("crane")).push(Cluster::shared());
            chart::publish(&bed);
        });
        let proxy = Proxy::start(bed.config().await).await;
        let folder = tempfile::tempdir().expect("a folder");
        let (runs, releases) =
            (Runs::watch(bed.client.clone(), bed.namespace()), watch::Sender::default());
        let mut watching = JoinSet::new();
        watching.spawn(follow(bed.releases(), releases.clone()));
        Self { bed, proxy, runs, folder, releases, _watching: watching }
    }

    /// A controller that reaches the API server by way of the proxy, with its clock so many seconds ahead.
    pub fn controller(&self, identity: &str, ahead: i64) -> Child {
        let kubeconfig: PathBuf = self.folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, self.proxy.kubeconfig()).expect("written");
        Child::start(Settings {
            namespace: self.bed.namespace().to_owned(),
            identity: identity.to_owned(),
            kubeconfig,
            folder: self.folder.path().to_owned(),
            ahead,
        })
    }

    /// Waits until a release is as wanted: None while it is not there. When it was; None if it did not become so.
    pub async fn until(
        &self,
        name: &str,
        wanted: impl Fn(Option<&HelmRelease>) -> bool,
    ) -> Option<Instant> {
        let mut releases = self.releases.subscribe();
        let seen =
            releases.wait_for(|releases| wanted(releases.get(name).map(|release| &**release)));
        match tokio::time::timeout(PATIENCE, seen).await {
            Ok(_) => Some(Instant::now()),
            Err(_) => None,
        }
    }

    /// Whether a release is as wanted now.
    pub fn is(&self, name: &str, wanted: impl Fn(Option<&HelmRelease>) -> bool) -> bool {
        wanted(self.releases.borrow().get(name).map(|release| &**release))
    }

    /// What a release says of itself.
    pub fn told(&self, name: &str) -> String {
        let releases = self.releases.borrow();
        releases.get(name).map_or("it is gone".to_owned(), |release| {
            format!("generation {:?}: {:#?}", release.metadata.generation, release.status)
        })
    }
}

/// Starts controllers again that end by themselves, until `work` is done.
pub async fn looking_after<T>(children: &mut [&mut Child], work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(LOOKED_AT) => {
                for child in children.iter_mut() {
                    child.revive();
                }
            }
        }
    }
}

async fn follow(api: kube::Api<HelmRelease>, releases: watch::Sender<Releases>) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        releases.send_modify(|releases| match event {
            Ok(Event::Apply(release) | Event::InitApply(release)) => {
                releases.insert(release.name_any(), Arc::new(release));
            }
            Ok(Event::Delete(release)) => {
                releases.remove(&release.name_any());
            }
            _ => {}
        });
    }
}
