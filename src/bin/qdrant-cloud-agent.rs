//! The agent of an environment: the outgoing connection and the Helm controller in one process.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use pinnace::agent::rescue::act as rescue;
use pinnace::agent::run::{Settings, run};
use pinnace::cluster::process::{Pod, ended};

/// Connects a Kubernetes cluster with the Console and runs what is pinned there.
#[derive(Debug, Parser)]
#[command(name = "qdrant-cloud-agent", version)]
struct Args {
    /// The configuration, in YAML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The access key of the installation command
    #[arg(long, value_name = "FILE")]
    access_key_file: PathBuf,
    /// Where pulled charts are kept
    #[arg(long, value_name = "DIR")]
    cache_dir: PathBuf,
    /// Where /livez, /readyz and /metrics are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    admin_address: SocketAddr,
    /// Helm's name of the release that this agent is part of
    #[arg(long, value_name = "NAME", default_value = "qdrant-cloud-agent")]
    release: String,
    #[command(flatten)]
    pod: Pod,
}

/// Bytes of stack for each thread: a debug build's futures are large.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    match runtime.enable_all().thread_stack_size(STACK).build() {
        Ok(runtime) => runtime.block_on(act()),
        Err(error) => {
            eprintln!("cannot start threads: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn act() -> ExitCode {
    // The other thing that this image does: it shares no flag with the agent but those of its pod.
    let mut line = std::env::args_os().skip(1);
    if line.next().is_some_and(|word| word == "rescue") {
        let program = std::iter::once("qdrant-cloud-agent rescue".into());
        let args = rescue::Args::parse_from(program.chain(line));
        args.pod.begin();
        return ended(rescue::run(args).await);
    }
    let args = Args::parse();
    args.pod.begin();
    let settings = Settings {
        config: args.config,
        access_key: args.access_key_file,
        cache_dir: args.cache_dir,
        admin_address: args.admin_address,
        release: args.release,
        pod: args.pod,
    };
    ended(run(settings).await)
}
