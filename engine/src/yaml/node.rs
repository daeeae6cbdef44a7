//! A node of YAML on its way to JSON: its keys, its merges, and what JSON cannot hold of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    YamlError, number,
    read::{Stage, TEXT_PER_NODE},
};
use crate::template::quote::quote;

/// A node before JSON: a key may be of any scalar type.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) merge: bool,
    /// Not a JSON number: infinite, or not a number at all.
    pub(super) unprintable: Option<f64>,
    pub(super) mistakes: Mistakes,
    /// Nodes of the tree, itself among them.
    pub(super) size: usize,
}

/// What JSON cannot hold of a mapping, by key: it counts only if nothing else is wrong, and no later entry
/// of the same key takes its place. A sequence has only one, at "".
#[derive(Clone, Default)]
pub(super) struct Mistakes(BTreeMap<String, YamlError>);

impl Mistakes {
    /// The entry is this one from now on.
    pub(super) fn set(&mut self, key: &str, mistake: Option<YamlError>) {
        match mistake {
            Some(mistake) => drop(self.0.insert(key.to_owned(), mistake)),
            None => drop(self.0.remove(key)),
        }
    }

    /// The one to tell: of the earliest stage the first, as JSON sorts keys.
    fn first(self) -> Option<YamlError> {
        self.0.into_values().min_by_key(|mistake| mistake.stage)
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        let size = match &value {
            Value::String(text) => 1 + text.len() / TEXT_PER_NODE,
            _ => 1,
        };
        Self { value, merge: false, unprintable: None, mistakes: Mistakes::default(), size }
    }
}

impl Node {
    /// The value for JSON, which knows no infinity; and what of it JSON cannot hold.
    pub(super) fn printable(self) -> (Value, Option<YamlError>) {
        let Some(float) = self.unprintable else { return (self.value, self.mistakes.first()) };
        let words = match float {
            f64::INFINITY => "+Inf",
            f64::NEG_INFINITY => "-Inf",
            _ => "NaN",
        };
        let message = format!("json: unsupported value: {words}");
        (self.value, Some(YamlError { line: 0, message, stage: Stage::Json }))
    }
}

/// `<<`: one mapping, or several of which the earlier take precedence. What the mapping said
/// before the `<<` is overwritten, what it says after it is not.
pub(super) fn merge(
    into: &mut Map<String, Value>,
    mistakes: &mut Mistakes,
    node: Node,
) -> Result<(), YamlError> {
    let mut add = |map: Map<String, Value>| {
        for (key, value) in map {
            mistakes.set(&key, None);
            into.insert(key, value);
        }
    };
    match node.value {
        Value::Object(map) => add(map),
        Value::Array(items) => {
            for item in items.into_iter().rev() {
                let Value::Object(map) = item else { return Err(no_merge()) };
                add(map);
            }
        }
        _ => return Err(no_merge()),
    }
    mistakes.0.extend(node.mistakes.0);
    Ok(())
}

/// What becomes of a key in JSON.
pub(super) enum Key {
    Text(String),
    /// It has no text. Where that mistake stands among those of the mapping.
    None {
        place: String,
        mistake: YamlError,
    },
}

/// A key as JSON has it.
pub(super) fn key(node: Node, value: &Value) -> Result<Key, YamlError> {
    if let Some(float) = node.unprintable {
        return Ok(Key::Text(number::format_g32(float)));
    }
    let (kind, shown) = match node.value {
        Value::String(text) => return Ok(Key::Text(text)),
        Value::Bool(value) => return Ok(Key::Text(value.to_string())),
        Value::Number(number) => match (number.as_f64(), number.as_i64()) {
            (Some(float), _) if number.is_f64() => return Ok(Key::Text(number::format_g32(float))),
            (_, Some(int)) => return Ok(Key::Text(int.to_string())),
            _ => ("uint64", go_syntax(&Value::Number(number))),
        },
        Value::Null => ("%!s(<nil>)", "<nil>".to_owned()),
        value => return Err(invalid_key(&value)),
    };
    let value = match value {
        Value::Null => "<nil>".to_owned(),
        value => go_syntax(value),
    };
    let message = format!("unsupported map key of type: {kind}, key: {shown}, value: {value}");
    // No key of a text begins so.
    let place = format!("\0{shown}");
    Ok(Key::None { place, mistake: YamlError { line: 0, message, stage: Stage::Conversion } })
}

/// As Go's `%#v` prints it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let mut entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}:{}", quoted(key), go_syntax(value)))
                .collect();
            entries.sort();
            format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
        }
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), ..) => int.to_string(),
            (None, Some(int), _) => format!("{int:#x}"),
            (None, None, float) => number::format_g(float.unwrap_or_default()),
        },
        Value::String(text) => quoted(text),
        Value::Bool(value) => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    quote(text.as_bytes())
}

pub(super) fn invalid_key(value: &Value) -> YamlError {
    YamlError::new(0, format!("invalid map key: {}", go_syntax(value)))
}

pub(super) fn no_merge() -> YamlError {
    YamlError::new(0, "map merge requires map or sequence of maps as the value")
}
