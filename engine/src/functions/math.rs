//! Sprig: numbers.

mod decimal;

use self::decimal::Decimal;
use super::cast::{to_float64, to_int64};
use super::{Call, Function, Kind, Returned, int};
use crate::template::number::times_power_of_two;
use crate::template::{List, ListType, Value};
use crate::template::{printf, weight};

use Kind::{Any, Float, Int, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("int64", &[Any], |_, a| Ok(Value::Int64(to_int64(&a[0])))),
    Function::new("int", &[Any], |_, a| Ok(Value::Int(to_int64(&a[0])))),
    Function::new("float64", &[Any], |_, a| Ok(Value::Float(to_float64(&a[0])))),
    Function::new("atoi", &[S], |_, a| Ok(Value::Int(atoi(&super::text(&a[0]))))),
    Function::new("toDecimal", &[Any], |c, a| {
        let text = printf::print(&a[..1], c.run);
        let text = String::from_utf8_lossy(&text);
        Ok(Value::Int64(i64::from_str_radix(&text, 8).unwrap_or(0)))
    }),
    Function::new("add1", &[Any], |_, a| Ok(Value::Int64(to_int64(&a[0]).wrapping_add(1)))),
    Function::variadic("add", &[], Any, |_, a| {
        Ok(Value::Int64(a.iter().map(to_int64).fold(0, i64::wrapping_add)))
    }),
    Function::new("sub", &[Any, Any], |_, a| {
        Ok(Value::Int64(to_int64(&a[0]).wrapping_sub(to_int64(&a[1]))))
    }),
    Function::new("div", &[Any, Any], |_, a| divide(a, i64::wrapping_div)),
    Function::new("mod", &[Any, Any], |_, a| divide(a, i64::wrapping_rem)),
    Function::variadic("mul", &[Any], Any, |_, a| {
        Ok(Value::Int64(a.iter().map(to_int64).fold(1, i64::wrapping_mul)))
    }),
    Function::new("add1f", &[Any], |c, a| {
        decimal::chain(&[a[0].clone(), Value::Int(1)], Decimal::add, c)
    }),
    Function::variadic("addf", &[], Any, |c, a| {
        decimal::chain(&[&[Value::Int(0)], a].concat(), Decimal::add, c)
    }),
    Function::variadic("subf", &[Any], Any, |c, a| decimal::chain(a, Decimal::subtract, c)),
    Function::variadic("divf", &[Any], Any, |c, a| decimal::chain(a, Decimal::divide, c)),
    Function::variadic("mulf", &[Any], Any, |c, a| decimal::chain(a, Decimal::multiply, c)),
    Function::variadic("max", &[Any], Any, |_, a| extreme(a, i64::max)),
    Function::variadic("biggest", &[Any], Any, |_, a| extreme(a, i64::max)),
    Function::variadic("min", &[Any], Any, |_, a| extreme(a, i64::min)),
    Function::variadic("maxf", &[Any], Any, |_, a| Ok(extreme_float(a, larger))),
    Function::variadic("minf", &[Any], Any, |_, a| Ok(extreme_float(a, smaller))),
    Function::new("ceil", &[Any], |_, a| Ok(Value::Float(to_float64(&a[0]).ceil()))),
    Function::new("floor", &[Any], |_, a| Ok(Value::Float(to_float64(&a[0]).floor()))),
    Function::variadic("round", &[Any, Int], Float, round),
    Function::new("until", &[Int], |c, a| {
        let count = int(&a[0]);
        numbers(c, 0, count, if count < 0 { -1 } else { 1 })
    }),
    Function::new("untilStep", &[Int, Int, Int], |c, a| {
        numbers(c, int(&a[0]), int(&a[1]), int(&a[2]))
    }),
    Function::variadic("seq", &[], Int, seq),
    Function::new("randInt", &[Int, Int], |c, a| {
        let (low, high) = (int(&a[0]), int(&a[1]));
        let width = high.wrapping_sub(low);
        if width <= 0 {
            return Err("invalid argument to Intn".into());
        }
        let mut random = [0; 8];
        (c.run.environment.random)(&mut random);
        Ok(Value::Int(low + (u64::from_le_bytes(random) % width as u64) as i64))
    }),
];

/// Of a number out of range the nearest one; of what is no number, 0.
fn atoi(text: &str) -> i64 {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse::<i64>().unwrap_or_else(|error| match error.kind() {
        PosOverflow => i64::MAX,
        NegOverflow => i64::MIN,
        _ => 0,
    })
}

fn divide(a: &[Value], operate: fn(i64, i64) -> i64) -> Returned {
    match to_int64(&a[1]) {
        0 => Err("runtime error: integer divide by zero".into()),
        by => Ok(Value::Int64(operate(to_int64(&a[0]), by))),
    }
}

fn extreme(a: &[Value], pick: fn(i64, i64) -> i64) -> Returned {
    Ok(Value::Int64(a.iter().map(to_int64).reduce(pick).unwrap_or(0)))
}

fn extreme_float(a: &[Value], pick: fn(f64, f64) -> f64) -> Value {
    Value::Float(a.iter().map(to_float64).reduce(pick).unwrap_or(0.0))
}

/// math.Max
fn larger(a: f64, b: f64) -> f64 {
    -smaller(-a, -b)
}

/// math.Min: an infinity before NaN, and -0 before 0.
fn smaller(a: f64, b: f64) -> f64 {
    match (a, b) {
        (f64::NEG_INFINITY, _) | (_, f64::NEG_INFINITY) => f64::NEG_INFINITY,
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        _ if a.total_cmp(&b).is_lt() => a,
        _ => b,
    }
}

/// math.Pow(10, exponent): squared step by step, each rounded, so that it is not always the nearest float.
fn power_of_ten(exponent: i64) -> f64 {
    // 10 as Go takes it apart: 0.625 * 2^4.
    let (mut fraction, mut shift) = (0.625, 4);
    let (mut power, mut exponent_of_two) = (1.0, 0i64);
    let mut rest = exponent.unsigned_abs();
    while rest != 0 {
        // Out of a float's range for sure.
        if shift > 1 << 12 {
            exponent_of_two += shift;
            break;
        }
        if rest & 1 == 1 {
            power *= fraction;
            exponent_of_two += shift;
        }
        fraction *= fraction;
        shift <<= 1;
        if fraction < 0.5 {
            fraction += fraction;
            shift -= 1;
        }
        rest >>= 1;
    }
    if exponent < 0 {
        (power, exponent_of_two) = (1.0 / power, -exponent_of_two);
    }
    times_power_of_two(power, exponent_of_two)
}

fn round(_: &Call<'_>, a: &[Value]) -> Returned {
    let threshold = match a.get(2) {
        Some(Value::Float(f)) => *f,
        _ => 0.5,
    };
    let power = power_of_ten(int(&a[1]));
    let digits = power * to_float64(&a[0]);
    let rounded = if digits.fract() >= threshold { digits.ceil() } else { digits.floor() };
    Ok(Value::Float(rounded / power))
}

fn sequence(c: &Call<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, String> {
    let mut out = Vec::new();
    let runs = |at: i64| if step < 0 { at > stop } else { step > 0 && at < stop };
    let mut at = start;
    while runs(at) {
        c.run.spend(1)?;
        c.run.check_memory((out.len() + 1) * weight::TEXT)?;
        out.push(at);
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(out)
}

fn numbers(c: &Call<'_>, start: i64, stop: i64, step: i64) -> Returned {
    let items = sequence(c, start, stop, step)?.into_iter().map(Value::Int).collect();
    Ok(Value::List(List::new(ListType::Int, items)))
}

fn seq(c: &Call<'_>, a: &[Value]) -> Returned {
    let a: Vec<i64> = a.iter().map(int).collect();
    let (start, step, end) = match a[..] {
        [end] => (1, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if end < start { -1 } else { 1 }, end),
        [start, step, end] if end < start && step > 0 => {
            return Ok("".into());
        }
        [start, step, end] => (start, step, end),
        _ => return Ok("".into()),
    };
    let stop = end.wrapping_add(if end < start { -1 } else { 1 });
    let items: Vec<String> =
        sequence(c, start, stop, step)?.iter().map(ToString::to_string).collect();
    Ok(items.join(" ").into())
}
