//! `pattern`: a regular expression in the syntax of RE2, as Helm's validator reads it.
//!
//! The validator's own `pattern` is of JavaScript's syntax. So ours goes by another name, which the
//! meta-schemas do not know.

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value};

use crate::functions::Pattern;

/// What `pattern` is called after [`take_over`].
pub(super) const KEYWORD: &str = "re2-pattern";

/// What holds data, not schemas.
const DATA: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// Renames each `pattern`. Err: one of them, or of the names in `patternProperties`, is not of RE2.
pub(super) fn take_over(schema: &mut Value) -> Result<(), String> {
    match schema {
        Value::Array(items) => items.iter_mut().try_for_each(take_over),
        Value::Object(map) => {
            if let Some(Value::String(pattern)) = map.get("pattern") {
                check(pattern)?;
                let pattern = map.remove("pattern").unwrap_or_default();
                map.insert(KEYWORD.to_owned(), pattern);
            }
            if let Some(Value::Object(properties)) = map.get("patternProperties") {
                properties.keys().try_for_each(|pattern| check(pattern))?;
            }
            map.iter_mut()
                .filter(|(name, _)| !DATA.contains(&name.as_str()))
                .try_for_each(|(_, below)| take_over(below))
        }
        _ => Ok(()),
    }
}

fn check(pattern: &str) -> Result<(), String> {
    match Pattern::new(pattern.as_bytes()) {
        Ok(_) => Ok(()),
        Err(why) => Err(format!("'{pattern}' is not valid regex: {why}")),
    }
}

/// The keyword under its new name.
pub(super) fn keyword<'a>(
    _: &'a Map<String, Value>,
    value: &'a Value,
    _: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let source = value.as_str().unwrap_or_default().to_owned();
    let pattern = Pattern::new(source.as_bytes()).map_err(ValidationError::custom)?;
    Ok(Box::new(Re2 { source, pattern }))
}

struct Re2 {
    source: String,
    pattern: Pattern,
}

impl<'i> Keyword<'i> for Re2 {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            return Ok(());
        }
        Err(ValidationError::custom(format!("value does not match pattern '{}'", self.source)))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        instance.as_str().is_none_or(|text| self.pattern.is_match(text))
    }
}
