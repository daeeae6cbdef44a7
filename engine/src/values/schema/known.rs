//! The documents that a schema may refer to: those of its chart, and no others.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Retrieve, Uri};
use serde_json::Value;

use super::pattern;
use crate::Chart;
use crate::warning::Warning;

/// The schemas that a chart carries under their `$id`, in any of its JSON files. Others are not fetched:
/// they allow anything, as in Helm those do that only have a name (`urn:`).
#[derive(Clone)]
pub(super) struct Known {
    pub by_id: Arc<HashMap<String, Value>>,
    missed: Arc<Mutex<BTreeSet<String>>>,
}

impl Known {
    pub fn of(chart: &Chart) -> Self {
        let jsons = chart.files.iter().filter(|file| file.name.ends_with(".json"));
        let by_id = jsons.filter_map(|file| {
            let mut schema: Value = serde_json::from_slice(&file.data).ok()?;
            pattern::take_over(&mut schema).ok()?;
            let id = schema.get("$id").or_else(|| schema.get("id"))?.as_str()?;
            Some((id.trim_end_matches('#').to_owned(), schema))
        });
        Self { by_id: Arc::new(by_id.collect()), missed: Arc::default() }
    }

    /// Takes out the references to other hosts' schemas that are not here, which may point at any part of
    /// them. `own`: the `$id`s of the schema itself.
    pub fn open_unknown(&self, schema: &mut Value, own: &[String]) {
        match schema {
            Value::Array(items) => items.iter_mut().for_each(|item| self.open_unknown(item, own)),
            Value::Object(map) => {
                let target = map.get("$ref").and_then(Value::as_str).and_then(|to| {
                    let document = to.split('#').next().unwrap_or_default();
                    let is_elsewhere = ["http://", "https://"].iter().any(|s| to.starts_with(s))
                        && !document.contains("://json-schema.org/")
                        && !self.by_id.contains_key(document)
                        && !own.iter().any(|id| id == document);
                    is_elsewhere.then(|| document.to_owned())
                });
                if let Some(document) = target {
                    map.remove("$ref");
                    self.missed.lock().unwrap_or_else(PoisonError::into_inner).insert(document);
                }
                map.values_mut().for_each(|value| self.open_unknown(value, own));
            }
            _ => {}
        }
    }

    pub fn missed(&self) -> Vec<Warning> {
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let warning = |uri: &String| match uri.starts_with("urn:") {
            true => Warning::warn("unresolved URN reference ignored; using permissive schema")
                .with("urn", uri),
            false => {
                Warning::warn("reference to another host is not fetched; using permissive schema")
                    .with("url", uri)
            }
        };
        missed.iter().map(warning).collect()
    }
}

impl Retrieve for Known {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(schema) = self.by_id.get(uri.as_str().trim_end_matches('#')) {
            return Ok(schema.clone());
        }
        if matches!(uri.scheme().as_str(), "urn" | "http" | "https") {
            let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
            missed.insert(uri.as_str().to_owned());
            return Ok(Value::Bool(true));
        }
        Err(format!("{uri} is outside of the chart and is not read").into())
    }
}

/// The `$id`s of a schema and its parts.
pub(super) fn ids(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
        Value::Object(map) => {
            let id = map.get("$id").or_else(|| map.get("id")).and_then(Value::as_str);
            found.extend(id.map(|id| id.trim_end_matches('#').to_owned()));
            map.values().for_each(|value| ids(value, found));
        }
        _ => {}
    }
}
