//! Helm's flags for values: files first, then `--set-json`, `--set`, `--set-string`, `--set-file`,
//! `--set-literal`, each over the ones before.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use pinnace_engine::values::{
    from_yaml, merge,
    strvals::{self, Form},
};
use serde_json::{Map, Value};

/// The longest values file, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ValueArgs {
    /// Values in a YAML file, - for stdin (can be given several times, or with commas between)
    #[arg(short = 'f', long, value_name = "FILE", value_delimiter = ',')]
    values: Vec<String>,
    /// Set values: key1=val1,key2=val2 (can be given several times)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Set values that are text, whatever they look like
    #[arg(long, value_name = "KEY=VALUE")]
    set_string: Vec<String>,
    /// Set values to JSON: key1=jsonval1,key2=jsonval2, or one JSON object
    #[arg(long, value_name = "KEY=JSON")]
    set_json: Vec<String>,
    /// Set values to the contents of files: key1=path1,key2=path2
    #[arg(long, value_name = "KEY=FILE")]
    set_file: Vec<String>,
    /// Set one value to the literal text after the =
    #[arg(long, value_name = "KEY=TEXT")]
    set_literal: Vec<String>,
}

/// The name of a file that a `--values` flag gave, and its text.
type ValuesFile = (String, String);

impl ValueArgs {
    /// All of them together. Whole numbers of `--set` are integers, all other numbers floats.
    pub fn read(&self) -> anyhow::Result<Map<String, Value>> {
        Ok(self.read_with_texts()?.0)
    }

    /// The same, and the values files.
    pub fn read_with_texts(&self) -> anyhow::Result<(Map<String, Value>, Vec<ValuesFile>)> {
        let mut values = Map::new();
        let mut texts = Vec::new();
        for file in &self.values {
            let text = read(file)?;
            let own = from_yaml(&text).with_context(|| format!("failed to parse {file}"))?;
            merge(&mut values, own);
            texts.push((file.clone(), text));
        }
        for line in &self.set_json {
            set_json(line, &mut values)?;
        }
        let read_file = |name: &str| read(name).map_err(|error| format!("{error:#}"));
        let lines = [
            (&self.set, "--set", Form::Typed),
            (&self.set_string, "--set-string", Form::Text),
            (&self.set_file, "--set-file", Form::File(&read_file)),
            (&self.set_literal, "--set-literal", Form::Literal),
        ];
        for (lines, flag, form) in lines {
            for line in lines {
                strvals::set(line, &mut values, form)
                    .with_context(|| format!("failed parsing {flag} data"))?;
            }
        }
        Ok((values, texts))
    }
}

fn set_json(line: &str, values: &mut Map<String, Value>) -> anyhow::Result<()> {
    const WHAT: &str = "failed parsing --set-json data";
    if !line.trim_start().starts_with('{') {
        return strvals::set(line, values, Form::Json).context(WHAT);
    }
    let mut object: Value = serde_json::from_str(line).context(WHAT)?;
    pinnace_engine::yaml::as_go_floats(&mut object);
    if let Value::Object(object) = object {
        merge(values, object);
    }
    Ok(())
}

fn read(name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    if name.trim() == "-" {
        std::io::stdin()
            .take(MAX_FILE + 1)
            .read_to_string(&mut text)
            .context("cannot read stdin")?;
    } else if name.contains("://") {
        bail!("cannot read {name}: values are read from files; download it first");
    } else {
        let file =
            std::fs::File::open(Path::new(name)).with_context(|| format!("cannot open {name}"))?;
        file.take(MAX_FILE + 1)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {name}"))?;
    }
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_FILE) {
        bail!("{name} is longer than {MAX_FILE} bytes");
    }
    Ok(text)
}
