use pinnace::cli::Pinnace;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match Pinnace::read(std::env::args_os()) {
        Ok(command) => command,
        Err(usage) => {
            // Help that was asked for is no mistake; mistakes end as those of `helm` and `kubectl` do.
            let code = if usage.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
            return usage.print().map_or(ExitCode::FAILURE, |()| code);
        }
    };
    match command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
