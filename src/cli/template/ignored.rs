//! Flags of `helm template` that change nothing of what it prints: for scripts that give them.

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// `--name`, or `--name=true`.
const SWITCHES: [&str; 14] = [
    "atomic",
    "create-namespace",
    "debug",
    "disable-openapi-validation",
    "force-conflicts",
    "force-replace",
    "hide-notes",
    "render-subchart-notes",
    "replace",
    "rollback-on-failure",
    "server-side",
    "skip-crds",
    "take-ownership",
    "wait-for-jobs",
];

/// `--name VALUE`
const SETTINGS: [(&str, &str); 6] = [
    ("color", "WHEN"),
    ("description", "TEXT"),
    ("kube-context", "NAME"),
    ("kubeconfig", "FILE"),
    ("labels", "KEY=VALUE"),
    ("timeout", "DURATION"),
];

/// Accepts all of them and remembers none.
#[derive(Clone, Debug)]
pub struct Ignored;

fn switch(name: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::Append)
        .num_args(0..=1)
        .require_equals(true)
        .hide(true)
}

impl clap::Args for Ignored {
    fn augment_args(mut command: Command) -> Command {
        for name in SWITCHES {
            command = command.arg(switch(name).value_parser(["true", "false"]));
        }
        for (name, value) in SETTINGS {
            let setting = switch(name).num_args(1).require_equals(false).value_name(value);
            command = command.arg(setting);
        }
        // --dry-run=server would need a cluster.
        let dry_run = switch("dry-run").value_parser([PossibleValue::new("client")]);
        let strategies = ["true", "false", "watcher", "hookOnly", "legacy"];
        let wait = switch("wait").value_parser(strategies);
        command.arg(dry_run).arg(wait)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Ignored {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

/// The last lines of `pinnace template --help`.
pub fn help() -> String {
    let settings = SETTINGS.iter().map(|(name, _)| *name);
    let mut names: Vec<&str> =
        SWITCHES.into_iter().chain(settings).chain(["dry-run=client", "wait"]).collect();
    names.sort_unstable();
    let mut text = "Accepted, as by helm template, and of no effect here:".to_owned();
    let mut column = usize::MAX;
    for name in names {
        if column > 88 {
            text.push_str("\n ");
            column = 1;
        }
        text.push_str(&format!(" --{name}"));
        column += name.len() + 3;
    }
    text
}
