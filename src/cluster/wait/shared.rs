//! Watches that waits share: one for a kind in a namespace, however many wait. A watch by each would be a connection to
//! the API server by each. It ends some seconds after the last wait, so that short ones do not list everything anew.
//!
//! Who is there before the first list hears all of it. Who comes later asks once for the object that it waits for, or
//! hears which pods are in trouble.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::task::AbortOnDropHandle;

use super::watching::watching;
use super::{Seen, is_lasting};
use crate::cluster::{error, pages, ready};

/// A watch that nobody follows ends after one to two of these.
const IDLE: Duration = Duration::from_secs(5);

/// What is followed: a resource of one namespace, by its path.
type Subject = String;

/// Clones share what is watched.
#[derive(Clone, Default)]
pub struct Watches(Arc<Open>);

/// Dropping it ends all watches.
#[derive(Default)]
struct Open(Mutex<HashMap<Subject, Arc<Watch>>>);

struct Watch {
    followers: Arc<Mutex<Followers>>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Followers {
    /// Something was told that who comes now has missed.
    began: bool,
    /// The API server does not let this account watch all of the kind.
    refused: bool,
    next: u64,
    each: HashMap<u64, Follower>,
    /// Pods in trouble, by name.
    troubled: HashMap<String, Arc<DynamicObject>>,
}

struct Follower {
    /// None: all objects.
    name: Option<String>,
    told: UnboundedSender<Told>,
}

enum Told {
    Object(Arc<DynamicObject>),
    /// And in which version; None if a list has shown it.
    Gone(Option<u64>),
    /// The pod that was in trouble.
    PodGone(String),
    Refused,
}

/// One who follows.
struct Following {
    watch: Arc<Watch>,
    id: u64,
    is_late: bool,
    told: UnboundedReceiver<Told>,
}

impl Drop for Following {
    fn drop(&mut self) {
        lock(&self.watch.followers).each.remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The object's version, a number that grows.
fn version(object: &DynamicObject) -> u64 {
    object.metadata.resource_version.as_ref().and_then(|v| v.parse().ok()).unwrap_or(0)
}

/// Where one follower is.
enum Stage<S> {
    /// What was told before has to be asked for.
    Ask(Following),
    /// The version that is known.
    Follow(Following, u64),
    /// Refused: with a watch by itself.
    Alone(S),
}

impl Watches {
    /// What one object is, or None while it is not there, for as long as it is listened to. `alone` watches it by itself.
    pub fn one<S>(
        &self,
        api: Api<DynamicObject>,
        name: &str,
        alone: impl FnOnce() -> S + Send + 'static,
    ) -> impl Stream<Item = Result<Option<DynamicObject>, watcher::Error>> + Send + 'static
    where
        S: Stream<Item = Result<Option<DynamicObject>, watcher::Error>> + Send + Unpin + 'static,
    {
        let following = self.follow(&api, Some(name));
        let stage =
            if following.is_late { Stage::Ask(following) } else { Stage::Follow(following, 0) };
        let name = name.to_owned();
        stream::unfold((stage, Some(alone)), move |(mut stage, mut alone)| {
            let (api, name) = (api.clone(), name.clone());
            async move {
                loop {
                    stage = match stage {
                        Stage::Ask(following) => {
                            match error::retried(|| api.get_opt(&name)).await {
                                Ok(found) => {
                                    let known = found.as_ref().map_or(0, version);
                                    return Some((
                                        Ok(found),
                                        (Stage::Follow(following, known), alone),
                                    ));
                                }
                                Err(_) => Stage::Alone(alone.take()?()),
                            }
                        }
                        Stage::Follow(mut following, known) => match following.told.recv().await {
                            Some(Told::Object(object)) if version(&object) >= known => {
                                let stage = Stage::Follow(following, version(&object));
                                return Some((
                                    Ok(Some(Arc::unwrap_or_clone(object))),
                                    (stage, alone),
                                ));
                            }
                            Some(Told::Gone(at)) if at.is_none_or(|at| at >= known) => {
                                return Some((Ok(None), (Stage::Follow(following, known), alone)));
                            }
                            // Older than what is known, or of others.
                            Some(Told::Object(_) | Told::Gone(_) | Told::PodGone(_)) => {
                                Stage::Follow(following, known)
                            }
                            Some(Told::Refused) | None => Stage::Alone(alone.take()?()),
                        },
                        Stage::Alone(mut alone_now) => {
                            let seen = alone_now.next().await?;
                            return Some((seen, (Stage::Alone(alone_now), alone)));
                        }
                    };
                }
            }
        })
    }

    /// The pods that are in trouble, as they change and until they are out of it. Ends if this account may not watch them.
    pub(super) fn pods(&self, api: Api<DynamicObject>) -> impl Stream<Item = Seen> + Send + use<> {
        let following = self.follow(&api, None);
        let late = following.is_late;
        let troubled = match late {
            true => lock(&following.watch.followers).troubled.values().cloned().collect(),
            false => Vec::new(),
        };
        let changes = stream::unfold(following, |mut following| async move {
            loop {
                match following.told.recv().await? {
                    Told::Object(pod) => return Some((Seen::Pod(pod), following)),
                    Told::PodGone(name) => return Some((Seen::PodGone(name), following)),
                    Told::Gone(_) => {}
                    Told::Refused => return None,
                }
            }
        });
        stream::iter(troubled.into_iter().map(Seen::Pod)).chain(changes)
    }

    fn follow(&self, api: &Api<DynamicObject>, name: Option<&str>) -> Following {
        let subject = api.resource_url().to_owned();
        let mut watches = lock(&self.0.0);
        let open = watches.get(&subject).cloned();
        let watch = open.unwrap_or_else(|| {
            let followers = Arc::<Mutex<Followers>>::default();
            let telling = tell_all(api.clone(), followers.clone());
            let idle = idle(Arc::downgrade(&self.0), subject.clone(), followers.clone());
            let task = tokio::spawn(async move {
                tokio::select! {
                    () = idle => {}
                    // Refused: that is what followers are told for a while.
                    () = telling.then(|()| std::future::pending()) => {}
                }
            });
            let watch = Arc::new(Watch { followers, _task: AbortOnDropHandle::new(task) });
            watches.insert(subject, watch.clone());
            watch
        });
        let (sender, told) = unbounded_channel();
        let mut followers = lock(&watch.followers);
        let (id, is_late) = (followers.next, followers.began);
        followers.next += 1;
        if followers.refused {
            // There is nobody yet who could have closed the other end.
            let _ = sender.send(Told::Refused);
        }
        followers.each.insert(id, Follower { name: name.map(str::to_owned), told: sender });
        drop(followers);
        Following { watch, id, is_late, told }
    }
}

/// Ends when nobody has followed for a while; whoever comes then opens another watch.
async fn idle(open: Weak<Open>, subject: Subject, followers: Arc<Mutex<Followers>>) {
    let mut last = None;
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(open) = open.upgrade() else { return };
        // Nobody joins while these are locked.
        let mut watches = lock(&open.0);
        let followers = lock(&followers);
        if followers.each.is_empty() && last == Some(followers.next) {
            watches.remove(&subject);
            return;
        }
        last = Some(followers.next);
    }
}

/// Watches, and tells each follower what it follows.
async fn tell_all(api: Api<DynamicObject>, followers: Arc<Mutex<Followers>>) {
    let of_pods = api.resource_url().ends_with("/pods");
    let mut events = watching(api, pages::config());
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        let mut followers = lock(&followers);
        match event {
            Ok(watcher::Event::Init) => {
                followers.began = true;
                listed.clear();
            }
            Ok(watcher::Event::InitApply(object)) => {
                listed.extend(object.metadata.name.clone());
                followers.tell(Arc::new(object), of_pods);
            }
            Ok(watcher::Event::InitDone) => {
                followers.gone(|name| !listed.contains(name), None);
            }
            Ok(watcher::Event::Apply(object)) => followers.tell(Arc::new(object), of_pods),
            Ok(watcher::Event::Delete(object)) => {
                let Some(gone) = &object.metadata.name else { continue };
                followers.gone(|name| name == gone, Some(version(&object)));
            }
            Err(error) if is_lasting(&error) => {
                followers.refused = true;
                for follower in followers.each.values() {
                    // Who has gone meanwhile takes itself off the list.
                    let _ = follower.told.send(Told::Refused);
                }
                return;
            }
            // The watcher goes on by itself.
            Err(_) => {}
        }
    }
}

impl Followers {
    /// Tells who follows the object, and, of a pod in trouble or just out of it, who follows them all: hundreds may wait,
    /// and most pods are well.
    fn tell(&mut self, object: Arc<DynamicObject>, is_pod: bool) {
        let Some(name) = &object.metadata.name else { return };
        let was_troubled = self.troubled.remove(name).is_some();
        let is_troubled = is_pod && ready::trouble(&object).is_some();
        for follower in self.each.values() {
            let follows = match &follower.name {
                Some(followed) => followed == name,
                None => is_troubled || was_troubled,
            };
            if follows {
                let _ = follower.told.send(Told::Object(object.clone()));
            }
        }
        if is_troubled {
            self.troubled.insert(name.clone(), object);
        }
    }

    fn gone(&mut self, is_gone: impl Fn(&str) -> bool, at: Option<u64>) {
        let troubled = self.troubled.extract_if(|name, _| is_gone(name));
        let troubled: Vec<String> = troubled.map(|(name, _)| name).collect();
        for follower in self.each.values() {
            match &follower.name {
                Some(name) if is_gone(name) => drop(follower.told.send(Told::Gone(at))),
                Some(_) => {}
                None => {
                    for name in &troubled {
                        let _ = follower.told.send(Told::PodGone(name.clone()));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, waiting: &str) -> Arc<DynamicObject> {
        let pod = json!({
            "metadata": {"name": name},
            "status": {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": waiting}}}]},
        });
        Arc::new(serde_json::from_value(pod).expect("pod"))
    }

    #[test]
    fn of_pods_only_trouble_is_told_until_it_is_over() {
        let mut followers = Followers::default();
        let (sender, mut told) = unbounded_channel();
        followers.each.insert(0, Follower { name: None, told: sender });
        let mut heard = || match told.try_recv() {
            Ok(Told::Object(pod)) => pod.metadata.name.clone(),
            Ok(Told::PodGone(name)) => Some(format!("{name} is gone")),
            _ => None,
        };
        followers.tell(pod("well", "ContainerCreating"), true);
        assert_eq!(heard(), None);
        followers.tell(pod("ill", "ErrImagePull"), true);
        assert_eq!(heard().as_deref(), Some("ill"));
        followers.tell(pod("ill", "ContainerCreating"), true);
        assert_eq!(heard().as_deref(), Some("ill"), "it is well again");
        followers.tell(pod("ill", "ContainerCreating"), true);
        assert_eq!(heard(), None);
        followers.tell(pod("deleted", "ErrImagePull"), true);
        assert_eq!(heard().as_deref(), Some("deleted"));
        followers.gone(|name| name == "deleted" || name == "well", None);
        assert_eq!(heard().as_deref(), Some("deleted is gone"));
        assert_eq!(heard(), None);
        assert!(followers.troubled.is_empty());
    }
}
