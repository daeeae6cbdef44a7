//! Files to a chart.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Chart, ChartError, File, Metadata, archive};
use crate::template::ParsedFiles;
use crate::warning::Warning;
use crate::{values, yaml};

/// How deep charts/ folders may nest.
const MAX_DEPTH: usize = 40;

/// Builds the chart of files that are named from its top folder.
pub(super) fn chart(
    files: Vec<File>,
    budget: &mut archive::Budget,
    depth: usize,
) -> Result<Chart, ChartError> {
    if depth > MAX_DEPTH {
        return Err(ChartError::TooDeep(MAX_DEPTH));
    }
    let mut chart = Chart {
        metadata: Metadata::default(),
        lock: None,
        templates: Vec::new(),
        values: Map::new(),
        has_values_file: false,
        schema: None,
        files: Vec::new(),
        dependencies: Vec::new(),
        modified: None,
        warnings: Vec::new(),
        parsed: ParsedFiles::default(),
    };
    let has_metadata = read_metadata(&mut chart, &files)?;
    let mut subcharts: BTreeMap<String, Vec<File>> = BTreeMap::new();
    let mut has_requirements = false;
    for file in files {
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => chart.lock = Some(lock(&file, "Chart.lock")?),
            "values.yaml" => {
                chart.values = read_values(&file)?;
                chart.has_values_file = true;
            }
            "values.schema.json" => chart.schema = Some(file),
            "requirements.yaml" => {
                has_requirements = true;
                requirements(&mut chart, file)?;
            }
            "requirements.lock" => requirements_lock(&mut chart, file)?,
            name if name.starts_with("templates/") => chart.templates.push(file),
            name if name.starts_with("charts/") && !name.ends_with(".prov") => {
                let below = name["charts/".len()..].to_owned();
                let subchart = below.split('/').next().unwrap_or_default().to_owned();
                subcharts.entry(subchart).or_default().push(File { name: below, ..file });
            }
            _ => chart.files.push(file),
        }
    }
    if !has_metadata && !has_requirements {
        return Err(ChartError::NoMetadata);
    }
    chart.metadata.validate()?;
    for (name, files) in subcharts {
        let parent = chart.name().to_owned();
        if let Some(subchart) = subchart(&name, files, &parent, budget, depth)? {
            chart.dependencies.push(subchart);
        }
    }
    Ok(chart)
}

fn read_metadata(chart: &mut Chart, files: &[File]) -> Result<bool, ChartError> {
    let mut found = false;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let document = parse(file, "Chart.yaml")?;
        if !document.is_null() {
            let read = chart.metadata.read(&document);
            read.map_err(|why| ChartError::Shape { file: "Chart.yaml", why })?;
        }
        // Helm 2 took charts without one.
        if chart.metadata.api_version.is_empty() {
            "v1".clone_into(&mut chart.metadata.api_version);
        }
        chart.modified = file.modified;
        found = true;
    }
    Ok(found)
}

fn requirements(chart: &mut Chart, file: File) -> Result<(), ChartError> {
    let document = parse(&file, "requirements.yaml")?;
    if !document.is_null() {
        let read = chart.metadata.read(&document);
        read.map_err(|why| ChartError::Shape { file: "requirements.yaml", why })?;
    }
    if chart.metadata.api_version == "v1" {
        chart.files.push(file);
    } else {
        chart.warnings.push(Warning::info(
            "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend \
             migrating dependencies to Chart.yaml.",
        ));
    }
    Ok(())
}

fn requirements_lock(chart: &mut Chart, file: File) -> Result<(), ChartError> {
    chart.lock = Some(lock(&file, "requirements.lock")?);
    if chart.metadata.api_version == "v1" {
        chart.files.push(file);
    } else {
        chart.warnings.push(Warning::info(
            "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We \
             recommend migrating to Chart.lock.",
        ));
    }
    Ok(())
}

fn read_values(file: &File) -> Result<Map<String, Value>, ChartError> {
    let text = text(file, "values.yaml")?;
    Ok(values::from_yaml(text)?)
}

/// None: a file beside the charts.
fn subchart(
    name: &str,
    mut files: Vec<File>,
    parent: &str,
    budget: &mut archive::Budget,
    depth: usize,
) -> Result<Option<Chart>, ChartError> {
    let wrap = |source: ChartError| ChartError::Subchart {
        name: name.to_owned(),
        parent: parent.to_owned(),
        source: Box::new(source),
    };
    if name.starts_with(['_', '.']) {
        return Ok(None);
    }
    if name.ends_with(".tgz") {
        let file = files.swap_remove(0);
        if file.name != name {
            return Err(ChartError::SubchartName {
                parent: parent.to_owned(),
                expected: name.to_owned(),
                found: file.name,
            });
        }
        let files = archive::unpack(&file.data, budget).map_err(wrap)?;
        return chart(files, budget, depth + 1).map(Some).map_err(wrap);
    }
    let below = files
        .into_iter()
        .filter_map(|file| {
            let (_, name) = file.name.split_once('/')?;
            Some(File { name: name.to_owned(), ..file })
        })
        .collect();
    chart(below, budget, depth + 1).map(Some).map_err(wrap)
}

/// A lock file, of whose fields Helm reads the types.
fn lock(file: &File, name: &'static str) -> Result<Value, ChartError> {
    let lock = parse(file, name)?;
    let shape = |why: String| ChartError::Shape { file: name, why };
    if !matches!(lock, Value::Null | Value::Object(_)) {
        return Err(shape("it is not a mapping".to_owned()));
    }
    if let Some(generated) = lock.get("generated").filter(|value| !value.is_null()) {
        let time = generated.as_str().map(chrono::DateTime::parse_from_rfc3339);
        if !matches!(time, Some(Ok(_))) {
            return Err(shape(format!("generated: {generated} is not a time of RFC 3339")));
        }
    }
    // The same shape as in Chart.yaml.
    Metadata::default().read(&lock).map_err(shape)?;
    Ok(lock)
}

fn parse(file: &File, name: &'static str) -> Result<Value, ChartError> {
    yaml::from_str_exact(text(file, name)?)
        .map_err(|source| ChartError::Yaml { file: name, source })
}

fn text<'a>(file: &'a File, name: &'static str) -> Result<&'a str, ChartError> {
    std::str::from_utf8(&file.data)
        .map_err(|_| ChartError::Shape { file: name, why: "it is not UTF-8".to_owned() })
}
