//! Files that have been parsed once and are not parsed again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::ParseError;
use super::parser::{self, Template};

/// The templates that a text defines, its own body last.
pub(crate) type Parsed = Arc<[Arc<Template>]>;

/// Parses a text under this name.
pub(crate) fn parse(name: &str, text: &[u8]) -> Result<Parsed, ParseError> {
    Ok(parser::parse(name, text)?.into_iter().map(Arc::new).collect())
}

/// The parsed templates of a chart, by path. Its clones share them, and so do threads. A path is kept
/// once: the template of an alias that stands for another chart now replaces the one before.
#[derive(Clone, Default)]
pub(crate) struct ParsedFiles(Arc<Mutex<HashMap<String, ParsedFile>>>);

struct ParsedFile {
    /// The file's own bytes, to know it by.
    data: Arc<[u8]>,
    parsed: Parsed,
}

impl ParsedFiles {
    /// What the file at `path` defines; parsed at the first call.
    pub fn get(&self, path: &str, data: &Arc<[u8]>) -> Result<Parsed, ParseError> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match files.get(path) {
            Some(file) if Arc::ptr_eq(&file.data, data) => Ok(file.parsed.clone()),
            _ => {
                let parsed = parse(path, data)?;
                let file = ParsedFile { data: data.clone(), parsed: parsed.clone() };
                files.insert(path.to_owned(), file);
                Ok(parsed)
            }
        }
    }
}

impl std::fmt::Debug for ParsedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "{} parsed files", files.len())
    }
}

/// The texts that one run gave to `tpl`. Charts often run the same text again and again.
#[derive(Default)]
pub(crate) struct ParsedTexts {
    texts: HashMap<Box<[u8]>, Parsed>,
    bytes: usize,
}

impl ParsedTexts {
    /// Bytes of text that are kept; their trees are several times as large.
    const MAX_BYTES: usize = 1 << 20;

    /// What the text defines; `name` is the same at every call.
    pub fn get(&mut self, name: &str, text: &[u8]) -> Result<Parsed, ParseError> {
        if let Some(parsed) = self.texts.get(text) {
            return Ok(parsed.clone());
        }
        let parsed = parse(name, text)?;
        if self.bytes + text.len() <= Self::MAX_BYTES {
            self.bytes += text.len();
            self.texts.insert(text.into(), parsed.clone());
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_parsed_once_until_it_is_another() {
        let files = ParsedFiles::default();
        let (one, two): (Arc<[u8]>, Arc<[u8]>) = (b"{{ 1 }}"[..].into(), b"{{ 1 }}"[..].into());
        let first = files.get("a", &one).expect("a template");
        assert!(Arc::ptr_eq(&first, &files.clone().get("a", &one).expect("a template")));
        assert!(!Arc::ptr_eq(&first, &files.get("a", &two).expect("a template")));
        assert!(!Arc::ptr_eq(&first, &files.get("b", &one).expect("a template")));
        assert!(files.get("c", &b"{{"[..].into()).is_err());
    }

    #[test]
    fn texts_are_kept_up_to_a_size() {
        let mut texts = ParsedTexts::default();
        let first = texts.get("t", b"{{ 1 }}").expect("a template");
        assert!(Arc::ptr_eq(&first, &texts.get("t", b"{{ 1 }}").expect("a template")));
        let long = b"x".repeat(ParsedTexts::MAX_BYTES);
        let first = texts.get("t", &long).expect("a template");
        assert!(!Arc::ptr_eq(&first, &texts.get("t", &long).expect("a template")));
    }
}
