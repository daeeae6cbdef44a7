//! Number literals.

use super::complex::Complex;
use super::quote::{Unit, unquote_char};

/// What a literal can stand for: the same text may serve as an int and a float.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Number {
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
    /// If it is one, the literal by itself is of this type.
    pub complex: Option<Complex>,
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
        Ok(Number {
            int: Some(code.into()),
            uint: Some(code.into()),
            float: Some(code.into()),
            complex: None,
        })
    }

    pub fn parse(text: &str) -> Result<Number, String> {
        if let Some(imaginary) = text.strip_suffix('i').and_then(parse_float) {
            return Ok(Number::of_complex(Complex { real: 0.0, imaginary }));
        }
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
            number.int = whole(f);
            if f >= 0.0 && f < 2f64.powi(64) && f.fract() == 0.0 {
                number.uint = Some(f as u64);
            }
        } else {
            return Err(format!("illegal number syntax: {text:?}"));
        }
        Ok(number)
    }

    /// `1+2i`
    pub fn from_complex(text: &str) -> Result<Number, String> {
        let bad = || "syntax error scanning complex number".to_owned();
        let body = text.strip_suffix('i').ok_or_else(bad)?;
        // The sign between the parts is the last that is not an exponent's.
        let exponents: &[char] =
            if body.contains(['x', 'X']) { &['p', 'P'] } else { &['e', 'E', 'p', 'P'] };
        let at = body
            .char_indices()
            .skip(1)
            .filter(|(i, c)| matches!(c, '+' | '-') && !body[..*i].ends_with(exponents))
            .last()
            .map(|(i, _)| i)
            .ok_or_else(bad)?;
        let part = |text: &str| parse_float(text).ok_or_else(bad);
        Ok(Number::of_complex(Complex { real: part(&body[..at])?, imaginary: part(&body[at..])? }))
    }

    /// Without an imaginary part it serves as a float and an int, too.
    fn of_complex(complex: Complex) -> Number {
        let mut number = Number { complex: Some(complex), ..Number::default() };
        if complex.imaginary == 0.0 {
            number.float = Some(complex.real);
            number.int = whole(complex.real);
        }
        number
    }
}

/// The int that a float is.
fn whole(f: f64) -> Option<i64> {
    let in_range = (-(2f64.powi(63))..2f64.powi(63)).contains(&f);
    (in_range && f.fract() == 0.0).then_some(f as i64)
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
    let (negative, unsigned) = match lower.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, lower.strip_prefix('+').unwrap_or(&lower)),
    };
    let signed = |f: f64| if negative { -f } else { f };
    match unsigned {
        "inf" | "infinity" => return Some(signed(f64::INFINITY)),
        "nan" if unsigned.len() == lower.len() => return Some(f64::NAN),
        _ => {}
    }
    if unsigned.contains('_') && !float_underscores_ok(unsigned) {
        return None;
    }
    let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
    let value = match digits.strip_prefix("0x") {
        Some(hex) => parse_hex_float(hex)?,
        // Rust reads a dot without digits and words, too.
        None if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && digits.contains(|c: char| c.is_ascii_digit()) =>
        {
            digits.parse().ok()?
        }
        None => return None,
    };
    value.is_finite().then_some(signed(value))
}

/// Each underscore stands between digits, or after the prefix.
fn float_underscores_ok(text: &str) -> bool {
    let (text, hex) = match text.strip_prefix("0x") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let is_digit = |b: u8| b.is_ascii_digit() || (hex && b.is_ascii_hexdigit());
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter(|(_, b)| **b == b'_').all(|(i, _)| {
        let before = if i == 0 { hex } else { is_digit(bytes[i - 1]) };
        before && bytes.get(i + 1).is_some_and(|b| is_digit(*b))
    })
}

/// `1.8p3`: the exponent is required. The result is rounded once, to even.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let sign = if exponent.starts_with('-') { -1 } else { 1 };
    let mut exponent = sign * digits.parse::<i64>().unwrap_or(i64::MAX).min(1 << 40);
    let mut bits = 0u64;
    for (i, c) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(c.to_digit(16)?);
        if i >= whole.len() {
            exponent -= 4;
        }
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
        } else {
            // Too many digits: only whether any of them counts.
            bits |= u64::from(digit != 0);
            exponent += 4;
        }
    }
    Some(scale(bits, exponent))
}

/// bits * 2^exponent, rounded once; the lowest bit stands for all below it.
fn scale(bits: u64, exponent: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let top = 63 - i64::from(bits.leading_zeros()) + exponent;
    if top > 1023 {
        return f64::INFINITY;
    }
    // A float holds 53 bits, and none below 2^-1074.
    let lowest = (top - 52).max(-1074);
    let drop = lowest - exponent;
    let kept = match u32::try_from(drop) {
        Err(_) | Ok(0) => return times_power_of_two(bits as f64, exponent),
        Ok(drop) if drop > 64 => 0,
        Ok(drop) => {
            let wide = u128::from(bits);
            let (kept, rest) = (wide >> drop, wide & ((1 << drop) - 1));
            let half = 1u128 << (drop - 1);
            kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
        }
    };
    // At most 2^53, and the lowest bit is one that a float can hold: both steps are exact.
    times_power_of_two(kept as f64, lowest)
}

/// f * 2^exponent in two steps, since a float does not reach 2^-1074 by division.
pub(crate) fn times_power_of_two(f: f64, exponent: i64) -> f64 {
    let exponent = exponent.clamp(-3000, 3000);
    let half = exponent / 2;
    f * 2f64.powi(half as i32) * 2f64.powi((exponent - half) as i32)
}
