//! What people and programs are shown.

use serde::Serialize;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// One line for each thing
    #[default]
    Text,
    Json,
    Yaml,
}

/// Prints a whole result for a program; `false` if it is to be lines for people.
pub fn print(output: Output, result: &impl Serialize) -> anyhow::Result<bool> {
    match output {
        Output::Text => return Ok(false),
        Output::Json => println!("{}", serde_json::to_string_pretty(result)?),
        Output::Yaml => print!("{}", yaml(result)?),
    }
    Ok(true)
}

pub fn yaml(value: &impl Serialize) -> anyhow::Result<String> {
    let text = serde_saphyr::to_string(value)?;
    Ok(format!("{}\n", text.trim_end()))
}

/// `12.3 MiB`
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
