//! Which subcharts take part, under which names, and what they export: conditions, tags, aliases
//! and import-values of Chart.yaml.

use serde_json::{Map, Value, json};

use super::coalesce::{Nulls, TypeMismatch, coalesce, merge};
use super::table::{Node, Table};
use crate::Chart;
use crate::chart::Dependency;
use crate::version;
use crate::warning::Warning;

impl Chart {
    /// The chart that takes part in a release with these values: without disabled subcharts, with
    /// aliases applied and import-values in its values. This is the chart that Helm records.
    /// Appends what Helm would warn of.
    pub fn for_values(
        &self,
        values: &Map<String, Value>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, TypeMismatch> {
        let mut chart = self.clone();
        keep_enabled(&mut chart, values, "", warnings)?;
        import_values(&mut chart, warnings)?;
        Ok(chart)
    }
}

fn keep_enabled(
    chart: &mut Chart,
    values: &Map<String, Value>,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), TypeMismatch> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    name_subcharts(chart);
    let coalesced = super::of(chart, values, warnings)?;
    let mut wanted = std::mem::take(&mut chart.metadata.dependencies);
    by_tags(&mut wanted, &coalesced, warnings);
    by_conditions(&mut wanted, &coalesced, path, warnings);
    let is_disabled = |name: &str| wanted.iter().any(|w| !w.enabled && w.name == name);
    chart.dependencies.retain(|subchart| !is_disabled(subchart.name()));
    let disabled: Vec<String> =
        wanted.iter().filter(|w| !w.enabled).map(|w| w.name.clone()).collect();
    wanted.retain(|w| !disabled.contains(&w.name));
    chart.metadata.dependencies = wanted;
    for subchart in &mut chart.dependencies {
        let path = format!("{path}{}.", subchart.name());
        keep_enabled(subchart, &coalesced, &path, warnings)?;
    }
    Ok(())
}

/// One subchart for each entry of Chart.yaml, under its alias, and those that it does not mention.
fn name_subcharts(chart: &mut Chart) {
    let fits = |subchart: &Chart, wanted: &Dependency| {
        subchart.name() == wanted.name
            && version::is_compatible(&wanted.version, subchart.version())
    };
    let wanted = &mut chart.metadata.dependencies;
    let mut named: Vec<Chart> = chart
        .dependencies
        .iter()
        .filter(|subchart| !wanted.iter().any(|w| fits(subchart, w)))
        .cloned()
        .collect();
    for dependency in wanted {
        if let Some(found) = chart.dependencies.iter().find(|sub| fits(sub, dependency)) {
            let mut found = found.clone();
            dependency.key().clone_into(&mut found.metadata.name);
            named.push(found);
        }
        dependency.name = dependency.key().to_owned();
        dependency.enabled = true;
    }
    chart.dependencies = named;
}

fn by_tags(wanted: &mut [Dependency], values: &Map<String, Value>, warnings: &mut Vec<Warning>) {
    let Some(Value::Object(tags)) = values.get("tags") else { return };
    for dependency in wanted {
        let (mut on, mut off) = (false, false);
        for tag in &dependency.tags {
            match tags.get(tag) {
                Some(Value::Bool(true)) => on = true,
                Some(Value::Bool(false)) => off = true,
                Some(_) => warnings.push(
                    Warning::warn("returned non-bool value")
                        .with("tag", tag)
                        .with("chart", &dependency.name),
                ),
                None => {}
            }
        }
        dependency.enabled = on || !off;
    }
}

/// The first condition that is set to a boolean decides, over any tag.
fn by_conditions(
    wanted: &mut [Dependency],
    values: &Map<String, Value>,
    path: &str,
    warnings: &mut Vec<Warning>,
) {
    for dependency in wanted {
        for condition in dependency.condition.trim().split(',').filter(|c| !c.is_empty()) {
            match lookup(values, &format!("{path}{condition}")) {
                Some(Value::Bool(enabled)) => {
                    dependency.enabled = *enabled;
                    break;
                }
                None | Some(Value::Object(_)) => {}
                Some(_) => warnings.push(
                    Warning::warn("returned non-bool value")
                        .with("path", condition)
                        .with("chart", &dependency.name),
                ),
            }
        }
    }
}

/// The value at a path of names with dots between.
fn lookup<'a>(values: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (tables, last) = path.rsplit_once('.').map_or((None, path), |(t, last)| (Some(t), last));
    let mut map = values;
    for name in tables.into_iter().flat_map(|tables| tables.split('.')) {
        map = map.get(name)?.as_object()?;
    }
    map.get(last)
}

fn import_values(chart: &mut Chart, warnings: &mut Vec<Warning>) -> Result<(), TypeMismatch> {
    for subchart in &mut chart.dependencies {
        import_values(subchart, warnings)?;
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let own = coalesce(chart, &Map::new(), Nulls::Keep, warnings)?;
    let imported = Table::default();
    for dependency in &mut chart.metadata.dependencies {
        let mut resolved = Vec::new();
        for import in &dependency.import_values {
            let (child, parent) = match import {
                Value::String(name) => (format!("exports.{name}"), ".".to_owned()),
                Value::Object(map) => (plain(map.get("child")), plain(map.get("parent"))),
                _ => continue,
            };
            resolved.push(json!({ "child": child, "parent": parent }));
            match table(&own, &format!("{}.{child}", dependency.name)) {
                Ok(found) => merge(&imported, &place(&parent, found), warnings),
                Err(missing) => {
                    let error = format!("{missing:?} is not a table");
                    warnings.push(
                        match import {
                            Value::String(_) => Warning::warn("ImportValues missing table"),
                            _ => Warning::warn("ImportValues missing table from chart")
                                .with("chart", &dependency.name),
                        }
                        .with("error", error),
                    );
                }
            }
        }
        dependency.import_values = resolved;
    }
    // What was imported is shared with what it was imported from; the chart's values are not.
    let values = Table::of(&own.to_json());
    merge(&values, &imported, warnings);
    chart.values = values.to_json();
    Ok(())
}

/// The table at a path of names with dots between. Err: the name where there is none.
fn table<'a>(from: &Table, path: &'a str) -> Result<Table, &'a str> {
    path.split('.').try_fold(from.clone(), |table, name| match table.get(name) {
        Some(Node::Table(table)) => Ok(table),
        _ => Err(name),
    })
}

/// Go's `%v` of what may be missing.
fn plain(value: Option<&Value>) -> String {
    value.and_then(crate::yaml::as_text).unwrap_or_else(|| "<nil>".to_owned())
}

fn place(path: &str, table: Table) -> Table {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, name| {
        let outer = Table::default();
        outer.set(name, Node::Table(inner));
        outer
    })
}
