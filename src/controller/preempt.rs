//! A newer spec, or a deletion, ends a wait for readiness.

use std::collections::HashMap;

use futures::StreamExt as _;
use kube::Client;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::api::helm_release::HelmRelease;

/// The newest generation of each HelmRelease, and whether it is being deleted.
pub struct Newest(watch::Receiver<HashMap<String, (i64, bool)>>);

impl Newest {
    /// Watches a namespace until `stop`.
    pub fn watch(client: Client, namespace: &str, stop: CancellationToken) -> Self {
        let (sender, receiver) = watch::channel(HashMap::new());
        let api: Api<PartialObjectMeta<HelmRelease>> = Api::namespaced(client, namespace);
        tokio::spawn(async move {
            let releases =
                watcher(api, watcher::Config::default()).default_backoff().applied_objects();
            let mut releases = std::pin::pin!(releases.take_until(stop.cancelled_owned()));
            while let Some(release) = releases.next().await {
                let Ok(release) = release else { continue };
                let name = release.metadata.name.unwrap_or_default();
                let generation = release.metadata.generation.unwrap_or(0);
                let deleted = release.metadata.deletion_timestamp.is_some();
                sender.send_if_modified(|known| {
                    known.insert(name, (generation, deleted)) != Some((generation, deleted))
                });
            }
        });
        Self(receiver)
    }

    /// A token that is cancelled once the release is newer than `generation` or being deleted. Nothing is
    /// watched any longer when the guard is dropped.
    pub fn token(&self, name: &str, generation: i64) -> (CancellationToken, DropGuard) {
        let (token, done) = (CancellationToken::new(), CancellationToken::new());
        let (mut newest, name) = (self.0.clone(), name.to_owned());
        let (cancelled, ended) = (token.clone(), done.clone());
        tokio::spawn(async move {
            let newer = newest.wait_for(|known| {
                known.get(&name).is_some_and(|(now, deleted)| *now > generation || *deleted)
            });
            tokio::select! {
                Ok(_) = newer => cancelled.cancel(),
                () = ended.cancelled() => {}
            }
        });
        (token, done.drop_guard())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_generation_cancels() {
        let (sender, receiver) = watch::channel(HashMap::from([("a".to_owned(), (3, false))]));
        let newest = Newest(receiver);
        let (token, _guard) = newest.token("a", 3);
        sender.send_modify(|known| {
            known.insert("b".into(), (9, true));
        });
        tokio::task::yield_now().await;
        assert!(!token.is_cancelled());
        sender.send_modify(|known| {
            known.insert("a".into(), (4, false));
        });
        token.cancelled().await;
    }
}
