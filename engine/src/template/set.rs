//! Named templates that can include each other.

use std::collections::HashMap;
use std::sync::Arc;

use super::environment::{Environment, Run};
use super::error::TemplateError;
use super::eval;
use super::parsed::{self, Parsed};
use super::parser::Template;
use super::{Str, Value};

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
        self.add(&parsed::parse(name, text)?);
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
        let run = Run::new(environment);
        let bytes = self.run(name, data.clone(), &run)?;
        Ok(erase_no_value(&Str::from(bytes)))
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
        let template = self.added.get(name).or_else(|| self.templates.get(name));
        template.map(|template| &**template)
    }
}

/// Helm's work-around for missing keys.
pub(crate) fn erase_no_value(text: &Str) -> String {
    const NO_VALUE: &str = "<no value>";
    let text = text.text();
    if text.contains(NO_VALUE) { text.replace(NO_VALUE, "") } else { text.into_owned() }
}
