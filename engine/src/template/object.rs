//! Values that are more than data: `.Files`, `.Capabilities.APIVersions`, versions, points in time.

use std::any::Any;

use super::Value;

/// What Go would hold as a struct or a named type with methods.
pub trait Object: Any {
    /// Go's name of the type, as `%T` prints it: `*semver.Version`.
    fn type_name(&self) -> &str;

    /// Go's reflect kind: `struct`, `map`, `slice`, `ptr` …
    fn kind(&self) -> &'static str {
        "struct"
    }

    /// A struct's field. None: there is no such field.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    /// Calls a method. None: there is no such method. Err: the method's own error.
    fn call(&self, _name: &str, _arguments: &[Value]) -> Option<Result<Value, String>> {
        None
    }

    /// What `%v` prints if the type has a String method or is otherwise printable.
    fn text(&self) -> Option<String> {
        None
    }

    /// Keys and elements, in the order of `range`, of a map or slice.
    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        None
    }

    /// `if`, `with`, `and`, `default` … A struct is always true; a map or slice if it has entries.
    fn is_true(&self) -> bool {
        self.entries().is_none_or(|entries| !entries.is_empty())
    }

    /// What `toJson` and `toYaml` write.
    fn json(&self) -> serde_json::Value {
        serde_json::Value::Object(serde_json::Map::new())
    }

    /// For functions that need the concrete type: `self`.
    fn as_any(&self) -> &dyn Any;
}
