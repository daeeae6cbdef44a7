//! The functions of Go templates for Jinja: as functions with their own order of arguments, and as
//! filters, where what is piped in comes last, as in Go's pipelines. And Jinja's own, counted.

use std::sync::Arc;

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::allowance::{Allowance, ENTRY};
use super::draw::Draw;
use super::held::Held;
use super::namespace::Namespaces;
use super::operators::made_by;
use super::value;
use crate::functions;
use crate::template;
use crate::template::Run;

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

pub(super) fn add(
    environment: &mut Environment<'static>,
    allowance: &Arc<Allowance>,
    draw: &Arc<Draw>,
) {
    for name in functions::names().filter(|name| !ABSENT.contains(name)) {
        if !JINJAS_FUNCTIONS.contains(&name) {
            let (allowance, draw) = (allowance.clone(), draw.clone());
            environment.add_function(name, move |arguments: Rest<Value>| {
                call(&allowance, &draw, name, &arguments)
            });
        }
        if !JINJAS_FILTERS.contains(&name) {
            let (allowance, draw) = (allowance.clone(), draw.clone());
            environment.add_filter(name, move |piped: Value, others: Rest<Value>| {
                let mut arguments = others.0;
                arguments.push(piped);
                call(&allowance, &draw, name, &arguments)
            });
        }
    }
    // It prints whatever there is, and values that hold themselves.
    environment.remove_global("debug");
    let counted = allowance.clone();
    let range = Value::from_function(minijinja::functions::range);
    environment.add_function(
        "range",
        move |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
            counted.spend(1)?;
            let given = given.into_values();
            // Backwards, MiniJinja's own subtracts them.
            let is_backwards = given.get(2).and_then(Value::as_i64).is_some_and(|step| step < 0);
            if is_backwards
                && given
                    .iter()
                    .filter_map(Value::as_i64)
                    .any(|n| n.unsigned_abs() > i64::MAX as u64 / 4)
            {
                let why = "range takes numbers up to two to the power of 61 backwards";
                return Err(Error::new(ErrorKind::InvalidOperation, why));
            }
            let numbers = range.call(state, &given)?;
            let mut first = numbers.try_iter()?.filter_map(|number| number.as_i64());
            let start = first.next().unwrap_or(0);
            let step = first.next().unwrap_or(start).wrapping_sub(start);
            let len = numbers.len().unwrap_or(0);
            Ok::<_, Error>(Value::from_object(Held::Range(start, step, len)))
        },
    );
    let counted = allowance.clone();
    let dict = Value::from_function(minijinja::functions::dict);
    environment.add_function(
        "dict",
        move |state: &mut State<'_, '_>, given: Rest<ValueOrKwargs>| {
            let given = given.into_values();
            let entries: usize = given.iter().filter_map(Value::len).sum();
            counted.check(entries.saturating_mul(ENTRY))?;
            made_by(&counted, dict.call(state, &given)?)
        },
    );
    let counted = allowance.clone();
    // They are emptied when the environment ends, and this function with it.
    let namespaces = Namespaces::default();
    environment.add_function("namespace", move |given: Rest<ValueOrKwargs>| {
        namespaces.make(&counted, given)
    });
}

fn call(
    allowance: &Allowance,
    draw: &Draw,
    name: &'static str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let weight = allowance.weigh(arguments)?;
    allowance.check(weight.converted())?;
    let arguments: Vec<template::Value> =
        arguments.iter().map(value::to_template).collect::<Result<_, _>>()?;
    let environment = template::Environment {
        now: draw.now,
        random: &|buffer| draw.random(buffer),
        budget: allowance.left(),
        ..template::Environment::system()
    };
    let run = Run::new(&environment);
    let returned = functions::call_by_name(name, &arguments, &run);
    let (steps, bytes) = run.spent();
    allowance.spend(steps)?;
    allowance.hold(bytes)?;
    let returned = returned
        .map_err(|why| Error::new(ErrorKind::InvalidOperation, format!("{name}: {why}")))?;
    let returned = value::of_template(&returned);
    let weight = allowance.weigh([&returned])?;
    allowance.hold(usize::try_from(weight.nodes).unwrap_or(usize::MAX).saturating_mul(ENTRY))?;
    Ok(returned)
}
