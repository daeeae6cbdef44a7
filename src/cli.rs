//! The people's command, `pinnace`: one file per verb, each an `Args` and a `run`.

use clap::{CommandFactory as _, Parser, Subcommand};

pub mod bundle;
pub mod chart_source;
pub mod crds;
pub mod flags;
pub mod lint;
pub mod mirror;
pub mod registries;
pub mod template;
pub mod values;

/// Renders charts and looks after releases, the way `helm` and `kubectl` do.
#[derive(Debug, Parser)]
#[command(name = "pinnace", version, arg_required_else_help = true)]
pub struct Pinnace {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Render a chart on this machine, as `helm template` does
    Template(template::Args),
    /// Look for mistakes in a chart, as `helm lint` does, and for numbers that lose digits
    Lint(lint::Args),
    /// Carry charts and images over an air gap in one signed file
    Bundle(bundle::Args),
    /// Bring charts and images to another registry: plan, copy, check, prune
    Mirror(mirror::Args),
    /// Write the custom resource definitions, generated from the types
    Crds(crds::Args),
    /// Print a completion script for a shell
    Completion { shell: clap_complete::Shell },
}

impl Pinnace {
    /// Runs the command; prints results to stdout.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Template(args) => template::run(args),
            Command::Lint(args) => lint::run(args),
            Command::Bundle(args) => bundle::run(args),
            Command::Mirror(args) => mirror::run(args),
            Command::Crds(args) => crds::run(args),
            Command::Completion { shell } => {
                let command = &mut Self::command();
                clap_complete::generate(shell, command, "pinnace", &mut std::io::stdout());
                Ok(())
            }
        }
    }
}
