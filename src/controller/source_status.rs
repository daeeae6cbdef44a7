//! Looks after what sources say of themselves: OCIRepository, HelmChart and HelmRepository. Each one is looked at when its
//! spec changes, when somebody asks for it by annotation, and at its interval; of one that failed, again after a pause
//! that doubles, and when a Secret or the table of mirrors changes.
//!
//! There is no server for artifacts. What a source has found is the digest in its status; releases that name it pull
//! just that.
//!
//! * [`conditions`] — pure: what is said; [`oci_repository`], [`helm_chart`], [`helm_repository`] — one look at one

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::api::{Api, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::memory::Memory;
use super::report::FIELD_MANAGER;
use super::source::Sources;
use crate::api::annotation;
use crate::api::helm_chart::HelmChart;
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OciRepository;
use crate::cluster::error::{explain, is_code, retried, unconditional};

pub mod conditions;
pub mod helm_chart;
mod helm_repository;
mod oci_repository;

/// Shortest interval that is kept, whatever an object says.
const SHORTEST: Duration = Duration::from_secs(1);

/// The API server is asked again for an object after this time.
const UNREACHABLE: Duration = Duration::from_secs(10);

/// A kind of source.
pub trait Source:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + std::fmt::Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    const KIND: &'static str;
    /// Whether its status tells of something that was fetched, for releases to use.
    const IS_FETCHED: bool;
    type Status: Serialize + PartialEq + Default + Clone + Send + Sync;

    fn status(&self) -> Option<&Self::Status>;
    /// None: only a change of the object is a reason to look.
    fn interval(&self) -> Option<Duration>;
    fn is_suspended(&self) -> bool;
    /// Secrets of the same namespace by which it is had and judged.
    fn secrets(&self) -> Vec<String>;
    /// The status that follows from a look now, and why nothing was found.
    fn look<'a>(&'a self, keeper: &'a Keeper) -> BoxFuture<'a, Look<Self::Status>>;
}

/// What came of one look.
pub struct Look<S> {
    pub status: S,
    /// The look failed, and is to be repeated; how long somebody asked to be left alone.
    pub again: Option<Option<Duration>>,
}

/// What all looks share.
pub struct Keeper {
    client: Client,
    namespace: String,
    sources: Arc<Sources>,
    memory: Memory,
}

/// Something that a keeper is told.
pub enum Notice {
    /// The object was seen; it may be gone.
    Seen(Key, Sign),
    /// What failures may have been due to has changed.
    Retry,
}

/// Which source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    kind: &'static str,
    name: String,
}

/// What makes another look worth while. What is written to the status is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    uid: Option<String>,
    generation: Option<i64>,
    requested: Option<String>,
}

impl Notice {
    pub fn seen<K: Source>(object: &K) -> Self {
        let key = Key { kind: K::KIND, name: object.name_any() };
        let requested = object.annotations().get(annotation::REQUESTED_AT).cloned();
        let generation = object.meta().generation;
        Self::Seen(key, Sign { uid: object.uid(), generation, requested })
    }
}

/// One source that is looked after.
struct Kept {
    sign: Sign,
    busy: bool,
    /// Something has changed since the look under way began.
    changed: bool,
    failed: bool,
    due: Option<Instant>,
}

/// What is left to do after a look: the object is gone, or is due again.
enum Rest {
    Gone,
    Good(Option<Duration>),
    Failed(Duration),
}

impl Keeper {
    pub fn new(client: Client, namespace: &str, sources: Arc<Sources>, memory: Memory) -> Self {
        Self { client, namespace: namespace.to_owned(), sources, memory }
    }

    /// Looks after all that it is told of, until `shutdown`.
    pub async fn run(
        self,
        mut notices: mpsc::UnboundedReceiver<Notice>,
        shutdown: CancellationToken,
    ) {
        let keeper = Arc::new(self);
        let mut kept: HashMap<Key, Kept> = HashMap::new();
        let mut looks: JoinSet<(Key, Rest)> = JoinSet::new();
        loop {
            let next = kept.values().filter(|one| !one.busy).filter_map(|one| one.due).min();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                notice = notices.recv() => match notice {
                    Some(Notice::Seen(key, sign)) => saw(&mut kept, key, sign),
                    Some(Notice::Retry) => kept.values_mut().filter(|one| one.failed).for_each(Kept::wake),
                    None => return,
                },
                Some(ended) = looks.join_next() => match ended {
                    Ok((key, rest)) => {
                        if matches!(rest, Rest::Gone) {
                            keeper.forget(kept.get(&key));
                        }
                        rested(&mut kept, &key, rest);
                    }
                    Err(error) => tracing::error!(%error, "a look at a source ended"),
                },
                () = due => {}
            }
            let now = Instant::now();
            for (key, one) in &mut kept {
                if !one.busy && one.due.is_some_and(|due| due <= now) {
                    one.busy = true;
                    let (keeper, key) = (keeper.clone(), key.clone());
                    looks.spawn(async move {
                        let rest = keeper.look(&key).await;
                        (key, rest)
                    });
                }
            }
        }
    }

    fn forget(&self, gone: Option<&Kept>) {
        if let Some(uid) = gone.and_then(|one| one.sign.uid.as_deref()) {
            self.memory.forget(uid);
        }
    }

    async fn look(&self, key: &Key) -> Rest {
        match key.kind {
            OciRepository::KIND => self.look_at::<OciRepository>(&key.name).boxed().await,
            HelmChart::KIND => self.look_at::<HelmChart>(&key.name).boxed().await,
            _ => self.look_at::<HelmRepository>(&key.name).boxed().await,
        }
    }

    async fn look_at<K: Source>(&self, name: &str) -> Rest {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let told = |error: &kube::Error| {
            tracing::warn!(
                kind = K::KIND,
                name,
                error = explain(error),
                "a source was not looked at"
            );
        };
        let object = match retried(|| api.get_opt(name)).await {
            Ok(Some(object)) => object,
            Ok(None) => return Rest::Gone,
            Err(error) => {
                told(&error);
                return Rest::Failed(UNREACHABLE);
            }
        };
        let uid = object.uid().unwrap_or_default();
        if object.is_suspended() || object.meta().deletion_timestamp.is_some() {
            return Rest::Good(None);
        }
        let before = object.status().cloned().unwrap_or_default();
        let look = object.look(self).await;
        if look.status != before
            && let Err(error) = self.write(&api, name, &look.status).await
        {
            told(&error);
            return Rest::Failed(self.memory.pause(&uid, None));
        }
        match look.again {
            Some(asked) => Rest::Failed(self.memory.pause(&uid, asked)),
            None => {
                self.memory.no_error(&uid);
                Rest::Good(object.interval().map(|interval| {
                    // Spread, so that sources that were made together are not looked at together for ever.
                    interval.max(SHORTEST).mul_f64(0.95 + rand::random::<f64>() / 10.0)
                }))
            }
        }
    }

    async fn write<K: Source>(
        &self,
        api: &Api<K>,
        name: &str,
        status: &K::Status,
    ) -> Result<(), kube::Error> {
        let patch = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::KIND,
            "metadata": {"name": name},
            "status": status,
        });
        let (params, apply) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&patch));
        match unconditional(|| api.patch_status(name, &params, &apply)).await {
            Ok(written) => {
                self.memory.wrote_source(&written);
                Ok(())
            }
            Err(error) if is_code(&error, 404) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Kept {
    fn wake(&mut self) {
        self.changed = self.busy;
        self.due = Some(Instant::now());
    }
}

fn saw(kept: &mut HashMap<Key, Kept>, key: Key, sign: Sign) {
    let kind = key.kind;
    let one = kept.entry(key).or_insert_with(|| Kept {
        sign: Sign { uid: None, generation: None, requested: None },
        busy: false,
        changed: false,
        failed: false,
        due: None,
    });
    if one.sign != sign {
        one.sign = sign;
        one.wake();
        if kind == HelmRepository::KIND {
            let charts = kept.iter_mut().filter(|(key, _)| key.kind == HelmChart::KIND);
            charts.for_each(|(_, chart)| chart.wake());
        }
    }
}

fn rested(kept: &mut HashMap<Key, Kept>, key: &Key, rest: Rest) {
    let Some(one) = kept.get_mut(key) else { return };
    let changed = std::mem::take(&mut one.changed);
    one.busy = false;
    one.failed = matches!(rest, Rest::Failed(_));
    let after = match rest {
        Rest::Gone if !changed => {
            kept.remove(key);
            return;
        }
        Rest::Gone => Some(Duration::ZERO),
        Rest::Good(after) => after,
        Rest::Failed(pause) => Some(pause),
    };
    let after = if changed { Some(Duration::ZERO) } else { after };
    one.due = after.and_then(|after| Instant::now().checked_add(after));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(generation: i64) -> Sign {
        Sign { uid: Some("u".into()), generation: Some(generation), requested: None }
    }

    fn key() -> Key {
        Key { kind: "OCIRepository", name: "a".into() }
    }

    #[test]
    fn a_source_is_looked_at_for_a_reason() {
        let mut kept = HashMap::new();
        saw(&mut kept, key(), sign(1));
        assert!(kept[&key()].due.is_some(), "at first sight");
        rested(&mut kept, &key(), Rest::Good(None));
        saw(&mut kept, key(), sign(1));
        assert!(kept[&key()].due.is_none(), "nothing but its status has changed");
        saw(&mut kept, key(), sign(2));
        assert!(kept[&key()].due.is_some(), "another generation");
    }

    #[test]
    fn what_changes_during_a_look_is_looked_at_after_it() {
        let mut kept = HashMap::new();
        saw(&mut kept, key(), sign(1));
        kept.get_mut(&key()).expect("kept").busy = true;
        saw(&mut kept, key(), sign(2));
        rested(&mut kept, &key(), Rest::Good(Some(Duration::from_secs(3600))));
        assert!(kept[&key()].due.is_some_and(|due| due <= Instant::now()));
        rested(&mut kept, &key(), Rest::Failed(Duration::from_secs(3600)));
        assert!(kept[&key()].failed && kept[&key()].due.is_some_and(|due| due > Instant::now()));
        rested(&mut kept, &key(), Rest::Gone);
        assert!(kept.is_empty());
    }
}
