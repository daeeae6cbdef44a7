//! What the Helm controller takes for many releases: time, processor, memory, and requests to the API server. `dev/scale`
//! starts the cluster, fills its registry and calls this.
//!
//!     scale run --registry HOST:PORT/PATH --ca FILE --releases N --idle SECONDS
//!     scale controller NAMESPACE CACHE     the process that is measured; KUBECONFIG names the cluster

use std::process::ExitCode;

use clap::Parser;

mod bed;
mod controller;
mod measure;
mod process;

/// Measures the Helm controller.
#[derive(Parser)]
enum Command {
    /// Installs, upgrades and leaves alone N releases of each chart
    Run(measure::Args),
    /// The controller alone
    Controller(controller::Args),
}

fn main() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // As the agent: a debug build's futures are large.
    let runtime = runtime.enable_all().thread_stack_size(8 << 20).build();
    let done = match (runtime, Command::parse()) {
        (Ok(runtime), Command::Run(args)) => runtime.block_on(measure::run(args)),
        (Ok(runtime), Command::Controller(args)) => runtime.block_on(controller::run(args)),
        (Err(error), _) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
