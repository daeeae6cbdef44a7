//! Number literals.

use super::quote::{Unit, unquote_char};

/// What a literal can stand for: the same text may serve as an int and a float.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Number {
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
}

impl Number {
    pub fn from_char(text: &str) -> Result<Number, String> {
        let invalid = || "invalid syntax".to_owned();
        let (unit, tail) = unquote_char(&text[1..], '\'').ok_or_else(invalid)?;
        if tail != "'" {
            return Err(format!("malformed character constant: {text}"));
        }
        let code = match unit {
            Unit::Char(c) => c as u32,
            Unit::Byte(b) => b.into(),
        };
        Ok(Number { int: Some(code.into()), uint: Some(code.into()), float: Some(code.into()) })
    }

    pub fn parse(text: &str) -> Result<Number, String> {
        let mut number = Number { uint: parse_uint(text), ..Number::default() };
        number.int = parse_int(text);
        if number.int == Some(0) {
            number.uint = Some(0);
        }
        if let Some(i) = number.int {
            number.float = Some(i as f64);
        } else if let Some(u) = number.uint {
            number.float = Some(u as f64);
        } else if let Some(f) = parse_float(text) {
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {text:?}"));
            }
            number.float = Some(f);
            if f as i64 as f64 == f && f.abs() < 9.3e18 {
                number.int = Some(f as i64);
            }
            if f >= 0.0 && f as u64 as f64 == f {
                number.uint = Some(f as u64);
            }
        } else {
            return Err(format!("illegal number syntax: {text:?}"));
        }
        Ok(number)
    }
}

/// strconv.ParseUint(text, 0, 64).
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = if let Some(d) = lower.strip_prefix("0x") {
        (d, 16)
    } else if let Some(d) = lower.strip_prefix("0b") {
        (d, 2)
    } else if let Some(d) = lower.strip_prefix("0o") {
        (d, 8)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    let prefixed = radix != 10;
    if !underscores_ok(digits, prefixed) {
        return None;
    }
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    u64::from_str_radix(&digits, radix).ok()
}

/// Underscores only between digits, or after a base prefix.
fn underscores_ok(digits: &str, prefixed: bool) -> bool {
    !(digits.ends_with('_') || digits.contains("__") || (!prefixed && digits.starts_with('_')))
}

fn underscores_between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).all(|i| bytes[i] != b'_' || (i > 0 && digit(i - 1) && digit(i + 1)))
}

/// strconv.ParseInt(text, 0, 64).
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_uint(digits)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// strconv.ParseFloat(text, 64); out of range is None.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let unsigned = lower.trim_start_matches(['+', '-']);
    if lower.len() - unsigned.len() > 1 {
        return None;
    }
    if let Some(hex) = unsigned.strip_prefix("0x") {
        let value = parse_hex_float(hex)?;
        return Some(if lower.starts_with('-') { -value } else { value });
    }
    if matches!(unsigned, "inf" | "infinity") || lower == "nan" {
        return lower.parse().ok();
    }
    let separated = lower.contains('_');
    if separated && !underscores_between_digits(unsigned)
        || !unsigned.bytes().any(|b| b.is_ascii_digit())
    {
        return None;
    }
    let lower = if separated { lower.replace('_', "") } else { lower };
    let value: f64 = lower.parse().ok()?;
    value.is_finite().then_some(value)
}

/// `1.8p3`: the exponent is required.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut value = 0f64;
    for c in whole.chars().chain(fraction.chars()).filter(|c| *c != '_') {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let value = value * 2f64.powi(exponent.checked_sub(shift)?);
    value.is_finite().then_some(value)
}
