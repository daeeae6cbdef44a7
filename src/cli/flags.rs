//! Switches as Go's pflag reads them: `--name` or `--name=false`; given again, the last one counts.

use clap::{Arg, ArgAction, ArgMatches};

/// The words of Go's `strconv.ParseBool`.
const ON: [&str; 6] = ["true", "1", "t", "T", "TRUE", "True"];
const OFF: [&str; 6] = ["false", "0", "f", "F", "FALSE", "False"];

/// A switch that can also be turned off: `--name=false`.
pub fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::Append)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("BOOL")
        .hide_possible_values(true)
        .value_parser(clap::builder::PossibleValuesParser::new(ON.into_iter().chain(OFF)))
}

/// Whether the last of its uses turns a switch on.
pub fn is_on(matches: &ArgMatches, name: &str) -> bool {
    let given = matches.get_many::<String>(name);
    given.and_then(|mut words| words.next_back()).is_some_and(|word| ON.contains(&word.as_str()))
}

/// Declares switches: a struct of booleans that clap reads.
macro_rules! switches {
    ($(#[$doc:meta])* $name:ident { $($field:ident $flag:literal $(($short:literal))? $help:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name { $(pub $field: bool),* }

        impl clap::Args for $name {
            fn augment_args(command: clap::Command) -> clap::Command {
                command$(.arg(crate::cli::flags::switch($flag, $help)$(.short($short))?))*
            }

            fn augment_args_for_update(command: clap::Command) -> clap::Command {
                Self::augment_args(command)
            }
        }

        impl clap::FromArgMatches for $name {
            fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self { $($field: crate::cli::flags::is_on(matches, $flag)),* })
            }

            fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}
pub(crate) use switches;
