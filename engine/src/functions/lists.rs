//! Sprig: lists.

use super::builtin::any_list;
use super::cast::{to_bytes, to_int64, to_strings};
use super::equal::deep_equal;
use super::{Call, Function, Kind, Returned, int};
use crate::template::{List, ListType, Value};

use Kind::{Any, Int};

pub(super) const TABLE: &[Function] = &[
    Function::variadic("list", &[], Any, |_, a| Ok(Value::list(a.to_vec()))),
    Function::variadic("tuple", &[], Any, |_, a| Ok(Value::list(a.to_vec()))),
    Function::new("append", &[Any, Any], push),
    Function::new("push", &[Any, Any], push),
    Function::new("mustAppend", &[Any, Any], push),
    Function::new("mustPush", &[Any, Any], push),
    Function::new("prepend", &[Any, Any], prepend),
    Function::new("mustPrepend", &[Any, Any], prepend),
    Function::new("first", &[Any], first),
    Function::new("mustFirst", &[Any], first),
    Function::new("last", &[Any], last),
    Function::new("mustLast", &[Any], last),
    Function::new("rest", &[Any], rest),
    Function::new("mustRest", &[Any], rest),
    Function::new("initial", &[Any], initial),
    Function::new("mustInitial", &[Any], initial),
    Function::new("reverse", &[Any], reverse),
    Function::new("mustReverse", &[Any], reverse),
    Function::new("uniq", &[Any], uniq),
    Function::new("mustUniq", &[Any], uniq),
    Function::new("compact", &[Any], compact),
    Function::new("mustCompact", &[Any], compact),
    Function::variadic("without", &[Any], Any, without),
    Function::variadic("mustWithout", &[Any], Any, without),
    Function::new("has", &[Any, Any], has),
    Function::new("mustHas", &[Any, Any], has),
    Function::variadic("slice", &[Any], Any, slice),
    Function::variadic("mustSlice", &[Any], Any, slice),
    Function::variadic("concat", &[], Any, concat),
    Function::new("chunk", &[Int, Any], chunk),
    Function::new("mustChunk", &[Int, Any], chunk),
    Function::new("sortAlpha", &[Any], |c, a| {
        if matches!(&a[0], Value::List(list) if list.is_nil() && list.kind() == ListType::String) {
            return Ok(a[0].clone());
        }
        let mut strings = match a[0].elements() {
            Some(_) => to_strings(c.run, &a[0]),
            None => vec![to_bytes(c.run, &a[0])],
        };
        strings.sort();
        Ok(Value::strings(strings))
    }),
];

/// The words of a Go panic on `reflect.TypeOf(nil).Kind()`.
pub(super) const NIL_POINTER: &str =
    "runtime error: invalid memory address or nil pointer dereference";

/// The elements, or the error of the function that wanted a list.
fn elements(c: &Call<'_>, value: &Value, words: &str) -> Result<Vec<Value>, String> {
    match value.elements() {
        Some(items) => {
            c.run.spend(items.len() as u64 / 8)?;
            Ok(items)
        }
        None if matches!(value, Value::Nil) => Err(NIL_POINTER.into()),
        None => Err(format!("{words} {}", value.kind())),
    }
}

fn push(c: &Call<'_>, a: &[Value]) -> Returned {
    let mut items = elements(c, &a[0], "Cannot push on type")?;
    items.push(a[1].clone());
    Ok(any_list(items))
}

fn prepend(c: &Call<'_>, a: &[Value]) -> Returned {
    let mut items = elements(c, &a[0], "Cannot prepend on type")?;
    items.insert(0, a[1].clone());
    Ok(any_list(items))
}

fn first(c: &Call<'_>, a: &[Value]) -> Returned {
    let items = elements(c, &a[0], "Cannot find first on type")?;
    Ok(items.into_iter().next().unwrap_or(Value::Nil))
}

fn last(c: &Call<'_>, a: &[Value]) -> Returned {
    Ok(elements(c, &a[0], "Cannot find last on type")?.pop().unwrap_or(Value::Nil))
}

fn nil_if_empty(items: Vec<Value>, was_empty: bool) -> Value {
    if was_empty { Value::List(List::nil(ListType::Any)) } else { any_list(items) }
}

fn rest(c: &Call<'_>, a: &[Value]) -> Returned {
    let items = elements(c, &a[0], "Cannot find rest on type")?;
    let empty = items.is_empty();
    Ok(nil_if_empty(items.into_iter().skip(1).collect(), empty))
}

fn initial(c: &Call<'_>, a: &[Value]) -> Returned {
    let mut items = elements(c, &a[0], "Cannot find initial on type")?;
    let empty = items.pop().is_none();
    Ok(nil_if_empty(items, empty))
}

fn reverse(c: &Call<'_>, a: &[Value]) -> Returned {
    let mut items = elements(c, &a[0], "Cannot find reverse on type")?;
    items.reverse();
    Ok(any_list(items))
}

fn uniq(c: &Call<'_>, a: &[Value]) -> Returned {
    let mut out: Vec<Value> = Vec::new();
    for item in elements(c, &a[0], "Cannot find uniq on type")? {
        c.run.spend(out.len() as u64 / 8)?;
        if !out.iter().any(|known| deep_equal(c.run, &item, known)) {
            out.push(item);
        }
    }
    Ok(any_list(out))
}

fn compact(c: &Call<'_>, a: &[Value]) -> Returned {
    let items = elements(c, &a[0], "Cannot compact on type")?;
    Ok(any_list(items.into_iter().filter(Value::is_true).collect()))
}

fn without(c: &Call<'_>, a: &[Value]) -> Returned {
    let mut items = elements(c, &a[0], "Cannot find without on type")?;
    c.run.spend(items.len() as u64 * a.len() as u64 / 8)?;
    items.retain(|item| !a[1..].iter().any(|omitted| deep_equal(c.run, item, omitted)));
    Ok(any_list(items))
}

fn has(c: &Call<'_>, a: &[Value]) -> Returned {
    if matches!(a[1], Value::Nil) {
        return Ok(false.into());
    }
    let items = elements(c, &a[1], "Cannot find has on type")?;
    Ok(items.iter().any(|item| deep_equal(c.run, &a[0], item)).into())
}

fn slice(c: &Call<'_>, a: &[Value]) -> Returned {
    let items = elements(c, &a[0], "list should be type of slice or array but")?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = a.get(1).map_or(0, to_int64);
    let end = a.get(2).map_or(items.len() as i64, to_int64);
    if start < 0 || end < start || end > items.len() as i64 {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    }
    let part = items[start as usize..end as usize].to_vec();
    Ok(match &a[0] {
        Value::List(list) => Value::List(List::new(list.kind(), part)),
        Value::Bytes(bytes) => Value::Bytes(bytes[start as usize..end as usize].into()),
        _ => any_list(part),
    })
}

fn concat(c: &Call<'_>, a: &[Value]) -> Returned {
    let mut out = Vec::new();
    for list in a {
        match list.elements() {
            Some(mut items) => out.append(&mut items),
            None if matches!(list, Value::Nil) => return Err(NIL_POINTER.into()),
            None => return Err(format!("Cannot concat type {} as list", list.kind()).into()),
        }
        c.run.spend(out.len() as u64 / 8)?;
    }
    let empty = out.is_empty();
    Ok(nil_if_empty(out, empty))
}

fn chunk(c: &Call<'_>, a: &[Value]) -> Returned {
    let items = elements(c, &a[1], "Cannot chunk type")?;
    let size = int(&a[0]);
    // Go computes the number of chunks and the length of the last with floats, whatever the size is.
    let length = items.len() as f64;
    let count = (((length - 1.0) / size as f64).floor() + 1.0) as i64;
    let out_of_range = || "runtime error: makeslice: len out of range".to_owned();
    let count = usize::try_from(count).map_err(|_| out_of_range())?;
    if size == 0 {
        return Err(out_of_range().into());
    }
    let mut chunks = Vec::new();
    for i in 0..count {
        let rest = (length % size as f64) as i64;
        let is_short = i == count - 1 && rest != 0;
        let len =
            usize::try_from(if is_short { rest } else { size }).map_err(|_| out_of_range())?;
        let start = i.saturating_mul(len.max(usize::try_from(size).unwrap_or(0)));
        let part = items.get(start..start.saturating_add(len));
        let part = part.ok_or("reflect: slice index out of range")?;
        chunks.push(any_list(part.to_vec()));
    }
    Ok(Value::List(List::new(ListType::Lists, chunks)))
}
