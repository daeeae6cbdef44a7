//! The functions of Go templates for Jinja: as functions with their own order of arguments, and as
//! filters, where what is piped in comes last, as in Go's pipelines.

use minijinja::value::Rest;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::value;
use crate::functions;
use crate::template;

/// What Jinja has under the same name keeps Jinja's meaning.
const JINJAS_FILTERS: [&str; 23] = [
    "abs", "default", "first", "float", "float64", "indent", "int", "join", "last", "list",
    "lower", "max", "min", "replace", "reverse", "round", "slice", "sort", "split", "title",
    "trim", "uniq", "upper",
];
const JINJAS_FUNCTIONS: [&str; 2] = ["dict", "range"];

/// Go's operators and flow, for which Jinja has a syntax, and what would need Go's templates.
const ABSENT: [&str; 19] = [
    "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "index", "len", "call", "html", "js",
    "print", "println", "include", "tpl", "lookup",
];

pub(super) fn add(environment: &mut Environment<'static>) {
    for name in functions::names().filter(|name| !ABSENT.contains(name)) {
        if !JINJAS_FUNCTIONS.contains(&name) {
            environment.add_function(name, move |arguments: Rest<Value>| call(name, &arguments));
        }
        if !JINJAS_FILTERS.contains(&name) {
            environment.add_filter(name, move |piped: Value, others: Rest<Value>| {
                let mut arguments = others.0;
                arguments.push(piped);
                call(name, &arguments)
            });
        }
    }
}

fn call(name: &'static str, arguments: &[Value]) -> Result<Value, Error> {
    let arguments: Vec<template::Value> =
        arguments.iter().map(value::to_template).collect::<Result<_, _>>()?;
    let returned = functions::call_by_name(name, &arguments)
        .map_err(|why| Error::new(ErrorKind::InvalidOperation, format!("{name}: {why}")))?;
    Ok(value::of_template(&returned))
}
