//! A mapping, read as Go's JSON decoder fills a struct of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::as_text;

/// The entries of a mapping, by the names of a struct's fields.
///
/// `sigs.k8s.io/yaml` hands a mapping over as JSON, its keys in the order of their bytes. A key means
/// the field of that name in any case, and a later key writes over what an earlier one left; a null
/// leaves a text, a flag or a struct as it is, and empties a list, a map or what a pointer is to.
/// Numbers and booleans in the place of a text are their text.
#[derive(Default)]
pub(crate) struct Fields<'a>(Vec<(&'a str, &'a Value)>);

/// Whether a key of JSON means the field of a struct: Go folds the case of all letters, and so two
/// that are no ASCII.
pub(crate) fn is_named(key: &str, field: &str) -> bool {
    let folded = |c: char| match c {
        'ſ' => 'S',
        '\u{212a}' => 'K',
        c => c.to_ascii_uppercase(),
    };
    key.chars().map(folded).eq(field.chars().map(folded))
}

impl<'a> Fields<'a> {
    /// Err: it is no mapping.
    pub fn of(value: &'a Value, otherwise: &str) -> Result<Self, String> {
        value.as_object().map(Self::of_map).ok_or_else(|| format!("{otherwise}: not a mapping"))
    }

    fn of_map(map: &'a Map<String, Value>) -> Self {
        let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
        entries.sort_by_key(|(key, _)| *key);
        Self(entries)
    }

    /// What the keys that mean the field hold, in their order.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |(key, _)| is_named(key, name)).map(|(_, value)| *value)
    }

    /// A struct, made of all mappings that mean it. Of a pointer a null forgets the earlier ones.
    pub fn fields(&self, name: &str, is_pointer: bool) -> Result<Self, String> {
        let mut entries = Vec::new();
        for value in self.all(name) {
            match value {
                Value::Null if is_pointer => entries.clear(),
                Value::Null => {}
                Value::Object(map) => entries.extend(Self::of_map(map).0),
                _ => return Err(format!("{name} must be a mapping")),
            }
        }
        Ok(Self(entries))
    }

    pub fn text(&self, name: &str, into: &mut String) -> Result<(), String> {
        for value in self.all(name).filter(|value| !value.is_null()) {
            *into = as_text(value).ok_or_else(|| format!("{name} must be a string"))?;
        }
        Ok(())
    }

    pub fn flag(&self, name: &str, into: &mut bool) -> Result<(), String> {
        for value in self.all(name).filter(|value| !value.is_null()) {
            *into = value.as_bool().ok_or_else(|| format!("{name} must be true or false"))?;
        }
        Ok(())
    }

    pub fn texts(&self, name: &str, into: &mut Vec<String>) -> Result<(), String> {
        self.each(name, into, |item| {
            as_text(item).ok_or_else(|| format!("{name} must be a list of strings"))
        })
    }

    pub fn each<T>(
        &self,
        name: &str,
        into: &mut Vec<T>,
        item: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<(), String> {
        for value in self.all(name) {
            *into = match value {
                Value::Null => Vec::new(),
                Value::Array(items) => items.iter().map(&item).collect::<Result<_, _>>()?,
                _ => return Err(format!("{name} must be a list")),
            };
        }
        Ok(())
    }

    pub fn text_map(&self, name: &str, into: &mut BTreeMap<String, String>) -> Result<(), String> {
        for value in self.all(name) {
            match value {
                Value::Null => into.clear(),
                Value::Object(map) => {
                    for (key, value) in map {
                        let text = as_text(value)
                            .ok_or_else(|| format!("{name}.{key} must be a string"))?;
                        into.insert(key.clone(), text);
                    }
                }
                _ => return Err(format!("{name} must be a mapping")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value, name: &str) -> Result<String, String> {
        let mut text = String::new();
        Fields::of(value, "it").and_then(|fields| fields.text(name, &mut text))?;
        Ok(text)
    }

    #[test]
    fn names_in_any_case_and_the_last_one_counts() {
        let both = json!({"apiversion": "c", "apiVersion": "b", "APIVERSION": "a"});
        assert_eq!(text(&both, "apiVersion"), Ok("c".to_owned()));
        assert_eq!(text(&json!({"kind": "b", "Kind": "a"}), "kind"), Ok("b".to_owned()));
        assert_eq!(text(&json!({"Kind": "a", "kind": null}), "kind"), Ok("a".to_owned()));
        assert_eq!(text(&json!({"\u{212a}ind": 1.5}), "kind"), Ok("1.5".to_owned()));
        assert_eq!(text(&json!({"kin": "a"}), "kind"), Ok(String::new()));
        assert!(text(&json!({"Kind": [], "kind": "a"}), "kind").is_err());
    }

    #[test]
    fn structs_are_merged_and_pointers_forget() {
        let value = json!({"METADATA": {"name": "a"}, "Metadata": null, "metadata": {"Tags": 1}});
        let fields = Fields::of(&value, "it").expect("a mapping");
        for (is_pointer, name) in [(false, "a"), (true, "")] {
            let below = fields.fields("metadata", is_pointer).expect("mappings");
            let (mut text, mut tags) = (String::new(), String::new());
            below.text("name", &mut text).expect("a text");
            below.text("tags", &mut tags).expect("a text");
            assert_eq!((text.as_str(), tags.as_str()), (name, "1"));
        }
        let value = json!({"TAGS": {"a": 1}, "Tags": {"b": true}});
        let mut map = BTreeMap::new();
        Fields::of(&value, "it").expect("a mapping").text_map("tags", &mut map).expect("texts");
        assert_eq!(map, [("a", "1"), ("b", "true")].map(|(k, v)| (k.into(), v.into())).into());
    }
}
