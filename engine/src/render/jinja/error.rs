//! What goes wrong in a Jinja template.

use minijinja::ErrorKind;

/// Where and why a Jinja template stopped, through all its includes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .steps.join("\n  in "))]
pub struct JinjaError {
    /// The file where it happened, and its line from 1.
    pub file: String,
    pub line: usize,
    /// The innermost first: `file:line: why`, then what included it.
    steps: Vec<String>,
}

impl JinjaError {
    pub(super) fn new(file: &str, line: usize, why: &str) -> Self {
        Self { file: file.to_owned(), line, steps: vec![format!("{file}:{line}: {why}")] }
    }

    pub(super) fn of(path: &str, error: &minijinja::Error) -> Self {
        Self::with(path, error, "")
    }

    /// `out_of_fuel` is told where MiniJinja ran out of it.
    pub(super) fn with(path: &str, error: &minijinja::Error, out_of_fuel: &str) -> Self {
        let mut steps = Vec::new();
        let mut innermost = (path.to_owned(), 0);
        let mut current: Option<&dyn std::error::Error> = Some(error);
        while let Some(cause) = current {
            match cause.downcast_ref::<minijinja::Error>() {
                Some(jinja) => {
                    let why = match jinja.detail() {
                        _ if jinja.kind() == ErrorKind::OutOfFuel => out_of_fuel.to_owned(),
                        Some(detail) => format!("{}: {detail}", jinja.kind()),
                        None => jinja.kind().to_string(),
                    };
                    // What a filter tells of its cause has no place of its own.
                    let Some(line) = jinja.line() else {
                        steps.push(why);
                        current = cause.source();
                        continue;
                    };
                    let file = jinja.name().unwrap_or(path).to_owned();
                    steps.push(format!("{file}:{line}: {why}"));
                    innermost = (file, line);
                }
                None => steps.push(cause.to_string()),
            }
            current = cause.source();
        }
        steps.reverse();
        Self { file: innermost.0, line: innermost.1, steps }
    }
}
