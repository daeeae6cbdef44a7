//! `-o`: a table for people, JSON or YAML for programs.

use pinnace_engine::yaml;
use serde_json::Value;

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    #[default]
    Table,
    Json,
    Yaml,
}

/// The text of a result for programs.
pub fn document(value: &Value, output: Output) -> anyhow::Result<String> {
    Ok(match output {
        Output::Yaml => yaml::to_string(value),
        Output::Table | Output::Json => format!("{}\n", serde_json::to_string_pretty(value)?),
    })
}
