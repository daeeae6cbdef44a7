//! values.yaml, by itself and with the user's values: its grammar, its schema, its numbers.

use super::{Findings, Options, file, numbers};
use crate::chart::{Chart, File};
use crate::values::{self, schema};
use crate::yaml;

const FILE: &str = "values.yaml";
const SCHEMA: &str = "values.schema.json";

pub(super) fn check(files: &[File], options: &Options<'_>, findings: &mut Findings) {
    match file(files, FILE) {
        None => findings.info(FILE, "file does not exist"),
        Some(file) => check_file(files, file, options, findings),
    }
    for (name, text) in options.values_files {
        numbers::check(name, text, findings);
    }
}

fn check_file(files: &[File], file: &File, options: &Options<'_>, findings: &mut Findings) {
    let Ok(text) = std::str::from_utf8(&file.data) else {
        return findings.error(FILE, "unable to parse YAML: it is not UTF-8");
    };
    match yaml::from_str(text) {
        Err(error) => return findings.error(FILE, format!("unable to parse YAML: {error}")),
        Ok(values) if !values.is_object() && !values.is_null() => {
            return findings.error(FILE, "unable to parse YAML: values must be a mapping");
        }
        Ok(_) => {}
    }
    if !options.skip_schema_validation
        && let Some(why) = refused_by_schema(files, options)
    {
        findings.error(FILE, why);
    }
    numbers::check(FILE, text, findings);
}

/// What the chart's own schema has against its own values: subcharts, and what the rest of the chart
/// makes of the values, are none of its business here.
fn refused_by_schema(files: &[File], options: &Options<'_>) -> Option<String> {
    const NAME: &str = "values";
    file(files, SCHEMA).filter(|schema| !schema.data.is_empty())?;
    let mut alone = vec![File {
        name: "Chart.yaml".to_owned(),
        data: format!("apiVersion: v2\nname: {NAME}\nversion: 1.0.0\n").into_bytes().into(),
        modified: None,
    }];
    // Other schemas of the chart, too, which its own may refer to.
    let is_wanted = |file: &&File| {
        file.name == FILE || file.name.ends_with(".json") && !file.name.starts_with("charts/")
    };
    alone.extend(files.iter().filter(is_wanted).cloned());
    let chart = Chart::from_files(alone).ok()?;
    // Whatever is to be logged is so when the whole chart's values are looked at.
    let mut log = Vec::new();
    let values = values::of(&chart, options.values, &mut log).ok()?;
    let refused = schema::check(&chart, &values, &mut log).err()?.to_string();
    let heading = format!("{NAME}:\n");
    let why = refused.split_once(&heading).map_or(refused.as_str(), |(_, why)| why);
    Some(why.trim_end().to_owned())
}
