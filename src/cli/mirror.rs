//! `pinnace mirror`: what a site needs, brought to its registry and held against it.

use clap::Subcommand;

mod check;
mod copy;
pub(super) mod output;
mod plan;
mod prune;
mod target;

/// Brings charts and images to another registry, by digest.
#[derive(Clone, Debug, clap::Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Write the exact list of charts and images that charts or pins need
    Plan(plan::Args),
    /// Copy all of a plan to a registry
    Copy(copy::Args),
    /// Prove that a registry holds all of a plan, or say what is missing
    Check(check::Args),
    /// List or delete what a registry holds and no plan needs
    Prune(prune::Args),
}

const EXAMPLES: &str = "\
Examples:
  pinnace mirror plan oci://registry.example/charts/app:1.2.0 > plan.yaml
  pinnace mirror copy plan.yaml --to harbor.example/vendor
  pinnace mirror check plan.yaml --to harbor.example/vendor
  pinnace mirror prune plan.yaml --to harbor.example/vendor";

pub fn run(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match args.command {
            Command::Plan(args) => plan::run(args).await,
            Command::Copy(args) => copy::run(args).await,
            Command::Check(args) => check::run(args).await,
            Command::Prune(args) => prune::run(args).await,
        }
    })
}
