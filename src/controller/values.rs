//! The values of a release: valuesFrom in order, `values` over them, single values by path on top.
//!
//! The rules are Flux's (`pkg/chartutil/values.go`): inline values are merged before the first reference that
//! has a targetPath, and so lose against it.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::Api;
use pinnace_engine::values::merge;
use pinnace_engine::values::strvals::{self, Form, StrvalsError};
use pinnace_engine::yaml;
use serde_json::{Map, Value};

use super::redactor::Redactor;
use crate::api::helm_release::{HelmRelease, ValuesReference};
use crate::api::reference::ValuesKind;
use crate::cluster::error::{explain, retried};

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
            if secret {
                redactor.add(&Value::String(data.clone()));
                let parts = data.split([',', '=', '{', '}', '"', '\'']);
                parts.for_each(|part| redactor.add(&Value::String(part.to_owned())));
            }
            set(&mut merged, path, data, reference.literal == Some(true))?;
        } else {
            let not_a_map = || Error::NotAMap {
                kind: kind(reference),
                name: reference.name.clone(),
                key: reference.values_key().to_owned(),
            };
            // The parser's own words could quote a secret.
            let value = yaml::from_str(data).map_err(|_| not_a_map())?;
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

/// Sets one value as `helm --set` does, or `--set-string` if it is quoted, or `--set-literal`.
fn set(
    values: &mut Map<String, Value>,
    path: &str,
    text: &str,
    literal: bool,
) -> Result<(), Error> {
    let quoted = ['"', '\''].iter().any(|q| text.starts_with(*q) && text.ends_with(*q));
    let (text, form) = match (literal, quoted) {
        (true, _) => (text, Form::Literal),
        (false, true) => (text.trim_matches(['"', '\'']), Form::Text),
        (false, false) => (text, Form::Typed),
    };
    strvals::set(&format!("{path}={text}"), values, form)
        .map_err(|error| Error::Path { path: path.to_owned(), why: why(&error) })
}

/// Without a word of the value: it may be a secret.
fn why(error: &StrvalsError) -> &'static str {
    match error {
        StrvalsError::TooDeep => "it has too many levels",
        StrvalsError::Index(_) | StrvalsError::AfterIndex(_) => "an index is not a number",
        StrvalsError::NegativeIndex(_) => "an index is negative",
        StrvalsError::LargeIndex(_) => "an index is too large",
        StrvalsError::OtherType(..) => "what is there is neither a map nor a list",
        _ => "the value is not what helm --set reads: literal: true takes it as it is",
    }
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
            (map.clone(), Some("a: {x: 1, w: 1}\nl: [1, 2]\n")),
            (secret, Some("a: {w: 2, z: topsecret}\nl: [3]\n")),
            (map, None),
        ];
        let values = merged(&sources, json!({"a": {"x": 9}})).expect("values");
        let expected = json!({"a": {"x": 9, "w": 2, "z": "topsecret"}, "l": [3]});
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
        let at = |path: &str| {
            let reference = json!({"kind": "Secret", "name": "s", "targetPath": path});
            merged(&[(reference, Some("1"))], json!({})).map(|_| ()).map_err(|e| e.to_string())
        };
        let deep = vec!["a"; strvals::MAX_NAME_LEVEL].join(".");
        assert_eq!(at(&deep), Ok(()));
        let index = |index: usize| at(&format!("a[{index}]"));
        assert_eq!(index(strvals::MAX_INDEX), Ok(()));
        for (result, why) in [
            (at(&format!("{deep}.a.a")), "too many levels"),
            (index(strvals::MAX_INDEX + 1), "too large"),
            (at("a[x]"), "not a number"),
        ] {
            assert!(result.as_ref().is_err_and(|e| e.contains(why)), "{result:?}");
        }
    }

    /// The rest of `helm --set`: lists and further names in one value; YAML 1.1 in documents.
    #[test]
    fn values_are_read_as_helm_reads_them() {
        let at = |path: &str| json!({"kind": "Secret", "name": "s", "targetPath": path});
        let sources = [
            (json!({"kind": "ConfigMap", "name": "c"}), Some("mode: 0644\non: yes\n")),
            (at("l"), Some("{x,2}")),
            (at("a"), Some("1,b=c")),
        ];
        let values = merged(&sources, json!({})).expect("values");
        let expected = json!({"mode": 420, "true": true, "l": ["x", 2], "a": 1, "b": "c"});
        assert_eq!(Value::Object(values.merged), expected);
    }
}
