//! The process that is measured: the controller as the agent runs it, and its numbers.

use std::path::PathBuf;

use anyhow::Context as _;
use kube::Config;
use pinnace::cluster::fence::Fence;
use pinnace::cluster::traffic;
use pinnace::controller::{self, Settings};
use pinnace::telemetry::admin::{Admin, Health};
use pinnace::telemetry::metrics::Metrics;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub struct Args {
    namespace: String,
    cache_dir: PathBuf,
}

/// Runs until it is killed. Its first line says where its metrics are.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let metrics = Metrics::new("scale", "0");
    let client = traffic::client(Config::infer().await?, &metrics)?;
    let admin = Admin::bind(([127, 0, 0, 1], 0).into()).context("no port for the metrics")?;
    println!("http://{}/metrics", admin.address());
    let settings = Settings {
        namespace: args.namespace,
        identity: "scale".into(),
        cache_dir: args.cache_dir,
        concurrency: 4,
        metrics: metrics.clone(),
        guard: None,
        fence: Fence::default(),
    };
    let never = CancellationToken::new();
    tokio::spawn(admin.serve(Health::new(), metrics, never.clone()));
    Ok(controller::run(client, settings, never).await?)
}
