//! What goes wrong in a Jinja template.

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
    pub(super) fn of(path: &str, error: &minijinja::Error) -> Self {
        let mut steps = Vec::new();
        let mut innermost = (path.to_owned(), 0);
        let mut current: Option<&dyn std::error::Error> = Some(error);
        while let Some(cause) = current {
            match cause.downcast_ref::<minijinja::Error>() {
                Some(jinja) => {
                    let file = jinja.name().unwrap_or(path).to_owned();
                    let line = jinja.line().unwrap_or(0);
                    let why = match jinja.detail() {
                        Some(detail) => format!("{}: {detail}", jinja.kind()),
                        None => jinja.kind().to_string(),
                    };
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
