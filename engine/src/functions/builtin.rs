//! Go's own functions, but for comparisons.

use super::{Function, Kind, Returned};
use crate::template::{ListType, MapType, Value, printf};
use crate::unicode::is_print;

pub(super) const TABLE: &[Function] = &[
    // The evaluator runs these two itself, so that later arguments are not evaluated.
    Function::variadic("and", &[Kind::Reflect], Kind::Reflect, |_, a| Ok(a[0].clone())),
    Function::variadic("or", &[Kind::Reflect], Kind::Reflect, |_, a| Ok(a[0].clone())),
    // No value of a chart is a function, so the evaluator answers for this one too.
    Function::variadic("call", &[Kind::Reflect], Kind::Reflect, |_, a| Ok(a[0].clone())),
    Function::new("not", &[Kind::Reflect], |_, a| Ok((!a[0].is_true()).into())),
    Function::new("len", &[Kind::Reflect], |_, a| len(&a[0])),
    Function::variadic("index", &[Kind::Reflect], Kind::Reflect, |_, a| index(&a[0], &a[1..])),
    Function::variadic("print", &[], Kind::Any, |c, a| Ok(Value::string(printf::print(a, c.run)))),
    Function::variadic("println", &[], Kind::Any, |c, a| {
        Ok(Value::string(printf::println(a, c.run)))
    }),
    Function::variadic("printf", &[Kind::String], Kind::Any, |c, a| {
        Ok(Value::string(printf::printf(super::bytes(&a[0]), &a[1..], c.run)))
    }),
    Function::variadic("html", &[], Kind::Any, |c, a| {
        Ok(Value::string(html(&printf::display(a, c.run))))
    }),
    Function::variadic("js", &[], Kind::Any, |c, a| {
        Ok(Value::string(js(&printf::display(a, c.run))))
    }),
    Function::variadic("urlquery", &[], Kind::Any, |c, a| {
        Ok(url_query(&printf::display(a, c.run)).into())
    }),
];

fn len(value: &Value) -> Returned {
    let len = match value {
        Value::String(s) | Value::Bytes(s) => s.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Nil => return Err("len of nil pointer".into()),
        Value::Object(object) => match object.entries() {
            Some(entries) => entries.len(),
            None => return Err(format!("len of type {}", object.type_name()).into()),
        },
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::Int(len as i64))
}

fn position(index: &Value, len: usize) -> Result<usize, String> {
    let i = match index {
        Value::Int(i) | Value::Int64(i) | Value::Duration(i) => *i,
        Value::Uint64(u) => *u as i64,
        Value::Uint8(u) => (*u).into(),
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        other => {
            return Err(format!("cannot index slice/array with type {}", other.type_name()));
        }
    };
    match usize::try_from(i) {
        Ok(at) if at < len => Ok(at),
        Ok(at) if at == len => Err("reflect: slice index out of range".into()),
        _ => Err(format!("index out of range: {i}")),
    }
}

fn index(item: &Value, indexes: &[Value]) -> Returned {
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    let mut item = item.clone();
    for index in indexes {
        item = match &item {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::List(list) => list[position(index, list.len())?].clone(),
            Value::String(s) => {
                let at = position(index, s.len()).map_err(|m| m.replace("slice", "string"))?;
                Value::Uint8(s[at])
            }
            Value::Bytes(s) => Value::Uint8(s[position(index, s.len())?]),
            Value::Map(map) => {
                let Value::String(key) = index else {
                    return Err(match index {
                        Value::Nil => "value is nil; should be of type string".into(),
                        other => {
                            format!("value has type {}; should be string", other.type_name()).into()
                        }
                    });
                };
                let missing = if map.kind() == MapType::String { "".into() } else { Value::Nil };
                map.get(key).unwrap_or(missing)
            }
            Value::Object(object) => {
                let Some(entries) = object.entries() else {
                    return Err(format!("can't index item of type {}", object.type_name()).into());
                };
                match index {
                    Value::String(key) => entries
                        .into_iter()
                        .find(|(k, _)| matches!(k, Value::String(k) if k == key))
                        .map_or(Value::Nil, |(_, v)| v),
                    index => {
                        let at = position(index, entries.len())?;
                        entries.into_iter().nth(at).map_or(Value::Nil, |(_, v)| v)
                    }
                }
            }
            other => {
                return Err(format!("can't index item of type {}", other.type_name()).into());
            }
        };
    }
    Ok(item)
}

/// A []interface {} of anything that is a slice.
pub(super) fn any_list(items: Vec<Value>) -> Value {
    Value::List(crate::template::List::new(ListType::Any, items))
}

/// template.HTMLEscape, byte by byte.
fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for b in text {
        match b {
            b'\0' => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b => out.push(*b),
        }
    }
    out
}

/// template.JSEscape; bytes that are not UTF-8 stay.
fn js(text: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    let mut bytes = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            js_char(c, &mut out);
        }
        bytes.append(&mut std::mem::take(&mut out).into_bytes());
        bytes.extend_from_slice(chunk.invalid());
    }
    bytes
}

fn js_char(c: char, out: &mut String) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\'' => out.push_str("\\'"),
        '"' => out.push_str("\\\""),
        '<' => out.push_str("\\u003C"),
        '>' => out.push_str("\\u003E"),
        '&' => out.push_str("\\u0026"),
        '=' => out.push_str("\\u003D"),
        c if c < ' ' || !(c.is_ascii() || is_print(c)) => {
            out.push_str(&format!("\\u{:04X}", c as u32));
        }
        c => out.push(c),
    }
}

/// url.QueryEscape.
pub(super) fn url_query(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(*b as char);
            }
            b' ' => out.push('+'),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}
