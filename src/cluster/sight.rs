//! What watches show of objects, so that an apply need not ask for them first.
//!
//! A watch may lag behind. Nothing is written on its word alone: each write names the version that was shown, and the
//! API server refuses it if there is another by then.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::core::ObjectMeta;

use super::object::Owner;
use super::{Key, managed};

/// What an apply has to know of an object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub uid: Option<String>,
    pub version: Option<String>,
    pub owner: Option<Owner>,
    /// Changes with every apply of [`super::FIELD_MANAGER`] that changes something.
    pub applied: u64,
    /// Whether fields of it were written by client-side apply ([`managed::upgrade`]).
    pub client_side: bool,
}

impl Live {
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            uid: metadata.uid.clone(),
            version: metadata.resource_version.clone(),
            owner: Owner::of(metadata),
            applied: fingerprint(metadata),
            client_side: managed::is_outdated(metadata),
        }
    }

    /// Versions are numbers that grow (Kubernetes' API conventions since 1.35; etcd's revision before).
    fn number(&self) -> u64 {
        self.version.as_ref().and_then(|version| version.parse().ok()).unwrap_or(0)
    }
}

fn fingerprint(metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Some(entry) = managed::applied(metadata) {
        entry.time.as_ref().map(|time| time.0.as_nanosecond()).hash(&mut hasher);
        entry.api_version.hash(&mut hasher);
        entry.fields_v1.as_ref().map(|fields| fields.0.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

/// The objects of one kind in one namespace that belong to a release.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub group: String,
    pub kind: String,
    pub namespace: String,
}

impl Place {
    /// Where an object is; None for cluster-wide ones.
    fn of(key: &Key) -> Option<Self> {
        let namespace = key.namespace.clone()?;
        Some(Self { group: key.group().to_owned(), kind: key.kind.clone(), namespace })
    }
}

/// What a watch shows of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It is not watched, or the watch is behind: ask.
    Unknown,
    /// It belongs to no release, if it is there.
    Nothing,
    There(Live),
}

#[derive(Default)]
struct Seen {
    /// The watch has told of everything, and nothing has shown since that it is behind.
    complete: bool,
    /// By name.
    objects: HashMap<String, Live>,
    /// While everything is told anew: the names so far.
    listed: Option<HashSet<String>>,
}

/// Clones share what is shown.
#[derive(Clone, Default)]
pub struct Sight(Arc<Mutex<HashMap<Place, Seen>>>);

impl Sight {
    fn places(&self) -> MutexGuard<'_, HashMap<Place, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A watch begins to tell of everything that is there.
    pub fn begin(&self, place: &Place) {
        let mut places = self.places();
        let seen = places.entry(place.clone()).or_default();
        seen.complete = false;
        seen.listed = Some(HashSet::new());
    }

    /// It has told everything.
    pub fn complete(&self, place: &Place) {
        let mut places = self.places();
        let Some(seen) = places.get_mut(place) else { return };
        if let Some(listed) = seen.listed.take() {
            seen.objects.retain(|name, _| listed.contains(name));
        }
        seen.complete = true;
    }

    /// It has shown an object, or that it is gone.
    pub fn show(&self, place: &Place, metadata: &ObjectMeta, gone: bool) {
        let mut places = self.places();
        let Some(seen) = places.get_mut(place) else { return };
        // Whoever tells of changes is not broken.
        seen.complete |= seen.listed.is_none();
        take(seen, metadata, gone);
    }

    /// This process has written an object.
    pub fn wrote(&self, key: &Key, metadata: &ObjectMeta) {
        let Some(place) = Place::of(key) else { return };
        if let Some(seen) = self.places().get_mut(&place) {
            take(seen, metadata, false);
        }
    }

    /// The watch was wrong about the object, or is broken: it is not believed before it shows something new.
    pub fn doubt(&self, place: &Place) {
        if let Some(seen) = self.places().get_mut(place) {
            seen.complete = false;
        }
    }

    pub fn doubt_of(&self, key: &Key) {
        if let Some(place) = Place::of(key) {
            self.doubt(&place);
        }
    }

    /// There is no watch any longer.
    pub fn end(&self, place: &Place) {
        self.places().remove(place);
    }

    pub fn of(&self, key: &Key) -> Shown {
        let places = self.places();
        match Place::of(key).and_then(|place| places.get(&place)) {
            Some(seen) if seen.complete => seen
                .objects
                .get(&key.name)
                .map_or(Shown::Nothing, |live| Shown::There(live.clone())),
            _ => Shown::Unknown,
        }
    }
}

/// Takes in what is newer than what is known.
fn take(seen: &mut Seen, metadata: &ObjectMeta, gone: bool) {
    let Some(name) = &metadata.name else { return };
    let live = Live::of(metadata);
    if let Some(listed) = &mut seen.listed {
        listed.insert(name.clone());
    }
    if seen.objects.get(name).is_some_and(|known| known.number() > live.number()) {
        return;
    }
    if gone {
        seen.objects.remove(name);
    } else {
        seen.objects.insert(name.clone(), live);
    }
}

#[cfg(test)]
mod tests {
    use super::super::object::metadata;
    use super::*;
    use serde_json::json;

    fn object(name: &str, version: u64) -> ObjectMeta {
        metadata(json!({
            "name": name, "uid": name, "resourceVersion": version.to_string(),
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"},
        }))
    }

    fn key(name: &str) -> Key {
        Key {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("n".into()),
            name: name.into(),
        }
    }

    fn version(shown: &Shown) -> Option<&str> {
        match shown {
            Shown::There(live) => live.version.as_deref(),
            _ => None,
        }
    }

    #[test]
    fn a_watch_is_believed_from_its_first_full_list_until_it_is_wrong() {
        let sight = Sight::default();
        let place = Place::of(&key("a")).expect("a namespace");
        assert_eq!(sight.of(&key("a")), Shown::Unknown);
        sight.wrote(&key("a"), &object("a", 1));
        assert_eq!(sight.of(&key("a")), Shown::Unknown, "nobody would tell of its end");
        sight.begin(&place);
        sight.show(&place, &object("a", 5), false);
        assert_eq!(sight.of(&key("a")), Shown::Unknown);
        sight.wrote(&key("new"), &object("new", 6));
        sight.complete(&place);
        assert_eq!(version(&sight.of(&key("a"))), Some("5"));
        assert_eq!(version(&sight.of(&key("new"))), Some("6"), "written while the list was told");
        assert_eq!(sight.of(&key("none")), Shown::Nothing);
        sight.doubt_of(&key("a"));
        assert_eq!(sight.of(&key("none")), Shown::Unknown);
        sight.show(&place, &object("a", 7), false);
        assert_eq!(version(&sight.of(&key("a"))), Some("7"));
        sight.begin(&place);
        sight.complete(&place);
        assert_eq!(sight.of(&key("a")), Shown::Nothing, "it went unseen");
        sight.end(&place);
        assert_eq!(sight.of(&key("a")), Shown::Unknown);
    }

    #[test]
    fn what_is_older_is_no_news() {
        let sight = Sight::default();
        let place = Place::of(&key("a")).expect("a namespace");
        sight.begin(&place);
        sight.complete(&place);
        sight.wrote(&key("a"), &object("a", 9));
        sight.show(&place, &object("a", 8), false);
        sight.show(&place, &object("a", 8), true);
        assert_eq!(version(&sight.of(&key("a"))), Some("9"), "made anew since");
        sight.show(&place, &object("a", 10), true);
        assert_eq!(sight.of(&key("a")), Shown::Nothing);
    }
}
