//! The operator as a process: starts the parts in order, and ends them in order.

use std::{net::SocketAddr, path::PathBuf};

use super::{reconcile, settings};
use crate::{
    cluster::process::{self, Leader, Pod, Process},
    telemetry::logs,
};

/// The Lease of the one operator that acts.
const LEASE: &str = "qdrant-operator";
/// What the process is told by its command line and environment.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: PathBuf,
    pub admin_address: SocketAddr,
    pub pod: Pod,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Settings(#[from] settings::Error),
    #[error(transparent)]
    Logs(#[from] logs::Error),
    #[error(transparent)]
    Process(#[from] process::Error),
    #[error("another operator took the Lease {LEASE}; this one ends, so that only one acts")]
    LeaseLost,
}

/// Runs until a signal.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let config = settings::Settings::load(&settings.config)?;
    if let Some(level) = &config.log_level {
        logs::configure(level)?;
    }
    let admin_address = settings.admin_address;
    let process = Process { component: "operator", lease: LEASE, admin_address };
    process.lead(&settings.pod, |leader| lead(&settings.pod, config, leader)).await
}

async fn lead(pod: &Pod, config: settings::Settings, leader: Leader) -> Result<(), Error> {
    let Leader { client, metrics, shutdown, lost, .. } = leader;
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
    let (namespace, identity) = (&pod.namespace, &pod.identity);
    tokio::select! {
        // Dropping the controller is what stops it at once.
        () = lost.cancelled() => Err(Error::LeaseLost),
        () = reconcile::run(client, namespace, identity, clusters, &metrics, shutdown) => Ok(()),
    }
}
