//! The functions of a template, one family per module, each with one table.
//!
//! Families: Go's own, then Sprig's (without env and expandenv), then Helm's.

mod aes;
mod alone;
mod builtin;
mod case;
mod cast;
mod certificates;
mod compare;
mod crypto;
mod data;
mod dates;
mod defaults;
mod derive_password;
mod dicts;
pub(crate) mod duration;
pub(crate) mod encoding;
mod equal;
mod include;
mod lists;
mod math;
mod paths;
mod regexes;
pub(crate) mod semver;
mod strings;
mod toml;
pub(crate) mod urls;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) use alone::call_by_name;
pub(crate) use regexes::Pattern;
pub(crate) use urls::is_url;

use crate::template::Run;
use crate::template::{Cause, ListType, MapType, TemplateSet, Value};

/// What a function's body may use besides its arguments.
pub(crate) struct Call<'a> {
    pub set: &'a TemplateSet,
    pub run: &'a Run<'a>,
}

pub(crate) type Returned = Result<Value, Cause>;

/// A function: what the evaluator needs to check and make a call.
pub(crate) struct Function {
    pub name: &'static str,
    /// The fixed parameters.
    pub params: &'static [Kind],
    /// The type of further arguments of a variadic function.
    pub rest: Option<Kind>,
    /// Gets as many arguments as `params` has, and more if `rest`; each accepted by its kind, or Nil if it can be.
    pub body: fn(&Call<'_>, &[Value]) -> Returned,
}

impl Function {
    pub const fn new(
        name: &'static str,
        params: &'static [Kind],
        body: fn(&Call<'_>, &[Value]) -> Returned,
    ) -> Self {
        Function { name, params, rest: None, body }
    }

    pub const fn variadic(
        name: &'static str,
        params: &'static [Kind],
        rest: Kind,
        body: fn(&Call<'_>, &[Value]) -> Returned,
    ) -> Self {
        Function { name, params, rest: Some(rest), body }
    }

    /// The kind of the argument at this index.
    pub fn kind_of(&self, index: usize) -> Kind {
        self.params.get(index).copied().or(self.rest).unwrap_or(Kind::Any)
    }
}

/// The static type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// interface {}
    Any,
    /// reflect.Value: the functions of text/template itself
    Reflect,
    Bool,
    Int,
    Float,
    String,
    /// map[string]interface {}
    Map,
    /// time.Duration; Go takes a literal for it, too
    Duration,
    /// time.Time
    Time,
    /// []interface {}
    List,
    /// uint32: only a constant can be one
    Uint32,
    /// An object of this type.
    Object(&'static str),
}

impl Kind {
    pub fn type_name(self) -> &'static str {
        match self {
            Kind::Any => "interface {}",
            Kind::Reflect => "reflect.Value",
            Kind::Bool => "bool",
            Kind::Int => "int",
            Kind::Float => "float64",
            Kind::String => "string",
            Kind::Map => "map[string]interface {}",
            Kind::Duration => "time.Duration",
            Kind::Time => "time.Time",
            Kind::List => "[]interface {}",
            Kind::Uint32 => "uint32",
            Kind::Object(name) => name,
        }
    }

    pub fn can_be_nil(self) -> bool {
        match self {
            Kind::Any | Kind::Reflect | Kind::Map | Kind::List => true,
            Kind::Object(name) => name.starts_with('*'),
            _ => false,
        }
    }

    /// Go's AssignableTo.
    pub fn accepts(self, value: &Value) -> bool {
        match self {
            Kind::Any | Kind::Reflect => true,
            Kind::Bool => matches!(value, Value::Bool(_)),
            Kind::Int => matches!(value, Value::Int(_)),
            Kind::Float => matches!(value, Value::Float(_)),
            Kind::String => matches!(value, Value::String(_)),
            Kind::Time => {
                matches!(value, Value::Object(object) if object.type_name() == "time.Time")
            }
            Kind::Duration => matches!(value, Value::Duration(_)),
            Kind::List => matches!(value, Value::List(list) if list.kind() == ListType::Any),
            Kind::Uint32 => false,
            Kind::Object(name) => {
                matches!(value, Value::Object(object) if object.type_name() == name)
            }
            Kind::Map => matches!(value, Value::Map(map) if map.kind() != MapType::String),
        }
    }
}

/// All tables.
const FAMILIES: &[&[Function]] = &[
    builtin::TABLE,
    compare::TABLE,
    strings::TABLE,
    case::TABLE,
    lists::TABLE,
    dicts::TABLE,
    math::TABLE,
    defaults::TABLE,
    encoding::TABLE,
    crypto::TABLE,
    aes::TABLE,
    certificates::TABLE,
    derive_password::TABLE,
    dates::TABLE,
    regexes::TABLE,
    semver::TABLE,
    urls::TABLE,
    paths::TABLE,
    data::TABLE,
    duration::TABLE,
    toml::TABLE,
    include::TABLE,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| FAMILIES.iter().flat_map(|table| table.iter()).map(|f| (f.name, f)).collect());

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// The names of all functions, in no order.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

/// The bytes of an argument of kind String.
fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::String(s) | Value::Bytes(s) => s,
        _ => b"",
    }
}

/// The text of an argument of kind String.
fn text(value: &Value) -> Cow<'_, str> {
    crate::template::lossy(bytes(value))
}

/// The number of an argument of kind Int.
fn int(value: &Value) -> i64 {
    match value {
        Value::Int(i) => *i,
        _ => 0,
    }
}
