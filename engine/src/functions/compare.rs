//! eq, ne, lt, le, gt, ge.

use std::cmp::Ordering;

use super::{Call, Function, Kind};
use crate::template::Value;
use crate::template::complex::Complex;

pub(super) const TABLE: &[Function] = &[
    Function::variadic("eq", &[Kind::Reflect], Kind::Reflect, |c, a| {
        Ok(eq(c, &a[0], &a[1..])?.into())
    }),
    Function::new("ne", PAIR, |c, a| Ok((!eq(c, &a[0], &a[1..])?).into())),
    Function::new("lt", PAIR, |_, a| Ok(lt(&a[0], &a[1])?.into())),
    Function::new("le", PAIR, |c, a| Ok((lt(&a[0], &a[1])? || eq(c, &a[0], &a[1..])?).into())),
    Function::new("gt", PAIR, |c, a| Ok((!(lt(&a[0], &a[1])? || eq(c, &a[0], &a[1..])?)).into())),
    Function::new("ge", PAIR, |_, a| Ok((!lt(&a[0], &a[1])?).into())),
];

const PAIR: &[Kind] = &[Kind::Reflect, Kind::Reflect];

/// What may be compared with what.
enum Basic<'a> {
    Bool(bool),
    /// Go compares signed with unsigned by value.
    Int(i128),
    Float(f64),
    String(&'a [u8]),
    Complex(Complex),
    None,
}

fn basic(value: &Value) -> Basic<'_> {
    match value {
        Value::Bool(b) => Basic::Bool(*b),
        Value::Int(i) | Value::Int64(i) | Value::Duration(i) => Basic::Int((*i).into()),
        Value::Uint64(u) => Basic::Int((*u).into()),
        Value::Uint8(u) => Basic::Int((*u).into()),
        Value::Float(f) => Basic::Float(*f),
        Value::String(s) => Basic::String(s),
        Value::Object(object) => match object.as_any().downcast_ref() {
            Some(number) => Basic::Complex(*number),
            None => Basic::None,
        },
        _ => Basic::None,
    }
}

fn incompatible(a: &Value, b: &Value) -> String {
    let (a, b) = (a.type_name(), b.type_name());
    format!("incompatible types for comparison: {a} and {b}")
}

fn eq(c: &Call<'_>, first: &Value, others: &[Value]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        let equal = match (basic(first), basic(other)) {
            (Basic::Bool(a), Basic::Bool(b)) => a == b,
            (Basic::Int(a), Basic::Int(b)) => a == b,
            (Basic::Float(a), Basic::Float(b)) => a == b,
            (Basic::String(a), Basic::String(b)) => a == b,
            (Basic::Complex(a), Basic::Complex(b)) => a == b,
            (Basic::None, Basic::None) => same(c, first, other)?,
            _ if matches!(first, Value::Nil) || matches!(other, Value::Nil) => false,
            _ => return Err(incompatible(first, other)),
        };
        if equal {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Two values that are not basic: only nil and objects can be compared.
fn same(c: &Call<'_>, a: &Value, b: &Value) -> Result<bool, String> {
    let nil = |v: &Value| match v {
        Value::Nil => true,
        Value::List(list) => list.is_nil(),
        _ => false,
    };
    let text = |v: &Value| {
        String::from_utf8_lossy(&crate::template::printf::text_of(v, c.run)).into_owned()
    };
    let has_kind = |v: &Value| !matches!(v, Value::Nil);
    if a.kind() != b.kind() && has_kind(a) && has_kind(b) {
        let (ta, tb) = (a.type_name(), b.type_name());
        return Err(format!("non-comparable types {}: {ta}, {tb}: {}", text(a), text(b)));
    }
    if nil(a) || nil(b) {
        return Ok(nil(a) == nil(b));
    }
    match (a, b) {
        (Value::Object(x), Value::Object(y)) if x.kind() == "struct" || x.kind() == "ptr" => {
            Ok(std::rc::Rc::ptr_eq(x, y)
                || (x.type_name() == y.type_name() && x.text() == y.text()))
        }
        _ => Err(format!("non-comparable type {}: {}", text(b), b.type_name())),
    }
}

fn lt(a: &Value, b: &Value) -> Result<bool, String> {
    let bad = || "invalid type for comparison".to_owned();
    Ok(match (basic(a), basic(b)) {
        (Basic::None, _)
        | (_, Basic::None)
        | (Basic::Bool(_), Basic::Bool(_))
        | (Basic::Complex(_), Basic::Complex(_)) => return Err(bad()),
        (Basic::Int(a), Basic::Int(b)) => a < b,
        (Basic::Float(a), Basic::Float(b)) => a.partial_cmp(&b) == Some(Ordering::Less),
        (Basic::String(a), Basic::String(b)) => a < b,
        _ => return Err(incompatible(a, b)),
    })
}
