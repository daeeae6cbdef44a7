//! The real controller as a process of its own, killed and disturbed on a real API server: nothing may get stuck, no
//! hook may run twice, no object may be lost.
//!
//!     chaos [--kills N] [--seed S]     in `make test` with few kills, in `make chaos` with many
//!
//! - `controller`: the process that is killed; `child`: it from the outside
//! - `chart`, `lane`: what is released, and what must be there after each operation
//! - `runs`: how often each hook ran; `check`: what is there, held against what must be
//! - `plan`, `proxy`: what goes wrong between the controller and the API server
//! - `course`: one operation from its beginning to its checks; `kills`, `faults`, `pair`: what is done to it; `table`: what came of it

use std::process::ExitCode;

use clap::Parser;

#[allow(dead_code, reason = "the tests of the controller use the rest")]
#[path = "../controller/bed.rs"]
mod bed;
mod chart;
mod check;
mod child;
mod controller;
mod course;
mod faults;
mod kills;
mod lane;
mod pair;
mod plan;
mod proxy;
mod runs;
mod table;
mod world;

/// Kills and disturbs the Helm controller.
#[derive(Parser)]
struct Args {
    /// How often the controller is killed
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// The same seed gives the same operations, moments and faults
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    role: controller::Role,
    /// What `cargo test` passes on
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    harness: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // As the agent: a debug build's futures are large.
    let runtime = runtime.enable_all().thread_stack_size(8 << 20).build().expect("a runtime");
    if let Some(namespace) = &args.role.controller {
        return runtime.block_on(controller::run(namespace, &args.role));
    }
    let filters: Vec<&String> = args.harness.iter().filter(|word| !word.starts_with('-')).collect();
    let listed = args.harness.iter().any(|word| word == "--list");
    if listed || !(filters.is_empty() || filters.iter().any(|word| "chaos".contains(*word))) {
        return ExitCode::SUCCESS;
    }
    let seed = args.seed.unwrap_or_else(rand::random);
    println!("seed {seed}");
    let outcome = runtime.block_on(course::run(args.kills, seed));
    print!("{outcome}");
    if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
