//! `update_mask`: which fields of a resource an update replaces. Pure.
//!
//! Merging happens on the JSON form, whose field names follow from the proto names.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    #[error("update_mask: {0:?} is not a field that can be updated")]
    Unknown(String),
    #[error("the resource could not be merged")]
    Json(#[from] serde_json::Error),
}

/// `current` with the fields of `mask` taken from `update`. A masked field that `update` leaves
/// unset is cleared. `known` lists every path that may be named, such as `configuration.namespace`.
pub fn merge<T: Serialize + DeserializeOwned>(
    current: &T,
    update: &T,
    mask: &[String],
    known: &[&str],
) -> Result<T, MaskError> {
    let mut merged = serde_json::to_value(current)?;
    let update = serde_json::to_value(update)?;
    for path in mask {
        let path = snake(path);
        if !known.contains(&path.as_str()) {
            return Err(MaskError::Unknown(path.chars().take(100).collect()));
        }
        let names: Vec<String> = path.split('.').map(camel).collect();
        let value = names.iter().try_fold(&update, |at, name| at.get(name)).cloned();
        put(&mut merged, &names, value);
    }
    Ok(serde_json::from_value(merged)?)
}

fn put(at: &mut Value, names: &[String], value: Option<Value>) {
    let Some((first, rest)) = names.split_first() else { return };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    let Some(fields) = at.as_object_mut() else { return };
    match (rest.is_empty(), value) {
        (true, None) => drop(fields.remove(first)),
        (true, Some(value)) => drop(fields.insert(first.clone(), value)),
        (false, value) => put(fields.entry(first.clone()).or_insert(Value::Null), rest, value),
    }
}

/// `camelCase` to `snake_case`; what is already so stays.
pub fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `snake_case` to `camelCase`, as protobuf's JSON mapping has it.
pub fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match (c, upper) {
            ('_', _) => upper = true,
            (c, true) => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            (c, false) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::qdrant::cloud::hybrid::v1::{
        HybridCloudEnvironment as Environment, HybridCloudEnvironmentConfiguration as Configuration,
    };

    fn environment(name: &str, namespace: &str, database: Option<&str>) -> Environment {
        Environment {
            name: name.into(),
            configuration: Some(Configuration {
                namespace: namespace.into(),
                database_storage_class: database.map(Into::into),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn merged(mask: &[&str]) -> Result<Environment, MaskError> {
        let current = environment("old", "old", Some("fast"));
        let update = environment("new", "new", None);
        let mask: Vec<String> = mask.iter().map(ToString::to_string).collect();
        let known = ["name", "configuration.namespace", "configuration.database_storage_class"];
        merge(&current, &update, &mask, &known)
    }

    #[test]
    fn only_named_fields_change() {
        assert_eq!(merged(&["name"]).unwrap(), environment("new", "old", Some("fast")));
        let both = merged(&["configuration.databaseStorageClass", "configuration.namespace"]);
        assert_eq!(both.unwrap(), environment("old", "new", None));
    }

    #[test]
    fn other_paths_are_refused() {
        assert!(matches!(merged(&["id"]), Err(MaskError::Unknown(path)) if path == "id"));
    }
}
