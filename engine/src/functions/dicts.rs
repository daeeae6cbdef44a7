//! Sprig: dicts. Those that change a map change it for all who hold it.

use super::cast::to_bytes;
use super::{Call, Function, Kind, Returned, bytes};
use crate::template::{List, Map, MapType, Str, Value};

use Kind::{Any, Map as M, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::variadic("dict", &[], Any, dict),
    Function::new("get", &[M, S], |_, a| {
        Ok(map(&a[0]).get(bytes(&a[1])).unwrap_or_else(|| "".into()))
    }),
    Function::new("set", &[M, S, Any], |_, a| {
        let target = map(&a[0]);
        if target.is_nil() {
            return Err("assignment to entry in nil map".into());
        }
        target.set(bytes(&a[1]), a[2].clone());
        Ok(Value::Map(target))
    }),
    Function::new("unset", &[M, S], |_, a| {
        let target = map(&a[0]);
        target.unset(bytes(&a[1]));
        Ok(Value::Map(target))
    }),
    Function::new("hasKey", &[M, S], |_, a| Ok(map(&a[0]).contains_key(bytes(&a[1])).into())),
    Function::variadic("pluck", &[S], M, |_, a| {
        Ok(Value::list(a[1..].iter().filter_map(|m| map(m).get(bytes(&a[0]))).collect()))
    }),
    Function::variadic("keys", &[], M, |_, a| {
        let keys = a.iter().flat_map(|m| map(m).snapshot().into_iter().map(|(k, _)| k));
        Ok(Value::strings(keys))
    }),
    Function::new("values", &[M], |_, a| {
        Ok(Value::list(map(&a[0]).snapshot().into_iter().map(|(_, v)| v).collect()))
    }),
    Function::variadic("pick", &[M], S, |_, a| {
        let source = map(&a[0]);
        let pick = |key: &Value| Some((Str::from(bytes(key)), source.get(bytes(key))?));
        Ok(Value::map(a[1..].iter().filter_map(pick).collect::<Vec<_>>()))
    }),
    Function::variadic("omit", &[M], S, |_, a| {
        let mut entries = map(&a[0]).snapshot();
        entries.retain(|(key, _)| !a[1..].iter().any(|omitted| bytes(omitted) == &**key));
        Ok(Value::map(entries))
    }),
    Function::variadic("merge", &[M], M, |c, a| merge(c, a, false)),
    Function::variadic("mustMerge", &[M], M, |c, a| merge(c, a, false)),
    Function::variadic("mergeOverwrite", &[M], M, |c, a| merge(c, a, true)),
    Function::variadic("mustMergeOverwrite", &[M], M, |c, a| merge(c, a, true)),
    Function::new("deepCopy", &[Any], copy),
    Function::new("mustDeepCopy", &[Any], copy),
    Function::variadic("dig", &[], Any, dig),
];

/// The map of an argument of kind Map; Go's nil map is empty.
fn map(value: &Value) -> Map {
    match value {
        Value::Map(map) => map.with_kind(MapType::Any),
        _ => Map::nil(MapType::Any),
    }
}

fn dict(c: &Call<'_>, a: &[Value]) -> Returned {
    let pairs = a.chunks(2).map(|pair| {
        (Str::from(to_bytes(c.run, &pair[0])), pair.get(1).cloned().unwrap_or_else(|| "".into()))
    });
    Ok(Value::map(pairs))
}

/// mergo.Merge and MergeWithOverwrite: empty values of the source never replace, nil ones do if overwriting.
fn merge(c: &Call<'_>, a: &[Value], overwrite: bool) -> Returned {
    let mut target = map(&a[0]);
    for source in &a[1..] {
        let source = map(source);
        if target.is_nil() && !source.is_nil() {
            target = Map::new(MapType::Any, Default::default());
        }
        merge_into(c, &target, &source, overwrite, 0)?;
    }
    Ok(Value::Map(target))
}

fn merge_into(
    c: &Call<'_>,
    target: &Map,
    source: &Map,
    overwrite: bool,
    depth: usize,
) -> Result<(), String> {
    if depth > 1000 {
        return Err("the dicts to merge nest too deeply".into());
    }
    if target.is(source) {
        return Ok(());
    }
    c.run.spend(1 + source.len() as u64)?;
    let target_was_empty = target.is_empty();
    for (key, value) in source.snapshot() {
        let known = target.get(&key);
        if matches!(value, Value::Nil) {
            if overwrite {
                target.set(key, value);
            }
            continue;
        }
        if let (Value::Map(from), Some(Value::Map(into))) = (&value, &known) {
            merge_into(c, into, from, overwrite, depth + 1)?;
        }
        let is_slice = value.kind() == "slice";
        if is_slice && (overwrite || target_was_empty) {
            target.set(key.clone(), value.clone());
        }
        let empty = known.as_ref().is_none_or(|v| !v.is_true());
        let both_maps = value.kind() == "map" && known.as_ref().is_some_and(|v| v.kind() == "map");
        if !empty && (is_slice || both_maps) {
            continue;
        }
        if overwrite || empty {
            target.set(key, value);
        }
    }
    Ok(())
}

fn copy(c: &Call<'_>, a: &[Value]) -> Returned {
    match &a[0] {
        Value::Nil => Err("reflect: call of reflect.Value.Type on zero Value".into()),
        value => deep_copy(c, value, 0),
    }
}

/// copystructure.Copy
fn deep_copy(c: &Call<'_>, value: &Value, depth: usize) -> Returned {
    if depth > 1000 {
        return Err("the value to copy nests too deeply".into());
    }
    // As much as a node of a JSON tree: what was shared is not any more.
    c.run.spend(8)?;
    Ok(match value {
        Value::List(list) if list.is_nil() => Value::List(List::nil(list.kind())),
        Value::List(list) => {
            let items = list.iter().map(|item| deep_copy(c, item, depth + 1));
            Value::List(List::new(list.kind(), items.collect::<Result<_, _>>()?))
        }
        Value::Map(source) if source.is_nil() => Value::Map(Map::nil(source.kind())),
        Value::Map(source) => {
            let entries = source
                .snapshot()
                .into_iter()
                .map(|(key, value)| Ok((key, deep_copy(c, &value, depth + 1)?)))
                .collect::<Result<_, crate::template::Cause>>()?;
            Value::Map(Map::new(source.kind(), entries))
        }
        // A pointer's copy points at a new struct, whose fields are private to semver.
        Value::Object(object) if object.type_name() == "*semver.Version" => super::semver::blank(),
        other => other.clone(),
    })
}

fn dig(_: &Call<'_>, a: &[Value]) -> Returned {
    if a.len() < 3 {
        return Err("dig needs at least three arguments".into());
    }
    let mismatch = |value: &Value, wanted: &str| {
        let got = match value {
            Value::Nil => "nil",
            value => value.type_name(),
        };
        format!("interface conversion: interface {{}} is {got}, not {wanted}")
    };
    let (path, tail) = a.split_at(a.len() - 2);
    let mut here = tail[1].clone();
    if !Kind::Map.accepts(&here) || matches!(&here, Value::Map(m) if m.kind() != MapType::Any) {
        return Err(mismatch(&here, "map[string]interface {}").into());
    }
    if let Some(wrong) = path.iter().find(|key| !matches!(key, Value::String(_))) {
        return Err(mismatch(wrong, "string").into());
    }
    for key in path {
        let Value::Map(m) = &here else {
            return Err(mismatch(&here, "map[string]interface {}").into());
        };
        let Some(next) = m.get(bytes(key)) else { return Ok(tail[0].clone()) };
        here = next;
    }
    Ok(here)
}
