use clap::Parser as _;
use pinnace::cli::Pinnace;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match Pinnace::try_parse() {
        Ok(command) => command,
        Err(usage) => {
            // Help that was asked for is no mistake; mistakes end as those of `helm` and `kubectl` do.
            let code = if usage.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
            return usage.print().map_or(ExitCode::FAILURE, |()| code);
        }
    };
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
