//! The people's command, `pinnace`: one file per verb, each an `Args` and a `run`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::env::{CompleteEnv, Shells};

pub mod bundle;
pub mod chart_source;
pub mod crds;
pub mod flags;
pub mod lint;
pub mod mirror;
pub mod registries;
pub mod release;
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
    #[command(flatten)]
    Release(release::Verb),
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
    /// Print a completion script for a shell; names of releases are completed as well
    Completion {
        #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
        shell: String,
    },
}

/// The variable by which the scripts of `pinnace completion` ask for completions.
const COMPLETE: &str = "PINNACE_COMPLETE";

impl Pinnace {
    /// Reads a command line, the program's own name first: `kubectl-pinnace` is `kubectl pinnace` in texts. Answers
    /// a shell that asks for completions, and ends the process then.
    pub fn read(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let line: Vec<OsString> = line.into_iter().collect();
        CompleteEnv::with_factory(Self::command).var(COMPLETE).complete();
        let matches = Self::named(line.first()).try_get_matches_from(line)?;
        Self::from_arg_matches(&matches)
    }

    fn named(program: Option<&OsString>) -> clap::Command {
        let stem = program.and_then(|program| Path::new(program).file_stem());
        let plugin = stem.is_some_and(|stem| stem.to_string_lossy().starts_with("kubectl-"));
        let name = if plugin { "kubectl pinnace" } else { "pinnace" };
        Self::command().bin_name(name)
    }

    /// Runs the command; prints results to stdout.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Release(verb) => return release::run(verb),
            Command::Template(args) => template::run(args)?,
            Command::Lint(args) => lint::run(args)?,
            Command::Bundle(args) => bundle::run(args)?,
            Command::Mirror(args) => mirror::run(args)?,
            Command::Crds(args) => crds::run(args)?,
            Command::Completion { shell } => completion(&shell)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn completion(shell: &str) -> anyhow::Result<()> {
    let shells = Shells::builtins();
    if let Some(script) = shells.completer(shell) {
        let name = "pinnace";
        script.write_registration(COMPLETE, name, name, name, &mut std::io::stdout())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Pinnace::command().debug_assert();
    }

    #[test]
    fn a_plugin_of_kubectl_says_so() {
        for (program, expected) in [
            ("/usr/bin/pinnace", "Usage: pinnace why "),
            ("/usr/bin/kubectl-pinnace", "Usage: kubectl pinnace why "),
            ("kubectl-pinnace.exe", "Usage: kubectl pinnace why "),
        ] {
            let line = [program, "why", "--help"].map(OsString::from);
            let usage = Pinnace::read(line).expect_err("help").to_string();
            assert!(usage.contains(expected), "{usage}");
        }
    }
}
