//! Values that are more than data: `.Files`, `.Capabilities.APIVersions`, versions, points in time.

use std::any::Any;

use super::Value;
use crate::functions::Kind;

/// How a method is called.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    pub parameters: &'static [Kind],
    /// It is a method of the pointer: only a value that has an address has it.
    pub of_pointer: bool,
}

impl Method {
    pub const fn new(parameters: &'static [Kind]) -> Self {
        Method { parameters, of_pointer: false }
    }

    pub const fn of_pointer(parameters: &'static [Kind]) -> Self {
        Method { parameters, of_pointer: true }
    }
}

/// What Go would hold as a struct or a named type with methods.
pub trait Object: Any {
    /// Go's name of the type, as `%T` prints it: `*semver.Version`.
    fn type_name(&self) -> &str;

    /// Go's reflect kind: `struct`, `map`, `slice`, `ptr` …
    fn kind(&self) -> &'static str {
        "struct"
    }

    /// A struct's field that is exported, or the element of a map: for a key that is not there, what
    /// Go calls the zero value. None: there is no such field.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    /// All fields of a struct, or of the struct that a pointer points to, in their order.
    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// The method of this name. None: there is no such method.
    fn method(&self, _name: &str) -> Option<Method> {
        None
    }

    /// Calls a method that [`Object::method`] knows, with arguments that its parameters accept. Err: the
    /// method's own error.
    fn call(&self, _name: &str, _arguments: &[Value]) -> Option<Result<Value, String>> {
        None
    }

    /// A nil pointer.
    fn is_nil(&self) -> bool {
        false
    }

    /// What the type's String method gives, if it has one.
    fn text(&self) -> Option<String> {
        None
    }

    /// The same for a String method of the pointer.
    fn text_of_pointer(&self) -> Option<String> {
        None
    }

    /// What the type's GoString method gives (`%#v`), if it has one.
    fn go_text(&self) -> Option<String> {
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

    /// The fields of a struct that JSON has, by their names there and in their order. Without them
    /// [`Object::json`] counts, its keys sorted.
    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// What `toJson` and `toYaml` write.
    fn json(&self) -> serde_json::Value {
        serde_json::Value::Object(serde_json::Map::new())
    }

    /// For functions that need the concrete type: `self`.
    fn as_any(&self) -> &dyn Any;
}

/// A pointer that points to nothing, of this type.
pub(crate) struct NilPointer(pub &'static str);

impl Object for NilPointer {
    fn type_name(&self) -> &str {
        self.0
    }

    fn kind(&self) -> &'static str {
        "ptr"
    }

    fn is_nil(&self) -> bool {
        true
    }

    fn is_true(&self) -> bool {
        false
    }

    fn json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
