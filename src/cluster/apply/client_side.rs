//! Writing as Helm 3 did: objects are created, patched by what changed since the last revision, or replaced.

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::super::{Cluster, Error, FIELD_MANAGER, Key, error, list_keys};
use super::{Manner, UnknownFields};

/// Makes an object that was not there.
pub async fn create(
    cluster: &Cluster,
    key: &Key,
    value: &Value,
    manner: Manner,
) -> Result<(), Error> {
    // Not tried again: the second answer to a lost first one would be a conflict with ourselves.
    match send(cluster, key, Verb::Create, value, manner).await? {
        Ok(_) => Ok(()),
        // Someone was faster, perhaps this very action before it was interrupted.
        Err(e) if error::is_code(&e, 409) => patch(cluster, key, None, value, manner).await,
        Err(e) => Err(Error::api("create", key, e)),
    }
}

/// Brings an object from what the last revision said to what is wanted, or makes it. What others have added stays.
pub async fn patch(
    cluster: &Cluster,
    key: &Key,
    before: Option<&Value>,
    value: &Value,
    manner: Manner,
) -> Result<(), Error> {
    let built_in = list_keys::is_built_in(key.group());
    let body = difference(before, value, built_in);
    let api = cluster.api(key).await?;
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        field_validation: Some(manner.fields.directive()),
        ..PatchParams::default()
    };
    let patch = if built_in { Patch::Strategic(&body) } else { Patch::Merge(&body) };
    match error::retried(|| api.patch(&key.name, &params, &patch)).await {
        Ok(_) => Ok(()),
        Err(e) if error::is_code(&e, 404) => {
            match send(cluster, key, Verb::Create, value, manner).await? {
                Ok(_) => Ok(()),
                Err(e) => Err(Error::api("create", key, e)),
            }
        }
        Err(e) => Err(Error::api("patch", key, e)),
    }
}

/// Puts the manifest in the place of what is there.
pub async fn replace(
    cluster: &Cluster,
    key: &Key,
    value: &Value,
    manner: Manner,
) -> Result<(), Error> {
    let Some(live) = cluster.get(key).await? else {
        return create(cluster, key, value, manner).await;
    };
    let mut value = value.clone();
    value["metadata"]["resourceVersion"] = json!(live.metadata.resource_version);
    match send(cluster, key, Verb::Replace, &value, manner).await? {
        Ok(_) => Ok(()),
        Err(e) if error::is_code(&e, 409) => Err(Error::Interrupted),
        Err(e) => Err(Error::api("replace", key, e)),
    }
}

enum Verb {
    Create,
    Replace,
}

/// One write with its rule for unknown fields, which the client's own calls cannot say.
async fn send(
    cluster: &Cluster,
    key: &Key,
    verb: Verb,
    value: &Value,
    manner: Manner,
) -> Result<Result<DynamicObject, kube::Error>, Error> {
    let api = cluster.api(key).await?;
    let directive = match manner.fields {
        UnknownFields::Refused => "Strict",
        UnknownFields::Dropped => "Ignore",
    };
    let query = format!("fieldManager={FIELD_MANAGER}&fieldValidation={directive}");
    let url = api.resource_url();
    let (method, path) = match verb {
        Verb::Create => (Method::POST, format!("{url}?{query}")),
        Verb::Replace => (Method::PUT, format!("{url}/{}?{query}", key.name)),
    };
    let request = Request::builder().method(method).uri(path);
    let request = request.header(CONTENT_TYPE, "application/json").body(value.to_string().into());
    let request = request.map_err(|e| Error::api("write", key, kube::Error::HttpError(e)))?;
    Ok(error::limited(cluster.client().request(request)).await)
}

/// The patch that sets all that is wanted and removes what only the last revision had.
fn difference(before: Option<&Value>, wanted: &Value, built_in: bool) -> Value {
    match (before, wanted) {
        (Some(Value::Object(before)), Value::Object(wanted)) => {
            let mut patch = Map::new();
            for (name, value) in wanted {
                let old = before.get(name);
                let value = match (old, value) {
                    (Some(Value::Array(old)), Value::Array(new)) if built_in => {
                        list(name, old, new)
                    }
                    _ => difference(old, value, built_in),
                };
                patch.insert(name.clone(), value);
            }
            for name in before.keys().filter(|name| !wanted.contains_key(*name)) {
                patch.insert(name.clone(), Value::Null);
            }
            Value::Object(patch)
        }
        _ => wanted.clone(),
    }
}

/// Items of a list with a key are merged one by one; those that are no longer wanted are named. Other lists are
/// replaced.
fn list(field: &str, before: &[Value], wanted: &[Value]) -> Value {
    let Some(key) = list_keys::of(field, before, wanted) else { return json!(wanted) };
    let find = |items: &[Value], item: &Value| items.iter().position(|i| i[key] == item[key]);
    let changed = |item: &Value| {
        let old = find(before, item).and_then(|at| before.get(at));
        difference(old, item, true)
    };
    let mut patch: Vec<Value> = wanted.iter().map(changed).collect();
    let gone = before.iter().filter(|item| find(wanted, item).is_none());
    patch.extend(gone.map(|item| json!({"$patch": "delete", key: item[key]})));
    Value::Array(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_wanted_is_named() {
        let before = json!({"spec": {
            "replicas": 1, "gone": {"a": 1},
            "containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}],
            "tolerations": [{"key": "t"}],
        }});
        let wanted = json!({"spec": {
            "replicas": 2, "containers": [{"name": "a", "image": "2"}, {"name": "c"}], "tolerations": [],
        }});
        let expected = json!({"spec": {
            "replicas": 2, "gone": null, "tolerations": [],
            "containers": [
                {"name": "a", "image": "2", "args": null}, {"name": "c"}, {"$patch": "delete", "name": "b"},
            ],
        }});
        assert_eq!(difference(Some(&before), &wanted, true), expected);
        let custom = difference(Some(&before), &wanted, false);
        assert_eq!(custom["spec"]["containers"], wanted["spec"]["containers"]);
        assert_eq!(difference(None, &wanted, true), wanted);
    }
}
