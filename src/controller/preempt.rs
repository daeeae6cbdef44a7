//! A newer spec, or a deletion, ends a wait for readiness.

use std::collections::HashMap;

use futures::StreamExt as _;
use kube::Client;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::api::helm_release::HelmRelease;
use crate::cluster::pages;
use crate::cluster::pauses::Pauses;

/// By UID: generation, and whether it is being deleted.
type Known = HashMap<String, (i64, bool)>;

/// The newest generation of each HelmRelease, and whether it is being deleted.
pub struct Newest(watch::Receiver<Known>);

impl Newest {
    /// Watches a namespace until `stop`. `gone` is told the UID of each object that is there no longer.
    pub fn watch(
        client: Client,
        namespace: &str,
        stop: CancellationToken,
        gone: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let (sender, receiver) = watch::channel(Known::new());
        let api: Api<PartialObjectMeta<HelmRelease>> = Api::namespaced(client, namespace);
        tokio::spawn(async move {
            let releases = watcher(api, pages::config()).backoff(Pauses::single());
            let mut releases = std::pin::pin!(releases.take_until(stop.cancelled_owned()));
            while let Some(event) = releases.next().await {
                let Ok(event) = event else { continue };
                let deleted = match &event {
                    Event::Delete(release) => release.metadata.uid.clone(),
                    _ => None,
                };
                sender.send_if_modified(|known| note(known, event));
                if let Some(uid) = deleted {
                    gone(&uid);
                }
            }
        });
        Self(receiver)
    }

    /// Whether this generation is known to be outdated.
    pub fn outdated(&self, uid: &str, generation: i64) -> bool {
        newer(&self.0.borrow(), uid, generation)
    }

    /// A token that is cancelled once the release is newer than `generation` or being deleted. Nothing is
    /// watched any longer when the guard is dropped.
    pub fn token(&self, uid: &str, generation: i64) -> (CancellationToken, DropGuard) {
        let (token, done) = (CancellationToken::new(), CancellationToken::new());
        let (mut newest, uid) = (self.0.clone(), uid.to_owned());
        let (cancelled, ended) = (token.clone(), done.clone());
        tokio::spawn(async move {
            let newer = newest.wait_for(|known| newer(known, &uid, generation));
            tokio::select! {
                Ok(_) = newer => cancelled.cancel(),
                () = ended.cancelled() => {}
            }
        });
        (token, done.drop_guard())
    }
}

fn newer(known: &Known, uid: &str, generation: i64) -> bool {
    known.get(uid).is_some_and(|(now, deleted)| *now > generation || *deleted)
}

/// Takes an event in; whether anything is new. What went away between two lists stays known until the next
/// process: nobody asks for its UID again.
fn note(known: &mut Known, event: Event<PartialObjectMeta<HelmRelease>>) -> bool {
    match event {
        Event::Apply(release) | Event::InitApply(release) => {
            let generation = release.metadata.generation.unwrap_or(0);
            let deleted = release.metadata.deletion_timestamp.is_some();
            let uid = release.metadata.uid.unwrap_or_default();
            known.insert(uid, (generation, deleted)) != Some((generation, deleted))
        }
        Event::Delete(release) => {
            known.remove(&release.metadata.uid.unwrap_or_default());
            false
        }
        Event::Init | Event::InitDone => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(generation: i64) -> PartialObjectMeta<HelmRelease> {
        let metadata = serde_json::json!({"uid": "a", "name": "r", "generation": generation});
        serde_json::from_value(serde_json::json!({"metadata": metadata})).expect("metadata")
    }

    #[test]
    fn objects_that_are_gone_are_forgotten() {
        let mut known = Known::new();
        assert!(note(&mut known, Event::Apply(release(1))));
        assert!(!note(&mut known, Event::Apply(release(1))));
        assert!(note(&mut known, Event::InitApply(release(2))));
        assert!(newer(&known, "a", 1) && !newer(&known, "a", 2));
        note(&mut known, Event::Delete(release(2)));
        assert!(known.is_empty());
    }

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
