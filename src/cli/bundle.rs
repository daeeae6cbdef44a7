//! `pinnace bundle`: everything in one signed file, for a site that no network reaches.

use clap::Subcommand;

mod export;
mod import;
mod inspect;
mod key;
mod opened;
mod progress;
mod serve;
mod verify;

/// Carries charts and images in one signed file: out of registries, into one, or as one.
#[derive(Clone, Debug, clap::Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Make a key that signs bundles
    Key(key::Args),
    /// Write charts and images, with their signatures and SBOMs, into a bundle
    Export(export::Args),
    /// Check a bundle's signature, and every byte in it
    Verify(verify::Args),
    /// List what a bundle holds
    Inspect(inspect::Args),
    /// Push a bundle into a registry, or put its charts into the agent's cache
    Import(import::Args),
    /// Be a read-only registry of what a bundle holds
    Serve(serve::Args),
}

const EXAMPLES: &str = "\
Examples, on the side with a network:
  pinnace bundle key bundle.key
  pinnace mirror plan oci://registry.example/charts/app:1.2.0 > plan.yaml
  pinnace bundle export plan.yaml --file app-1.2.0.bundle --key bundle.key
Examples, on the other side:
  pinnace bundle verify app-1.2.0.bundle --key bundle.key.pub
  pinnace bundle import app-1.2.0.bundle --key bundle.key.pub --to registry.site.example/vendor
  pinnace bundle serve app-1.2.0.bundle --key bundle.key.pub --tls-cert tls.crt --tls-key tls.key";

pub fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Key(args) => key::run(&args),
        Command::Export(args) => on_runtime(export::run(args)),
        Command::Verify(args) => verify::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Import(args) => on_runtime(import::run(args)),
        Command::Serve(args) => on_runtime(serve::run(args)),
    }
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(work)
}
