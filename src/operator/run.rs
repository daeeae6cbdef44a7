//! The operator as a process: starts the parts in order, and ends them in order.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use kube::Client;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{reconcile, settings};
use crate::{
    cluster::{
        error::explain,
        lease::{self, Lease},
    },
    telemetry::{
        admin::{self, Admin, Check, Health},
        logs,
        metrics::Metrics,
        shutdown,
    },
};

/// The Lease of the one operator that acts.
const LEASE: &str = "qdrant-operator";
/// How often the Kubernetes API is asked whether it answers.
const PROBE: Duration = Duration::from_secs(10);
/// The Lease has this long to be released.
const GRACE: Duration = Duration::from_secs(2);

/// What the process is told by its command line and environment.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: PathBuf,
    pub admin_address: SocketAddr,
    pub namespace: String,
    /// The pod's name.
    pub identity: String,
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Settings(#[from] settings::Error),
    #[error(transparent)]
    Logs(#[from] logs::Error),
    #[error(transparent)]
    Admin(#[from] admin::Error),
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    #[error("cannot find the Kubernetes API: run the operator in a pod, or set KUBECONFIG")]
    Kubernetes(#[source] kube::Error),
    #[error("another operator took the Lease {LEASE}; this one ends, so that only one acts")]
    LeaseLost,
}

/// Runs until a signal.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let config = settings::Settings::load(&settings.config)?;
    if let Some(level) = &config.log_level {
        logs::configure(level)?;
    }
    let shutdown = shutdown::signal().map_err(Error::Signals)?;
    let health = Health::new();
    let metrics = Metrics::new("operator", &settings.version);
    let admin = Admin::bind(settings.admin_address)?;
    let client = Client::try_default().await.map_err(Error::Kubernetes)?;
    tokio::spawn(probe(client.clone(), health.register("kubernetes")));
    let (until, served) = (shutdown.clone(), metrics.clone());
    tokio::spawn(async move {
        if let Err(error) = admin.serve(health, served, until).await {
            tracing::error!("{:#}", anyhow::Error::new(error));
        }
    });
    let lease = lease::Settings::new(&settings.namespace, LEASE, &settings.identity);
    let Some(lease) = Lease::acquire(client.clone(), lease, &shutdown).await else {
        return Ok(());
    };
    let result = lead(client, &settings, config, &metrics, &shutdown, lease.lost()).await;
    if timeout(GRACE, lease.release()).await.is_err() {
        tracing::warn!("the Lease {LEASE} was not released in time; it ends by itself");
    }
    result
}

async fn lead(
    client: Client,
    process: &Settings,
    config: settings::Settings,
    metrics: &Metrics,
    shutdown: &CancellationToken,
    lost: CancellationToken,
) -> Result<(), Error> {
    let clusters = config.features.cluster_management;
    if !clusters.enable {
        tracing::info!("cluster management is switched off in the settings");
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = lost.cancelled() => return Err(Error::LeaseLost),
        }
    }
    if clusters.storage_class.snapshot.as_ref().is_some_and(|class| !class.is_empty()) {
        tracing::warn!(
            "settings.features.clusterManagement.storageClass.snapshot has no effect in this version: \
             snapshots are kept on the volume of the database"
        );
    }
    let (namespace, identity) = (&process.namespace, &process.identity);
    let stop = shutdown.clone();
    tokio::select! {
        // Dropping the controller is what stops it at once.
        () = lost.cancelled() => Err(Error::LeaseLost),
        () = reconcile::run(client, namespace, identity, clusters, metrics, stop) => Ok(()),
    }
}

/// Ready means that the Kubernetes API answers, not that this process leads: a successor must become
/// ready while its predecessor still leads.
async fn probe(client: Client, check: Check) {
    loop {
        match timeout(PROBE, client.apiserver_version()).await {
            Ok(Ok(_)) => check.ready(),
            Ok(Err(error)) => check.not_ready(explain(&error)),
            Err(_) => check.not_ready("the Kubernetes API does not answer"),
        }
        sleep(PROBE).await;
    }
}
