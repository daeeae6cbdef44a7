//! `templates/*.j2`: Jinja templates beside Go's, rendered by MiniJinja with the same context.
//!
//! What Jinja has keeps Jinja's meaning; the functions of Go templates are there under their names
//! ([`functions`]). What is not defined is an error.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, syntax::SyntaxConfig};
use serde_json::Value as Json;

use super::{Options, RenderError, context};
use crate::chart::Chart;

mod capabilities;
mod error;
mod files;
mod functions;
mod value;

pub use error::JinjaError;

/// Instructions of MiniJinja that one file may take.
const MAX_STEPS: u64 = 10_000_000;
/// How deep includes, macros and blocks may nest.
const MAX_DEPTH: usize = 200;
/// Bytes that one file may write.
const MAX_OUTPUT: usize = 64 << 20;

/// Whether a file of templates/ is Jinja's.
pub(super) fn is_jinja(path: &str) -> bool {
    path.ends_with(".j2")
}

/// Renders all Jinja templates but partials; the results by path.
pub(super) fn execute(
    chart: &Chart,
    values: &serde_json::Map<String, Json>,
    options: &Options<'_>,
) -> Result<BTreeMap<String, String>, RenderError> {
    let mut pages = Vec::new();
    let release = value::of_template(&context::release(options));
    let capabilities = Value::from_object(capabilities::Capabilities(options.capabilities.clone()));
    let shared = Shared { release, capabilities };
    shared.collect(chart, chart.name(), true, Some(values), &mut pages);
    if pages.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut environment = environment();
    for page in &pages {
        let added = environment.add_template_owned(page.path.clone(), page.text.clone());
        added.map_err(|error| JinjaError::of(&page.path, &error))?;
    }
    let mut rendered = BTreeMap::new();
    for page in pages.iter().filter(|page| !context::is_partial(&page.path)) {
        rendered.insert(page.path.clone(), run(&environment, page)?);
    }
    Ok(rendered)
}

fn run(environment: &Environment<'_>, page: &Page) -> Result<String, JinjaError> {
    let failed = |error: &minijinja::Error| JinjaError::of(&page.path, error);
    let template = environment.get_template(&page.path).map_err(|error| failed(&error))?;
    let mut output = Capped(Vec::new());
    template
        .render_captured_to(page.context.clone(), &mut output)
        .map_err(|error| failed(&error))?;
    Ok(String::from_utf8_lossy(&output.0).into_owned())
}

/// Refuses to grow beyond [`MAX_OUTPUT`].
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            let why = format!("the template writes more than {MAX_OUTPUT} bytes");
            return Err(io::Error::other(why));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    environment.set_syntax(syntax.build().expect("the delimiters are Jinja's own"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(value::print);
    environment.set_path_join_callback(|name, parent| beside(name, parent).into());
    environment.set_fuel(Some(MAX_STEPS));
    environment.set_recursion_limit(MAX_DEPTH);
    functions::add(&mut environment);
    environment
}

/// The path of a template that another one names: relative to the folder of that one.
fn beside(name: &str, parent: &str) -> String {
    let mut parts: Vec<&str> = parent.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

struct Page {
    path: String,
    text: String,
    context: Value,
}

struct Shared {
    release: Value,
    capabilities: Value,
}

impl Shared {
    /// Appends the pages of the chart and its subcharts; returns the chart's context.
    fn collect(
        &self,
        chart: &Chart,
        path: &str,
        is_root: bool,
        values: Option<&serde_json::Map<String, Json>>,
        pages: &mut Vec<Page>,
    ) -> Value {
        let mut subcharts = Vec::new();
        for subchart in chart.dependencies() {
            let below = values.and_then(|values| values.get(subchart.name())?.as_object());
            let path = format!("{path}/charts/{}", subchart.name());
            let context = self.collect(subchart, &path, false, below, pages);
            subcharts.push((subchart.name().to_owned(), context));
        }
        let values =
            values.map_or_else(|| Value::from_pairs(Vec::<(String, Value)>::new()), value::of_map);
        let entries = [
            ("Chart", value::of_template(&context::metadata(&chart.metadata, is_root))),
            ("Files", Value::from_object(files::Files::of(&chart.files))),
            ("Release", self.release.clone()),
            ("Capabilities", self.capabilities.clone()),
            ("Values", values),
            ("Subcharts", Value::from_pairs(subcharts)),
        ];
        let context = |further: Vec<(&'static str, Value)>| {
            Value::from_pairs(entries.iter().cloned().chain(further))
        };
        for template in chart.templates.iter().filter(|template| is_jinja(&template.name)) {
            if chart.metadata.is_library() && !context::is_partial(&template.name) {
                continue;
            }
            let path_of = format!("{path}/{}", template.name);
            let names = Value::from_pairs([
                ("Name", Value::from(Arc::<str>::from(path_of.as_str()))),
                ("BasePath", Value::from(format!("{path}/templates"))),
            ]);
            pages.push(Page {
                path: path_of,
                text: String::from_utf8_lossy(&template.data).into_owned(),
                context: context(vec![("Template", names)]),
            });
        }
        context(Vec::new())
    }
}

#[cfg(test)]
mod tests;
