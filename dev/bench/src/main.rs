//! Times `pinnace template` against `helm template`, and the engine against Helm's engine in Go, all
//! in one run, and prints a table. Times are CPU time (user and system, all threads), since a wall
//! clock also shows what else the machine is doing.
//!
//!     bench run PINNACE HELM HELM-BENCH FOLDER CHART…
//!     bench usage COMMAND ARGUMENT…   what one command takes, as JSON
//!     bench engine CHART.tgz          what the engine takes in process, as JSON

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;

mod charts;
mod engine;
mod process;
mod table;

/// That of the programs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<String>) -> anyhow::Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["run", pinnace, helm, go_bench, folder, public @ ..] => {
            let charts = charts::collect(Path::new(helm), Path::new(folder), public)?;
            let programs = table::Programs { pinnace, helm, go_bench };
            table::print(&charts, &programs)
        }
        ["usage", command @ ..] => {
            println!("{}", serde_json::to_string(&process::usage_of(command)?)?);
            Ok(())
        }
        ["engine", chart] => {
            println!("{}", serde_json::to_string(&engine::time(Path::new(chart))?)?);
            Ok(())
        }
        _ => bail!("see the top of dev/bench/src/main.rs for what to say"),
    }
}
