//! The chart's values under the user's: Helm's coalescing.
//!
//! Coalescing lets a `null` of the user remove a default; merging keeps it.

use serde_json::{Map, Value};

use crate::Chart;

const GLOBAL: &str = "global";

/// Whether `null`s are acted upon or kept for later.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Nulls {
    Remove,
    Keep,
}

/// A subchart's name where the values hold no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the values under {0:?} belong to the subchart of that name and must be a mapping")]
pub struct TypeMismatch(pub(crate) String);

/// Everything that the chart and its subcharts see as `.Values`, and what Helm warns of.
pub(crate) fn coalesce(
    chart: &Chart,
    user: &Map<String, Value>,
    nulls: Nulls,
    warnings: &mut Vec<String>,
) -> Result<Map<String, Value>, TypeMismatch> {
    let mut values = user.clone();
    with_chart(chart, &mut values, "", nulls, warnings)?;
    Ok(values)
}

fn with_chart(
    chart: &Chart,
    values: &mut Map<String, Value>,
    prefix: &str,
    nulls: Nulls,
    warnings: &mut Vec<String>,
) -> Result<(), TypeMismatch> {
    let prefix = join(prefix, chart.name());
    defaults(chart, values, &prefix, nulls, warnings);
    for subchart in &chart.dependencies {
        let entry =
            values.entry(subchart.name().to_owned()).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(below) = entry.take() else {
            return Err(TypeMismatch(subchart.name().to_owned()));
        };
        let mut below = below;
        globals(&mut below, values, &prefix, warnings);
        with_chart(subchart, &mut below, &prefix, nulls, warnings)?;
        values.insert(subchart.name().to_owned(), Value::Object(below));
    }
    Ok(())
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// The chart's own values.yaml under `values`.
fn defaults(
    chart: &Chart,
    values: &mut Map<String, Value>,
    prefix: &str,
    nulls: Nulls,
    warnings: &mut Vec<String>,
) {
    for (key, default) in &chart.values {
        match values.get_mut(key) {
            Some(Value::Null) if nulls == Nulls::Remove => {
                values.remove(key);
            }
            Some(Value::Object(own)) => match default {
                Value::Object(default) => {
                    let mut default = default.clone();
                    // A subchart's values are coalesced in their turn.
                    let is_subchart = chart.dependencies.iter().any(|sub| sub.name() == key);
                    let nulls = if is_subchart { Nulls::Keep } else { nulls };
                    if nulls == Nulls::Remove {
                        remove_nulls(&mut default);
                    }
                    tables(own, default, &join(prefix, key), nulls, warnings);
                }
                Value::Null => {}
                _ => warnings
                    .push(format!("warning: skipped value for {prefix}.{key}: Not a table.")),
            },
            Some(_) => {}
            None => {
                let mut default = default.clone();
                if nulls == Nulls::Remove {
                    match &mut default {
                        Value::Null => continue,
                        Value::Object(map) => remove_nulls(map),
                        _ => {}
                    }
                }
                values.insert(key.clone(), default);
            }
        }
    }
}

/// The parent's globals over those of the subchart.
fn globals(
    below: &mut Map<String, Value>,
    above: &Map<String, Value>,
    prefix: &str,
    warnings: &mut Vec<String>,
) {
    let mut to = match below.get_mut(GLOBAL).map(Value::take) {
        None => Map::new(),
        Some(Value::Object(map)) => map,
        Some(other) => {
            below.insert(GLOBAL.to_owned(), other);
            warnings.push(
                "warning: skipping globals because destination global is not a table.".to_owned(),
            );
            return;
        }
    };
    let none = Map::new();
    let from = match above.get(GLOBAL) {
        None => Some(&none),
        Some(Value::Object(map)) => Some(map),
        Some(_) => None,
    };
    match from {
        None => warnings
            .push("warning: skipping globals because source global is not a table.".to_owned()),
        Some(from) => {
            for (key, value) in from {
                global(&mut to, key, value, prefix, warnings);
            }
        }
    }
    below.insert(GLOBAL.to_owned(), Value::Object(to));
}

fn global(
    to: &mut Map<String, Value>,
    key: &str,
    value: &Value,
    prefix: &str,
    warnings: &mut Vec<String>,
) {
    let merged = match (to.get_mut(key).map(Value::take), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            let mut new = new.clone();
            tables(&mut new, old, &join(prefix, key), Nulls::Keep, warnings);
            Value::Object(new)
        }
        (Some(old), Value::Object(_)) => {
            warnings
                .push(format!("Conflict: cannot merge map onto non-map for {key:?}. Skipping."));
            old
        }
        (Some(old @ Value::Object(_)), _) => {
            warnings.push(format!("key {key} is table. Skipping"));
            old
        }
        _ => value.clone(),
    };
    to.insert(key.to_owned(), merged);
}

/// Merges `from` into `into`, whose entries win.
pub(crate) fn tables(
    into: &mut Map<String, Value>,
    from: Map<String, Value>,
    prefix: &str,
    nulls: Nulls,
    warnings: &mut Vec<String>,
) {
    for (key, value) in from {
        let path = join(prefix, &key);
        match (into.get_mut(&key), value) {
            (None, value) => {
                into.insert(key, value);
            }
            (Some(Value::Null), value) if nulls == Nulls::Remove && !value.is_null() => {
                into.remove(&key);
            }
            (Some(Value::Null), _) => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                tables(old, new, &path, nulls, warnings);
            }
            (Some(Value::Object(_)), value) if !value.is_null() => warnings.push(format!(
                "warning: destination for {path} is a table. Ignoring non-table value ({value})"
            )),
            (Some(_), value @ Value::Object(_)) => warnings.push(format!(
                "warning: cannot overwrite table with non table for {path} ({value})"
            )),
            _ => {}
        }
    }
}

pub(crate) fn remove_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for value in map.values_mut() {
        if let Value::Object(map) = value {
            remove_nulls(map);
        }
    }
}
