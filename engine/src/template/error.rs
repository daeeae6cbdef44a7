//! What goes wrong in a template, in Go's and Helm's words.

use super::quote::quote;

#[derive(Clone, Debug, thiserror::Error)]
pub enum TemplateError {
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error(transparent)]
    Exec(#[from] Box<ExecError>),
    /// The set holds no template of this name.
    #[error("template: no template {} associated with template \"gotpl\"", quote(.name.as_bytes()))]
    Missing { name: String },
}

/// A template that cannot be parsed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("template: {file}:{line}: {message}")]
pub struct ParseError {
    pub file: String,
    /// From 1.
    pub line: usize,
    pub message: String,
}

/// A template that stopped while running. Its text holds the texts of the errors inside, as Go's does.
#[derive(Clone, Debug)]
pub struct ExecError {
    /// `file:line:column`; the line from 1, the column in bytes from 0.
    pub location: String,
    /// The template that ran: a file, or the name in a define.
    pub template: String,
    /// The failing action, as Go prints it.
    pub context: String,
    pub message: String,
    pub cause: Option<Cause>,
}

impl Place {
    /// `file:line:column`
    fn parse(location: &str) -> Option<Self> {
        let mut parts = location.rsplitn(3, ':');
        let column = parts.next()?.parse().ok();
        let line = parts.next()?.parse().ok()?;
        Some(Self { file: parts.next()?.to_owned(), line, column })
    }
}

/// The error that a function returned.
#[derive(Clone, Debug)]
pub enum Cause {
    /// The function's own.
    Function(String),
    /// The chart's author stopped it by `fail` or `required`.
    Author(String),
    /// A template that the function ran, such as `include`.
    Template(TemplateError),
    /// The same, with the function's words around it.
    Wrapped(String, TemplateError),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Function(message) | Cause::Author(message) => f.write_str(message),
            Cause::Template(error) => error.fmt(f),
            Cause::Wrapped(words, error) => write!(f, "{words}: {error}"),
        }
    }
}

impl From<String> for Cause {
    fn from(message: String) -> Self {
        Cause::Function(message)
    }
}

impl From<&str> for Cause {
    fn from(message: &str) -> Self {
        Cause::Function(message.to_owned())
    }
}

impl std::error::Error for ExecError {}

impl std::fmt::Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = quote(self.template.as_bytes());
        write!(f, "template: {}: executing {name} at <{}>: ", self.location, self.context)?;
        f.write_str(&self.message)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// A point in a template's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In bytes, from 0. None: the whole line.
    pub column: Option<usize>,
}

impl TemplateError {
    /// Where it happened: the action that failed last, before it what included that template.
    pub fn places(&self) -> Vec<Place> {
        match self {
            TemplateError::Parse(error) => {
                vec![Place { file: error.file.clone(), line: error.line, column: None }]
            }
            TemplateError::Missing { .. } => Vec::new(),
            TemplateError::Exec(error) => {
                let mut places: Vec<Place> = Place::parse(&error.location).into_iter().collect();
                if let Some(Cause::Template(inner) | Cause::Wrapped(_, inner)) = &error.cause {
                    places.extend(inner.places());
                }
                places
            }
        }
    }

    /// The error as `helm template` prints it, one include per paragraph.
    pub fn helm_text(&self) -> String {
        match self {
            TemplateError::Parse(error) => {
                let last = error.message.rsplit(": ").next().unwrap_or_default();
                format!("parse error at ({}:{}): {last}", error.file, error.line)
            }
            TemplateError::Missing { .. } => self.to_string(),
            TemplateError::Exec(error) => {
                if let Some(words) = self.author() {
                    return format!("execution error at ({}): {words}", error.location);
                }
                let mut text = String::new();
                match self.paragraphs(&mut text) {
                    true => text.trim().to_owned(),
                    false => self.to_string(),
                }
            }
        }
    }

    /// What the chart's author said by `fail` or `required`.
    fn author(&self) -> Option<&str> {
        let TemplateError::Exec(error) = self else { return None };
        match error.cause.as_ref()? {
            Cause::Function(_) => None,
            Cause::Author(words) => Some(words),
            Cause::Template(inner) | Cause::Wrapped(_, inner) => inner.author(),
        }
    }

    /// False: Helm prints this chain on one line.
    fn paragraphs(&self, text: &mut String) -> bool {
        let TemplateError::Exec(error) = self else {
            text.push_str(&format!("{self}\n"));
            return matches!(self, TemplateError::Missing { .. });
        };
        let name = quote(error.template.as_bytes());
        let colon = if error.cause.is_some() { ":" } else { "" };
        text.push_str(&format!(
            "{}\n  executing {name} at <{}>:\n    {}{colon}\n",
            error.location, error.context, error.message
        ));
        match &error.cause {
            None => true,
            Some(Cause::Template(inner)) => inner.paragraphs(text),
            Some(_) => false,
        }
    }
}
