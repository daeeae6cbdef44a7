//! values.schema.json.

use serde_json::{Map, Value};

use self::known::{Known, ids};
use crate::Chart;
use crate::warning::Warning;
use crate::yaml;

mod cost;
mod format;
mod known;
mod pattern;

/// So many problems of one chart are told. A hostile schema has millions.
const MAX_PROBLEMS: usize = 1000;

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
    match prepared(schema, known).and_then(|schema| problems(&schema, values, known)) {
        Ok(problems) => problems,
        Err(why) => vec![why],
    }
}

/// The schema as Helm means it, in words that our validator knows.
fn prepared(text: &[u8], known: &Known) -> Result<Value, String> {
    let mut schema = serde_json::from_slice(text)
        .map_err(|why| format!("values.schema.json is not JSON: {why}"))?;
    name_draft(&mut schema);
    let mut own = Vec::new();
    ids(&schema, &mut own);
    known.open_unknown(&mut schema, &own);
    pattern::take_over(&mut schema)
        .map_err(|why| format!("values.schema.json is not a JSON schema: {why}"))?;
    Ok(schema)
}

/// Err: the values cannot be held against the schema.
fn problems(
    schema: &Value,
    values: &Map<String, Value>,
    known: &Known,
) -> Result<Vec<String>, String> {
    let mut values = Value::Object(values.clone());
    yaml::normalise(&mut values);
    cost::check(schema, &known.by_id, &values)?;
    let options = format::register(jsonschema::options())
        .with_keyword(pattern::KEYWORD, pattern::keyword)
        .with_retriever(known.clone());
    let validator = options
        .build(schema)
        .map_err(|error| format!("values.schema.json is not a JSON schema: {error}"))?;
    let mut errors = validator.iter_errors(&values);
    let mut problems: Vec<String> = errors
        .by_ref()
        .take(MAX_PROBLEMS)
        .map(|error| format!("at '{}': {}", error.instance_path(), error.masked()))
        .collect();
    if errors.next().is_some() {
        problems.push(format!("and more: only the first {MAX_PROBLEMS} are listed"));
    }
    Ok(problems)
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

    fn told(schema: &Value, values: Value) -> Option<String> {
        let files = [("values.schema.json", &*schema.to_string())];
        check_with(&files, values).0.err().map(|error| error.to_string())
    }

    #[test]
    fn patterns_are_of_re2() {
        for (pattern, text, expected) in [
            ("^(?i)ab$", "AB", None),
            (r"^\pL+\z", "é", None),
            ("a{,3}", "a{,3}", None),
            ("^[[:alpha:]]$", "x", None),
            ("^a$", "b", Some("at '/x': value does not match pattern '^a$'")),
            ("^(?!x)a", "a", Some("'^(?!x)a' is not valid regex")),
            (r"(a)\1", "aa", Some("is not valid regex")),
            ("a{1001}", "a", Some("is not valid regex")),
        ] {
            let schema = json!({"properties": {"x": {"type": "string", "pattern": pattern}}});
            let found = told(&schema, json!({"x": text}));
            match (expected, found) {
                (None, None) => {}
                (Some(words), Some(found)) => assert!(found.contains(words), "{pattern}: {found}"),
                (expected, found) => panic!("{pattern}: {expected:?}, not {found:?}"),
            }
        }
        // A property of that name is no pattern, and neither is data.
        let schema = json!({
            "properties": {"pattern": {"type": "string", "default": {"pattern": "("}}},
            "examples": [{"pattern": "("}],
        });
        assert_eq!(told(&schema, json!({"pattern": "("})), None);
        let schema = json!({"patternProperties": {"(?=a)": {}}});
        assert!(told(&schema, json!({})).is_some_and(|told| told.contains("not valid regex")));
    }

    #[test]
    fn formats_count_up_to_draft_7() {
        let seven = "http://json-schema.org/draft-07/schema#";
        let last = "https://json-schema.org/draft/2020-12/schema";
        let one = |draft: &str, format: &str, text: &str| {
            let schema = json!({"$schema": draft, "properties": {"x": {"format": format}}});
            told(&schema, json!({"x": text})).is_none()
        };
        for (format, text, good) in [
            ("duration", "P", false),
            ("uuid", "x", false),
            ("semver", "1.2", false),
            ("period", "P", false),
            ("regex", "(?=a)", false),
            ("hostname", "xn--x", true),
            ("hostname", "a.", true),
            ("uri-reference", "a b", true),
        ] {
            assert_eq!(one(seven, format, text), good, "{format} {text}");
            assert!(one(last, format, text), "{format} {text}");
        }
        let encoded = json!({"$schema": seven, "properties": {"x": {"contentEncoding": "base64"}}});
        assert_eq!(told(&encoded, json!({"x": "!!"})), None);
    }

    #[test]
    fn a_schema_cannot_explode() {
        let mut schema = json!({"definitions": {"d0": {"type": "string"}}});
        for level in 1..=25 {
            let below = json!({"$ref": format!("#/definitions/d{}", level - 1)});
            schema["definitions"][format!("d{level}")] = json!({"allOf": [below, below]});
        }
        schema["properties"] = json!({"x": {"$ref": "#/definitions/d25"}});
        for x in [json!("aaa"), json!(1)] {
            let told = told(&schema, json!({"x": x})).unwrap_or_default();
            assert!(told.contains("more than 1000000 steps"), "{told}");
        }
        schema["properties"] = json!({"x": {"$ref": "#/definitions/d12"}});
        assert_eq!(told(&schema, json!({"x": "a"})), None);
        let told = told(&schema, json!({"x": 1})).unwrap_or_default();
        assert_eq!(told.lines().filter(|line| line.starts_with("- at '/x'")).count(), MAX_PROBLEMS);
        assert!(told.contains("only the first 1000"), "{told}");
    }

    #[test]
    fn files_are_not_read() {
        let schema = ("values.schema.json", r#"{"$ref": "file:///etc/passwd"}"#);
        let (result, _) = check_with(&[schema], json!({}));
        assert!(result.expect_err("refused").to_string().contains("not read"));
    }
}
