//! What is wrong with a chart, or will surprise its users: the checks of `helm lint`, what the engine and
//! the schema would refuse, and numbers that lose digits.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::chart::{Chart, File};
use crate::render::{Capabilities, Options as RenderOptions, execute_as};
use crate::template::on_large_stack;
use crate::values::coalesce::{Nulls, coalesce};
use crate::values::schema;

mod dependencies;
mod deprecations;
mod metadata;
mod names;
mod numbers;
mod objects;

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

/// Looks at the files of one chart, subcharts included, in the order of Helm's checks.
pub fn lint(files: &[File], options: &Options<'_>) -> Vec<Finding> {
    let mut findings = Findings::default();
    metadata::check(files, &mut findings);
    if text_of(files, "values.yaml").is_none() {
        findings.info("values.yaml", "file does not exist");
    }
    let mut texts: Vec<(&str, &str)> =
        text_of(files, "values.yaml").map(|text| ("values.yaml", text)).into_iter().collect();
    texts.extend(options.values_files.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    for (name, text) in texts {
        numbers::check(name, text, &mut findings);
    }
    match Chart::from_files(files.to_vec()) {
        // What Chart.yaml lacks was said already.
        Err(_) if findings.has_errors() => {}
        Err(error) => findings.error("", format!("unable to load chart: {}", chain(&error))),
        Ok(chart) => {
            templates(&chart, options, &mut findings);
            dependencies::check(&chart, &mut findings);
            objects::check_crds(&chart, &mut findings);
        }
    }
    findings.0
}

fn templates(chart: &Chart, options: &Options<'_>, findings: &mut Findings) {
    const FOLDER: &str = "templates/";
    if chart.templates.is_empty() {
        return match options.has_templates {
            false => findings.warning(FOLDER, "directory does not exist"),
            true => findings.info(FOLDER, "there is no template that .helmignore leaves in"),
        };
    }
    let mut warnings = Vec::new();
    let processed = match chart.for_values(options.values, &mut warnings) {
        Ok(processed) => processed,
        Err(error) => return findings.error("values.yaml", error.to_string()),
    };
    let values = match coalesce(&processed, options.values, Nulls::Remove, &mut warnings) {
        Ok(values) => values.to_json(),
        Err(error) => return findings.error("values.yaml", error.to_string()),
    };
    let checked = match options.skip_schema_validation {
        true => Ok(()),
        false => schema::check(&processed, &values, &mut warnings),
    };
    warnings.sort();
    warnings.dedup();
    for warning in warnings {
        findings.info("values.yaml", warning.to_string());
    }
    if let Err(error) = checked {
        return findings.error("values.yaml", error.to_string().trim_end());
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

    fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }
}

fn text_of<'a>(files: &'a [File], name: &str) -> Option<&'a str> {
    let file = files.iter().find(|file| file.name == name)?;
    std::str::from_utf8(&file.data).ok()
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
