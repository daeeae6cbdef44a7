//! What is wrong with a chart, or will surprise its users: the checks of `helm lint`, what the engine and
//! the schema would refuse, and numbers that lose digits.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::chart::{Chart, ChartError, File};
use crate::render::{Capabilities, Options as RenderOptions, execute_as};
use crate::template::on_large_stack;
use crate::values::schema;
use crate::warning::Warning;

mod addresses;
mod crds;
mod dependencies;
mod deprecations;
mod metadata;
mod names;
mod numbers;
mod objects;
mod values;

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A habit of good charts.
    Info,
    /// It works, and is likely not what was meant.
    Warning,
    /// The chart cannot be rendered or applied like this.
    Error,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// The file or folder of the chart, with `:LINE` where it is known.
    pub path: String,
    pub message: String,
}

impl std::fmt::Display for Finding {
    /// As `helm lint` prints it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.path, self.message)
    }
}

/// What the chart is held against.
pub struct Options<'a> {
    /// The user's values.
    pub values: &'a Map<String, Value>,
    /// The user's values files: their names and texts, for numbers that lose digits.
    pub values_files: &'a [(String, String)],
    pub namespace: &'a str,
    pub capabilities: Capabilities,
    pub skip_schema_validation: bool,
    /// The chart has a folder templates/, even if .helmignore leaves out all that is in it.
    pub has_templates: bool,
}

/// What comes of a look at a chart.
#[derive(Debug, Default)]
pub struct Linted {
    pub findings: Vec<Finding>,
    /// What Helm logs while it loads and renders the chart, each line once.
    pub log: Vec<Warning>,
}

/// Looks at the files of one chart, subcharts included, in the order of Helm's checks. What keeps the
/// chart from being loaded is said by each of them, as in Helm.
pub fn lint(files: &[File], options: &Options<'_>) -> Linted {
    let (mut findings, mut log) = (Findings::default(), Vec::new());
    metadata::check(files, &mut findings);
    values::check(files, options, &mut findings);
    match Chart::from_files(files.to_vec()) {
        Ok(chart) => {
            log_of_loading(&chart, &mut log);
            if has_folder(files, "templates", options.has_templates, &mut findings) {
                templates(&chart, options, &mut findings, &mut log);
            }
            dependencies::check(&chart, &mut findings);
            if has_folder(files, "crds", true, &mut findings) && holds(files, "crds/") {
                crds::check(&chart, "", &mut findings);
            }
        }
        // What is wrong with it was said already, and Helm looks on.
        Err(ChartError::ApiVersion(_)) => {}
        Err(error) => {
            let why = chain(&error);
            if has_folder(files, "templates", options.has_templates, &mut findings) {
                findings.error("templates/", &why);
            }
            findings.error("", format!("unable to load chart\n\t{why}"));
            if holds(files, "crds/") {
                findings.error("crds/", why);
            }
        }
    }
    log.sort();
    log.dedup();
    Linted { findings: findings.0, log }
}

/// Whether a folder of the chart is there and can be looked at. `is_known`: it is there if it is no
/// file, with or without files in it.
fn has_folder(files: &[File], name: &str, is_known: bool, findings: &mut Findings) -> bool {
    let path = format!("{name}/");
    if files.iter().any(|file| file.name == name) {
        findings.error(&path, "not a directory");
        return false;
    }
    let is_there = is_known || holds(files, &path);
    if !is_there {
        findings.warning(&path, "directory does not exist");
    }
    is_there
}

/// `folder` ends with a `/`.
fn holds(files: &[File], folder: &str) -> bool {
    files.iter().any(|file| file.name.starts_with(folder))
}

fn log_of_loading(chart: &Chart, log: &mut Vec<Warning>) {
    log.extend_from_slice(chart.warnings());
    chart.dependencies().iter().for_each(|subchart| log_of_loading(subchart, log));
}

fn templates(
    chart: &Chart,
    options: &Options<'_>,
    findings: &mut Findings,
    log: &mut Vec<Warning>,
) {
    const FOLDER: &str = "templates/";
    if chart.templates.is_empty() {
        findings.info(FOLDER, "there is no template that .helmignore leaves in");
    }
    let processed = match chart.for_values(options.values, log) {
        Ok(processed) => processed,
        Err(error) => return findings.error("values.yaml", error.to_string()),
    };
    let values = match crate::values::of(&processed, options.values, log) {
        Ok(values) => values,
        Err(error) => return findings.error("values.yaml", error.to_string()),
    };
    if !options.skip_schema_validation
        && let Err(error) = schema::check(&processed, &values, log)
    {
        return findings.error(FOLDER, error.to_string().trim_end());
    }
    let render = RenderOptions {
        capabilities: options.capabilities.clone(),
        skip_schema_validation: true,
        keep_integers: true,
        ..RenderOptions::new("test-release", options.namespace)
    };
    match on_large_stack(|| execute_as(&processed, &values, &render, true)) {
        Err(error) => findings.error(FOLDER, error.to_string()),
        Ok(rendered) => objects::check(&processed, &rendered, &options.capabilities, findings),
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, path: &str, message: impl Into<String>) {
        let (path, message) = (path.to_owned(), message.into());
        self.0.push(Finding { severity, path, message });
    }

    fn info(&mut self, path: &str, message: impl Into<String>) {
        self.add(Severity::Info, path, message);
    }

    fn warning(&mut self, path: &str, message: impl Into<String>) {
        self.add(Severity::Warning, path, message);
    }

    fn error(&mut self, path: &str, message: impl Into<String>) {
        self.add(Severity::Error, path, message);
    }
}

fn file<'a>(files: &'a [File], name: &str) -> Option<&'a File> {
    files.iter().find(|file| file.name == name)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
