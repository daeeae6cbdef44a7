//! The filters that the rewriter puts into templates: what an operator of Jinja does, counted.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use minijinja::value::{ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, Expression, State, UndefinedBehavior, Value};

use super::allowance::{Allowance, CONTAINER, ENTRY, ITEM};
use super::held::Held;
use super::namespace::Namespace;

/// MiniJinja's own operators.
const OPERATORS: [(&str, &str); 8] = [
    ("__add", "a + b"),
    ("__sub", "a - b"),
    ("__mul", "a * b"),
    ("__div", "a / b"),
    ("__floordiv", "a // b"),
    ("__rem", "a % b"),
    ("__concat", "a ~ b"),
    ("__slice", "a[b:c:d]"),
];

pub(super) fn add(environment: &mut Environment<'static>, allowance: &Arc<Allowance>) {
    for (name, _) in OPERATORS.into_iter().filter(|(name, _)| *name != "__slice") {
        let allowance = allowance.clone();
        let filter = move |left: Operand, right: Operand| {
            operate(&allowance, name, left.into_value(), right.into_value())
        };
        environment.add_filter(name, filter);
    }
    let counted = allowance.clone();
    environment.add_filter(
        "__slice",
        move |of: Operand, start: Operand, stop: Operand, step: Operand| {
            slice(&counted, [of, start, stop, step].map(Operand::into_value))
        },
    );
    let counted = allowance.clone();
    environment.add_filter("__made", move |made: Operand| made_by(&counted, made.into_value()));
    let counted = allowance.clone();
    environment
        .add_filter("__compared", move |value: Operand| compared(&counted, value.into_value()));
    let counted = allowance.clone();
    environment.add_filter("__searched", move |value: Operand| {
        // A mapping finds a key without looking at what it holds.
        match value.kind() {
            ValueKind::Map => counted.spend(1).map(|()| value.into_value()),
            _ => compared(&counted, value.into_value()),
        }
    });
    let counted = allowance.clone();
    environment.add_filter(
        "__callee",
        move |state: &State<'_, '_>, callee: Operand, name: &str| {
            counted.spend(1)?;
            if callee.is_undefined() && state.lookup(name).is_none() {
                return Err(Error::new(ErrorKind::UnknownFunction, format!("{name} is unknown")));
            }
            Ok(callee.into_value())
        },
    );
    let counted = allowance.clone();
    environment.add_filter("__held", move |bytes: usize| {
        counted.hold(bytes).map(|()| Value::from_safe_string(String::new()))
    });
    let counted = allowance.clone();
    environment.add_filter("__set", move |target: Operand, name: &str, value: Operand| {
        set(&counted, &target.into_value(), name, value.into_value())
    });
}

/// The filter that gives the texts of templates.
pub(super) fn add_texts(
    environment: &mut Environment<'static>,
    texts: Vec<Value>,
    allowance: &Arc<Allowance>,
) {
    let allowance = allowance.clone();
    environment.add_filter("__text", move |number: usize| {
        allowance.spend(1)?;
        let text = texts.get(number).cloned();
        text.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "there is no such text"))
    });
}

/// As it is, whether undefined or not.
type Operand = ValueOrKwargs;

fn operate(
    allowance: &Allowance,
    name: &'static str,
    left: Value,
    right: Value,
) -> Result<Value, Error> {
    allowance.spend(1)?;
    let is_list = |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) && !value.is_tuple()
    };
    match name {
        "__concat" => {
            let worst = match (left.as_str(), right.as_str()) {
                (Some(left), Some(right)) => left.len() + right.len(),
                _ => allowance.weigh([&left, &right])?.worst(),
            };
            allowance.check(worst)?;
        }
        "__add" if is_list(&left) && is_list(&right) => {
            let items = Held::count(&left).saturating_add(Held::count(&right));
            allowance.check(items.saturating_mul(ITEM))?;
            let (list, copied) = Held::concatenated(&left, &right);
            allowance.spend(copied as u64 / 8)?;
            allowance.hold(CONTAINER + copied * ITEM)?;
            return Ok(list);
        }
        "__mul" => {
            let times = |many: &Value, by: &Value| {
                let each = match many.kind() {
                    ValueKind::String => many.as_str().map_or(0, str::len),
                    _ => Held::count(many).saturating_mul(ITEM),
                };
                each.saturating_mul(by.as_usize().unwrap_or(0))
            };
            let bytes = times(&left, &right).max(times(&right, &left));
            allowance.check(bytes)?;
            if left.as_str().is_some() || right.as_str().is_some() {
                allowance.check_text(bytes)?;
            }
        }
        _ => {}
    }
    if name == "__add"
        && let (Some(left), Some(right)) = (left.as_str(), right.as_str())
    {
        allowance.check_text(left.len() + right.len())?;
    }
    made_by(allowance, native(name, [left, right])?)
}

/// Backwards, MiniJinja panics where nothing is left to be taken.
fn slice(allowance: &Allowance, [of, start, stop, step]: [Value; 4]) -> Result<Value, Error> {
    let count = match of.as_bytes() {
        Some(_) => of.len().unwrap_or(0),
        None => Held::count(&of),
    };
    allowance.spend(1 + count as u64 / 8)?;
    allowance.check(count.saturating_mul(ITEM))?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let place = |given: &Value, otherwise: i64| match given.as_i64() {
        Some(back) if back < 0 => count.saturating_add(back).max(0),
        Some(place) => place,
        None => otherwise,
    };
    let (first, last) = (place(&start, count).min(count - 1), place(&stop, 0));
    let is_empty = count == 0 || (last > 0 && first < last);
    let sliced = match step.as_i64() {
        Some(back) if back < 0 && is_empty => [of, Value::from(0), Value::from(0), Value::from(1)],
        Some(i64::MIN) => [of, start, stop, Value::from(-i64::MAX)],
        _ => [of, start, stop, step],
    };
    made_by(allowance, native("__slice", sliced)?)
}

/// What MiniJinja's operator gives.
fn native<const N: usize>(name: &str, operands: [Value; N]) -> Result<Value, Error> {
    static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_debug(false);
        environment
    });
    static EXPRESSIONS: LazyLock<BTreeMap<&str, Expression<'static, 'static>>> =
        LazyLock::new(|| {
            let compiled = OPERATORS.map(|(name, operator)| {
                (name, PLAIN.compile_expression(operator).expect("an operator and names"))
            });
            compiled.into()
        });
    let expression = EXPRESSIONS.get(name).expect("one of the table");
    let operands = Value::from_pairs(["a", "b", "c", "d"].into_iter().zip(operands));
    expression.eval(operands).map_err(|error| {
        // The place is that of the template, which is not known here.
        match error.detail() {
            Some(detail) => Error::new(error.kind(), detail.to_owned()),
            None => Error::from(error.kind()),
        }
    })
}

/// Charges for a value that an operator made. MiniJinja's iterators become lists.
pub(super) fn made_by(allowance: &Allowance, made: Value) -> Result<Value, Error> {
    allowance.spend(1)?;
    let items = || Held::count(&made);
    match made.kind() {
        ValueKind::String => {
            // Short ones are part of the value.
            let bytes = made.as_str().map_or(0, str::len);
            allowance.hold_text(if bytes > ITEM { bytes } else { 0 })?;
        }
        ValueKind::Bytes => allowance.hold(items())?,
        ValueKind::Map => {
            allowance.hold(CONTAINER.saturating_add(items().saturating_mul(ENTRY)))?
        }
        ValueKind::Seq | ValueKind::Iterable => {
            allowance.spend(items() as u64 / 8)?;
            allowance.hold(CONTAINER.saturating_add(items().saturating_mul(ITEM)))?;
            if made.kind() == ValueKind::Iterable && made.downcast_object_ref::<Held>().is_none() {
                return Held::of(&made);
            }
        }
        _ => {}
    }
    Ok(made)
}

/// A comparison walks through what it compares.
fn compared(allowance: &Allowance, value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Bytes => {
            allowance.spend(1 + value.as_bytes().map_or(0, <[u8]>::len) as u64 / 64)?;
        }
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            let weight = allowance.weigh([&value])?;
            allowance.check(weight.worst())?;
        }
        _ => allowance.spend(1)?,
    }
    Ok(value)
}

fn set(allowance: &Allowance, target: &Value, name: &str, value: Value) -> Result<Value, Error> {
    allowance.spend(1)?;
    match target.downcast_object_ref::<Namespace>() {
        Some(namespace) => namespace.set(name, value),
        None => {
            let why = format!("can only assign to namespaces, not {}", target.kind());
            return Err(Error::new(ErrorKind::InvalidOperation, why));
        }
    }
    Ok(Value::from_safe_string(String::new()))
}
