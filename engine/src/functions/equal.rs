//! reflect.DeepEqual: types count, so 1 as an int is not 1 as a float64.

use crate::template::{Run, Value};

/// False as well once the run is over its budget; see [`Run::check`].
pub(super) fn deep_equal(run: &Run<'_>, a: &Value, b: &Value) -> bool {
    at_depth(run, a, b, 0)
}

fn at_depth(run: &Run<'_>, a: &Value, b: &Value, depth: usize) -> bool {
    if depth > 1000 || run.spend(cost(a)).is_err() {
        return false;
    }
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b))
        | (Value::Int64(a), Value::Int64(b))
        | (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Uint64(a), Value::Uint64(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::String(a), Value::String(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.kind() == b.kind()
                && a.is_nil() == b.is_nil()
                && a.len() == b.len()
                && a.iter().zip(b.iter()).all(|(a, b)| at_depth(run, a, b, depth + 1))
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.is(b) {
                return true;
            }
            let (left, right) = (a.entries(), b.entries());
            a.kind() == b.kind()
                && a.is_nil() == b.is_nil()
                && left.len() == right.len()
                && left
                    .iter()
                    .zip(right.iter())
                    .all(|((ka, a), (kb, b))| ka == kb && at_depth(run, a, b, depth + 1))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.type_name() == b.type_name() && a.text() == b.text()
        }
        _ => false,
    }
}

fn cost(value: &Value) -> u64 {
    match value {
        Value::String(text) | Value::Bytes(text) => 1 + text.len() as u64 / 64,
        _ => 1,
    }
}
