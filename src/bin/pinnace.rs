use clap::Parser as _;
use pinnace::cli::Pinnace;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Pinnace::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
