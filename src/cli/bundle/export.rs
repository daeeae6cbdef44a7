//! `pinnace bundle export`.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pinnace_registry::bundle::{
    self, Attachments, Bundle, Compression, Export, Item, SigningKey, Trust,
};
use pinnace_registry::mirror::Plan;
use pinnace_registry::{Reference, Registries};
use serde::Serialize;

use super::progress::Shown;
use crate::cli::mirror::output::{self, Output, bytes};
use crate::cli::registries::RegistryArgs;

/// Longer plans and keys are refused by their readers.
const LONGEST: u64 = 17 * 1024 * 1024;

/// Writes charts and images, and all that is attached to them, into one file.
///
/// The file is an OCI image layout in a tar. It appears whole or not at all, and the same content
/// gives the same bytes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Files of `pinnace mirror plan`, - for stdin
    #[arg(value_name = "PLAN", required_unless_present = "add")]
    plans: Vec<PathBuf>,
    /// A chart or an image besides the plans (can be given several times)
    #[arg(long, value_name = "REFERENCE")]
    add: Vec<String>,
    /// The bundle to write
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Private key that signs the bundle
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Leave out what this earlier bundle holds
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Compress the file. Layers of images mostly are already
    #[arg(long)]
    zstd: bool,
    /// Leave out signatures, attestations and SBOMs
    #[arg(long)]
    no_attachments: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  pinnace bundle export plan.yaml --file release.bundle --key bundle.key
  pinnace bundle export plan.yaml --file update.bundle --key bundle.key --base release.bundle
  pinnace bundle export --add oci://registry.example/charts/app:1.2.0 --file app.bundle --zstd";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Result<'a> {
    file: &'a Path,
    /// Of the index, which is what is signed.
    digest: String,
    signed_by: Option<String>,
    roots: usize,
    manifests: usize,
    blobs: usize,
    left_out: usize,
    bytes: u64,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let key = args.key.as_deref().map(signing_key).transpose()?;
    // It is this side's own, and what matters is which blobs it holds.
    let base = args.base.as_deref().map(|base| Bundle::open(base, &[], &Trust::Unsigned));
    let base = base.transpose()?;
    let items = items(&args, &args.registry.registries()?).await?;
    let options = Export {
        to: &args.file,
        key: key.as_ref(),
        base: base.as_ref(),
        compression: if args.zstd { Compression::Zstd } else { Compression::None },
        attachments: if args.no_attachments { Attachments::LeftOut } else { Attachments::Included },
    };
    let shown = Shown::new();
    let exported = bundle::export(&items, &options, &shown).await;
    shown.finish();
    let exported = exported?;
    let result = Result {
        file: &args.file,
        digest: exported.digest.to_string(),
        signed_by: key.map(|key| key.public().id()),
        roots: exported.roots,
        manifests: exported.manifests,
        blobs: exported.blobs,
        left_out: exported.left_out,
        bytes: exported.bytes,
    };
    if output::print(args.output, &result)? {
        return Ok(());
    }
    println!("{}  {}", result.file.display(), bytes(result.bytes));
    println!("  index      {}", result.digest);
    println!("  signed by  {}", result.signed_by.as_deref().unwrap_or("nobody"));
    println!(
        "  holds      {} charts, images and attachments in {} blobs",
        result.roots, result.blobs
    );
    if base.is_some() {
        println!("  left out   {} blobs that are in the base", result.left_out);
    }
    Ok(())
}

fn signing_key(path: &Path) -> anyhow::Result<SigningKey> {
    let pem = fs::read_to_string(path)
        .with_context(|| format!("cannot read the key {}", path.display()))?;
    Ok(SigningKey::from_pem(&path.display().to_string(), &pem)?)
}

/// Everything that is named, and where it is had: from a mirror if the rules lead there.
async fn items(args: &Args, registries: &Registries) -> anyhow::Result<Vec<Item>> {
    let mut references = Vec::new();
    for path in &args.plans {
        for item in plan(path)?.items() {
            references.push(item.reference()?);
        }
    }
    for text in &args.add {
        let reference = match text.starts_with("oci://") {
            true => Reference::parse(text)?,
            false => Reference::parse_image(text)?,
        };
        references.push(reference);
    }
    if references.is_empty() {
        bail!("the plan is empty: there is nothing to export");
    }
    let mut items = Vec::with_capacity(references.len());
    for reference in references {
        let (client, at) = registries.place_of(&reference).await?;
        items.push(Item { client, reference, at });
    }
    Ok(items)
}

fn plan(path: &Path) -> anyhow::Result<Plan> {
    let named = || format!("cannot read the plan {}", path.display());
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().take(LONGEST).read_to_string(&mut text),
        _ => fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)),
    };
    read.with_context(named)?;
    Plan::from_yaml(&text).with_context(named)
}
