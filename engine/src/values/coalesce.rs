//! The chart's values under the user's: Helm's coalescing.
//!
//! Coalescing lets a `null` of the user remove a default; merging keeps it.

use serde_json::{Map, Value};

use super::go_text;
use super::table::{Node, Table};
use crate::warning::Warning;
use crate::{Chart, template};

const GLOBAL: &str = "global";

/// Whether `null`s are acted upon or kept for later.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Nulls {
    Remove,
    Keep,
}

/// A subchart's name where the values hold no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "type mismatch on {name}: {found}; the values under a subchart's name belong to it and must be a mapping"
)]
pub struct TypeMismatch {
    name: String,
    /// Go's type of what is there, never the value itself.
    found: String,
}

impl TypeMismatch {
    fn of(name: &str, found: &Value) -> Self {
        let found = template::from_json_with_integers(found).type_name().to_owned();
        Self { name: name.to_owned(), found }
    }
}

/// Everything that the chart and its subcharts see as `.Values`, and what Helm warns of.
pub(crate) fn coalesce(
    chart: &Chart,
    user: &Map<String, Value>,
    nulls: Nulls,
    warnings: &mut Vec<Warning>,
) -> Result<Table, TypeMismatch> {
    let values = Table::of(user);
    Coalescing { nulls, warnings }.chart(chart, &values, "")?;
    Ok(values)
}

/// Merges `from` into `into`, whose entries win. Tables that only `from` has become shared.
pub(crate) fn merge(into: &Table, from: &Table, warnings: &mut Vec<Warning>) {
    Coalescing { nulls: Nulls::Keep, warnings }.tables(into, from, "", Nulls::Keep);
}

struct Coalescing<'a> {
    nulls: Nulls,
    warnings: &'a mut Vec<Warning>,
}

impl Coalescing<'_> {
    fn chart(&mut self, chart: &Chart, values: &Table, prefix: &str) -> Result<(), TypeMismatch> {
        let prefix = join(prefix, chart.name());
        self.defaults(chart, values, &prefix);
        for subchart in &chart.dependencies {
            let below = match values.get(subchart.name()) {
                Some(Node::Table(table)) => table,
                Some(Node::Leaf(other)) => return Err(TypeMismatch::of(subchart.name(), &other)),
                None => {
                    let table = Table::default();
                    values.set(subchart.name(), Node::Table(table.clone()));
                    table
                }
            };
            self.globals(&below, values, &prefix);
            self.chart(subchart, &below, &prefix)?;
        }
        Ok(())
    }

    /// The chart's own values.yaml under `values`.
    fn defaults(&mut self, chart: &Chart, values: &Table, prefix: &str) {
        for (key, default) in &chart.values {
            match values.get(key) {
                Some(Node::Leaf(Value::Null)) if self.nulls == Nulls::Remove => values.remove(key),
                Some(Node::Table(own)) => match default {
                    Value::Object(default) => {
                        let default = Table::of(default);
                        // A subchart's values are coalesced in their turn.
                        let is_subchart = chart.dependencies.iter().any(|sub| sub.name() == key);
                        let nulls = if is_subchart { Nulls::Keep } else { self.nulls };
                        if nulls == Nulls::Remove {
                            default.remove_nulls();
                        }
                        self.tables(&own, &default, &join(prefix, key), nulls);
                    }
                    Value::Null => {}
                    _ => self
                        .info(format!("warning: skipped value for {prefix}.{key}: Not a table.")),
                },
                Some(Node::Leaf(_)) => {}
                None if self.nulls == Nulls::Remove && default.is_null() => {}
                None => {
                    let default = Node::from(default);
                    if let (Nulls::Remove, Node::Table(table)) = (self.nulls, &default) {
                        table.remove_nulls();
                    }
                    values.set(key, default);
                }
            }
        }
    }

    /// The parent's globals over those of the subchart.
    fn globals(&mut self, below: &Table, above: &Table, prefix: &str) {
        let to = match below.get(GLOBAL) {
            None => Table::default(),
            Some(Node::Table(table)) => table,
            Some(Node::Leaf(_)) => {
                return self
                    .info("warning: skipping globals because destination global is not a table.");
            }
        };
        let from = match above.get(GLOBAL) {
            None => Table::default(),
            Some(Node::Table(table)) => table,
            Some(Node::Leaf(_)) => {
                return self
                    .info("warning: skipping globals because source global is not a table.");
            }
        };
        for (key, node) in from.entries() {
            match (node, to.get(&key)) {
                (Node::Table(value), None) => to.set(&key, Node::Table(value.shallow_copy())),
                (Node::Table(value), Some(Node::Table(old))) => {
                    let copy = value.shallow_copy();
                    self.tables(&copy, &old, &join(prefix, &key), Nulls::Keep);
                    to.set(&key, Node::Table(copy));
                }
                (Node::Table(_), Some(Node::Leaf(_))) => self.info(format!(
                    "Conflict: cannot merge map onto non-map for {key:?}. Skipping."
                )),
                (Node::Leaf(_), Some(Node::Table(_))) => {
                    self.info(format!("key {key} is table. Skipping"));
                }
                (leaf, _) => to.set(&key, leaf),
            }
        }
        below.set(GLOBAL, Node::Table(to));
    }

    /// Merges `from` into `into`, whose entries win.
    fn tables(&mut self, into: &Table, from: &Table, prefix: &str, nulls: Nulls) {
        // A table that is shared already: nothing to add, and nulls have been dealt with.
        if into.is_same(from) {
            return;
        }
        let entries = from.entries();
        // Helm marks them in the table that it merges from, too, which a chart may still hold.
        for (key, _) in into.entries().iter().filter(|(_, node)| node.is_null()) {
            from.set(key, Node::Leaf(Value::Null));
        }
        for (key, value) in entries {
            let path = || join(prefix, &key);
            match (into.get(&key), value) {
                (None, value) => into.set(&key, value),
                (Some(Node::Leaf(Value::Null)), value)
                    if nulls == Nulls::Remove && !value.is_null() =>
                {
                    into.remove(&key);
                }
                (Some(Node::Leaf(Value::Null)), _) => {}
                (Some(Node::Table(old)), Node::Table(new)) => {
                    self.tables(&old, &new, &path(), nulls);
                }
                (Some(Node::Table(_)), Node::Leaf(value)) if !value.is_null() => {
                    self.info(format!(
                        "warning: destination for {} is a table. Ignoring non-table value ({})",
                        path(),
                        go_text(&value)
                    ));
                }
                (Some(Node::Leaf(_)), Node::Table(value)) => self.info(format!(
                    "warning: cannot overwrite table with non table for {} ({})",
                    path(),
                    go_text(&Value::Object(value.to_json()))
                )),
                _ => {}
            }
        }
    }

    fn info(&mut self, message: impl Into<String>) {
        self.warnings.push(Warning::info(message));
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
