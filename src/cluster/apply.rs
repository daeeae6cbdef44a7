//! Server-side apply of a release's objects, with Helm's ownership.
//!
//! First a step is chosen for every object by what is there: as a watch shows it ([`sight`](super::sight)), or else as
//! it is read. Only when nothing stands in the way of any of them is the first one written.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::Value;

use super::object::Owner;
use super::sight::{Live, Shown};
use super::{Cluster, Error, FIELD_MANAGER, Key, Object, error, managed};

mod client_side;
mod immutable;

/// Objects of one kind that are written at the same time.
const AT_ONCE: usize = 8;
/// How often an object is looked at again that others keep changing.
const MAX_LOOKS: usize = 5;

/// A version that no object has: the first revision of a store holds none.
const NO_VERSION: &str = "1";

/// What becomes of objects that exist and belong to no release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// They become part of the release: Flux's default.
    Adopt,
    Refuse,
}

/// How objects are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    pub method: Method,
    pub fields: UnknownFields,
    /// Makes objects anew that cannot become what is wanted otherwise, as far as that loses nothing. From the client's
    /// side, replaces the others as a whole.
    pub force: bool,
}

/// Who finds out what changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    #[default]
    ServerSide,
    /// As Helm 3 did: a patch of what changed since the last revision.
    ClientSide,
}

/// What becomes of fields that a kind does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    #[default]
    Refused,
    /// The API server drops them.
    Dropped,
}

impl UnknownFields {
    fn directive(self) -> ValidationDirective {
        match self {
            Self::Refused => ValidationDirective::Strict,
            Self::Dropped => ValidationDirective::Ignore,
        }
    }
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

impl Obstacle {
    fn of(self, key: &Key) -> Error {
        let object = key.to_string();
        match self {
            Self::Owned(owner) => Error::Owned { object, owner: owner.to_string() },
            Self::NotOwned => Error::NotOwned { object },
        }
    }
}

/// Chooses the step for one object. `unchanged`: every revision that may have been applied since the last
/// deployed one has this very object.
pub fn step(
    live: Option<&Live>,
    key: &Key,
    owner: &Owner,
    unchanged: bool,
    adoption: Adoption,
) -> Result<Step, Obstacle> {
    let Some(live) = live else { return Ok(Step::Write) };
    match live.owner.clone() {
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
pub struct Plan(Vec<Choice>);

#[derive(Debug)]
struct Choice {
    object: Object,
    step: Step,
    /// What was there when the step was chosen.
    seen: Option<Live>,
    adoption: Adoption,
    /// What the newest earlier revision said of it.
    before: Option<Value>,
}

impl Plan {
    /// Looks at what is there and chooses the steps. Fails without a change if any object stands in the way.
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
    ///
    /// [`Error::Interrupted`] if someone else has applied one of them since the plan was made.
    pub async fn run(self, cluster: &Cluster, owner: &Owner, manner: Manner) -> Result<(), Error> {
        for batch in self.0.chunk_by(|a, b| a.object.key.kind == b.object.key.kind) {
            let writes: Vec<_> = batch
                .iter()
                .map(|choice| carry_out(cluster, choice, owner, manner).boxed())
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
) -> Result<Choice, Error> {
    let key = &object.key;
    let unchanged = unchanged(object, earlier);
    let chosen = |seen: Option<&Live>| step(seen, key, owner, unchanged, adoption);
    let shown = match cluster.sight().of(key) {
        // Watches do not show what belongs to nobody.
        Shown::Nothing if adoption == Adoption::Adopt => Some(None),
        Shown::There(live) if !live.client_side => Some(Some(live)),
        _ => None,
    };
    // What stands in the way by the word of a watch may be gone by now.
    let seen = match shown.filter(|seen| chosen(seen.as_ref()).is_ok()) {
        Some(seen) => seen,
        None => read(cluster, key).await?,
    };
    let step = chosen(seen.as_ref()).map_err(|obstacle| obstacle.of(key))?;
    let mut same = earlier.iter().flatten().filter(|o| o.key.same_object(key));
    let before = same.next().map(|before| before.owned_by(owner));
    Ok(Choice { object: object.clone(), step, seen, adoption, before })
}

async fn read(cluster: &Cluster, key: &Key) -> Result<Option<Live>, Error> {
    Ok(cluster.get(key).await?.map(|live| Live::of(&live.metadata)))
}

fn unchanged(object: &Object, earlier: &[Vec<Object>]) -> bool {
    let same = |revision: &Vec<Object>| revision.iter().any(|o| o == object);
    !earlier.is_empty() && earlier.iter().all(same)
}

async fn carry_out(
    cluster: &Cluster,
    choice: &Choice,
    owner: &Owner,
    manner: Manner,
) -> Result<(), Error> {
    let Choice { object, step, seen, adoption, before } = choice;
    if *step == Step::Leave {
        return Ok(());
    }
    let (key, value) = (&object.key, object.owned_by(owner));
    let written = match (seen, manner.method) {
        (None, Method::ServerSide) => {
            write_new(cluster, key, &value, owner, *adoption, manner).await
        }
        (None, Method::ClientSide) => client_side::create(cluster, key, &value, manner).await,
        (Some(seen), Method::ServerSide) => {
            write_over(cluster, key, value.clone(), seen, owner, manner).await
        }
        (Some(_), Method::ClientSide) if manner.force && immutable::replaceable(key) => {
            client_side::replace(cluster, key, &value, manner).await
        }
        (Some(_), Method::ClientSide) => {
            client_side::patch(cluster, key, before.as_ref(), &value, manner).await
        }
    };
    let written = match written {
        // Server-side apply knows no way to drop a field.
        Err(Error::Api { source, .. })
            if manner.fields == UnknownFields::Dropped && error::undeclared(&source) =>
        {
            client_side::patch(cluster, key, before.as_ref(), &value, manner).await
        }
        result => result,
    };
    let written = match written {
        Err(error) if immutable::is_refusal(&error) => {
            immutable::recreate(cluster, object, &value, manner, error).await
        }
        result => result,
    };
    match written {
        Err(Error::Api { source, .. })
            if *step == Step::Restore && error::is_code(&source, 403) =>
        {
            tracing::debug!(object = %object.key, "unchanged, and not ours to write");
            Ok(())
        }
        result => result,
    }
}

/// Applies an object that the plan did not see. If there is one of its name by now, it is treated as if it had been seen
/// where it belongs to nobody.
///
/// [`Error::Interrupted`] if it is the release's own already: someone else has made it since.
async fn write_new(
    cluster: &Cluster,
    key: &Key,
    value: &Value,
    owner: &Owner,
    adoption: Adoption,
    manner: Manner,
) -> Result<(), Error> {
    // No object has this version: what is there is refused, and what is not there is made.
    let mut new = value.clone();
    new["metadata"]["resourceVersion"] = NO_VERSION.into();
    match apply(cluster, key, &new, manner.fields).await {
        Err(error) if outdated(&error) => {}
        result => return result,
    }
    cluster.sight().doubt_of(key);
    let Some(live) = read(cluster, key).await? else {
        return apply(cluster, key, value, manner.fields).await;
    };
    if live.owner.as_ref() == Some(owner) {
        return Err(Error::Interrupted);
    }
    step(Some(&live), key, owner, false, adoption).map_err(|obstacle| obstacle.of(key))?;
    write_over(cluster, key, value.clone(), &live, owner, manner).await
}

/// Applies one object over what the plan saw. What controllers and people do to it meanwhile does no harm;
/// but if [`FIELD_MANAGER`] has applied something else, this process is no longer the one to do so.
async fn write_over(
    cluster: &Cluster,
    key: &Key,
    mut value: Value,
    seen: &Live,
    owner: &Owner,
    manner: Manner,
) -> Result<(), Error> {
    let mut seen = seen.clone();
    if seen.client_side && seen.owner.as_ref() == Some(owner) {
        seen = take_over(cluster, key, seen).await?;
    }
    for _ in 0..MAX_LOOKS {
        value["metadata"]["resourceVersion"] = seen.version.as_deref().into();
        match apply(cluster, key, &value, manner.fields).await {
            Err(error) if outdated(&error) => {}
            result => return result,
        }
        cluster.sight().doubt_of(key);
        match read(cluster, key).await? {
            Some(live) if live.uid == seen.uid && live.applied == seen.applied => seen = live,
            _ => break,
        }
    }
    Err(Error::Interrupted)
}

/// Makes what client-side apply wrote of the object the server-side applier's own.
async fn take_over(cluster: &Cluster, key: &Key, seen: Live) -> Result<Live, Error> {
    let live = cluster.get(key).await?.map(|live| live.metadata);
    let Some(live) = live.filter(|live| Live::of(live) == seen) else {
        return Err(Error::Interrupted);
    };
    match managed::upgrade(cluster, key, &live).await {
        Ok(after) => Ok(after.map_or(seen, |after| Live::of(&after))),
        Err(error) if outdated(&error) => Err(Error::Interrupted),
        Err(error) => Err(error),
    }
}

/// Whether the object is no longer what was seen, or gone.
fn outdated(error: &Error) -> bool {
    matches!(error, Error::Api { source, .. }
        if error::is_code(source, 409) || error::is_code(source, 404))
}

/// Applies one object as [`FIELD_MANAGER`], taking over fields of others. Unknown fields are refused.
pub async fn write(cluster: &Cluster, key: &Key, value: &Value) -> Result<(), Error> {
    apply(cluster, key, value, UnknownFields::Refused).await
}

async fn apply(
    cluster: &Cluster,
    key: &Key,
    value: &Value,
    fields: UnknownFields,
) -> Result<(), Error> {
    let api = cluster.api(key).await?;
    let params = PatchParams {
        field_validation: Some(fields.directive()),
        ..PatchParams::apply(FIELD_MANAGER).force()
    };
    let patch = Patch::Apply(value);
    let call = || api.patch(&key.name, &params, &patch);
    let applied = match value["metadata"].get("resourceVersion") {
        Some(_) => error::retried(call).await,
        None => error::unconditional(call).await,
    };
    let applied = applied.map_err(|e| Error::api("apply", key, e))?;
    cluster.sight().wrote(key, &applied.metadata);
    Ok(())
}

/// Creates one object as [`FIELD_MANAGER`]; false if there is one of this name.
pub async fn create(cluster: &Cluster, key: &Key, value: &Value) -> Result<bool, Error> {
    let api = cluster.api(key).await?;
    let params =
        PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let failed = |e| Error::api("create", key, e);
    let object: DynamicObject =
        serde_json::from_value(value.clone()).map_err(|e| failed(kube::Error::SerdeError(e)))?;
    match error::unconditional(|| api.create(&params, &object)).await {
        Ok(_) => Ok(true),
        Err(e) if error::is_code(&e, 409) => Ok(false),
        Err(e) => Err(failed(e)),
    }
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

    fn live(release: &str) -> kube::core::ObjectMeta {
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
            let seen = live.map(Live::of);
            let found = step(seen.as_ref(), &key(namespace), &owner("r"), same, adoption);
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
