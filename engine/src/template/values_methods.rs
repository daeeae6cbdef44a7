//! The methods of common.Values, which `.Values` and `.Template` are. They hide keys of the same name.

use super::{Map, MapType, Method, Run, Str, Value, to_json};
use crate::functions::Kind;
use crate::yaml;

pub(crate) fn method(name: &str) -> Option<Method> {
    Some(Method::new(match name {
        "AsMap" | "YAML" => &[],
        "PathValue" | "Table" => &[Kind::String],
        // A template has no io.Writer to give.
        "Encode" => &[Kind::Object("io.Writer")],
        _ => return None,
    }))
}

pub(crate) fn call(
    map: &Map,
    name: &str,
    arguments: &[Value],
    run: &Run<'_>,
) -> Option<Result<Value, String>> {
    let argument = match arguments {
        [Value::String(text)] => text.text().into_owned(),
        _ => String::new(),
    };
    Some(match name {
        "AsMap" => Ok(Value::Map(map.with_kind(MapType::Any))),
        "YAML" => {
            to_json(&Value::Map(map.clone()), run).map(|json| Value::string(yaml::to_string(&json)))
        }
        "Table" => table(map, &argument.split('.').collect::<Vec<_>>()).map(Value::Map),
        "PathValue" if argument.is_empty() => Err("YAML path cannot be empty".to_owned()),
        "PathValue" => path_value(map, &argument),
        _ => return None,
    })
}

fn table(map: &Map, path: &[&str]) -> Result<Map, String> {
    let mut table = map.clone();
    for name in path {
        table = match table.get(name.as_bytes()) {
            Some(Value::Map(inner)) if inner.kind() != MapType::String => {
                inner.with_kind(MapType::Values)
            }
            _ => return Err(format!("{name:?} is not a table")),
        };
    }
    Ok(table)
}

/// What is at a path, unless it is a table.
fn path_value(map: &Map, path: &str) -> Result<Value, String> {
    let path: Vec<&str> = path.split('.').collect();
    let (name, above) = path.split_last().ok_or("YAML path cannot be empty")?;
    let missing = || format!("{name:?} is not a value");
    let table = if above.is_empty() { Ok(map.clone()) } else { table(map, above) };
    match table.map_err(|_| missing())?.get(&Str::from(*name)) {
        Some(Value::Map(inner)) if inner.kind() == MapType::Any => Err(missing()),
        Some(value) => Ok(value),
        None => Err(missing()),
    }
}
