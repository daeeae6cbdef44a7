//! Flags of `helm template` that change nothing of what it prints, for scripts that give them, and
//! those that need a cluster or a plugin, which are refused.

use anyhow::bail;
use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cli::flags::{is_on, switch};

/// `--name`, or `--name=true`.
const SWITCHES: [&str; 17] = [
    "atomic",
    "create-namespace",
    "disable-openapi-validation",
    "force",
    "force-conflicts",
    "force-replace",
    "hide-notes",
    "kube-insecure-skip-tls-verify",
    "pass-credentials",
    "render-subchart-notes",
    "replace",
    "rollback-on-failure",
    "server-side",
    "skip-crds",
    "take-ownership",
    "wait-for-jobs",
    "no-color",
];

/// `--name VALUE`
const SETTINGS: [(&str, &str); 18] = [
    ("burst-limit", "N"),
    ("color", "WHEN"),
    ("content-cache", "FOLDER"),
    ("description", "TEXT"),
    ("keyring", "FILE"),
    ("kube-apiserver", "URL"),
    ("kube-as-group", "NAME"),
    ("kube-as-user", "NAME"),
    ("kube-ca-file", "FILE"),
    ("kube-context", "NAME"),
    ("kube-tls-server-name", "NAME"),
    ("kube-token", "TOKEN"),
    ("kubeconfig", "FILE"),
    ("labels", "KEY=VALUE"),
    ("qps", "N"),
    ("repository-cache", "FOLDER"),
    ("repository-config", "FILE"),
    ("timeout", "DURATION"),
];

/// What Helm says of flags that it will not have for ever.
const DEPRECATED: [(&str, &str); 4] = [
    ("atomic", "use --rollback-on-failure instead"),
    ("force", "use --force-replace instead"),
    ("hide-notes", "this flag has no effect for 'helm template' and will be removed in Helm 5"),
    (
        "render-subchart-notes",
        "this flag has no effect for 'helm template' and will be removed in Helm 5",
    ),
];

/// What is refused, and why.
const REFUSED: [(&str, &str); 5] = [
    (
        "validate",
        "there is no cluster to hold the manifests against: use `kubectl apply --dry-run=server`",
    ),
    ("enable-dns", "rendering makes no connections; pass the address in through the values"),
    (
        "post-renderer",
        "post-renderers are Helm's plugins: pipe the output through the program instead",
    ),
    (
        "post-renderer-args",
        "post-renderers are Helm's plugins: pipe the output through the program instead",
    ),
    (
        "post-renderer-strategy",
        "post-renderers are Helm's plugins: pipe the output through the program instead",
    ),
];

/// The flags that were given of those that have no effect.
#[derive(Clone, Debug, Default)]
pub struct Ignored {
    deprecated: Vec<&'static (&'static str, &'static str)>,
    refused: Option<&'static (&'static str, &'static str)>,
    /// The last --dry-run and --wait.
    dry_run: Option<String>,
    wait: Option<String>,
}

impl Ignored {
    /// Says what Helm says of deprecated flags. Err: a flag that cannot be ignored.
    pub fn check(&self) -> anyhow::Result<()> {
        for (name, why) in &self.deprecated {
            eprintln!("Flag --{name} has been deprecated, {why}");
        }
        if let Some((name, why)) = self.refused {
            bail!("--{name} is not supported: {why}");
        }
        let warn = |message: &str| eprintln!("level=WARN msg={}", quoted(message));
        match self.dry_run.as_deref() {
            Some("unset") => {
                warn("--dry-run is deprecated and should be replaced with '--dry-run=client'");
            }
            Some("true") => warn(
                "boolean '--dry-run=true' flag is deprecated and must be replaced with '--dry-run=client'",
            ),
            Some("server") => {
                bail!("--dry-run=server is not supported: charts are rendered without a cluster")
            }
            Some(other @ ("none" | "false")) => {
                bail!(r#"invalid dry-run value ("{other}"). Must be "server" or "client""#)
            }
            _ => {}
        }
        match self.wait.as_deref() {
            Some("true") => warn(
                "--wait=true is deprecated (boolean value) and can be replaced with --wait=watcher",
            ),
            Some("false") => warn(
                "--wait=false is deprecated (boolean value) and can be replaced with --wait=hookOnly",
            ),
            _ => {}
        }
        Ok(())
    }
}

fn quoted(message: &str) -> String {
    format!("\"{message}\"")
}

fn setting(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::Append).num_args(1).value_name(value).hide(true)
}

impl clap::Args for Ignored {
    fn augment_args(mut command: Command) -> Command {
        for name in SWITCHES {
            command = command.arg(switch(name, "").hide(true));
        }
        for (name, value) in SETTINGS {
            let arg = setting(name, value);
            command = command.arg(if name == "labels" { arg.short('l') } else { arg });
        }
        for (name, _) in REFUSED {
            let takes_value = name.starts_with("post-renderer");
            let arg =
                if takes_value { setting(name, "VALUE") } else { switch(name, "").hide(true) };
            command = command.arg(arg);
        }
        let words =
            |words: &[&'static str]| words.iter().map(PossibleValue::new).collect::<Vec<_>>();
        let dry_run = switch("dry-run", "")
            .default_missing_value("unset")
            .value_parser(words(&["unset", "client", "server", "true", "none", "false"]))
            .hide(true);
        let strategies = words(&["true", "false", "watcher", "hookOnly", "legacy"]);
        let wait =
            switch("wait", "").default_missing_value("watcher").value_parser(strategies).hide(true);
        command.arg(dry_run).arg(wait)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Ignored {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given =
            |name: &str| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
        let is_refused = |name: &str| match name.starts_with("post-renderer") {
            true => is_given(name),
            false => is_on(matches, name),
        };
        let last = |name: &str| matches.get_many::<String>(name).and_then(Iterator::last).cloned();
        Ok(Self {
            deprecated: DEPRECATED.iter().filter(|(name, _)| is_given(name)).collect(),
            refused: REFUSED.iter().find(|(name, _)| is_refused(name)),
            dry_run: last("dry-run"),
            wait: last("wait"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
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
