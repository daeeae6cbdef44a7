//! `pinnace-console serve`: reads flags and files, and starts everything.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use pinnace_registry::{Client, Credentials, Limits, Options};
use tokio_util::sync::CancellationToken;

use super::{
    accounts::Accounts,
    auth::AdminKey,
    catalogue::{Catalogue, OciCharts},
    desk::{Desk, Shared},
    identity, keys,
    live::Live,
    serve,
    settings::{RegistryAccess, Settings},
    store::Store,
    turns::Turns,
};
use crate::{
    model::redacted::Redacted,
    telemetry::{admin, logs, metrics::Metrics, shutdown},
};

/// Keeps environments and tells each what to run.
#[derive(Debug, Parser)]
#[command(name = "pinnace-console", version, arg_required_else_help = true)]
pub struct PinnaceConsole {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the APIs, the agents and the pages on one TLS port
    Serve(Box<Serve>),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Address of the TLS port
    #[arg(long, default_value = "0.0.0.0:443")]
    listen: SocketAddr,
    /// Certificate chain of the public URL, PEM
    #[arg(long, value_name = "FILE")]
    tls_cert: PathBuf,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: PathBuf,
    /// Folder of the database and the keys; back it up
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Where agents and people find this Console
    #[arg(long, value_name = "URL")]
    public_url: String,
    /// Where agents open their stream, if not at the public URL
    #[arg(long, value_name = "URL")]
    grpc_url: Option<String>,
    /// Charts: oci://host[:port]/path
    #[arg(long, value_name = "REPOSITORY")]
    chart_repository: String,
    /// Images: host[:port][/path], on the same host as the charts
    #[arg(long, value_name = "REGISTRY")]
    image_registry: String,
    /// Image of the database, without a tag; the operator's default if left out
    #[arg(long, value_name = "IMAGE")]
    database_image: Option<String>,
    /// Private CA of the registry and of this Console, PEM; passed on to agents and helm
    #[arg(long, value_name = "FILE")]
    registry_ca: Option<PathBuf>,
    /// The Console's own account at the registry
    #[arg(long, value_name = "NAME", requires = "registry_password_file")]
    registry_username: Option<String>,
    #[arg(long, value_name = "FILE", requires = "registry_username")]
    registry_password_file: Option<PathBuf>,
    /// Give each environment an account of its own in this file of the registry, instead of the Console's
    #[arg(long, value_name = "FILE")]
    registry_htpasswd: Option<PathBuf>,
    /// Address of /livez, /readyz and /metrics
    #[arg(long, default_value = "127.0.0.1:9091")]
    admin_address: SocketAddr,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    log_format: logs::Format,
}

impl PinnaceConsole {
    /// Runs until SIGTERM or SIGINT.
    pub fn run(self) -> anyhow::Result<()> {
        let Command::Serve(serve) = self.command;
        logs::init(serve.log_format);
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(serve.run())
    }
}

impl Serve {
    async fn run(self) -> anyhow::Result<()> {
        let shutdown = shutdown::signal().context("cannot listen for signals")?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data)
            .with_context(|| format!("cannot make the data folder {}", self.data.display()))?;
        let tls = serve::tls(&self.tls_cert, &self.tls_key)?;
        let store = Store::open(&self.data.join("console.db")).await?;
        let admin = admin_key(&store, &self.data).await?;
        let desk = self.desk(store).await?;

        let metrics = Metrics::new("pinnace-console", env!("CARGO_PKG_VERSION"));
        let streams = metrics.gauge("agent_streams", "Agents that are connected now");
        let health = admin::Health::new();
        let ready = health.register("database");
        let probes = admin::Admin::bind(self.admin_address)?;
        let port = serve::Port::bind(self.listen)?;
        tracing::info!(
            address = %port.address(),
            admin = %probes.address(),
            public_url = desk.settings.public_url,
            account = desk.account_id,
            "the Console is up"
        );
        let watching = desk.clone();
        let stop = shutdown.clone();
        tokio::spawn(async move { watch(watching, ready, streams, stop).await });
        let (served, probed) = tokio::join!(
            stopping(port.serve(tls, desk, admin, shutdown.clone()), &shutdown),
            stopping(probes.serve(health, metrics, shutdown.clone()), &shutdown),
        );
        served?;
        probed?;
        Ok(())
    }

    async fn desk(&self, store: Store) -> anyhow::Result<Shared> {
        let read = |path: &PathBuf| {
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let ca_certificates = self.registry_ca.as_ref().map(read).transpose()?;
        let password = self.registry_password_file.as_ref().map(read).transpose()?;
        let own = self.registry_username.clone().zip(password);
        let own = own.map(|(name, password)| (name, Redacted::new(password.trim().to_owned())));
        let registry = match (&self.registry_htpasswd, &own) {
            (Some(path), _) => RegistryAccess::Htpasswd(path.clone()),
            (None, Some((username, password))) => {
                RegistryAccess::Shared { username: username.clone(), password: password.clone() }
            }
            (None, None) => RegistryAccess::Anonymous,
        };
        let settings = Settings {
            public_url: self.public_url.clone(),
            grpc_url: self.grpc_url.clone().unwrap_or_else(|| self.public_url.clone()),
            chart_repository: self.chart_repository.clone(),
            image_registry: self.image_registry.clone(),
            ca_certificates: ca_certificates.clone(),
            database_image: self.database_image.clone(),
            registry,
        }
        .checked()?;
        let client = Client::new(Options {
            ca_certificates: ca_certificates.into_iter().collect(),
            credentials: match own {
                Some((name, password)) => Credentials::basic(name, password.expose().as_str()),
                None => Credentials::Anonymous,
            },
            limits: Limits::default(),
            ..Options::default()
        })
        .context("cannot set up the registry client")?;
        let charts = OciCharts::new(client, settings.chart_repository.clone());
        let identity = identity::open(&store, &self.data).await?;
        let desk = Desk {
            settings,
            account_id: identity.account_id,
            keys: identity.keys,
            store,
            live: Live::default(),
            catalogue: Catalogue::new(Box::new(charts)),
            accounts: Accounts::default(),
            turns: Turns::default(),
        };
        Ok(desk.start().await?)
    }
}

/// Runs a task; when it ends, so does everything else.
async fn stopping<T>(task: impl Future<Output = T>, shutdown: &CancellationToken) -> T {
    let ended = task.await;
    shutdown.cancel();
    ended
}

/// Keeps readiness and the gauge of streams up to date.
async fn watch(
    desk: Shared,
    ready: admin::Check,
    streams: prometheus_client::metrics::gauge::Gauge,
    shutdown: CancellationToken,
) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        match desk.store.ping().await {
            Ok(()) => ready.ready(),
            Err(error) => ready.not_ready(error.to_string()),
        }
        streams.set(desk.live.streams().cast_signed());
    }
}

/// The hash of the admin key; the first start makes the key, writes it and prints it once.
async fn admin_key(store: &Store, data: &Path) -> anyhow::Result<AdminKey> {
    if let Some(hash) = store.admin_key_hash().await? {
        return Ok(AdminKey::new(hash));
    }
    let key = keys::mint();
    let path = data.join("admin-key");
    keys::write_private(&path, key.expose())?;
    let hash = keys::hash(key.expose());
    store.set_admin_key_hash(&hash).await?;
    println!("Admin key (also in {}, shown only now): {}", path.display(), key.expose());
    Ok(AdminKey::new(hash))
}
