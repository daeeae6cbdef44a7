//! Server-side apply of a release's objects, with Helm's ownership.
//!
//! First every object is read and a step chosen for it; only when nothing stands in the way of any of them
//! is the first one written.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use kube::api::{Patch, PatchParams, ValidationDirective};
use kube::core::ObjectMeta;
use serde_json::Value;

use super::object::Owner;
use super::{Cluster, Error, FIELD_MANAGER, Key, Object, error};

/// Objects of one kind that are written at the same time.
const AT_ONCE: usize = 8;

/// What becomes of objects that exist and belong to no release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// They become part of the release: Flux's default.
    Adopt,
    Refuse,
}

/// What is to be done with one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Write,
    /// Written to undo what others changed; without the right to write it stays as it is, for it is there,
    /// ours, and the chart did not change it.
    Restore,
    /// Cluster-wide, there, ours, and not changed by the chart: needs no right but to read.
    Leave,
}

/// Why an object cannot become part of the release.
#[derive(Debug, PartialEq, Eq)]
pub enum Obstacle {
    Owned(Owner),
    NotOwned,
}

/// Chooses the step for one object. `unchanged`: every revision that may have been applied since the last
/// deployed one has this very object.
pub fn step(
    live: Option<&ObjectMeta>,
    key: &Key,
    owner: &Owner,
    unchanged: bool,
    adoption: Adoption,
) -> Result<Step, Obstacle> {
    let Some(live) = live else { return Ok(Step::Write) };
    match Owner::of(live) {
        Some(found) if found == *owner => Ok(match (unchanged, &key.namespace) {
            (false, _) => Step::Write,
            (true, Some(_)) => Step::Restore,
            (true, None) => Step::Leave,
        }),
        Some(found) => Err(Obstacle::Owned(found)),
        None if adoption == Adoption::Adopt => Ok(Step::Write),
        None => Err(Obstacle::NotOwned),
    }
}

/// Objects with their steps, in the order in which they are written.
#[derive(Debug, Default)]
pub struct Plan(Vec<(Object, Step)>);

impl Plan {
    /// Reads what is there and chooses the steps. Fails without a change if any object stands in the way.
    ///
    /// `objects` have been placed ([`super::discovery::Discovery::place`]). `earlier`: the objects of every
    /// revision that may have been applied since the last deployed one, that one included.
    pub async fn make(
        cluster: &Cluster,
        objects: &[Object],
        earlier: &[Vec<Object>],
        owner: &Owner,
        adoption: Adoption,
    ) -> Result<Self, Error> {
        let choices: Vec<_> = objects
            .iter()
            .map(|object| choose(cluster, object, earlier, owner, adoption).boxed())
            .collect();
        let steps = futures::stream::iter(choices).buffered(AT_ONCE).try_collect().await?;
        Ok(Self(steps))
    }

    /// Writes the objects: kind after kind in the given order, several of one kind at once. Idempotent.
    pub async fn run(self, cluster: &Cluster, owner: &Owner) -> Result<(), Error> {
        for batch in self.0.chunk_by(|a, b| a.0.key.kind == b.0.key.kind) {
            let writes: Vec<_> = batch
                .iter()
                .map(|(object, step)| carry_out(cluster, object, *step, owner).boxed())
                .collect();
            futures::stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        Ok(())
    }
}

async fn choose(
    cluster: &Cluster,
    object: &Object,
    earlier: &[Vec<Object>],
    owner: &Owner,
    adoption: Adoption,
) -> Result<(Object, Step), Error> {
    let live = cluster.get(&object.key).await?;
    let unchanged = unchanged(object, earlier);
    let live = live.as_ref().map(|l| &l.metadata);
    let name = object.key.to_string();
    match step(live, &object.key, owner, unchanged, adoption) {
        Ok(step) => Ok((object.clone(), step)),
        Err(Obstacle::Owned(owner)) => Err(Error::Owned { object: name, owner: owner.to_string() }),
        Err(Obstacle::NotOwned) => Err(Error::NotOwned { object: name }),
    }
}

fn unchanged(object: &Object, earlier: &[Vec<Object>]) -> bool {
    let same = |revision: &Vec<Object>| revision.iter().any(|o| o == object);
    !earlier.is_empty() && earlier.iter().all(same)
}

async fn carry_out(
    cluster: &Cluster,
    object: &Object,
    step: Step,
    owner: &Owner,
) -> Result<(), Error> {
    if step == Step::Leave {
        return Ok(());
    }
    match write(cluster, &object.key, &object.owned_by(owner)).await {
        Err(Error::Api { source, .. }) if step == Step::Restore && error::is_code(&source, 403) => {
            tracing::debug!(object = %object.key, "unchanged, and not ours to write");
            Ok(())
        }
        result => result,
    }
}

/// Applies one object as [`FIELD_MANAGER`], taking over fields of others. Unknown fields are refused.
pub async fn write(cluster: &Cluster, key: &Key, value: &Value) -> Result<(), Error> {
    let api = cluster.api(key).await?;
    let params = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply(FIELD_MANAGER).force()
    };
    let patch = Patch::Apply(value);
    error::retried(|| api.patch(&key.name, &params, &patch))
        .await
        .map(|_| ())
        .map_err(|e| Error::api("apply", key, e))
}

#[cfg(test)]
mod tests {
    use super::super::object::metadata;
    use super::*;
    use serde_json::json;

    fn owner(release: &str) -> Owner {
        Owner { release: release.into(), namespace: "n".into() }
    }

    fn key(namespace: Option<&str>) -> Key {
        Key {
            api_version: "v1".into(),
            kind: "Thing".into(),
            namespace: namespace.map(str::to_owned),
            name: "x".into(),
        }
    }

    fn live(release: &str) -> ObjectMeta {
        metadata(json!({
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": "n"},
        }))
    }

    #[test]
    fn steps() {
        use Adoption::{Adopt, Refuse};
        let bare = metadata(json!({"labels": {"app": "x"}}));
        let (ours, theirs) = (live("r"), live("other"));
        let cases = [
            (None, Some("n"), false, Adopt, Ok(Step::Write)),
            (None, None, true, Adopt, Ok(Step::Write)),
            (Some(&ours), Some("n"), false, Adopt, Ok(Step::Write)),
            (Some(&ours), Some("n"), true, Refuse, Ok(Step::Restore)),
            (Some(&ours), None, true, Refuse, Ok(Step::Leave)),
            (Some(&ours), None, false, Adopt, Ok(Step::Write)),
            (Some(&bare), Some("n"), true, Adopt, Ok(Step::Write)),
            (Some(&bare), Some("n"), false, Refuse, Err(Obstacle::NotOwned)),
            (Some(&theirs), Some("n"), true, Adopt, Err(Obstacle::Owned(owner("other")))),
        ];
        for (live, namespace, same, adoption, expected) in cases {
            let found = step(live, &key(namespace), &owner("r"), same, adoption);
            assert_eq!(found, expected, "{live:?} {namespace:?} {same} {adoption:?}");
        }
    }

    #[test]
    fn unchanged_means_in_every_revision_since_the_last_good_one() {
        let object = |text: &str| Object { key: key(None), value: json!({"spec": text}) };
        let (good, failed) = (vec![object("a")], vec![object("b")]);
        assert!(unchanged(&object("a"), std::slice::from_ref(&good)));
        assert!(!unchanged(&object("a"), &[good, failed]));
        assert!(!unchanged(&object("a"), &[]));
        assert!(!unchanged(&object("a"), &[vec![]]));
    }
}
