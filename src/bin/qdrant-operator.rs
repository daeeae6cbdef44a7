//! The operator: turns QdrantCluster objects into running databases.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use pinnace::{
    operator::run::{Settings, run},
    telemetry::{last_words, logs},
};

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
    /// How log lines look
    #[arg(long, value_enum, default_value = "json")]
    log_format: logs::Format,
    /// The namespace that the operator looks after
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: String,
    /// Name of this process among its replicas
    #[arg(long, env = "POD_NAME")]
    identity: String,
    /// Version that metrics show
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
        admin_address: args.admin_address,
        namespace: args.namespace,
        identity: args.identity,
        version: args.app_version,
    };
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            tracing::error!("{error}");
            last_words(&error);
            ExitCode::FAILURE
        }
    }
}
