//! Named templates that can include each other.

use std::collections::HashMap;
use std::sync::Arc;

use super::Value;
use super::environment::{Environment, Run};
use super::error::TemplateError;
use super::eval;
use super::parsed::{self, Parsed};
use super::parser::Template;

/// Templates parsed once; cheap to clone, and shared between threads.
#[derive(Clone, Default)]
pub struct TemplateSet {
    templates: Arc<HashMap<String, Arc<Template>>>,
    /// What was added since the set was cloned, over `templates`: `tpl` clones the set at each call.
    added: HashMap<String, Arc<Template>>,
}

impl TemplateSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses a file and adds it and all it defines. A name that exists is replaced,
    /// unless the new body is blank: Go's rule, by which a parent chart overrides its subcharts.
    pub fn parse(&mut self, name: &str, text: &str) -> Result<(), TemplateError> {
        self.add(&parsed::parse(name, text.as_bytes())?);
        Ok(())
    }

    /// The same for what is parsed.
    pub(crate) fn add(&mut self, parsed: &Parsed) {
        for template in &**parsed {
            if template.root.is_empty() && self.get(&template.name).is_some() {
                continue;
            }
            let templates = Arc::get_mut(&mut self.templates).unwrap_or(&mut self.added);
            templates.insert(template.name.clone(), template.clone());
        }
    }

    /// Runs a template with `data` as dot and gives its text, `<no value>` erased as Helm does.
    pub fn execute(
        &self,
        name: &str,
        data: &Value,
        environment: &Environment<'_>,
    ) -> Result<String, TemplateError> {
        self.text(name, data.clone(), &Run::new(environment))
    }

    /// The same as part of a run.
    pub(crate) fn text(
        &self,
        name: &str,
        data: Value,
        run: &Run<'_>,
    ) -> Result<String, TemplateError> {
        let bytes = erase_no_value(self.run(name, data, run)?);
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| lossy(error.as_bytes())))
    }

    /// The same as part of a run, nothing erased.
    pub(crate) fn run(
        &self,
        name: &str,
        data: Value,
        run: &Run<'_>,
    ) -> Result<Vec<u8>, TemplateError> {
        match self.get(name) {
            Some(template) => self.run_template(template, data, run),
            None => Err(TemplateError::Missing { name: name.to_owned() }),
        }
    }

    /// A template that need not be in the set, among the templates of the set.
    pub(crate) fn run_template(
        &self,
        template: &Template,
        data: Value,
        run: &Run<'_>,
    ) -> Result<Vec<u8>, TemplateError> {
        eval::execute(self, template, data, run)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Template> {
        let template = self.added.get(name).or_else(|| self.templates.get(name));
        template.map(|template| &**template)
    }
}

/// Helm's work-around for missing keys.
pub(crate) fn erase_no_value(text: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"<no value>";
    let first = text.iter().enumerate().filter(|(_, byte)| **byte == MARK[0]);
    let mut first = first.map(|(at, _)| at).filter(|at| text[*at..].starts_with(MARK));
    let Some(first) = first.next() else { return text };
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
