//! Named templates that can include each other.

use std::collections::HashMap;
use std::sync::Arc;

use super::Value;
use super::environment::{Environment, Run};
use super::error::TemplateError;
use super::eval;
use super::parser::{self, Template};

/// Templates parsed once; cheap to clone, and shared between threads.
#[derive(Clone, Default)]
pub struct TemplateSet {
    templates: HashMap<String, Arc<Template>>,
}

impl TemplateSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses a file and adds it and all it defines. A name that exists is replaced,
    /// unless the new body is blank: Go's rule, by which a parent chart overrides its subcharts.
    pub fn parse(&mut self, name: &str, text: &str) -> Result<(), TemplateError> {
        for template in parser::parse(name, text)? {
            if template.root.is_empty() && self.templates.contains_key(&template.name) {
                continue;
            }
            self.templates.insert(template.name.clone(), Arc::new(template));
        }
        Ok(())
    }

    /// Runs a template with `data` as dot and gives its text, `<no value>` erased as Helm does.
    pub fn execute(
        &self,
        name: &str,
        data: &Value,
        environment: &Environment<'_>,
    ) -> Result<String, TemplateError> {
        let run = Run::new(environment);
        let bytes = erase_no_value(self.run(name, data.clone(), &run)?);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The same as part of a run, nothing erased.
    pub(crate) fn run(
        &self,
        name: &str,
        data: Value,
        run: &Run<'_>,
    ) -> Result<Vec<u8>, TemplateError> {
        match self.get(name) {
            Some(template) => eval::execute(self, template, data, run),
            None => Err(TemplateError::Missing { name: name.to_owned() }),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Template> {
        self.templates.get(name).map(|template| &**template)
    }
}

/// Helm's work-around for missing keys.
pub(crate) fn erase_no_value(text: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"<no value>";
    let Some(first) = text.windows(MARK.len()).position(|w| w == MARK) else { return text };
    let mut out = text[..first].to_vec();
    let mut rest = &text[first..];
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(MARK) {
            rest = after;
        } else {
            let next = rest[1..].iter().position(|b| *b == b'<').map_or(rest.len(), |i| i + 1);
            out.extend_from_slice(&rest[..next]);
            rest = &rest[next..];
        }
    }
    out
}
