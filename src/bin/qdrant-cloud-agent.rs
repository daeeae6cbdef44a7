//! The agent of an environment: the outgoing connection and the Helm controller in one process.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use pinnace::{
    agent::{
        chain,
        run::{Settings, run},
    },
    telemetry::{last_words, logs},
};

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
    /// How log lines look
    #[arg(long, value_enum, default_value = "json")]
    log_format: logs::Format,
    /// The namespace that the agent looks after
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: String,
    /// Name of this process among its replicas
    #[arg(long, env = "POD_NAME")]
    identity: String,
    /// Version that is reported to the Console
    #[arg(long, env = "APP_VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    app_version: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    logs::init(args.log_format);
    // Another provider cannot have been installed before the first line of the program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings {
        config: args.config,
        access_key: args.access_key_file,
        cache_dir: args.cache_dir,
        admin_address: args.admin_address,
        namespace: args.namespace,
        identity: args.identity,
        version: args.app_version,
    };
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = chain(&error);
            tracing::error!("{error}");
            last_words(&error);
            ExitCode::FAILURE
        }
    }
}
