//! Generates templates, has genuine Helm and our engine render each, and prints what differs.
//!
//! Reading order: [`generate`] makes a [`case`] of a seed, [`helm`] asks `dev/tools/oracle`, [`ours`]
//! renders, [`run`] compares, [`shrink`] makes a difference small.

mod case;
mod generate;
mod helm;
mod ours;
mod run;
mod shrink;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Holds the engine against genuine Helm on generated templates. The last line counts them.
#[derive(Parser)]
struct Args {
    /// How many cases
    #[arg(long, default_value_t = 100_000)]
    cases: u64,
    /// Start no more cases after this many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// Another seed makes other cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of the first case
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Only cases of this subject; may be repeated
    #[arg(long, value_parser = subject)]
    only: Vec<&'static generate::Subject>,
    /// Errors must have the same words, too
    #[arg(long)]
    words: bool,
    /// How many differences are made small and shown; the others are only counted
    #[arg(long, default_value_t = 10)]
    show: usize,
    /// Print the cases instead of running them
    #[arg(long)]
    print: bool,
    /// The oracle of dev/tools/oracle [default: that of `make tools`]
    #[arg(long)]
    oracle: Option<PathBuf>,
}

fn subject(name: &str) -> Result<&'static generate::Subject, String> {
    generate::SUBJECTS.iter().find(|subject| subject.name == name).ok_or_else(|| {
        let names: Vec<_> = generate::SUBJECTS.iter().map(|subject| subject.name).collect();
        format!("the subjects are {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let args = Args::parse();
    let source = generate::Source::new(args.seed, &args.only);
    if args.print {
        for number in args.first..args.first + args.cases {
            println!("{}", source.case(number));
        }
        return ExitCode::SUCCESS;
    }
    let plan = run::Plan {
        source,
        first: args.first,
        cases: args.cases,
        time: args.seconds.map(Duration::from_secs),
        oracle: args.oracle.unwrap_or_else(helm::built),
        words: args.words,
        show: args.show,
    };
    match run::run(&plan) {
        Ok(tally) => {
            if tally.unsteady > 0 {
                println!("Helm contradicts itself in {} cases; these do not count", tally.unsteady);
            }
            if tally.fatal > 0 {
                println!(
                    "Helm's process does not survive {} cases; these do not count",
                    tally.fatal
                );
            }
            println!("oracle: {} cases, {} differences", tally.cases, tally.differences);
            if tally.differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("oracle: {error}");
            ExitCode::from(2)
        }
    }
}
