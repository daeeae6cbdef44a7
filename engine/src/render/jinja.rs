//! `templates/*.j2`: Jinja templates beside Go's, rendered by MiniJinja with the same context.
//!
//! What Jinja has keeps Jinja's meaning; the functions of Go templates are there under their names
//! ([`functions`]). What is not defined is an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, syntax::SyntaxConfig};
use serde_json::Value as Json;

use self::allowance::{Allowance, CONTAINER, ENTRY};
use self::draw::Draw;
use self::rewrite::Rewriter;
use super::{Options, RenderError, context};
use crate::chart::Chart;
use crate::template::Budget;

mod allowance;
mod capabilities;
mod draw;
mod error;
mod files;
mod filters;
mod functions;
mod held;
mod namespace;
mod operators;
mod rewrite;
mod value;
mod weight;

pub use error::JinjaError;

/// How deep includes, macros and blocks may nest.
const MAX_DEPTH: usize = 200;

/// Whether a file of templates/ is Jinja's.
pub(super) fn is_jinja(path: &str) -> bool {
    path.ends_with(".j2")
}

/// Renders all Jinja templates but partials, within this budget; the results by path. Must be called
/// inside of [`crate::template::on_large_stack`].
pub(super) fn execute(
    chart: &Chart,
    values: &serde_json::Map<String, Json>,
    options: &Options<'_>,
    budget: Budget,
) -> Result<BTreeMap<String, String>, RenderError> {
    if !has_pages(chart) {
        return Ok(BTreeMap::new());
    }
    let allowance = Arc::new(Allowance::new(budget));
    let mut pages = Vec::new();
    let release = value::of_template(&context::release(options));
    let capabilities = capabilities::of(&options.capabilities);
    let shared = Shared { release, capabilities, allowance: allowance.clone() };
    shared.collect(chart, chart.name(), true, Some(values), &mut pages);
    let draw = Arc::new(Draw::from(&options.world));
    let mut environment = caught(|| load(&pages, &allowance, &draw))?;
    let mut rendered = BTreeMap::new();
    for page in pages.iter().filter(|page| !context::is_partial(&page.path)) {
        environment.set_fuel(Some(allowance.steps_left()));
        let text = caught(|| run(&environment, page, &allowance))?;
        rendered.insert(page.path.clone(), text);
    }
    Ok(rendered)
}

/// Whether there is a Jinja template in the chart or below.
fn has_pages(chart: &Chart) -> bool {
    chart.templates.iter().any(|template| is_jinja(&template.name))
        || chart.dependencies.iter().any(has_pages)
}

/// MiniJinja panics on some templates: `loop` called from a block jumps to somewhere else.
fn caught<T>(work: impl FnOnce() -> Result<T, JinjaError>) -> Result<T, JinjaError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(JinjaError::new("templates", 0, "MiniJinja cannot run a template of this chart"))
    })
}

/// All templates, each as it is to run.
fn load(
    pages: &[Page],
    allowance: &Arc<Allowance>,
    draw: &Arc<Draw>,
) -> Result<Environment<'static>, JinjaError> {
    let mut environment = environment(allowance, draw);
    let mut rewriter = Rewriter::new();
    for page in pages {
        let text = rewriter.rewrite(&page.path, &page.text, &syntax())?;
        let added = environment.add_template_owned(page.path.clone(), text);
        added.map_err(|error| JinjaError::of(&page.path, &error))?;
    }
    operators::add_texts(&mut environment, rewriter.texts, allowance);
    set_paths(&mut environment, allowance, rewriter.names);
    Ok(environment)
}

fn run(
    environment: &Environment<'_>,
    page: &Page,
    allowance: &Allowance,
) -> Result<String, JinjaError> {
    let template = environment.get_template(&page.path);
    let rendered = template.and_then(|template| {
        let rendered = template.render_captured(page.context.clone())?;
        let used = rendered.state().fuel_levels().map_or(0, |(used, _)| used);
        allowance.spend(used)?;
        Ok(rendered.into_output())
    });
    rendered.map_err(|error| JinjaError::with(&page.path, &error, &allowance.out_of_fuel()))
}

fn syntax() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    syntax.build().expect("the delimiters are Jinja's own")
}

fn environment(allowance: &Arc<Allowance>, draw: &Arc<Draw>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_syntax(syntax());
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let counted = allowance.clone();
    environment
        .set_formatter(move |output, state, value| value::print(&counted, output, state, value));
    environment.set_recursion_limit(MAX_DEPTH);
    operators::add(&mut environment, allowance);
    filters::add(&mut environment, allowance);
    functions::add(&mut environment, allowance, draw);
    environment
}

/// Templates name others relative to their own folder. What one binds is kept for whoever includes it.
fn set_paths(environment: &mut Environment<'static>, allowance: &Arc<Allowance>, names: usize) {
    let allowance = allowance.clone();
    environment.set_path_join_callback(move |name, parent| {
        // If it is refused, the next that asks gets the error.
        let _ = allowance.hold(CONTAINER + names * ENTRY);
        beside(name, parent).into()
    });
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
    allowance: Arc<Allowance>,
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
            ("Files", Value::from_object(files::Files::of(&chart.files, &self.allowance))),
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
