//! Go's text/template as Helm uses it: text to an AST (parsed once, shared), AST and values to text.
//!
//! Reading order: [`lexer`] cuts text into items, [`parser`] builds the [`ast`], [`TemplateSet`] holds named
//! trees, [`eval`] walks one with a [`Value`] as dot, calling [`crate::functions`]; [`printf`] formats.

pub(crate) mod ast;
pub(crate) mod complex;
mod environment;
mod error;
pub(crate) mod eval;
mod from_json;
mod lexer;
mod lossy;
pub(crate) mod number;
mod object;
mod parsed;
mod parser;
pub(crate) mod printf;
pub(crate) mod quote;
mod set;
pub(crate) mod shortest;
mod str;
mod to_json;
mod value;
pub(crate) mod values_methods;
pub(crate) mod weight;

pub use crate::functions::names as function_names;
pub(crate) use environment::Run;
pub use environment::{Budget, Environment, World, on_large_stack};
pub use error::{Cause, ExecError, ParseError, Place, TemplateError};
pub use from_json::{from_json, from_json_with_integers};
pub(crate) use lossy::{Lossy, lossy};
pub(crate) use object::NilPointer;
pub use object::{Method, Object};
pub(crate) use parsed::ParsedFiles;
pub use set::TemplateSet;
pub(crate) use set::erase_no_value;
pub use str::Str;
pub(crate) use to_json::{to_json, to_json_text};
pub use value::{List, ListType, Map, MapType, Value};

/// `fmt.Sprintf("%v", value)`, outside of any run.
pub(crate) fn go_text(value: &Value) -> String {
    let environment = Environment::system();
    let text = printf::text_of(value, &Run::new(&environment));
    String::from_utf8_lossy(&text).into_owned()
}
