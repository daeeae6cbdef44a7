//! Sprig's JSON functions that Helm keeps, Helm's JSON and YAML ones.

mod json;

use self::json::Parsed;
use super::{Call, Function, Kind, Returned, bytes};
use crate::template::{List, ListType, Map, MapType, Value, from_json, to_json, to_json_text};

use Kind::{Any, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("toYaml", &[Any], |c, a| Ok(to_yaml(c, &a[0]).unwrap_or_default().into())),
    Function::new("mustToYaml", &[Any], |c, a| Ok(to_yaml(c, &a[0])?.into())),
    Function::new("toYamlPretty", &[Any], |c, a| {
        Ok(to_yaml_pretty(c, &a[0]).unwrap_or_default().into())
    }),
    Function::new("fromYaml", &[S], |_, a| Ok(from_yaml(&a[0], Value::map::<&str>([]), object))),
    Function::new("fromYamlArray", &[S], |_, a| {
        Ok(from_yaml(&a[0], Value::list(Vec::new()), array))
    }),
    Function::new("toJson", &[Any], |c, a| {
        Ok(to_json_text(&a[0], true, None, c.run).unwrap_or_default().into())
    }),
    Function::new("mustToJson", &[Any], |c, a| Ok(to_json_text(&a[0], true, None, c.run)?.into())),
    Function::new("toPrettyJson", &[Any], |c, a| {
        Ok(to_json_text(&a[0], true, Some("  "), c.run).unwrap_or_default().into())
    }),
    Function::new("mustToPrettyJson", &[Any], |c, a| {
        Ok(to_json_text(&a[0], true, Some("  "), c.run)?.into())
    }),
    Function::new("toRawJson", &[Any], |c, a| Ok(to_json_text(&a[0], false, None, c.run)?.into())),
    Function::new("mustToRawJson", &[Any], |c, a| {
        Ok(to_json_text(&a[0], false, None, c.run)?.into())
    }),
    Function::new("fromJson", &[S], |_, a| Ok(object(json::parse(bytes(&a[0])), ""))),
    Function::new("fromJsonArray", &[S], |_, a| Ok(array(json::parse(bytes(&a[0])), ""))),
    Function::new("mustFromJson", &[S], must_from_json),
];

fn to_yaml(c: &Call<'_>, value: &Value) -> Result<String, String> {
    let limit = c.run.environment.budget.output;
    let mut json = to_json(value, c.run)?;
    if !crate::yaml::reads_json_as_it_is(&json) {
        let text = to_json_text(value, true, None, c.run)?;
        json = crate::yaml::from_str(&text).map_err(|error| {
            let words = error.to_string();
            words.trim_start_matches("error converting YAML to JSON: ").to_owned()
        })?;
    }
    let mut text = crate::yaml::to_string_within(&json, limit);
    c.run.check_size(text.len())?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

fn to_yaml_pretty(c: &Call<'_>, value: &Value) -> Result<String, String> {
    let mut text = crate::yaml::to_pretty_string(value, c.run)?;
    c.run.check_size(text.len())?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// The document as sigs.k8s.io/yaml reads it, which goes through JSON and says so in its errors.
fn from_yaml(
    value: &Value,
    empty: Value,
    typed: fn(Result<Parsed, String>, &str) -> Value,
) -> Value {
    match crate::yaml::decode(bytes(value)).and_then(|text| crate::yaml::from_str(&text)) {
        Ok(serde_json::Value::Null) => typed(Ok(Parsed { value: empty, wrong_number: None }), ""),
        Ok(json) => {
            let value = from_json(&json);
            typed(
                Ok(Parsed { value, wrong_number: None }),
                "error unmarshaling JSON: while decoding JSON: ",
            )
        }
        Err(error) => typed(Err(error.to_string()), ""),
    }
}

fn must_from_json(_: &Call<'_>, a: &[Value]) -> Returned {
    let parsed = json::parse(bytes(&a[0]))?;
    match parsed.wrong_number {
        Some(words) => Err(words.into()),
        None => Ok(parsed.value),
    }
}

/// A value that should be a map; the error goes into it as `Error`.
fn object(parsed: Result<Parsed, String>, prefix: &str) -> Value {
    let empty = || Map::new(MapType::Any, Default::default());
    let (map, error) = match parsed {
        Ok(Parsed { value: Value::Map(map), wrong_number }) => (map, wrong_number),
        Ok(Parsed { value: Value::Nil, .. }) => return Value::Map(Map::nil(MapType::Any)),
        Ok(parsed) => (empty(), Some(json::mismatch(&parsed.value, "map[string]interface {}"))),
        Err(words) => (empty(), Some(words)),
    };
    if let Some(words) = error {
        map.set("Error", format!("{prefix}{words}").into());
    }
    Value::Map(map)
}

/// A value that should be a list; the error is its only element.
fn array(parsed: Result<Parsed, String>, prefix: &str) -> Value {
    let words = match parsed {
        Ok(Parsed { value: Value::List(_), wrong_number: Some(words) }) => words,
        Ok(Parsed { value: Value::Nil, .. }) => return Value::List(List::nil(ListType::Any)),
        Ok(Parsed { value: list @ Value::List(_), .. }) => return list,
        Ok(parsed) => json::mismatch(&parsed.value, "[]interface {}"),
        Err(words) => words,
    };
    Value::list(vec![format!("{prefix}{words}").into()])
}
