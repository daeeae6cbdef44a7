//! `--name-template`: a release's name out of a template.

use anyhow::Context as _;
use pinnace_engine::template::{Environment, TemplateSet, Value, on_large_stack};

/// Runs the template, without a chart.
pub fn of(template: &str) -> anyhow::Result<String> {
    let mut set = TemplateSet::new();
    set.parse("name-template", template).context("--name-template")?;
    on_large_stack(|| set.execute("name-template", &Value::Nil, &Environment::system()))
        .context("--name-template")
}
