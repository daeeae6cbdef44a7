//! `pinnace mirror prune`.

use anyhow::{Context as _, bail};
use pinnace_registry::mirror::{delete, prune};
use pinnace_registry::{Reference, Registries};
use serde::Serialize;

use super::output::{self, Output};
use super::target::TargetArgs;

/// Lists the tags of a mirror that no plan needs, and deletes them with --yes.
///
/// Looked at are the repositories of the plans, those given with --repository, and with --all
/// every repository below the path of --to. Give the plans of every site that uses the mirror.
/// Signatures of what is needed are kept. The registry gives its disk back when it next collects
/// garbage.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Look at this repository too (can be given several times)
    #[arg(long, value_name = "HOST/PATH")]
    repository: Vec<String>,
    /// Look at every repository below the path of --to, where the registry lists them
    #[arg(long, requires = "to")]
    all: bool,
    /// Delete what is listed
    #[arg(long)]
    yes: bool,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  pinnace mirror prune plan.yaml --to harbor.example/vendor
  pinnace mirror prune site-a.yaml site-b.yaml --to harbor.example/vendor --all --yes";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    target: String,
    digest: String,
    /// `unneeded`, `deleted` or `failed`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let registries = args.target.registries()?;
    let parts = args.target.parts(&registries)?;
    let needed: Vec<Reference> = parts
        .iter()
        .filter_map(|part| Some(part.target.with_digest(part.source.digest()?.clone())))
        .collect();
    let repositories = args.repositories(&registries).await?;
    let mut lines = Vec::new();
    for extra in prune(&registries, &needed, &repositories).await? {
        let deleted = match args.yes {
            true => delete(&registries, &extra).await.map(|()| "deleted"),
            false => Ok("unneeded"),
        };
        let (result, error) = match deleted {
            Ok(result) => (result, None),
            Err(error) => ("failed", Some(format!("{:#}", anyhow::Error::new(error)))),
        };
        let (target, digest) = (extra.target.image(), extra.digest.to_string());
        lines.push(Line { target, digest, result, error });
    }
    if !output::print(args.output, &lines)? {
        for line in &lines {
            println!("{:<10} {}@{}", line.result, line.target, line.digest);
            if let Some(error) = &line.error {
                println!("  {error}");
            }
        }
        if !args.yes && !lines.is_empty() {
            println!("{} can go: --yes deletes them", lines.len());
        }
    }
    match lines.iter().filter(|line| line.error.is_some()).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} could not be deleted", lines.len()),
    }
}

impl Args {
    async fn repositories(&self, registries: &Registries) -> anyhow::Result<Vec<Reference>> {
        let mut repositories = Vec::new();
        for name in &self.repository {
            repositories.push(Reference::parse(name)?.repository_only());
        }
        if self.all {
            let below = self.target.below()?.context(
                "--all needs a --to with a path, so that nothing beside the mirror is looked at",
            )?;
            let client = registries.client(&below).await?;
            repositories.extend(client.repositories(&below).await?);
        }
        Ok(repositories)
    }
}
