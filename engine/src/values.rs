//! Values: reading, merging, coalescing with the chart's, checking against schemas.

use serde_json::{Map, Value};

pub use coalesce::TypeMismatch;

use crate::warning::Warning;
use crate::yaml::{self, YamlError};
use crate::{Chart, template};

pub(crate) mod coalesce;
pub(crate) mod dependencies;
pub(crate) mod schema;
pub mod strvals;
pub(crate) mod table;

/// A text that does not hold values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("error reading yaml document")]
    Separator(#[from] yaml::InvalidSeparator),
    #[error("cannot unmarshal yaml document")]
    Yaml(#[from] YamlError),
    #[error("cannot unmarshal yaml document: values must be a mapping, not {0}")]
    NotAMapping(&'static str),
}

/// Reads a values file as Helm does: all its documents, later ones merged over earlier ones.
/// Numbers become floats, as in Go.
pub fn from_yaml(text: &str) -> Result<Map<String, Value>, ReadError> {
    let mut values = Map::new();
    for document in yaml::documents(text) {
        let mut value = yaml::from_str(document?)?;
        yaml::as_go_floats(&mut value);
        match value {
            Value::Null => {}
            Value::Object(map) => merge(&mut values, map),
            Value::Array(_) => return Err(ReadError::NotAMapping("a list")),
            Value::String(_) => return Err(ReadError::NotAMapping("a string")),
            Value::Number(_) => return Err(ReadError::NotAMapping("a number")),
            Value::Bool(_) => return Err(ReadError::NotAMapping("a boolean")),
        }
    }
    Ok(values)
}

/// What several `-f` files make together: maps are merged, everything else is replaced.
pub fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Everything that the chart, as [`Chart::for_values`] gives it, and its subcharts see as `.Values`: the user's on top
/// of their own. Appends what Helm would warn of.
pub fn of(
    chart: &Chart,
    user: &Map<String, Value>,
    warnings: &mut Vec<Warning>,
) -> Result<Map<String, Value>, TypeMismatch> {
    Ok(coalesce::coalesce(chart, user, coalesce::Nulls::Remove, warnings)?.to_json())
}

/// `fmt.Sprintf("%v", value)`
pub(crate) fn go_text(value: &Value) -> String {
    template::go_text(&template::from_json_with_integers(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_merged() {
        let values = from_yaml("a: {x: 1}\nb: [1]\n---\na: {z: null}\nb: [2]\n").expect("valid");
        assert_eq!(Value::from(values), json!({"a": {"x": 1.0, "z": null}, "b": [2.0]}));
        assert_eq!(from_yaml("- a"), Err(ReadError::NotAMapping("a list")));
        assert_eq!(from_yaml("").map(Value::from), Ok(json!({})));
        let commented = from_yaml("a: 1\n--- # more\nb: 1\n").expect("valid");
        assert_eq!(Value::from(commented), json!({"a": 1.0, "b": 1.0}));
        assert!(matches!(from_yaml("a: 1\n---b: 1\n"), Err(ReadError::Separator(_))));
    }
}
