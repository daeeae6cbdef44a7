//! Sprig's JSON functions that Helm keeps, Helm's JSON and YAML ones.

use super::{Call, Function, Kind, Returned, bytes, text};
use crate::template::{Cause, Value, from_json, to_json, to_json_text};

use Kind::{Any, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("toYaml", &[Any], |c, a| Ok(to_yaml(c, &a[0]).unwrap_or_default().into())),
    Function::new("mustToYaml", &[Any], |c, a| Ok(to_yaml(c, &a[0])?.into())),
    Function::new("toYamlPretty", &[Any], |_, _| super::refused("toYamlPretty")),
    Function::new("toToml", &[Any], |_, _| super::refused("toToml")),
    Function::new("mustToToml", &[Any], |_, _| super::refused("mustToToml")),
    Function::new("fromToml", &[S], |_, _| super::refused("fromToml")),
    Function::new("fromYaml", &[S], |_, a| Ok(object(parse_yaml(&a[0])))),
    Function::new("fromYamlArray", &[S], |_, a| Ok(array(parse_yaml(&a[0])))),
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
    Function::new("fromJson", &[S], |_, a| Ok(object(parse_json(bytes(&a[0]))))),
    Function::new("fromJsonArray", &[S], |_, a| Ok(array(parse_json(bytes(&a[0]))))),
    Function::new("mustFromJson", &[S], must_from_json),
];

fn to_yaml(c: &Call<'_>, value: &Value) -> Result<String, String> {
    let limit = c.run.environment.budget.output;
    let mut text = crate::yaml::to_string_within(&to_json(value, c.run)?, limit);
    c.run.check_size(text.len())?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

fn parse_yaml(value: &Value) -> Result<serde_json::Value, String> {
    crate::yaml::from_str(&text(value)).map_err(|error| error.to_string())
}

fn must_from_json(_: &Call<'_>, a: &[Value]) -> Returned {
    parse_json(bytes(&a[0])).map(|json| from_json(&json)).map_err(Cause::Function)
}

/// A value that should be a map; the error goes into it as `Error`.
fn object(parsed: Result<serde_json::Value, String>) -> Value {
    match parsed {
        Ok(serde_json::Value::Null) => Value::map::<&str>([]),
        Ok(json @ serde_json::Value::Object(_)) => from_json(&json),
        Ok(other) => mismatch(&other, "map[string]interface {}", |m| Value::map([("Error", m)])),
        Err(message) => Value::map([("Error", message.into())]),
    }
}

/// A value that should be a list; the error is its only element.
fn array(parsed: Result<serde_json::Value, String>) -> Value {
    match parsed {
        Ok(serde_json::Value::Null) => Value::list(Vec::new()),
        Ok(json @ serde_json::Value::Array(_)) => from_json(&json),
        Ok(other) => mismatch(&other, "[]interface {}", |m| Value::list(vec![m])),
        Err(message) => Value::list(vec![message.into()]),
    }
}

fn mismatch(json: &serde_json::Value, wanted: &str, wrap: impl Fn(Value) -> Value) -> Value {
    let got = match json {
        serde_json::Value::Bool(_) => "bool",
        serde_json::Value::Number(_) => "number",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "array",
        _ => "object",
    };
    wrap(format!("json: cannot unmarshal {got} into Go value of type {wanted}").into())
}

/// JSON with Go's words for what is wrong.
fn parse_json(text: &[u8]) -> Result<serde_json::Value, String> {
    let wrong = |error: serde_json::Error| {
        let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
        let before: usize =
            lines.iter().take(error.line().saturating_sub(1)).map(|l| l.len() + 1).sum();
        let at = (before + error.column()).saturating_sub(1);
        if error.is_eof() {
            return "unexpected end of JSON input".to_owned();
        }
        let c = text.get(at).map_or('?', |b| *b as char);
        let quoted = crate::template::quote::quote_char(c, false);
        let place = match error.to_string() {
            m if m.contains("trailing characters") => "after top-level value",
            m if m.contains("expected `,` or `}`") => "after object key:value pair",
            m if m.contains("expected `,` or `]`") => "after array element",
            m if m.contains("key must be a string") => "looking for beginning of object key string",
            m if m.contains("expected `:`") => "after object key",
            _ => "looking for beginning of value",
        };
        format!("invalid character {quoted} {place}")
    };
    serde_json::from_slice(text).map_err(wrong)
}
