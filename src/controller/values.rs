//! The values of a release: valuesFrom in order, `values` over them, single values by path on top.
//!
//! The rules are Flux's (`pkg/chartutil/values.go`): inline values are merged before the first reference that
//! has a targetPath, and so lose against it.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::Api;
use serde_json::{Map, Value};

use super::redactor::Redactor;
use crate::api::helm_release::{HelmRelease, ValuesReference};
use crate::api::reference::ValuesKind;
use crate::cluster::error::{explain, retried};

/// List indices in a targetPath (Helm's `MaxIndex`).
const MAX_INDEX: usize = 65536;
/// Levels of a targetPath (Helm's `MaxNestedNameLevel`).
const MAX_DEPTH: usize = 30;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {kind} {name} for the values: {}", explain(source))]
    Read { kind: &'static str, name: String, source: kube::Error },
    #[error(
        "{kind} {name}, which valuesFrom names, is not there: create it, or set optional: true"
    )]
    Missing { kind: &'static str, name: String },
    #[error("{kind} {name} has no key {key:?}: correct valuesKey, or set optional: true")]
    MissingKey { kind: &'static str, name: String, key: String },
    #[error("{kind} {name}, key {key:?}, is not a YAML map of values")]
    NotAMap { kind: &'static str, name: String, key: String },
    #[error("spec.values is not a map")]
    InlineNotAMap,
    #[error("targetPath {path:?} does not fit the values: {why}")]
    Path { path: String, why: &'static str },
}

/// What a release is configured with.
#[derive(Clone, Default)]
pub struct Values {
    pub merged: Map<String, Value>,
    /// Knows every value that came from a Secret.
    pub redactor: Redactor,
}

/// One reference with what it points at; None if that is missing and optional.
struct Source<'a> {
    reference: &'a ValuesReference,
    data: Option<String>,
}

/// Reads and merges the values of a release.
pub async fn read(client: &Client, release: &HelmRelease) -> Result<Values, Error> {
    let mut sources = Vec::new();
    for reference in &release.spec.values_from {
        let data = fetch(client, &release.own_namespace(), reference).await?;
        sources.push(Source { reference, data });
    }
    let inline = match &release.spec.values {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(values)) => values.clone(),
        Some(_) => return Err(Error::InlineNotAMap),
    };
    merge_all(&sources, inline)
}

pub(super) fn kind(reference: &ValuesReference) -> &'static str {
    match reference.kind {
        ValuesKind::Secret => "Secret",
        ValuesKind::ConfigMap => "ConfigMap",
    }
}

async fn fetch(
    client: &Client,
    namespace: &str,
    reference: &ValuesReference,
) -> Result<Option<String>, Error> {
    let (kind, name, key) = (kind(reference), &reference.name, reference.values_key());
    let failed = |source| Error::Read { kind, name: name.clone(), source };
    let found = match reference.kind {
        ValuesKind::Secret => {
            let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
            let secret = retried(|| api.get_opt(name)).await.map_err(failed)?;
            secret.map(|s| s.data.unwrap_or_default().remove(key).map(|bytes| bytes.0))
        }
        ValuesKind::ConfigMap => {
            let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            let map = retried(|| api.get_opt(name)).await.map_err(failed)?;
            map.map(|m| m.data.unwrap_or_default().remove(key).map(String::into_bytes))
        }
    };
    let optional = reference.optional == Some(true);
    match found {
        Some(Some(data)) => Ok(Some(String::from_utf8_lossy(&data).into_owned())),
        _ if optional => Ok(None),
        Some(None) => Err(Error::MissingKey { kind, name: name.clone(), key: key.into() }),
        None => Err(Error::Missing { kind, name: name.clone() }),
    }
}

fn merge_all(sources: &[Source<'_>], inline: Map<String, Value>) -> Result<Values, Error> {
    let mut merged = Map::new();
    let mut redactor = Redactor::default();
    let mut inline = Some(inline);
    for Source { reference, data } in sources {
        let Some(data) = data else { continue };
        let secret = reference.kind == ValuesKind::Secret;
        if let Some(path) = reference.target_path.as_deref().filter(|p| !p.is_empty()) {
            merge(&mut merged, inline.take().unwrap_or_default());
            let value = if reference.literal == Some(true) {
                Value::String(data.clone())
            } else {
                typed(data)
            };
            if secret {
                redactor.add(&Value::String(data.clone()));
                redactor.add(&value);
            }
            set(&mut merged, path, value)?;
        } else {
            let not_a_map = || Error::NotAMap {
                kind: kind(reference),
                name: reference.name.clone(),
                key: reference.values_key().to_owned(),
            };
            // The parser's own words could quote a secret.
            let value: Value = serde_saphyr::from_str(data).map_err(|_| not_a_map())?;
            if secret {
                redactor.add(&value);
            }
            match value {
                Value::Null => {}
                Value::Object(values) => merge(&mut merged, values),
                _ => return Err(not_a_map()),
            }
        }
    }
    merge(&mut merged, inline.take().unwrap_or_default());
    Ok(Values { merged, redactor })
}

/// Maps are merged level by level; anything else replaces what was there.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

/// What `helm --set` makes of a text: booleans, null and whole numbers; quoted text stays text.
fn typed(text: &str) -> Value {
    for quote in ['"', '\''] {
        if text.len() >= 2 && text.starts_with(quote) && text.ends_with(quote) {
            return Value::String(text[1..text.len() - 1].to_owned());
        }
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        "0" => Value::from(0),
        _ if !text.starts_with('0') => {
            text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from)
        }
        _ => Value::String(text.to_owned()),
    }
}

/// A step of a targetPath.
#[derive(Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

fn steps(path: &str) -> Result<Vec<Step>, Error> {
    let wrong = |why| Error::Path { path: path.to_owned(), why };
    let (mut steps, mut name) = (Vec::new(), String::new());
    let mut characters = path.chars();
    let mut after_index = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.extend(characters.next()),
            '.' | '[' => {
                if !name.is_empty() {
                    steps.push(Step::Name(std::mem::take(&mut name)));
                } else if !after_index {
                    return Err(wrong("a name is empty"));
                }
                after_index = character == '[';
                if after_index {
                    let digits: String = characters.by_ref().take_while(|c| *c != ']').collect();
                    let index = digits.parse().map_err(|_| wrong("an index is not a number"))?;
                    if index > MAX_INDEX {
                        return Err(wrong("an index is too large"));
                    }
                    steps.push(Step::Index(index));
                }
            }
            other => {
                after_index = false;
                name.push(other);
            }
        }
    }
    if !name.is_empty() {
        steps.push(Step::Name(name));
    }
    match steps.first() {
        Some(Step::Name(_)) if steps.len() <= MAX_DEPTH => Ok(steps),
        Some(Step::Name(_)) => Err(wrong("it has too many levels")),
        _ => Err(wrong("it does not begin with a name")),
    }
}

fn set(values: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), Error> {
    let wrong = |why| Error::Path { path: path.to_owned(), why };
    let mut root = Value::Object(std::mem::take(values));
    let mut at = &mut root;
    for step in steps(path)? {
        at = match step {
            Step::Name(name) => {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                &mut at[name]
            }
            Step::Index(index) => {
                if at.is_null() {
                    *at = Value::Array(Vec::new());
                }
                let list =
                    at.as_array_mut().ok_or_else(|| wrong("what it indexes is not a list"))?;
                if list.len() <= index {
                    list.resize(index + 1, Value::Null);
                }
                &mut list[index]
            }
        };
    }
    *at = value;
    if let Value::Object(map) = root {
        *values = map;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reference(yaml: Value) -> ValuesReference {
        serde_json::from_value(yaml).expect("reference")
    }

    fn merged(sources: &[(Value, Option<&str>)], inline: Value) -> Result<Values, Error> {
        let references: Vec<_> = sources.iter().map(|(r, _)| reference(r.clone())).collect();
        let sources: Vec<Source<'_>> = references
            .iter()
            .zip(sources)
            .map(|(reference, (_, data))| Source { reference, data: data.map(str::to_owned) })
            .collect();
        merge_all(&sources, inline.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn later_sources_win_and_inline_wins_over_them() {
        let map = json!({"kind": "ConfigMap", "name": "a"});
        let secret = json!({"kind": "Secret", "name": "b"});
        let sources = [
            (map.clone(), Some("a: {x: 1, y: 1}\nl: [1, 2]\n")),
            (secret, Some("a: {y: 2, z: topsecret}\nl: [3]\n")),
            (map, None),
        ];
        let values = merged(&sources, json!({"a": {"x": 9}})).expect("values");
        let expected = json!({"a": {"x": 9, "y": 2, "z": "topsecret"}, "l": [3]});
        assert_eq!(Value::Object(values.merged), expected);
        assert_eq!(values.redactor.redact("is topsecret"), "is [redacted]");
    }

    #[test]
    fn a_path_wins_over_inline_values() {
        let at = |path: &str| json!({"kind": "Secret", "name": "s", "valuesKey": "k", "targetPath": path});
        let literal = json!({"kind": "Secret", "name": "s", "targetPath": "c", "literal": true});
        let sources = [
            (at("a.b"), Some("7")),
            (at("l[1].n"), Some("true")),
            (at("q"), Some("\"7\"")),
            (at("x\\.y"), Some("007")),
            (literal, Some("1,2")),
        ];
        let values = merged(&sources, json!({"a": {"b": 1, "c": 2}})).expect("values");
        let expected = json!({
            "a": {"b": 7, "c": 2}, "l": [null, {"n": true}], "q": "7", "x.y": "007", "c": "1,2",
        });
        assert_eq!(Value::Object(values.merged), expected);
    }

    #[test]
    fn errors_do_not_quote_values() {
        let secret = json!({"kind": "Secret", "name": "s"});
        for data in ["hunter2", "a: [hunter2", "- hunter2"] {
            let error = merged(&[(secret.clone(), Some(data))], json!({})).err().expect("an error");
            assert_eq!(
                error.to_string(),
                "Secret s, key \"values.yaml\", is not a YAML map of values"
            );
        }
    }

    #[test]
    fn paths_have_limits() {
        let deep = vec!["a"; MAX_DEPTH].join(".");
        assert!(steps(&deep).is_ok());
        assert!(steps(&format!("{deep}.a")).is_err());
        assert!(steps(&format!("a[{MAX_INDEX}]")).is_ok());
        assert!(steps(&format!("a[{}]", MAX_INDEX + 1)).is_err());
        for path in ["", ".", "a..b", "[0]", "a[x]"] {
            assert!(steps(path).is_err(), "{path}");
        }
    }
}
