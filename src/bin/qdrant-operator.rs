//! The operator: turns QdrantCluster objects into running databases.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use pinnace::cluster::process::{Pod, ended};
use pinnace::operator::run::{Settings, run};

/// Turns the QdrantCluster objects of a namespace into running databases.
#[derive(Debug, Parser)]
#[command(name = "qdrant-operator", version)]
struct Args {
    /// The settings, in YAML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where /livez, /readyz and /metrics are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9290")]
    admin_address: SocketAddr,
    #[command(flatten)]
    pod: Pod,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    args.pod.begin();
    let settings =
        Settings { config: args.config, admin_address: args.admin_address, pod: args.pod };
    ended(run(settings).await)
}
