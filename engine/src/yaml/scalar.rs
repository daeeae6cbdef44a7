//! What a plain scalar means in go-yaml v2, a mixture of YAML 1.1 and 1.2.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Number, Value};

/// The meaning of an unquoted scalar.
#[derive(Debug, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Int(Number),
    /// May be infinite or not a number.
    Float(f64),
    Timestamp,
    Text,
}

/// Resolves a plain scalar; timestamps only where `timestamps` (not under another explicit tag).
pub(super) fn resolve(text: &str, timestamps: bool) -> Resolved {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Resolved::Bool(false);
        }
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => float(text).map_or(Resolved::Text, Resolved::Float),
        Some(b'0'..=b'9' | b'+' | b'-') => numeric(text, timestamps),
        _ => Resolved::Text,
    }
}

fn numeric(text: &str, timestamps: bool) -> Resolved {
    if timestamps && is_timestamp(text) {
        return Resolved::Timestamp;
    }
    let plain = text.replace('_', "");
    if let Some(int) = integer(&plain) {
        return Resolved::Int(int);
    }
    if looks_like_a_float(&plain)
        && let Some(value) = float(&plain)
    {
        return Resolved::Float(value);
    }
    Resolved::Text
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn looks_like_a_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits(unsigned);
    let mut rest = &unsigned[whole..];
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        fraction = digits(after);
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return false;
    }
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else { return rest.is_empty() };
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

/// `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: prefixes `0x`, `0o`, `0b` and the octal `0`.
fn integer(text: &str) -> Option<Number> {
    let (negative, signed, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let lower = unsigned.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &unsigned[2..]),
        Some("0o") => (8, &unsigned[2..]),
        Some("0b") => (2, &unsigned[2..]),
        Some(_) if unsigned.starts_with('0') => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u128::from_str_radix(digits, radix).ok()?;
    let value = i128::try_from(magnitude).ok()?;
    let value = if negative { -value } else { value };
    if let Ok(int) = i64::try_from(value) {
        return Some(int.into());
    }
    if signed { None } else { u64::try_from(value).ok().map(Number::from) }
}

/// `strconv.ParseFloat`, for which a number out of range is an error.
fn float(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !plain {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Whether Go's `time.Parse` accepts one of go-yaml's four layouts.
fn is_timestamp(text: &str) -> bool {
    static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
        let clock = r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?";
        let zone = r"(?:Z|[-+]([0-9]{2}):([0-9]{2}))";
        let pattern = format!(
            r"^([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}})(?:[Tt]{clock}{zone}| +{clock})?$"
        );
        Regex::new(&pattern).expect("a constant")
    });
    // Spares most texts the expression, and most runs its making.
    if text.len() < 8 || text.as_bytes()[4] != b'-' {
        return false;
    }
    let Some(found) = TIMESTAMP.captures(text) else { return false };
    let part = |i: usize| found.get(i).and_then(|m| m.as_str().parse::<u32>().ok());
    let within = |i: usize, max: u32| part(i).is_none_or(|n| n <= max);
    let date = chrono::NaiveDate::from_ymd_opt(
        part(1).and_then(|y| i32::try_from(y).ok()).unwrap_or(-1),
        part(2).unwrap_or(0),
        part(3).unwrap_or(0),
    );
    date.is_some()
        && within(4, 23)
        && within(5, 59)
        && within(6, 59)
        && within(7, 24)
        && within(8, 60)
        && within(9, 23)
        && within(10, 59)
        && within(11, 59)
}

/// Base 60 numbers mean nothing to go-yaml, but it quotes them for other readers.
fn is_base60(text: &str) -> bool {
    static BASE60: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$").expect("a constant")
    });
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
        && text.contains(':')
        && BASE60.is_match(text)
}

/// Whether a string may be printed without quotes, as far as its meaning goes.
pub(super) fn reads_back_as_text(text: &str) -> bool {
    resolve(text, true) == Resolved::Text && !is_base60(text)
}

impl Resolved {
    /// The JSON value; `None` for what JSON cannot hold (infinities, not-a-number).
    pub(super) fn into_value(self, text: Cow<'_, str>) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(number) => Value::Number(number),
            Self::Float(value) => Value::Number(Number::from_f64(value)?),
            Self::Timestamp | Self::Text => Value::String(text.into_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, value) in [
            ("0", 0),
            ("010", 8),
            ("0o10", 8),
            ("0x1F", 31),
            ("-0b11", -3),
            ("1_000", 1000),
            ("+7", 7),
        ] {
            assert_eq!(resolve(text, true), Resolved::Int(value.into()), "{text}");
        }
        assert_eq!(resolve("18446744073709551615", true), Resolved::Int(u64::MAX.into()));
        assert_eq!(resolve("08", true), Resolved::Float(8.0));
        assert_eq!(resolve("0x", true), Resolved::Text);
        assert_eq!(resolve("1e999", true), Resolved::Text);
    }

    #[test]
    fn floats() {
        for text in ["1.", ".5", "-1.5e+3", "+0e0", "1e5", "08"] {
            assert!(looks_like_a_float(text), "{text}");
        }
        for text in ["", "-", ".", "e5", ".e5", "1e", "1e+", "1.2.3", "1-2", "1e5x", "--1"] {
            assert!(!looks_like_a_float(text), "{text}");
        }
    }

    #[test]
    fn timestamps() {
        for text in [
            "2001-12-14",
            "2001-1-1",
            "2001-12-14T21:59:43.10-05:00",
            "2001-12-14t1:2:3Z",
            "2001-12-14 21:59:43,5",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in ["2001-02-30", "2001-13-01", "01-01-01", "2001-12-14T25:00:00Z", "2001-12-14 "]
        {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
