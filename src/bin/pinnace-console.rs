//! The Console: `pinnace-console serve --help`.

use std::process::ExitCode;

use clap::Parser as _;
use pinnace::console::command::PinnaceConsole;

fn main() -> ExitCode {
    match PinnaceConsole::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            pinnace::telemetry::last_words(format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
