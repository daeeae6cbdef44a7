//! The YAML reader.

use pinnace_engine::yaml;
use serde_json::Value;

/// What go-yaml takes for the end of a line, and YAML 1.2 does not.
const OLD_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// What go-yaml itself does not read back: it prints the key `<<` without quotes.
pub fn is_one_way(printed: &str) -> bool {
    printed.contains(OLD_BREAKS) || printed.contains("<<:")
}

/// As in Helm, `-.0` is printed as `0`.
fn has_minus_zero(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64() && number.to_string().starts_with("-0.0"),
        Value::Array(items) => items.iter().any(has_minus_zero),
        Value::Object(map) => map.values().any(has_minus_zero),
        _ => false,
    }
}

/// The input is YAML. What is read can be printed, and is read again as the same.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(value) = yaml::from_str(&text) {
        let printed = yaml::to_string(&value);
        if is_one_way(&printed) || has_minus_zero(&value) {
            return;
        }
        let again = yaml::from_str(&printed);
        assert_eq!(again.as_ref(), Ok(&value), "printed as {printed:?}");
    }
}
