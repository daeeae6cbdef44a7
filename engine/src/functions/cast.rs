//! How Sprig turns any value into a number or a string.

use crate::template::number::{parse_float, parse_int};
use crate::template::{Run, Value, printf};

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// cast.ToInt64: 0 for what is no number; floats are cut.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Bool(b) => (*b).into(),
        Value::Int(i) | Value::Int64(i) => *i,
        Value::Uint64(u) => *u as i64,
        Value::Uint8(u) => (*u).into(),
        // Go's conversion of what does not fit gives the least int64 on amd64.
        Value::Float(f) if !(-TWO_TO_63..TWO_TO_63).contains(f) => i64::MIN,
        Value::Float(f) => *f as i64,
        Value::String(s) => parse_int(without_zero_decimals(&s.text())).unwrap_or(0),
        _ => 0,
    }
}

/// `1.00` is `1`.
fn without_zero_decimals(text: &str) -> &str {
    let cut = text.trim_end_matches('0');
    if cut.len() < text.len() { cut.strip_suffix('.').unwrap_or(text) } else { text }
}

/// cast.ToFloat64: 0 for what is no number.
pub(super) fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Int(i) | Value::Int64(i) => *i as f64,
        Value::Uint64(u) => *u as f64,
        Value::Uint8(u) => (*u).into(),
        Value::Float(f) => *f,
        Value::String(s) => parse_float(&s.text()).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Sprig's strval: the text that `%v` prints, strings and bytes as they are.
pub(super) fn to_bytes(run: &Run<'_>, value: &Value) -> Vec<u8> {
    match value {
        Value::String(s) | Value::Bytes(s) => s.to_vec(),
        value => printf::text_of(value, run),
    }
}

/// Sprig's strslice: any list as strings, nil left out; anything else as a list of one. Stops early
/// once the run is over its budget; see [`Run::check`].
pub(super) fn to_strings(run: &Run<'_>, value: &Value) -> Vec<Vec<u8>> {
    if let Some(items) = value.elements() {
        let mut total = 0;
        let texts = items.iter().filter(|item| !matches!(item, Value::Nil)).map_while(|item| {
            let text = to_bytes(run, item);
            total += text.len();
            run.check_size(total).ok().map(|()| text)
        });
        return texts.collect();
    }
    match value {
        Value::Nil => Vec::new(),
        value => vec![to_bytes(run, value)],
    }
}
