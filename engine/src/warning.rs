//! What Helm logs while it loads and renders a chart, without refusing it.

use std::fmt;

use crate::template::quote;

/// How much a [`Warning`] matters, in Helm's judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Helm's INFO: something of the values was left aside.
    Info,
    /// Helm's WARN.
    Warn,
}

/// One line of Helm's log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    pub level: Level,
    pub message: String,
    /// Which chart, which path: what Helm logs beside the message.
    pub fields: Vec<(&'static str, String)>,
}

impl Warning {
    pub(crate) fn info(message: impl Into<String>) -> Self {
        Self { level: Level::Info, message: message.into(), fields: Vec::new() }
    }

    pub(crate) fn warn(message: impl Into<String>) -> Self {
        Self { level: Level::Warn, message: message.into(), fields: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The line that `helm` writes to stderr: Go's `log/slog` text format without a time.
    pub fn log_line(&self) -> String {
        let level = match self.level {
            Level::Info => "INFO",
            Level::Warn => "WARN",
        };
        let mut line = format!("level={level} msg={}", log_text(&self.message));
        for (name, value) in &self.fields {
            line.push_str(&format!(" {name}={}", log_text(value)));
        }
        line
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (name, value) in &self.fields {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

/// Quoted where slog's TextHandler quotes.
pub(crate) fn log_text(text: &str) -> String {
    let plain = |c: char| match c {
        ' ' | '=' | '"' => false,
        c => crate::unicode::is_print(c),
    };
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    quote::quote(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_in_helm() {
        let warning = Warning::warn("returned non-bool value").with("path", "s.on").with("x", "");
        assert_eq!(
            warning.log_line(),
            r#"level=WARN msg="returned non-bool value" path=s.on x="""#
        );
        assert_eq!(Warning::info("a\\b").log_line(), r"level=INFO msg=a\b");
        assert_eq!(warning.to_string(), "returned non-bool value path=s.on x=");
    }
}
