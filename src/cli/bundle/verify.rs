//! `pinnace bundle verify`.

use pinnace_registry::bundle::Progress as _;
use serde::Serialize;

use super::opened::BundleArgs;
use super::progress::Shown;
use crate::cli::mirror::output::{self, Output, bytes};

/// Checks the signature, and every byte against its digest. Ends with 1 if anything is wrong.
///
/// A bundle without a signature is refused unless --allow-unsigned is given.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    bundle: BundleArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  pinnace bundle verify release.bundle --key bundle.key.pub
  pinnace bundle verify update.bundle --base release.bundle --key bundle.key.pub
  pinnace bundle verify somebodys.bundle --allow-unsigned -o json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Result {
    digest: String,
    signed_by: Option<String>,
    manifests: usize,
    blobs: usize,
    bytes: u64,
    /// Blobs that are in a base which was not given.
    not_here: usize,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let bundle = args.bundle.open()?;
    let shown = Shown::new();
    shown.step("Reading");
    let here: Vec<u64> = bundle.present().map(|(_, size)| size).collect();
    shown.expect(here.len(), here.iter().sum());
    let verified = bundle.verify(&|count| shown.bytes(count));
    shown.finish();
    let verified = verified?;
    let result = Result {
        digest: bundle.digest().to_string(),
        signed_by: bundle.signed_by().map(str::to_owned),
        manifests: verified.manifests,
        blobs: verified.blobs,
        bytes: verified.bytes,
        not_here: verified.not_here,
    };
    if output::print(args.output, &result)? {
        return Ok(());
    }
    println!("{} is intact", args.bundle.file.display());
    println!("  index      {}", result.digest);
    println!("  signed by  {}", result.signed_by.as_deref().unwrap_or("not checked"));
    println!(
        "  read       {} manifests and {} blobs, {}",
        result.manifests,
        result.blobs,
        bytes(result.bytes)
    );
    if result.not_here > 0 {
        let base = bundle.base().map(ToString::to_string).unwrap_or_default();
        println!(
            "  not here   {} blobs, which are in the bundle with the index {base}",
            result.not_here
        );
    }
    Ok(())
}
