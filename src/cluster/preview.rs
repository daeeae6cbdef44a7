//! What an apply would change: asked of the API server by dry runs. Nothing is written.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};

use super::apply::Adoption;
use super::object::Owner;
use super::sight::Live;
use super::{Cluster, Error, FIELD_MANAGER, Key, Object, apply, crd, drift, error, prune};

/// Objects that are looked at at the same time.
const AT_ONCE: usize = 8;
/// What is shown in place of a Secret's data.
const HIDDEN: &str = "[redacted]";

/// What would become of one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Create,
    /// Each field that would have another value.
    Fields(Vec<Difference>),
    Delete,
    Same,
    /// The API server would not take it, or it belongs to another release.
    Refused(String),
}

/// One field that would have another value. Null stands for a field that is not there.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Difference {
    /// JSON pointer.
    pub field: String,
    pub before: Value,
    pub after: Value,
}

/// One object, and what would become of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    pub key: Key,
    pub change: Change,
}

/// Looks at the objects of a manifest, placed where their kinds are served. An object of a kind that the cluster does
/// not know would be created: its definition may come with the same chart.
pub async fn applied(
    cluster: &Cluster,
    objects: &[Object],
    owner: &Owner,
    adoption: Adoption,
) -> Result<Vec<Preview>, Error> {
    let looks: Vec<_> =
        objects.iter().map(|object| look(cluster, object, owner, adoption).boxed()).collect();
    futures::stream::iter(looks).buffered(AT_ONCE).try_collect().await
}

/// Looks at objects that a new manifest no longer has: those that would be deleted.
pub async fn deleted(
    cluster: &Cluster,
    gone: &[&Object],
    owner: &Owner,
) -> Result<Vec<Preview>, Error> {
    let mut found = Vec::new();
    for object in gone {
        let Some(live) = cluster.get(&object.key).await? else { continue };
        if prune::deletable(&live.metadata, object, owner) {
            found.push(Preview { key: object.key.clone(), change: Change::Delete });
        }
    }
    Ok(found)
}

/// Looks at the definitions of a chart's crds/ folder: `true` for one that would be replaced, `false` for a new one.
pub async fn defined(
    cluster: &Cluster,
    definitions: &[Object],
    policy: crd::Policy,
) -> Result<Vec<(Key, bool)>, Error> {
    let mut found = Vec::new();
    for definition in definitions.iter().filter(|d| d.key.kind == "CustomResourceDefinition") {
        let live = cluster.get(&definition.key).await?;
        if crd::to_write(live.as_ref().map(|l| &l.data), &definition.value, policy) {
            found.push((definition.key.clone(), live.is_some()));
        }
    }
    Ok(found)
}

async fn look(
    cluster: &Cluster,
    object: &Object,
    owner: &Owner,
    adoption: Adoption,
) -> Result<Preview, Error> {
    let key = object.key.clone();
    let change = match change(cluster, object, owner, adoption).await {
        Ok(change) => change,
        Err(Error::UnknownKind { .. }) => Change::Create,
        // The API server is there and says no: so it would in the upgrade.
        Err(Error::Api { source, .. }) if error::status(&source).is_some_and(|s| s.code < 500) => {
            Change::Refused(error::explain(&source))
        }
        Err(error) => return Err(error),
    };
    Ok(Preview { key, change })
}

async fn change(
    cluster: &Cluster,
    object: &Object,
    owner: &Owner,
    adoption: Adoption,
) -> Result<Change, Error> {
    let key = &object.key;
    let live = cluster.get(key).await?;
    let seen = live.as_ref().map(|live| Live::of(&live.metadata));
    if let Err(obstacle) = apply::step(seen.as_ref(), key, owner, false, adoption) {
        return Ok(Change::Refused(match obstacle {
            apply::Obstacle::Owned(other) => format!("it belongs to the Helm release {other}"),
            apply::Obstacle::NotOwned => "it exists and is not managed by Helm".to_owned(),
        }));
    }
    let api = cluster.api(key).await?;
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Ignore),
        ..PatchParams::apply(FIELD_MANAGER).force()
    };
    let wanted = object.owned_by(owner);
    let patch = Patch::Apply(&wanted);
    let after = error::retried(|| api.patch(&key.name, &params, &patch)).await;
    let after = after.map_err(|e| Error::api("try", key, e))?;
    let Some(live) = live else { return Ok(Change::Create) };
    let (live, after) = (json!(live), json!(after));
    let mut fields = Vec::new();
    drift::differences(&live, &after, "", &mut fields);
    fields.retain(|field| !drift::covered(field, drift::NOT_COMPARED.iter().copied()));
    fields.sort();
    if fields.is_empty() {
        return Ok(Change::Same);
    }
    let differences = fields.into_iter().map(|field| difference(key, &live, &after, field));
    Ok(Change::Fields(differences.collect()))
}

fn difference(key: &Key, live: &Value, after: &Value, field: String) -> Difference {
    let secret = key.group().is_empty()
        && key.kind == "Secret"
        && drift::covered(&field, ["/data", "/stringData"].into_iter());
    let value = |object: &Value| match object.pointer(&field) {
        None => Value::Null,
        Some(_) if secret => json!(HIDDEN),
        Some(value) => value.clone(),
    };
    let (before, after) = (value(live), value(after));
    Difference { field, before, after }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_data_of_a_secret_is_shown() {
        let key = |kind: &str| Key {
            api_version: "v1".into(),
            kind: kind.into(),
            namespace: Some("n".into()),
            name: "x".into(),
        };
        let (live, after) =
            (json!({"data": {"k": "old"}}), json!({"data": {"k": "new", "l": "x"}}));
        let shown = |kind: &str, field: &str| {
            let found = difference(&key(kind), &live, &after, field.to_owned());
            (found.before, found.after)
        };
        assert_eq!(shown("Secret", "/data/k"), (json!(HIDDEN), json!(HIDDEN)));
        assert_eq!(shown("Secret", "/data/l"), (Value::Null, json!(HIDDEN)));
        assert_eq!(shown("ConfigMap", "/data/k"), (json!("old"), json!("new")));
    }
}
