//! How much work it is to hold values against a schema, before it is done: references let a schema of a
//! few lines take years. What goes round without an end is found on the way.

use std::collections::{HashMap, HashSet};
use std::ptr;

use serde_json::{Map, Value};

/// How often a part of a schema may meet a part of the values.
const MAX_VISITS: u64 = 1_000_000;

/// Schemas within schemas and references to them, on the way to one value.
const MAX_DEPTH: usize = 2_000;

/// Err: `schema` goes round in a circle at some value, which Helm refuses as well ("causing reference
/// cycle"), or the work is beyond [`MAX_VISITS`]. `documents`: what it may refer to, by `$id`.
pub(super) fn check(
    schema: &Value,
    documents: &HashMap<String, Value>,
    values: &Value,
) -> Result<(), String> {
    let mut places = Places::default();
    documents.iter().for_each(|(id, document)| places.add(document, id));
    places.add(schema, "");
    let mut walk = Walk { places, known: HashMap::new(), open: HashSet::new() };
    walk.visits(&Visit { schema, base: "", value: values, must: true, depth: 0 }).map(|_| ())
}

/// Where references lead.
#[derive(Default)]
struct Places<'a>(HashMap<String, &'a Value>);

impl<'a> Places<'a> {
    fn add(&mut self, schema: &'a Value, base: &str) {
        self.0.entry(base.to_owned()).or_insert(schema);
        self.add_below(schema, base);
    }

    fn add_below(&mut self, schema: &'a Value, base: &str) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| self.add_below(item, base)),
            Value::Object(map) => {
                let own = id(map).map(|id| joined(base, id));
                let base = own.as_deref().map_or(base, |own| own.trim_end_matches('#'));
                if own.is_some() {
                    self.0.insert(base.to_owned(), schema);
                }
                // Up to draft 7 an anchor was an `$id` that begins with `#`.
                for keyword in ["$anchor", "$dynamicAnchor", "$id", "id"] {
                    let name = map.get(keyword).and_then(Value::as_str);
                    let name = match keyword {
                        "$id" | "id" => name.and_then(|name| name.strip_prefix('#')),
                        _ => name,
                    };
                    if let Some(name) = name.filter(|name| !name.is_empty()) {
                        self.0.insert(format!("{base}#{name}"), schema);
                    }
                }
                map.values().for_each(|below| self.add_below(below, base));
            }
            _ => {}
        }
    }

    /// The schema that a reference names, and the base of those in it.
    fn find(&self, base: &str, reference: &str) -> Option<(&'a Value, String)> {
        let target = joined(base, reference);
        let (document, fragment) = target.split_once('#').unwrap_or((&target, ""));
        let found = if fragment.is_empty() {
            self.0.get(document).copied()
        } else if fragment.starts_with('/') {
            let pointer = percent_decoded(fragment);
            self.0.get(document).and_then(|document| document.pointer(&pointer))
        } else {
            self.0.get(&target).copied()
        };
        found.map(|schema| (schema, document.to_owned()))
    }
}

/// `$id`, or `id` in draft 4, where it is the base of the references below.
fn id(map: &Map<String, Value>) -> Option<&str> {
    let id = map.get("$id").or_else(|| map.get("id"))?.as_str()?;
    (!id.starts_with('#')).then_some(id)
}

fn joined(base: &str, reference: &str) -> String {
    if reference.starts_with('#') {
        return format!("{base}{reference}");
    }
    if reference.contains("://") || reference.starts_with("urn:") {
        return reference.to_owned();
    }
    match base.rfind('/') {
        Some(end) => format!("{}{reference}", &base[..=end]),
        None => reference.to_owned(),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A schema that meets a value.
struct Visit<'a, 'b> {
    schema: &'a Value,
    base: &'b str,
    value: &'a Value,
    /// The values are refused if this schema refuses this value.
    must: bool,
    depth: usize,
}

impl<'a> Visit<'a, '_> {
    fn key(&self) -> (usize, usize, bool) {
        (ptr::from_ref(self.schema).addr(), ptr::from_ref(self.value).addr(), self.must)
    }
}

struct Walk<'a> {
    places: Places<'a>,
    known: HashMap<(usize, usize, bool), u64>,
    open: HashSet<(usize, usize, bool)>,
}

impl<'a> Walk<'a> {
    fn visits(&mut self, visit: &Visit<'a, '_>) -> Result<u64, String> {
        let Value::Object(map) = visit.schema else { return Ok(1) };
        let key = visit.key();
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        if !self.open.insert(key) {
            return match visit.must {
                true => Err("the schema refers to itself, causing reference cycle".to_owned()),
                false => Ok(1),
            };
        }
        if visit.depth > MAX_DEPTH {
            return Err(format!("the schema nests deeper than {MAX_DEPTH} levels"));
        }
        let mut sum = 1;
        let own = id(map).map(|id| joined(visit.base, id));
        let base = own.as_deref().map_or(visit.base, |own| own.trim_end_matches('#'));
        for (name, keyword) in map {
            sum += self.keyword(name, keyword, map, &Visit { base, ..*visit })?;
            if sum > MAX_VISITS {
                return Err(too_much());
            }
        }
        self.open.remove(&key);
        self.known.insert(key, sum);
        Ok(sum)
    }

    fn keyword(
        &mut self,
        name: &str,
        keyword: &'a Value,
        all: &'a Map<String, Value>,
        at: &Visit<'a, '_>,
    ) -> Result<u64, String> {
        match name {
            "$ref" | "$dynamicRef" | "$recursiveRef" => {
                let found = keyword.as_str().and_then(|to| self.places.find(at.base, to));
                let Some((schema, base)) = found else { return Ok(1) };
                self.visits(&Visit { schema, base: &base, depth: at.depth + 1, ..*at })
            }
            "allOf" => self.each(items(keyword), at, at.must),
            "anyOf" | "oneOf" => self.each(items(keyword), at, false),
            "not" | "if" | "then" | "else" => self.each([keyword], at, false),
            "dependentSchemas" | "dependencies" => self.each(members(keyword), at, false),
            _ => self.below(name, keyword, all, at),
        }
    }

    /// Keywords that look into the value.
    fn below(
        &mut self,
        name: &str,
        keyword: &'a Value,
        all: &'a Map<String, Value>,
        at: &Visit<'a, '_>,
    ) -> Result<u64, String> {
        let mut sum = 0;
        let mut meet = |schema: &'a Value, value: &'a Value, must: bool| -> Result<(), String> {
            let (must, depth) = (at.must && must, at.depth + 1);
            self.add(&mut sum, &Visit { schema, value, must, depth, ..*at })
        };
        match (name, at.value) {
            ("properties", Value::Object(value)) => {
                for (name, schema) in keyword.as_object().into_iter().flatten() {
                    value.get(name).map_or(Ok(()), |below| meet(schema, below, true))?;
                }
            }
            ("patternProperties", Value::Object(value)) => {
                for schema in members(keyword) {
                    value.values().try_for_each(|below| meet(schema, below, false))?;
                }
            }
            ("additionalProperties" | "unevaluatedProperties", Value::Object(value)) => {
                let named = all.get("properties").and_then(Value::as_object);
                for (name, below) in value {
                    if !named.is_some_and(|named| named.contains_key(name)) {
                        meet(keyword, below, !all.contains_key("patternProperties"))?;
                    }
                }
            }
            ("items" | "prefixItems", Value::Array(value)) if keyword.is_array() => {
                for (schema, below) in items(keyword).zip(value) {
                    meet(schema, below, true)?;
                }
            }
            (
                "items" | "additionalItems" | "unevaluatedItems" | "contains",
                Value::Array(value),
            ) => {
                value.iter().try_for_each(|below| meet(keyword, below, name == "items"))?;
            }
            _ => {}
        }
        Ok(sum)
    }

    /// Schemas for the same value.
    fn each(
        &mut self,
        schemas: impl IntoIterator<Item = &'a Value>,
        at: &Visit<'a, '_>,
        must: bool,
    ) -> Result<u64, String> {
        let mut sum = 0;
        for schema in schemas {
            self.add(&mut sum, &Visit { schema, must, depth: at.depth + 1, ..*at })?;
        }
        Ok(sum)
    }

    fn add(&mut self, sum: &mut u64, visit: &Visit<'a, '_>) -> Result<(), String> {
        *sum += self.visits(visit)?;
        if *sum > MAX_VISITS { Err(too_much()) } else { Ok(()) }
    }
}

fn too_much() -> String {
    format!(
        "the schema takes more than {MAX_VISITS} steps for these values: its references multiply"
    )
}

fn items(keyword: &Value) -> impl Iterator<Item = &Value> {
    keyword.as_array().into_iter().flatten()
}

fn members(keyword: &Value) -> impl Iterator<Item = &Value> {
    keyword.as_object().into_iter().flatten().map(|(_, schema)| schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(schema: &Value, values: &Value) -> Result<(), String> {
        check(schema, &HashMap::new(), values)
    }

    /// Each level has twice the one below.
    fn doubling(levels: usize) -> Value {
        let mut definitions = json!({"d0": {"type": "string"}});
        for level in 1..=levels {
            let below = json!({"$ref": format!("#/definitions/d{}", level - 1)});
            definitions[format!("d{level}")] = json!({"allOf": [below, below]});
        }
        let top = json!({"$ref": format!("#/definitions/d{levels}")});
        json!({"definitions": definitions, "properties": {"x": top}})
    }

    #[test]
    fn references_that_multiply_are_refused_before_they_are_followed() {
        let values = json!({"x": "a"});
        assert_eq!(checked(&doubling(17), &values), Ok(()));
        let error = checked(&doubling(60), &values).expect_err("years");
        assert!(error.contains("more than 1000000 steps"), "{error}");
        assert_eq!(checked(&doubling(60), &json!({"y": 1})), Ok(()));
        // Names that are anchors hide nothing.
        let mut named = doubling(60);
        for (name, schema) in named["definitions"].as_object_mut().into_iter().flatten() {
            schema["$id"] = json!(format!("#{name}"));
        }
        assert!(checked(&named, &values).is_err());
    }

    #[test]
    fn circles_are_refused_where_a_value_would_go_round_in_them() {
        let loops = json!({"properties": {"a": {"$ref": "#/properties/a"}}});
        assert!(checked(&loops, &json!({"a": 1})).expect_err("a circle").contains("cycle"));
        assert_eq!(checked(&loops, &json!({"b": 1})), Ok(()));
        for round in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"$defs": {"a": {"$ref": "#b"}, "b": {"$anchor": "b", "$ref": "#/$defs/a"}}, "$ref": "#b"}),
            json!({"$id": "https://x.test/s.json", "$ref": "s.json"}),
        ] {
            assert!(checked(&round, &json!({})).is_err(), "{round}");
        }
        // A tree is no circle, and what need not hold may be one.
        for fine in [
            json!({"properties": {"child": {"$ref": "#"}}, "additionalProperties": {"$ref": "#"}}),
            json!({"anyOf": [{"type": "object"}, {"$ref": "#"}]}),
            json!({"items": {"$ref": "#"}}),
        ] {
            let values = json!({"child": {"child": {"x": [[], {}]}}});
            assert_eq!(checked(&fine, &values), Ok(()), "{fine}");
        }
    }
}
