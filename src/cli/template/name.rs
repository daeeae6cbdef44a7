//! A release's name: out of a template (`--name-template`), and Helm's words for a bad one.

use anyhow::Context as _;
use pinnace_engine::template::{Environment, TemplateSet, Value, on_large_stack};

/// Runs the template, without a chart.
pub fn of(template: &str) -> anyhow::Result<String> {
    let mut set = TemplateSet::new();
    set.parse("name-template", template).context("--name-template")?;
    on_large_stack(|| set.execute("name-template", &Value::Nil, &Environment::system()))
        .context("--name-template")
}

/// Why Helm does not take a name.
pub fn refusal(name: &str) -> &'static str {
    match name {
        "" => "no name provided",
        _ => {
            "invalid release name, must match regex \
             ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ \
             and the length must not be longer than 53"
        }
    }
}
