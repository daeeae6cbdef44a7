//! JSON to values.

use super::Value;

/// Every number becomes a float64, as Go's JSON decoder makes it: what values files and manifests hold.
pub fn from_json(json: &serde_json::Value) -> Value {
    convert(json, false)
}

/// Whole numbers become int64: what `--set` makes of them.
pub fn from_json_with_integers(json: &serde_json::Value) -> Value {
    convert(json, true)
}

fn convert(json: &serde_json::Value, integers: bool) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(b) => Value::Bool(*b),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(i) if integers => Value::Int64(i),
            _ => Value::Float(n.as_f64().unwrap_or(f64::INFINITY)),
        },
        serde_json::Value::String(s) => Value::string(s.as_str()),
        serde_json::Value::Array(items) => {
            Value::list(items.iter().map(|item| convert(item, integers)).collect())
        }
        serde_json::Value::Object(entries) => {
            Value::map(entries.iter().map(|(k, v)| (k.as_str(), convert(v, integers))))
        }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        from_json(json)
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        from_json(&json)
    }
}
