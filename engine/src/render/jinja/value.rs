//! Values between JSON, Go templates and Jinja.

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Error, ErrorKind, Output, State, Value};
use serde_json::{Map, Value as Json};

use super::allowance::Allowance;
use crate::template;
use crate::template::{Environment, Run};

/// Whole numbers up to this one print as such; values hold them as floats, as in Helm.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn of_map(map: &Map<String, Json>) -> Value {
    Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), of_json(value))))
}

pub(super) fn of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(*b),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => of_float(number.as_f64().unwrap_or(f64::INFINITY)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(of_json).collect::<Vec<_>>()),
        Json::Object(map) => of_map(map),
    }
}

fn of_float(float: f64) -> Value {
    if float.fract() == 0.0 && float.abs() <= EXACT {
        // Lossless: it was just seen to be whole and small enough.
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        return Value::from(float as i64);
    }
    Value::from(float)
}

/// What a function of Go templates gave.
pub(super) fn of_template(value: &template::Value) -> Value {
    match value {
        template::Value::String(text) | template::Value::Bytes(text) => {
            Value::from(text.text().as_ref())
        }
        value => {
            let environment = Environment::system();
            let json = template::to_json(value, &Run::new(&environment));
            json.map_or_else(|_| Value::from(()), |json| of_json(&json))
        }
    }
}

/// An argument for a function of Go templates.
pub(super) fn to_template(value: &Value) -> Result<template::Value, Error> {
    Ok(match value.kind() {
        ValueKind::Undefined => {
            return Err(Error::new(ErrorKind::UndefinedError, "an argument is not defined"));
        }
        ValueKind::None => template::Value::Nil,
        ValueKind::Bool => template::Value::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(whole) if value.is_integer() => template::Value::Int(whole),
            _ => template::Value::Float(f64::try_from(value.clone())?),
        },
        ValueKind::String => template::Value::string(value.as_str().unwrap_or_default()),
        ValueKind::Bytes => template::Value::string(value.as_bytes().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter()?.map(|item| to_template(&item));
            template::Value::list(items.collect::<Result<_, _>>()?)
        }
        ValueKind::Map => {
            let mut entries = Vec::new();
            for key in value.try_iter()? {
                let item = value.get_item(&key)?;
                entries.push((key.to_string(), to_template(&item)?));
            }
            template::Value::map(entries.iter().map(|(key, item)| (key.as_str(), item.clone())))
        }
        kind => {
            let why = format!("a {kind} cannot be an argument of this function");
            return Err(Error::new(ErrorKind::InvalidOperation, why));
        }
    })
}

/// How `{{ … }}` prints: null, booleans, lists and mappings as JSON, which is YAML too; Jinja's own way
/// is Python's.
pub(super) fn print(
    allowance: &Allowance,
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let text = match value.kind() {
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => value.is_true().to_string(),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            let weight = allowance.weigh([value])?;
            allowance.check(weight.converted())?;
            let environment = Environment::system();
            let json = template::to_json(&to_template(value)?, &Run::new(&environment));
            json.map_err(|why| Error::new(ErrorKind::BadSerialization, why))?.to_string()
        }
        _ => {
            // An escaped character takes up to six.
            let escaped = if *state.auto_escape() == AutoEscape::None { 1 } else { 6 };
            let len = value.as_bytes().map_or_else(|| value.to_string().len(), <[u8]>::len);
            allowance.write(len.saturating_mul(if value.is_safe() { 1 } else { escaped }))?;
            return minijinja::escape_formatter(output, state, value);
        }
    };
    allowance.write(text.len())?;
    output.write_str(&text).map_err(Error::from)
}
