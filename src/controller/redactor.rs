//! Keeps values that came from Secrets out of messages.

/// Shorter values are left in: they say nothing, and would tear holes into every message.
const SHORTEST: usize = 6;
const PLACEHOLDER: &str = "[redacted]";

/// Replaces known secrets in texts.
#[derive(Clone, Default)]
pub struct Redactor(Vec<String>);

impl Redactor {
    /// Adds every text within a value that came from a Secret.
    pub fn add(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.add_text(text),
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            serde_json::Value::Object(entries) => entries.values().for_each(|v| self.add(v)),
            _ => {}
        }
    }

    fn add_text(&mut self, text: &str) {
        for part in [text, text.trim()] {
            if part.len() >= SHORTEST && !self.0.iter().any(|known| known == part) {
                self.0.push(part.to_owned());
                // The longest first, so that none is left in part.
                self.0.sort_by_key(|known| std::cmp::Reverse(known.len()));
            }
        }
    }

    pub fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, PLACEHOLDER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_do_not_get_into_messages() {
        let mut redactor = Redactor::default();
        redactor.add(&json!({"a": ["hunter2-long", {"b": "hunter2"}], "n": 1, "s": "on"}));
        let text = redactor.redact("invalid value hunter2-long, hunter2 and on");
        assert_eq!(text, "invalid value [redacted], [redacted] and on");
    }
}
