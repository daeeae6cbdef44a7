//! Helm's functions that run templates or stop them: include, tpl, required, fail, lookup.

use super::{Call, Function, Kind, Returned, bytes, text};
use crate::template::quote::quote;
use crate::template::{Cause, Str, TemplateError, Value, erase_no_value};

pub(super) const TABLE: &[Function] = &[
    Function::new("include", &[Kind::String, Kind::Any], include),
    Function::new("tpl", &[Kind::String, Kind::Any], tpl),
    Function::new("required", &[Kind::String, Kind::Any], required),
    Function::new("fail", &[Kind::String], |call, a| stop(call, &a[0])),
    Function::new("lookup", &[Kind::String, Kind::String, Kind::String, Kind::String], lookup),
];

/// Helm's bound on nested includes of one name.
const MAX_INCLUDES: u32 = 1000;

/// The name that `tpl` gives to its text in errors.
const ANONYMOUS: &str = "gotpl";

fn include(call: &Call<'_>, args: &[Value]) -> Returned {
    let Value::String(key) = &args[0] else { return Err("the name is not a string".into()) };
    let name = key.text();
    {
        let mut includes = call.run.includes.borrow_mut();
        let count = includes.entry(key.clone()).or_insert(0);
        if *count > MAX_INCLUDES {
            return Err(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )
            .into());
        }
        *count += 1;
    }
    let result = call.set.run(&name, args[1].clone(), call.run);
    if let Some(count) = call.run.includes.borrow_mut().get_mut(key) {
        *count -= 1;
    }
    Ok(Value::string(result.map_err(Cause::Template)?))
}

fn tpl(call: &Call<'_>, args: &[Value]) -> Returned {
    let source = bytes(&args[0]);
    call.run.spend(source.len() as u64 / 8)?;
    let wrap = |words: &str, error: TemplateError| {
        let quoted = quote(bytes(&args[0]));
        Cause::Wrapped(format!("{words} {quoted}"), error)
    };
    let mut set = call.set.clone();
    let parsed = call.run.texts.borrow_mut().get(ANONYMOUS, source);
    let parsed = parsed.map_err(|error| wrap("cannot parse template", error.into()))?;
    set.add(&parsed);
    // A blank text inside of another `tpl` leaves that one's template in place, and still runs itself.
    let own = parsed.iter().rev().find(|template| template.name == ANONYMOUS);
    let Some(own) = own else { return Ok(Value::string("")) };
    let out = set
        .run_template(own, args[1].clone(), call.run)
        .map_err(|e| wrap("error during tpl function execution for", e))?;
    Ok(Value::string(erase_no_value(out)))
}

/// The author's words; nothing at all while the chart is linted.
fn stop(call: &Call<'_>, words: &Value) -> Returned {
    match call.run.environment.is_lint {
        true => Ok("".into()),
        false => Err(Cause::Author(text(words).into_owned())),
    }
}

fn required(call: &Call<'_>, args: &[Value]) -> Returned {
    match &args[1] {
        Value::Nil => stop(call, &args[0]),
        Value::String(s) if s.is_empty() => stop(call, &args[0]),
        value => Ok(value.clone()),
    }
}

fn lookup(call: &Call<'_>, args: &[Value]) -> Returned {
    let nothing = || Ok(Value::map::<Str>([]));
    let Some(source) = call.run.environment.lookup else { return nothing() };
    let found =
        source.lookup(&text(&args[0]), &text(&args[1]), &text(&args[2]), &text(&args[3]))?;
    match found {
        serde_json::Value::Null => nothing(),
        // What a Kubernetes client decodes keeps whole numbers whole.
        found => Ok(crate::template::from_json_with_integers(&found)),
    }
}
