//! `pinnace mirror check`.

use anyhow::bail;
use futures::{StreamExt as _, stream};
use pinnace_registry::mirror::{Finding, Found, MirrorError, check};
use serde::Serialize;

use super::output::{self, Output};
use super::target::{Part, TargetArgs};

/// Proves by digest that a mirror holds all of a plan. Ends with status 1 if anything is missing.
///
/// Every manifest is read and hashed; the registry is asked for every blob.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  pinnace mirror check plan.yaml --to harbor.example/vendor
  pinnace mirror check plan.yaml --rules mirrors.yaml -o json";

const SIDE_BY_SIDE: usize = 16;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    target: String,
    /// `complete`, `missing`, `other`, `incomplete` or `unknown`.
    result: &'static str,
    /// What the plan needs.
    digest: String,
    /// What the tag stands for instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    /// Manifests and blobs that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let registries = args.target.registries()?;
    let parts = args.target.parts(&registries)?;
    let checked = stream::iter(&parts).map(async |part| {
        let digest = part.source.digest()?;
        Some(line(part, check(&registries, &part.target, digest).await))
    });
    let lines: Vec<Line> =
        checked.buffered(SIDE_BY_SIDE).filter_map(std::future::ready).collect().await;
    let wrong = lines.iter().filter(|line| line.result != "complete").count();
    if !output::print(args.output, &lines)? {
        for line in &lines {
            println!("{}", line.text());
        }
        println!("{} complete, {wrong} not", lines.len() - wrong);
    }
    if wrong > 0 {
        bail!(
            "{wrong} of {} are not in the mirror as planned: run `pinnace mirror copy`",
            lines.len()
        );
    }
    Ok(())
}

fn line(part: &Part, checked: Result<Finding, MirrorError>) -> Line {
    let digest = part.source.digest().map(ToString::to_string).unwrap_or_default();
    let mut line = Line {
        target: part.target.image(),
        result: "complete",
        digest,
        found: None,
        missing: Vec::new(),
        error: None,
    };
    match checked.map(|finding| finding.found) {
        Ok(Found::Complete) => {}
        Ok(Found::Missing) => line.result = "missing",
        Ok(Found::Other(digest)) => {
            line.result = "other";
            line.found = Some(digest.to_string());
        }
        Ok(Found::Incomplete(missing)) => {
            line.result = "incomplete";
            line.missing = missing.iter().map(ToString::to_string).collect();
        }
        Err(error) => {
            line.result = "unknown";
            line.error = Some(format!("{:#}", anyhow::Error::new(error)));
        }
    }
    line
}

impl Line {
    fn text(&self) -> String {
        let mut text = format!("{:<10} {}@{}", self.result, self.target, self.digest);
        if let Some(found) = &self.found {
            text += &format!("\n  the tag stands for {found}");
        }
        for missing in &self.missing {
            text += &format!("\n  missing {missing}");
        }
        if let Some(error) = &self.error {
            text += &format!("\n  {error}");
        }
        text
    }
}
