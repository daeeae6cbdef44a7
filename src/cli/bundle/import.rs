//! `pinnace bundle import`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use pinnace_registry::bundle::Bundle;
use pinnace_registry::{Cache, Reference};
use serde::Serialize;

use super::opened::BundleArgs;
use super::progress::Shown;
use crate::cli::mirror::output::{self, Output, bytes};
use crate::cli::registries::RegistryArgs;

/// Pushes all of a bundle into a registry, or puts its charts into the agent's cache.
///
/// What is there already is not sent again: a run that broke off can be repeated. A tag appears
/// after everything that it names.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Where the registry is; the path of each name is kept below it
    #[arg(long, value_name = "HOST[:PORT][/PATH]", required_unless_present = "cache")]
    to: Option<String>,
    /// Folder of the agent's chart cache, instead of a registry
    #[arg(long, value_name = "DIR", conflicts_with = "to")]
    cache: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  pinnace bundle import release.bundle --key bundle.key.pub --to registry.site.example/vendor
  pinnace bundle import update.bundle --base release.bundle --key bundle.key.pub --to registry.site.example
  pinnace bundle import release.bundle --key bundle.key.pub --cache /var/cache/pinnace/charts";

/// As large as the charts of a bundle may be together: 4 GiB.
const CACHE_BYTES: u64 = 4 << 30;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Result {
    roots: usize,
    unchanged: usize,
    blobs_sent: usize,
    bytes_sent: u64,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let bundle = Arc::new(args.bundle.open()?);
    match (&args.to, &args.cache) {
        (Some(to), _) => into_registry(&args, &bundle, to).await,
        (None, Some(folder)) => into_cache(&args, &bundle, folder).await,
        (None, None) => bail!("give --to or --cache"),
    }
}

async fn into_registry(args: &Args, bundle: &Arc<Bundle>, to: &str) -> anyhow::Result<()> {
    // Only its host counts.
    let there = Reference::parse(&format!("{}/x", to.trim_end_matches('/')))
        .with_context(|| format!("--to {to}: write host[:port][/path]"))?;
    let client = args.registry.registries()?.client(&there).await?;
    let shown = Shown::new();
    let imported = bundle.import(&client, to, &shown).await;
    shown.finish();
    let imported = imported.context("the import did not end; run it again to go on")?;
    let result = Result {
        roots: imported.roots,
        unchanged: imported.unchanged,
        blobs_sent: imported.sent,
        bytes_sent: imported.bytes,
    };
    if !output::print(args.output, &result)? {
        println!(
            "{} imported, {} unchanged, {} blobs sent, {}",
            result.roots - result.unchanged,
            result.unchanged,
            result.blobs_sent,
            bytes(result.bytes_sent)
        );
    }
    Ok(())
}

async fn into_cache(args: &Args, bundle: &Bundle, folder: &PathBuf) -> anyhow::Result<()> {
    let cache = Cache::new(folder, CACHE_BYTES)?;
    let shown = Shown::new();
    let kept = bundle.import_charts(&cache, &shown).await;
    shown.finish();
    let kept: Vec<String> = kept?.iter().map(ToString::to_string).collect();
    if !output::print(args.output, &kept)? {
        println!("{} charts are in {}", kept.len(), folder.display());
    }
    Ok(())
}
