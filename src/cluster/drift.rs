//! What of a release's objects is not as its manifest says: found by dry runs of the apply that made them.
//!
//! Only fields that the manifest sets are compared: what others add is theirs.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use kube::api::{Patch, PatchParams};
use serde_json::Value;

use super::object::Owner;
use super::{Cluster, Error, FIELD_MANAGER, Key, Object, apply, error};

/// As label or annotation on an object, rendered or live: it is left alone.
pub const DISABLED: &str = "cd.qdrant.io/driftDetection";
/// Objects that are looked at at the same time.
const AT_ONCE: usize = 4;
/// Fields that the API server sets, and status.
pub(super) const NOT_COMPARED: [&str; 6] = [
    "/metadata/managedFields",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/creationTimestamp",
    "/metadata/uid",
    "/status",
];

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Objects that are gone.
    Existence,
    /// Fields with other values, too.
    Fields,
}

/// One object that is not as it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    pub key: Key,
    /// JSON pointers of the fields that differ; None if the object is gone.
    pub fields: Option<Vec<String>>,
    /// What is to be applied to put it right.
    wanted: Value,
}

impl Drift {
    /// `Deployment n/web: gone`, or with the fields that differ.
    pub fn told(&self) -> String {
        match &self.fields {
            None => format!("{}: gone", self.key),
            Some(fields) => format!("{}: {}", self.key, fields.join(", ")),
        }
    }
}

/// Looks at every object. `ignored`: the pointers that may differ; the empty one stands for the whole object.
pub async fn find(
    cluster: &Cluster,
    objects: &[Object],
    owner: &Owner,
    depth: Depth,
    ignored: impl Fn(&Object) -> Vec<String>,
) -> Result<Vec<Drift>, Error> {
    let looks: Vec<_> = objects
        .iter()
        .map(|object| look(cluster, object, owner, depth, ignored(object)).boxed())
        .collect();
    let found: Vec<Option<Drift>> =
        futures::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn look(
    cluster: &Cluster,
    object: &Object,
    owner: &Owner,
    depth: Depth,
    ignored: Vec<String>,
) -> Result<Option<Drift>, Error> {
    if is_disabled(&object.value) || ignored.iter().any(String::is_empty) {
        return Ok(None);
    }
    let wanted = object.owned_by(owner);
    let key = object.key.clone();
    let live = match cluster.get(&key).await {
        Ok(Some(live)) => live,
        Ok(None) => return Ok(Some(Drift { key, fields: None, wanted })),
        // Such as a cluster-wide object of a release that an administrator has installed.
        Err(Error::Api { source, .. }) if error::is_code(&source, 403) => return Ok(None),
        Err(error) => return Err(error),
    };
    if depth == Depth::Existence {
        return Ok(None);
    }
    let live = serde_json::to_value(live).unwrap_or_default();
    if is_disabled(&live) {
        return Ok(None);
    }
    let wanted = with_live(wanted, &live, &ignored);
    let api = cluster.api(&key).await?;
    let params = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER).force() };
    let patch = Patch::Apply(&wanted);
    let after = match error::retried(|| api.patch(&key.name, &params, &patch)).await {
        Ok(after) => serde_json::to_value(after).unwrap_or_default(),
        // Who may only read it cannot put it right either.
        Err(refused) if error::is_code(&refused, 403) => return Ok(None),
        Err(error) => return Err(Error::api("compare", &key, error)),
    };
    let mut fields = Vec::new();
    differences(&live, &after, "", &mut fields);
    fields.retain(|field| !covered(field, NOT_COMPARED.iter().copied()));
    fields.retain(|field| !covered(field, ignored.iter().map(String::as_str)));
    Ok((!fields.is_empty()).then_some(Drift { key, fields: Some(fields), wanted }))
}

/// Puts one object right. No new revision is made.
pub async fn restore(cluster: &Cluster, drift: &Drift) -> Result<(), Error> {
    apply::write(cluster, &drift.key, &drift.wanted).await
}

fn is_disabled(object: &Value) -> bool {
    let says = |field: &str| object["metadata"][field][DISABLED] == "disabled";
    says("labels") || says("annotations")
}

/// Whether a pointer is one of these, or below one.
pub(super) fn covered<'a>(pointer: &str, mut by: impl Iterator<Item = &'a str>) -> bool {
    by.any(|above| pointer.strip_prefix(above).is_some_and(|r| r.is_empty() || r.starts_with('/')))
}

/// The manifest with the live values of the fields that may differ, so that applying it leaves them alone.
fn with_live(mut wanted: Value, live: &Value, ignored: &[String]) -> Value {
    for pointer in ignored {
        let Some((above, name)) = pointer.rsplit_once('/') else { continue };
        let name = name.replace("~1", "/").replace("~0", "~");
        let found = live.pointer(pointer).cloned();
        match wanted.pointer_mut(above) {
            Some(Value::Object(map)) if map.contains_key(&name) => match found {
                Some(value) => drop(map.insert(name, value)),
                None => drop(map.remove(&name)),
            },
            Some(Value::Array(items)) => {
                let at = name.parse().ok().and_then(|index: usize| items.get_mut(index));
                if let (Some(item), Some(value)) = (at, found) {
                    *item = value;
                }
            }
            _ => {}
        }
    }
    wanted
}

/// The pointers of all values that are not the same.
pub(super) fn differences(one: &Value, other: &Value, at: &str, into: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                let pointer = below(at, name);
                match b.get(name) {
                    Some(other) => differences(value, other, &pointer, into),
                    None => into.push(pointer),
                }
            }
            into.extend(b.keys().filter(|name| !a.contains_key(*name)).map(|n| below(at, n)));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{at}/{index}"), into);
            }
        }
        _ if one == other => {}
        _ => into.push(at.to_owned()),
    }
}

fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_have_pointers() {
        let one = json!({"a": {"b/c": 1, "same": 1}, "l": [1, {"x": 1}], "gone": 1, "n": [1]});
        let other = json!({"a": {"b/c": 2, "same": 1}, "l": [1, {"x": 2}], "new": 1, "n": [1, 2]});
        let mut found = Vec::new();
        differences(&one, &other, "", &mut found);
        found.sort();
        assert_eq!(found, ["/a/b~1c", "/gone", "/l/1/x", "/n", "/new"]);
    }

    #[test]
    fn what_may_differ_is_not_touched() {
        let wanted = json!({"spec": {"replicas": 1, "list": ["a", "b"], "x/y": 1, "gone": 1}});
        let live = json!({"spec": {"replicas": 5, "list": ["a", "z"], "x/y": 2, "other": 3}});
        let ignored = [
            "/spec/replicas",
            "/spec/list/1",
            "/spec/x~1y",
            "/spec/gone",
            "/spec/other",
            "/none/a",
        ];
        let ignored = ignored.map(str::to_owned);
        let expected = json!({"spec": {"replicas": 5, "list": ["a", "z"], "x/y": 2}});
        assert_eq!(with_live(wanted, &live, &ignored), expected);
        assert!(covered("/spec/replicas", ["/spec"].into_iter()));
        assert!(covered("/spec", ["/spec"].into_iter()));
        assert!(!covered("/specs", ["/spec"].into_iter()));
    }

    #[test]
    fn objects_can_be_left_alone() {
        for field in ["labels", "annotations"] {
            let object = json!({"metadata": {field: {DISABLED: "disabled"}}});
            assert!(is_disabled(&object));
        }
        assert!(!is_disabled(&json!({"metadata": {"labels": {DISABLED: "enabled"}}})));
    }
}
