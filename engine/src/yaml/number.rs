//! Numbers between YAML, JSON and Go's `float64`.

use serde_json::{Number, Value};

use crate::template::shortest;

/// `strconv.FormatFloat(value, 'g', -1, 64)`: the shortest digits that read back, with an exponent
/// below 1e-4 and from 1e6 on.
pub(super) fn format_g(value: f64) -> String {
    if value.is_nan() || value.is_infinite() {
        return special(value).to_owned();
    }
    general(&shortest::scientific(value))
}

/// `strconv.FormatFloat(value, 'g', -1, 32)`, which `sigs.k8s.io/yaml` uses for keys and for
/// numbers in the place of strings.
pub(super) fn format_g32(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "Go rounds to 32 bits here, too")]
    let narrow = value as f32;
    if narrow.is_nan() || narrow.is_infinite() {
        return special(f64::from(narrow)).to_owned();
    }
    general(&shortest::scientific32(narrow))
}

fn special(value: f64) -> &'static str {
    match value {
        v if v.is_nan() => ".nan",
        v if v > 0.0 => ".inf",
        _ => "-.inf",
    }
}

/// From the shortest digits as `d.ddde-x` to Go's 'g' form.
fn general(scientific: &str) -> String {
    let (sign, unsigned) =
        scientific.strip_prefix('-').map_or(("", scientific), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
        return format!("{sign}{}", positional(&digits, exponent));
    }
    let mark = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}e{mark}{:02}", exponent.abs())
}

fn positional(digits: &str, exponent: i32) -> String {
    match usize::try_from(exponent + 1) {
        Ok(before) if before >= digits.len() => {
            format!("{digits}{}", "0".repeat(before - digits.len()))
        }
        Ok(before) if before > 0 => format!("{}.{}", &digits[..before], &digits[before..]),
        _ => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
            format!("0.{}{digits}", "0".repeat(zeros))
        }
    }
}

/// A number as go-yaml prints it after Go's JSON: whole numbers below 2^64 without an exponent.
pub(super) fn display(number: &Number) -> String {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(int), _, _) => int.to_string(),
        (_, Some(int), _) => int.to_string(),
        (_, _, Some(float)) => match whole(float) {
            Some(int) => int.to_string(),
            None => format_g(float),
        },
        _ => number.to_string(),
    }
}

/// A float that Go's JSON writes without point and exponent, and that fits an integer.
fn whole(float: f64) -> Option<Number> {
    if float.fract() != 0.0 || float.abs() >= 18_446_744_073_709_551_616.0 {
        return None;
    }
    // The shortest digits that read back, then zeros.
    let text = shortest::positional(float);
    let text = if text == "-0" { "0" } else { &text };
    text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok()
}

/// Whole floats become integers, as in the JSON text that Go makes of them.
pub(crate) fn normalise(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            // Go keeps the sign of a zero.
            let float = number.as_f64().filter(|float| *float != 0.0 || float.is_sign_positive());
            if let Some(int) = float.and_then(whole) {
                *number = int;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(map) => map.values_mut().for_each(normalise),
        _ => {}
    }
}

/// Every number becomes a float: what `encoding/json` decodes into an `interface{}`, and so what
/// templates see of values files, `fromYaml` and `fromJson` (`12345678` prints as `1.2345678e+07`).
pub fn as_go_floats(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().and_then(Number::from_f64) {
                *number = float;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(as_go_floats),
        Value::Object(map) => map.values_mut().for_each(as_go_floats),
        _ => {}
    }
}

/// A scalar where a Go string is wanted: numbers and booleans as `sigs.k8s.io/yaml` turns them into text.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() => format_g32(float),
            _ => number.to_string(),
        }),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        let cases = [
            (0.0, "0"),
            (1.5, "1.5"),
            (-0.25, "-0.25"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456.5, "123456.5"),
            (1_234_567.5, "1.2345675e+06"),
            (1e21, "1e+21"),
            (100_000.0, "100000"),
            (5e-324, "5e-324"),
        ];
        for (float, text) in cases {
            assert_eq!(format_g(float), text);
        }
        assert_eq!(format_g32(1.1), "1.1");
        assert_eq!(format_g32(123_456_789.5), "1.2345679e+08");
    }
}
