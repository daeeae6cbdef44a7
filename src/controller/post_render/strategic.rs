//! Kubernetes' strategic merge: lists of built-in kinds whose items have a key are merged item by item, other
//! lists are replaced. New items come first, as in kustomize.

use serde_json::{Map, Value};

use crate::cluster::list_keys;

/// Merges `patch` into `value`. The error says which part cannot be read.
pub fn merge(value: &mut Value, patch: Value, built_in: bool) -> Result<(), String> {
    match (value, patch) {
        (Value::Object(fields), Value::Object(patch)) => merge_map(fields, patch, built_in),
        (value, patch) => {
            *value = without_directives(patch);
            Ok(())
        }
    }
}

fn merge_map(
    fields: &mut Map<String, Value>,
    mut patch: Map<String, Value>,
    built_in: bool,
) -> Result<(), String> {
    match directive(&patch)? {
        Some("replace") => {
            patch.remove("$patch");
            *fields = patch;
            return Ok(());
        }
        Some("delete") => {
            fields.clear();
            return Ok(());
        }
        _ => drop(patch.remove("$patch")),
    }
    for (name, new) in patch {
        if name.starts_with('$') {
            return Err(format!("the directive {name} is not supported"));
        }
        match (fields.get_mut(&name), new) {
            (_, Value::Null) => drop(fields.remove(&name)),
            (_, Value::Object(new)) if directive(&new)? == Some("delete") => {
                fields.remove(&name);
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge_map(old, new, built_in)?,
            (Some(Value::Array(old)), Value::Array(new)) => {
                match list_keys::of(&name, old, &new).filter(|_| built_in) {
                    Some(key) => merge_list(old, new, key, built_in)?,
                    None => *old = new,
                }
            }
            (_, new) => drop(fields.insert(name, without_directives(new))),
        }
    }
    Ok(())
}

fn merge_list(
    old: &mut Vec<Value>,
    new: Vec<Value>,
    key: &str,
    built_in: bool,
) -> Result<(), String> {
    let mut first = Vec::new();
    for item in new {
        let Value::Object(mut patch) = item else {
            return Err(format!("an item of a list with the key {key} is not a map"));
        };
        let same = |old: &Value| old.get(key).is_some() && old.get(key) == patch.get(key);
        let found = old.iter().position(same);
        match (directive(&patch)?, found) {
            (Some("delete"), Some(at)) => drop(old.remove(at)),
            (Some("delete"), None) => {}
            (Some("replace"), None) if patch.len() == 1 => old.clear(),
            (_, Some(at)) => merge(&mut old[at], Value::Object(patch), built_in)?,
            (_, None) => {
                patch.remove("$patch");
                first.push(without_directives(Value::Object(patch)));
            }
        }
    }
    old.splice(0..0, first);
    Ok(())
}

fn directive(patch: &Map<String, Value>) -> Result<Option<&str>, String> {
    match patch.get("$patch") {
        None => Ok(None),
        Some(Value::String(text)) if matches!(text.as_str(), "delete" | "replace" | "merge") => {
            Ok(Some(text))
        }
        Some(other) => Err(format!("$patch: {other} is none of delete, replace and merge")),
    }
}

/// What is new has nothing that a directive could be about.
fn without_directives(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => {
            fields.retain(|name, value| name != "$patch" && !value.is_null());
            let fields = fields.into_iter().map(|(name, value)| (name, without_directives(value)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_directives).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pieces_are_merged() {
        let deployment = || {
            json!({"spec": {"replicas": 1, "template": {"spec": {
                "containers": [
                    {"name": "a", "image": "a:1", "args": ["x"], "env": [{"name": "E", "value": "1"}]},
                    {"name": "b", "image": "b:1", "ports": [{"containerPort": 80}]},
                ],
                "tolerations": [{"key": "t"}],
                "nodeSelector": {"n": "1", "m": "2"},
            }}}})
        };
        let merged = |pod: Value, built_in: bool| {
            let mut value = deployment();
            merge(&mut value, json!({"spec": {"template": {"spec": pod}}}), built_in)
                .map(|()| value["spec"]["template"]["spec"].take())
        };
        for (patch, pointer, expected) in [
            (
                json!({"containers": [{"name": "a", "image": "a:2"}]}),
                "/containers/0/image",
                json!("a:2"),
            ),
            (
                json!({"containers": [{"name": "a", "image": "a:2"}]}),
                "/containers/1/image",
                json!("b:1"),
            ),
            (
                json!({"containers": [{"name": "a", "args": ["y"]}]}),
                "/containers/0/args",
                json!(["y"]),
            ),
            (
                json!({"containers": [{"name": "a", "env": [{"name": "F", "value": "2"}]}]}),
                "/containers/0/env",
                json!([{"name": "F", "value": "2"}, {"name": "E", "value": "1"}]),
            ),
            (json!({"containers": [{"name": "c"}]}), "/containers/0", json!({"name": "c"})),
            (
                json!({"containers": [{"name": "a", "$patch": "delete"}]}),
                "/containers/0/name",
                json!("b"),
            ),
            (
                json!({"containers": [{"name": "b", "ports": [{"containerPort": 80, "name": "web"}]}]}),
                "/containers/1/ports",
                json!([{"containerPort": 80, "name": "web"}]),
            ),
            (json!({"tolerations": [{"key": "u"}]}), "/tolerations", json!([{"key": "u"}])),
            (json!({"nodeSelector": {"n": null}}), "/nodeSelector", json!({"m": "2"})),
            (
                json!({"nodeSelector": {"$patch": "replace", "o": "3"}}),
                "/nodeSelector",
                json!({"o": "3"}),
            ),
            (json!({"dns": {"a": null, "b": 1}}), "/dns", json!({"b": 1})),
        ] {
            let found = merged(patch.clone(), true).expect("merged");
            assert_eq!(found.pointer(pointer), Some(&expected), "{patch}");
        }
        let custom = merged(json!({"containers": [{"name": "a"}]}), false).expect("merged");
        assert_eq!(
            custom["containers"],
            json!([{"name": "a"}]),
            "lists of unknown kinds are replaced"
        );
        let gone = merged(json!({"nodeSelector": {"$patch": "delete"}}), true).expect("merged");
        assert_eq!(gone.get("nodeSelector"), None);
        for patch in [json!({"$setElementOrder/containers": []}), json!({"$patch": "turn"})] {
            assert!(merged(patch, true).is_err());
        }
    }
}
