//! What is hidden of values and manifests: pure.
//!
//! Hidden are values that do not come from a place that is open to read (the spec itself, a ConfigMap), texts under
//! names such as `password`, and the data of Secrets.

use pinnace_engine::yaml;
use serde_json::{Map, Value, json};

use crate::controller::redactor::Redactor;

pub const PLACEHOLDER: &str = "[redacted]";

/// A name that ends like this, in any spelling, holds a secret.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "clientsecret",
];

/// The values without their secrets, and what hides the same secrets in other texts. `open`: values that anyone may
/// read who may read the release; None if nothing says where the values come from.
pub fn values(values: &Map<String, Value>, open: Option<&Value>) -> (Value, Redactor) {
    let mut hidden = Redactor::default();
    let values = Value::Object(values.clone());
    let shown = hide(&values, open, &mut hidden);
    (shown, hidden)
}

fn hide(value: &Value, open: Option<&Value>, hidden: &mut Redactor) -> Value {
    match value {
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| {
                let known = open.map(|open| open.get(name).unwrap_or(&Value::Null));
                let shown = match value {
                    Value::String(text) if is_secret(name) && !text.is_empty() => {
                        hidden.add(value);
                        json!(PLACEHOLDER)
                    }
                    value => hide(value, known, hidden),
                };
                (name.clone(), shown)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                hide(item, open.map(|open| open.get(at).unwrap_or(&Value::Null)), hidden)
            })
            .collect(),
        Value::Null => Value::Null,
        value if open.is_none_or(|open| open == value) => value.clone(),
        value => {
            hidden.add(value);
            json!(PLACEHOLDER)
        }
    }
}

fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|ending| name.ends_with(ending))
}

/// The manifest of a revision with the data of its Secrets hidden, and `hidden` wherever it occurs. All else is as it
/// was, byte for byte.
pub fn manifest(text: &str, hidden: &Redactor) -> String {
    let mut shown = String::with_capacity(text.len());
    for document in documents(text) {
        match yaml::from_str(document) {
            Ok(mut object) if object["kind"] == "Secret" => {
                data(&mut object);
                let comments = document.lines().take_while(|l| l.starts_with(['-', '#']));
                comments.for_each(|line| shown.extend([line, "\n"]));
                shown.push_str(&hidden.redact(&yaml::to_string(&object)));
            }
            _ => shown.push_str(&hidden.redact(document)),
        }
    }
    shown
}

/// The documents of a stream, each with the line that begins it.
fn documents(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = text
        .match_indices("---\n")
        .map(|(at, _)| at)
        .filter(|&at| at == 0 || text[..at].ends_with('\n'))
        .collect();
    if starts.first() != Some(&0) {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(&from, to)| &text[from..to]).collect()
}

/// Hides the data of a Secret.
pub fn data(secret: &mut Value) {
    for field in ["data", "stringData"] {
        if let Some(Value::Object(entries)) = secret.get_mut(field) {
            entries.values_mut().for_each(|value| *value = json!(PLACEHOLDER));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("a map")
    }

    #[test]
    fn what_is_not_known_to_be_open_is_hidden() {
        let all = map(json!({
            "open": "seen-by-all", "from": {"secret": "topsecret", "port": 4711, "list": ["a", "b"]},
            "changed": "since-then", "empty": null,
        }));
        let open = json!({"open": "seen-by-all", "from": {"list": ["a"]}, "changed": "now"});
        let (shown, hidden) = values(&all, Some(&open));
        let expected = json!({
            "open": "seen-by-all",
            "from": {"secret": PLACEHOLDER, "port": PLACEHOLDER, "list": ["a", PLACEHOLDER]},
            "changed": PLACEHOLDER, "empty": null,
        });
        assert_eq!(shown, expected);
        assert_eq!(hidden.redact("x topsecret y"), "x [redacted] y");
    }

    #[test]
    fn names_of_secrets() {
        let all = map(json!({
            "db": {"password": "hunter2-x", "DB_PASSWORD": "hunter3-x", "apiKey": "k", "token": ""},
            "existingSecret": "name", "tokens": 3,
        }));
        let (shown, _) = values(&all, None);
        let expected = json!({
            "db": {"password": PLACEHOLDER, "DB_PASSWORD": PLACEHOLDER, "apiKey": PLACEHOLDER, "token": ""},
            "existingSecret": "name", "tokens": 3,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn secrets_of_a_manifest() {
        let text = "---\n# Source: c/a.yaml\nkind: ConfigMap\ndata: {a:   hunter2-x}\n\
                    ---\n# Source: c/b.yaml\nkind: Secret\ndata:\n  a: aHVudGVyMg==\nstringData: {b: c}\n";
        let mut hidden = Redactor::default();
        hidden.add(&json!("hunter2-x"));
        let expected = "---\n# Source: c/a.yaml\nkind: ConfigMap\ndata: {a:   [redacted]}\n\
                        ---\n# Source: c/b.yaml\ndata:\n  a: '[redacted]'\nkind: Secret\n\
                        stringData:\n  b: '[redacted]'\n";
        assert_eq!(manifest(text, &hidden), expected);
        assert_eq!(manifest("", &hidden), "");
    }
}
