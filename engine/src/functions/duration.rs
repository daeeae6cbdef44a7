//! Helm's duration functions, and Go's time.Duration behind them.

use super::{Call, Function, Kind, Returned};
use crate::template::number::parse_float;
use crate::template::quote::quote;
use crate::template::{Method, Value};

const SECOND: i64 = 1_000_000_000;

pub(super) const TABLE: &[Function] = &[
    Function::new("mustToDuration", &[Kind::Any], |_, a| Ok(Value::Duration(as_duration(&a[0])?))),
    Function::new("durationSeconds", &[Kind::Any], |_, a| scaled(a, SECOND as f64)),
    Function::new("durationMilliseconds", &[Kind::Any], |_, a| whole(a, 1_000_000)),
    Function::new("durationMicroseconds", &[Kind::Any], |_, a| whole(a, 1000)),
    Function::new("durationNanoseconds", &[Kind::Any], |_, a| whole(a, 1)),
    Function::new("durationMinutes", &[Kind::Any], |_, a| scaled(a, 60e9)),
    Function::new("durationHours", &[Kind::Any], |_, a| scaled(a, 3600e9)),
    Function::new("durationDays", &[Kind::Any], |_, a| {
        Ok(Value::Float(hours(as_duration(&a[0]).unwrap_or(0)) / 24.0))
    }),
    Function::new("durationWeeks", &[Kind::Any], |_, a| {
        Ok(Value::Float(hours(as_duration(&a[0]).unwrap_or(0)) / 24.0 / 7.0))
    }),
    Function::new("durationRoundTo", &[Kind::Any, Kind::Any], |c, a| to_multiple(c, a, round)),
    Function::new("durationTruncateTo", &[Kind::Any, Kind::Any], |c, a| {
        to_multiple(c, a, |d, m| if m <= 0 { d } else { d - d % m })
    }),
];

/// The unit's count and the fraction apart, as Go computes it.
fn scaled(args: &[Value], unit: f64) -> Returned {
    let nanoseconds = as_duration(&args[0]).unwrap_or(0);
    Ok(Value::Float(in_units(nanoseconds, unit as i64)))
}

fn in_units(nanoseconds: i64, unit: i64) -> f64 {
    (nanoseconds / unit) as f64 + (nanoseconds % unit) as f64 / unit as f64
}

fn hours(nanoseconds: i64) -> f64 {
    in_units(nanoseconds, 3600 * SECOND)
}

fn whole(args: &[Value], unit: i64) -> Returned {
    Ok(Value::Int64(as_duration(&args[0]).unwrap_or(0) / unit))
}

fn to_multiple(_: &Call<'_>, args: &[Value], to: fn(i64, i64) -> i64) -> Returned {
    let Ok(duration) = as_duration(&args[0]) else { return Ok(Value::Duration(0)) };
    let Ok(multiple) = as_duration(&args[1]) else { return Ok(Value::Duration(duration)) };
    Ok(Value::Duration(to(duration, multiple)))
}

/// Duration.Round: half away from zero.
pub(super) fn round(duration: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return duration;
    }
    let rest = duration % multiple;
    let down = duration - rest;
    if rest.unsigned_abs() * 2 < multiple.unsigned_abs() {
        return down;
    }
    down.saturating_add(multiple * duration.signum())
}

/// The methods of time.Duration.
pub(crate) fn method(name: &str) -> Option<Method> {
    Some(Method::new(match name {
        "String" | "Seconds" | "Minutes" | "Hours" | "Milliseconds" | "Microseconds"
        | "Nanoseconds" | "Abs" => &[],
        "Round" | "Truncate" => &[Kind::Duration],
        _ => return None,
    }))
}

pub(crate) fn call(nanoseconds: i64, name: &str, arguments: &[Value]) -> Option<Value> {
    let multiple = match arguments {
        [Value::Duration(multiple)] => *multiple,
        _ => 0,
    };
    Some(match name {
        "Round" => Value::Duration(round(nanoseconds, multiple)),
        "Truncate" if multiple <= 0 => Value::Duration(nanoseconds),
        "Truncate" => Value::Duration(nanoseconds - nanoseconds % multiple),
        "String" => text(nanoseconds).into(),
        "Seconds" => Value::Float(in_units(nanoseconds, SECOND)),
        "Minutes" => Value::Float(in_units(nanoseconds, 60 * SECOND)),
        "Hours" => Value::Float(hours(nanoseconds)),
        "Milliseconds" => Value::Int64(nanoseconds / 1_000_000),
        "Microseconds" => Value::Int64(nanoseconds / 1000),
        "Nanoseconds" => Value::Int64(nanoseconds),
        "Abs" => Value::Duration(nanoseconds.saturating_abs()),
        _ => return None,
    })
}

fn as_duration(value: &Value) -> Result<i64, String> {
    let overflow =
        |seconds: &dyn std::fmt::Display| format!("duration seconds overflow: {seconds}");
    match value {
        Value::Duration(n) => Ok(*n),
        Value::String(s) => {
            let original = s.text();
            let text = original.trim();
            if text.is_empty() {
                return Err("empty duration".into());
            }
            if let Ok(duration) = parse(text) {
                return Ok(duration);
            }
            match parse_float(text) {
                Some(seconds) => from_seconds(seconds),
                None => Err(format!("could not parse duration {}", quote(s))),
            }
        }
        Value::Nil => Err("invalid duration".into()),
        Value::Int(i) | Value::Int64(i) => i.checked_mul(SECOND).ok_or_else(|| overflow(i)),
        Value::Uint64(u) => {
            i64::try_from(*u).ok().and_then(|u| u.checked_mul(SECOND)).ok_or_else(|| overflow(u))
        }
        Value::Uint8(u) => Ok(i64::from(*u) * SECOND),
        Value::Float(f) => from_seconds(*f),
        other => Err(format!("unsupported duration type {}", other.type_name())),
    }
}

fn from_seconds(seconds: f64) -> Result<i64, String> {
    let show = |f: f64| crate::template::printf::float::format_float(f, 'g', -1);
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", show(seconds)));
    }
    if seconds.abs() > i64::MAX as f64 / 1e9 {
        return Err(format!("duration seconds overflow: {}", show(seconds)));
    }
    Ok((seconds * 1e9) as i64)
}

/// time.ParseDuration: `-1h2m3.5s`.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text.as_bytes()));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') || number.len() > 40 {
            return Err(invalid());
        }
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1000,
            "ms" => 1_000_000,
            "s" => SECOND.into(),
            "m" => i128::from(SECOND) * 60,
            "h" => i128::from(SECOND) * 3600,
            "" => {
                return Err(format!("time: missing unit in duration {}", quote(text.as_bytes())));
            }
            unit => {
                let (unit, text) = (quote(unit.as_bytes()), quote(text.as_bytes()));
                return Err(format!("time: unknown unit {unit} in duration {text}"));
            }
        };
        let whole: i128 =
            if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total = whole.checked_mul(scale).and_then(|n| n.checked_add(total)).ok_or_else(invalid)?;
        if !fraction.is_empty() {
            let digits: f64 = fraction.parse().map_err(|_| invalid())?;
            total += (digits * (scale as f64 / 10f64.powi(fraction.len() as i32))) as i128;
        }
        if total > 1 << 63 {
            return Err(invalid());
        }
        rest = tail;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// Duration.String: `1h2m3.5s`.
pub(crate) fn text(nanoseconds: i64) -> String {
    let n = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let decimal = |unit: u64| {
        let fraction = format!("{:0width$}", n % unit, width = unit.ilog10() as usize);
        match fraction.trim_end_matches('0') {
            "" => (n / unit).to_string(),
            fraction => format!("{}.{fraction}", n / unit),
        }
    };
    match n {
        0 => "0s".into(),
        1..1000 => format!("{sign}{n}ns"),
        1000..1_000_000 => format!("{sign}{}µs", decimal(1000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(1_000_000)),
        _ => {
            let seconds = n / SECOND as u64;
            let fraction = format!("{:09}", n % SECOND as u64);
            let fraction = fraction.trim_end_matches('0');
            let dot = if fraction.is_empty() { "" } else { "." };
            let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            match (h, m) {
                (0, 0) => format!("{sign}{s}{dot}{fraction}s"),
                (0, m) => format!("{sign}{m}m{s}{dot}{fraction}s"),
                (h, m) => format!("{sign}{h}h{m}m{s}{dot}{fraction}s"),
            }
        }
    }
}
