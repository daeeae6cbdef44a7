//! MiniJinja's filters, counted: what they walk through before they do, what they make afterwards.

use std::sync::Arc;

use minijinja::filters::*;
use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, State, Value};

use super::allowance::{Allowance, CONTAINER, ENTRY, ITEM};
use super::held::Held;
use super::operators::made_by;

/// How much of its arguments a filter looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// At one item, or at how many there are. What it gives was there before.
    Glance,
    /// At all that they hold. What it gives is new, and its items were there before.
    Walk,
    /// The same, but the items of what it gives are new as well.
    Items,
}

/// Every filter of MiniJinja.
fn table() -> Vec<(&'static str, Value, Reach)> {
    use Reach::{Glance, Items, Walk};
    vec![
        ("safe", Value::from_function(safe), Walk),
        ("escape", Value::from_function(escape), Walk),
        ("e", Value::from_function(escape), Walk),
        ("lower", Value::from_function(lower), Walk),
        ("upper", Value::from_function(upper), Walk),
        ("title", Value::from_function(title), Walk),
        ("capitalize", Value::from_function(capitalize), Walk),
        ("replace", Value::from_function(replace), Walk),
        ("length", Value::from_function(length), Glance),
        ("count", Value::from_function(length), Glance),
        ("dictsort", Value::from_function(dictsort), Items),
        ("items", Value::from_function(items), Items),
        ("reverse", Value::from_function(reverse), Walk),
        ("trim", Value::from_function(trim), Walk),
        ("join", Value::from_function(join), Walk),
        ("split", Value::from_function(split), Items),
        ("lines", Value::from_function(lines), Items),
        ("default", Value::from_function(default), Glance),
        ("d", Value::from_function(default), Glance),
        ("round", Value::from_function(round), Glance),
        ("abs", Value::from_function(abs), Glance),
        ("int", Value::from_function(int), Glance),
        ("float", Value::from_function(float), Glance),
        ("attr", Value::from_function(attr), Glance),
        ("first", Value::from_function(first), Glance),
        ("last", Value::from_function(last), Glance),
        ("min", Value::from_function(min), Walk),
        ("max", Value::from_function(max), Walk),
        ("sort", Value::from_function(sort), Walk),
        ("list", Value::from_function(list), Walk),
        ("string", Value::from_function(string), Walk),
        ("bool", Value::from_function(bool), Glance),
        ("batch", Value::from_function(batch), Items),
        ("slice", Value::from_function(slice), Items),
        ("sum", Value::from_function(sum), Walk),
        ("indent", Value::from_function(indent), Walk),
        ("select", Value::from_function(select), Walk),
        ("reject", Value::from_function(reject), Walk),
        ("selectattr", Value::from_function(selectattr), Walk),
        ("rejectattr", Value::from_function(rejectattr), Walk),
        ("map", Value::from_function(map), Walk),
        ("groupby", Value::from_function(groupby), Items),
        ("unique", Value::from_function(unique), Walk),
        ("chain", Value::from_function(chain), Walk),
        ("zip", Value::from_function(zip), Items),
        ("pprint", Value::from_function(pprint), Walk),
        ("format", Value::from_function(format), Walk),
        ("tojson", Value::from_function(tojson), Walk),
        ("urlencode", Value::from_function(urlencode), Walk),
    ]
}

pub(super) fn add(environment: &mut Environment<'static>, allowance: &Arc<Allowance>) {
    for (name, original, reach) in table() {
        let allowance = allowance.clone();
        let filter = move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            let call = |state: &mut State<'_, '_>| original.call(state, &arguments);
            if reach == Reach::Glance {
                glance(&allowance, &arguments)?;
                return call(state);
            }
            walk(&allowance, name, &arguments)?;
            let made = call(state)?;
            made_of(&allowance, name, made, reach == Reach::Items)
        };
        environment.add_filter(name, filter);
    }
}

/// A text may be counted or read as a number, and a list be turned around for its last item.
fn glance(allowance: &Allowance, arguments: &[Value]) -> Result<(), Error> {
    let size = arguments.first().map_or(0, |piped| match piped.as_bytes() {
        Some(bytes) => bytes.len() / 64,
        None => Held::count(piped) / 8,
    });
    allowance.check(size.saturating_mul(8 * ITEM))?;
    allowance.spend(1 + size as u64)
}

fn walk(allowance: &Allowance, name: &str, arguments: &[Value]) -> Result<(), Error> {
    let weight = allowance.weigh(arguments)?;
    let Some(piped) = arguments.first() else { return Ok(()) };
    let given = Given::of(arguments);
    let len = || Held::count(piped);
    let text = piped.as_str().unwrap_or_default();
    let bytes = usize::try_from(weight.bytes).unwrap_or(usize::MAX);
    let nodes = usize::try_from(weight.nodes).unwrap_or(usize::MAX);
    if matches!(name, "sort" | "dictsort" | "groupby" | "unique") {
        // Each item is compared with a few others, the more the more there are.
        let others = u64::from(len().max(1).ilog2()) / 4;
        allowance.spend(weight.nodes.saturating_mul(others))?;
    }
    // What it makes beyond the size of its arguments.
    let grown = match name {
        "indent" => {
            let breaks = match piped.as_str() {
                Some(text) => text.matches('\n').count(),
                None => bytes,
            };
            given.number(1, "width").unwrap_or(4).saturating_mul(breaks.saturating_add(2))
        }
        "replace" => {
            let part = |index: usize| arguments.get(index).map(ToString::to_string);
            let (from, to) = (part(1).unwrap_or_default(), part(2).unwrap_or_default());
            piped.to_string().matches(&from).count().saturating_mul(to.len())
        }
        "join" => {
            let joiner = given.value(1, "d").map_or(0, |joiner| joiner.to_string().len());
            joiner.saturating_mul(len())
        }
        "format" => grown_by_format(text, &arguments[1..], bytes),
        "tojson" | "pprint" => {
            let indent = given.number(1, "indent").unwrap_or(0).max(4);
            indent.saturating_mul(weight.depth).saturating_mul(nodes)
        }
        // A rest is filled up.
        "batch" => given.number(1, "").unwrap_or(0).saturating_mul(ITEM),
        "slice" => given.number(1, "").unwrap_or(0).saturating_mul(CONTAINER),
        "split" => {
            let parts = match arguments.get(1).and_then(Value::as_str) {
                Some(separator) => text.matches(separator).count().saturating_add(2),
                None => text.len() / 2 + 1,
            };
            parts.saturating_mul(2 * ITEM)
        }
        "lines" => text.lines().count().saturating_mul(2 * ITEM),
        "sort" => {
            let keys = given.value(9, "attribute").and_then(|keys| keys.as_str().map(str::len));
            keys.unwrap_or(0).saturating_mul(len()).saturating_mul(ITEM)
        }
        "groupby" | "items" | "dictsort" => len().saturating_mul(ENTRY),
        "zip" => arguments.len().saturating_mul(len()).saturating_mul(2 * ITEM),
        "select" | "reject" | "selectattr" | "rejectattr" => {
            // Each item may be held against the arguments.
            let others = weight_of_others(allowance, arguments)?;
            allowance.spend(others.saturating_mul(len() as u64))?;
            len().saturating_mul(ITEM)
        }
        "trim" => {
            let chars = arguments.get(1).and_then(Value::as_str).map_or(0, str::len);
            allowance.spend((chars as u64).saturating_mul(text.len() as u64) / 64)?;
            0
        }
        "sum" => {
            // Texts and lists are added one to the other, each time anew.
            let copied = (len() as u64).saturating_mul(weight.bytes.saturating_add(weight.nodes));
            let numbers_only = given.value(2, "start").is_none_or(Value::is_number);
            allowance.spend(if numbers_only { 0 } else { copied / 64 })?;
            nodes.saturating_mul(ITEM)
        }
        // The characters of a text are values.
        "list" | "map" | "unique" | "min" | "max" | "chain" => len().saturating_mul(ITEM),
        _ => 0,
    };
    allowance.check(weight.worst().saturating_add(grown))
}

/// The widest field of each kind, as often as there are fields.
fn grown_by_format(text: &str, arguments: &[Value], bytes: usize) -> usize {
    let fields = text.matches('%').count();
    let number = |digits: &str| match digits {
        "" => 0,
        digits => digits.parse().unwrap_or(usize::MAX),
    };
    let widest = text.split(|char: char| !char.is_ascii_digit()).map(number).max().unwrap_or(0);
    // `*` takes a width from the arguments.
    let given = match text.contains('*') {
        true => arguments
            .iter()
            .filter_map(Value::as_i64)
            .map(|width| usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX))
            .max()
            .unwrap_or(0),
        false => 0,
    };
    let width = widest.saturating_add(given).saturating_mul(8);
    fields.saturating_mul(width.saturating_add(bytes.saturating_mul(8)))
}

fn weight_of_others(allowance: &Allowance, arguments: &[Value]) -> Result<u64, Error> {
    let weight = allowance.weigh(&arguments[1..])?;
    Ok(weight.nodes.saturating_add(weight.bytes / 64))
}

fn made_of(
    allowance: &Allowance,
    name: &str,
    made: Value,
    are_items_new: bool,
) -> Result<Value, Error> {
    if are_items_new && let Ok(items) = made.try_iter() {
        for item in items {
            let bytes = match item.kind() {
                ValueKind::String => item.as_str().map_or(0, str::len),
                ValueKind::Seq | ValueKind::Iterable => {
                    CONTAINER.saturating_add(Held::count(&item).saturating_mul(ITEM))
                }
                _ => 0,
            };
            allowance.hold(bytes)?;
        }
    }
    // A chain is made of iterators, which would nest.
    let made = match (name, made.kind()) {
        ("chain", ValueKind::Seq) => Value::from(made.try_iter()?.collect::<Vec<_>>()),
        ("chain", ValueKind::Map) => {
            let keys = made.try_iter()?;
            let entries = keys.map(|key| Ok((key.clone(), made.get_item(&key)?)));
            Value::from_pairs(entries.collect::<Result<Vec<_>, Error>>()?)
        }
        _ => made,
    };
    made_by(allowance, made)
}

/// Arguments by place or by name.
struct Given<'a> {
    arguments: &'a [Value],
    kwargs: Option<Kwargs>,
}

impl<'a> Given<'a> {
    fn of(arguments: &'a [Value]) -> Self {
        match from_args::<(&[Value], Kwargs)>(arguments) {
            Ok((arguments, kwargs)) => Self { arguments, kwargs: Some(kwargs) },
            Err(_) => Self { arguments, kwargs: None },
        }
    }

    fn value<'s>(&'s self, index: usize, name: &'s str) -> Option<&'s Value> {
        let named = || self.kwargs.as_ref()?.peek::<&Value>(name).ok();
        self.arguments.get(index).or_else(named)
    }

    fn number(&self, index: usize, name: &str) -> Option<usize> {
        self.value(index, name)?.as_usize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter that MiniJinja brings and the table lacks would not be counted.
    #[test]
    fn the_table_has_every_filter() {
        let environment = Environment::new();
        let known = std::format!("{:?}", environment);
        let names = table().into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
        assert!(known.contains("filters"), "{known}");
        let mut state = environment.empty_state();
        for name in &names {
            let unknown = state.apply_filter(name, &[]).err().map(|error| error.kind());
            assert_ne!(unknown, Some(minijinja::ErrorKind::UnknownFilter), "{name}");
        }
        let listed = known.split("filters: ").nth(1).and_then(|rest| rest.split(']').next());
        let listed = listed.unwrap_or_default().matches('"').count() / 2;
        assert_eq!(listed, names.len(), "{known}");
    }
}
