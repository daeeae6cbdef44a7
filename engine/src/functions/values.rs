//! The methods of `.Values`, which Go's type common.Values has beside its keys: `.Values.AsMap`.
//! The first argument is the receiver; the arity does not count it.

use super::{Call, Function, Kind, Returned, text};
use crate::template::{Cause, Map, MapType, Value};

const METHODS: &[Function] = &[
    Function::new("AsMap", &[], |_, a| Ok(Value::Map(receiver(a).with_kind(MapType::Any)))),
    Function::new("Table", &[Kind::String], table),
    Function::new("YAML", &[], yaml),
];

/// The method of this name.
pub(crate) fn method(name: &str) -> Option<&'static Function> {
    METHODS.iter().find(|method| method.name == name)
}

fn receiver(args: &[Value]) -> Map {
    match args.first() {
        Some(Value::Map(map)) => map.clone(),
        _ => Map::new(MapType::Values, Default::default()),
    }
}

/// Goes down a path of keys with dots between, each of which must hold a map.
fn table(_: &Call<'_>, args: &[Value]) -> Returned {
    let mut table = receiver(args);
    for key in text(&args[1]).split('.') {
        table = match table.get(key.as_bytes()) {
            Some(Value::Map(map)) if map.kind() != MapType::String => map,
            _ => return Err(Cause::Function(format!("{key:?} is not a table"))),
        };
    }
    Ok(Value::Map(table.with_kind(MapType::Values)))
}

fn yaml(call: &Call<'_>, args: &[Value]) -> Returned {
    let limit = call.run.environment.budget.output;
    let json = crate::template::to_json(&Value::Map(receiver(args)), call.run)?;
    Ok(crate::yaml::to_string_within(&json, limit).into())
}
