//! values.schema.json.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Retrieve, Uri};
use serde_json::{Map, Value};

use crate::Chart;
use crate::warning::Warning;
use crate::yaml;

/// Why values are refused, chart by chart. Names places and rules, never a value: it may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{0}")]
pub struct SchemaError(String);

/// Checks coalesced values against the schemas of the chart and its subcharts. Warns of schemas of other
/// hosts that the chart does not carry: what refers to them is not checked.
pub(crate) fn check(
    chart: &Chart,
    values: &Map<String, Value>,
    warnings: &mut Vec<Warning>,
) -> Result<(), SchemaError> {
    let mut report = String::new();
    check_into(chart, values, &mut report, warnings);
    if report.is_empty() { Ok(()) } else { Err(SchemaError(report)) }
}

fn check_into(
    chart: &Chart,
    values: &Map<String, Value>,
    report: &mut String,
    warnings: &mut Vec<Warning>,
) {
    if let Some(schema) = &chart.schema {
        let known = Known::of(chart);
        let problems = check_one(&schema.data, values, &known);
        if !problems.is_empty() {
            report.push_str(&format!("{}:\n", chart.name()));
            for problem in problems {
                report.push_str(&format!("- {problem}\n"));
            }
        }
        warnings.extend(known.missed());
    }
    for subchart in chart.dependencies() {
        match values.get(subchart.name()) {
            None | Some(Value::Null) => {}
            Some(Value::Object(below)) => check_into(subchart, below, report, warnings),
            Some(_) => report.push_str(&format!(
                "{}:\ninvalid type for values: expected object (map)\n",
                subchart.name()
            )),
        }
    }
}

fn check_one(schema: &[u8], values: &Map<String, Value>, known: &Known) -> Vec<String> {
    let mut schema: Value = match serde_json::from_slice(schema) {
        Ok(schema) => schema,
        Err(error) => return vec![format!("values.schema.json is not JSON: {error}")],
    };
    name_draft(&mut schema);
    let mut own = Vec::new();
    ids(&schema, &mut own);
    known.open_unknown(&mut schema, &own);
    let validator = match jsonschema::options().with_retriever(known.clone()).build(&schema) {
        Ok(validator) => validator,
        Err(error) => return vec![format!("values.schema.json is not a JSON schema: {error}")],
    };
    let mut values = Value::Object(values.clone());
    yaml::normalise(&mut values);
    validator
        .iter_errors(&values)
        .map(|error| format!("at '{}': {}", error.instance_path(), error.masked()))
        .collect()
}

/// Names the draft as its specification does: Helm takes either scheme, and a name without a draft for the
/// latest one (`draftFromURL` of santhosh-tekuri/jsonschema v6).
fn name_draft(schema: &mut Value) {
    let Some(Value::String(name)) = schema.get_mut("$schema") else { return };
    let rest = name.trim_end_matches('#');
    let rest = rest.strip_prefix("http://").or_else(|| rest.strip_prefix("https://"));
    let draft = match rest.and_then(|rest| rest.strip_prefix("json-schema.org/")) {
        Some("schema" | "draft/2020-12/schema") => "https://json-schema.org/draft/2020-12/schema",
        Some("draft/2019-09/schema") => "https://json-schema.org/draft/2019-09/schema",
        Some("draft-07/schema") => "http://json-schema.org/draft-07/schema#",
        Some("draft-06/schema") => "http://json-schema.org/draft-06/schema#",
        Some("draft-04/schema") => "http://json-schema.org/draft-04/schema#",
        _ => return,
    };
    draft.clone_into(name);
}

/// The schemas that a chart carries under their `$id`, in any of its JSON files. Others are not fetched:
/// they allow anything, as in Helm those do that only have a name (`urn:`).
#[derive(Clone)]
struct Known {
    by_id: Arc<HashMap<String, Value>>,
    missed: Arc<Mutex<BTreeSet<String>>>,
}

impl Known {
    fn of(chart: &Chart) -> Self {
        let jsons = chart.files.iter().filter(|file| file.name.ends_with(".json"));
        let by_id = jsons.filter_map(|file| {
            let schema: Value = serde_json::from_slice(&file.data).ok()?;
            let id = schema.get("$id").or_else(|| schema.get("id"))?.as_str()?;
            Some((id.trim_end_matches('#').to_owned(), schema))
        });
        Self { by_id: Arc::new(by_id.collect()), missed: Arc::default() }
    }

    /// Takes out the references to other hosts' schemas that are not here, which may point at any part of
    /// them. `own`: the `$id`s of the schema itself.
    fn open_unknown(&self, schema: &mut Value, own: &[String]) {
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

    fn missed(&self) -> Vec<Warning> {
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
fn ids(schema: &Value, found: &mut Vec<String>) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chart::File;

    fn check_with(files: &[(&str, &str)], values: Value) -> (Result<(), SchemaError>, Vec<String>) {
        let chart = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
        let files = std::iter::once(&chart).chain(files).map(|(name, text)| File {
            name: (*name).to_owned(),
            data: text.as_bytes().into(),
            modified: None,
        });
        let chart = Chart::from_files(files.collect()).expect("a chart");
        let mut warnings = Vec::new();
        let values = values.as_object().cloned().unwrap_or_default();
        let result = check(&chart, &values, &mut warnings);
        (result, warnings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn references_to_other_hosts() {
        let schema = (
            "values.schema.json",
            r#"{"properties": {"a": {"$ref": "https://x.test/s.json#/$defs/a"}, "b": {"$ref": "urn:b"}}}"#,
        );
        let (result, warnings) = check_with(&[schema], json!({"a": 1, "b": 1}));
        assert_eq!(result, Ok(()));
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("https://x.test/s.json"), "{warnings:?}");

        let carried = (
            "schemas/s.json",
            r#"{"$id": "https://x.test/s.json", "$defs": {"a": {"type": "string"}}}"#,
        );
        let (result, warnings) = check_with(&[schema, carried], json!({"a": 1, "b": 1}));
        let text = result.expect_err("a is no text").to_string();
        assert!(text.contains("at '/a'"), "{text}");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn a_draft_is_known_by_either_scheme_and_without_its_number() {
        for draft in [
            "http://json-schema.org/schema#",
            "https://json-schema.org/schema",
            "http://json-schema.org/draft/2020-12/schema",
            "https://json-schema.org/draft-07/schema#",
            "http://json-schema.org/draft-04/schema",
        ] {
            let text = json!({"$schema": draft, "properties": {"a": {"type": "string"}}});
            let (result, warnings) =
                check_with(&[("values.schema.json", &text.to_string())], json!({"a": 1}));
            let told = result.expect_err("a is no text").to_string();
            assert!(told.contains("at '/a'"), "{draft}: {told}");
            assert_eq!(warnings, [""; 0], "{draft}");
        }
    }

    #[test]
    fn files_are_not_read() {
        let schema = ("values.schema.json", r#"{"$ref": "file:///etc/passwd"}"#);
        let (result, _) = check_with(&[schema], json!({}));
        assert!(result.expect_err("refused").to_string().contains("not read"));
    }
}
