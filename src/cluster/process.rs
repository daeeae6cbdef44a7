//! A process in a pod of which one at a time acts: probes and metrics from the start, the Lease before anything
//! is done, a word when it ends.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use std::{fmt, io};

use kube::Client;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::error::{chain, explain};
use super::fence::Fence;
use super::lease::{self, Lease};
use super::traffic;
use crate::telemetry::admin::{self, Admin, Check, Health};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{last_words, logs, shutdown};

/// How often the Kubernetes API is asked whether it answers.
const PROBE: Duration = Duration::from_secs(10);
/// The Lease has this long to be released.
const GRACE: Duration = Duration::from_secs(2);

/// What the pod tells its process.
#[derive(Clone, Debug, clap::Args)]
pub struct Pod {
    /// How log lines look
    #[arg(long, value_enum, default_value = "json")]
    pub log_format: logs::Format,
    /// The namespace that is looked after
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,
    /// Name of this process among its replicas
    #[arg(long = "identity", env = "POD_NAME")]
    pub identity: String,
    /// Version that is reported and that metrics show
    #[arg(id = "app-version", long, env = "APP_VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    pub version: String,
}

/// A kind of process.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Its name in metrics.
    pub component: &'static str,
    /// The Lease of the one that acts.
    pub lease: &'static str,
    /// Where /livez, /readyz and /metrics are served.
    pub admin_address: SocketAddr,
}

/// What the one that acts works with.
pub struct Leader {
    /// Sends no write that a successor could already be making.
    pub client: Client,
    /// The same for other clients.
    pub fence: Fence,
    pub metrics: Metrics,
    /// Cancelled by a signal.
    pub shutdown: CancellationToken,
    /// Cancelled when another one acts: everything has to end at once.
    pub lost: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Admin(#[from] admin::Error),
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    #[error("cannot find the Kubernetes API: run this in a pod, or set KUBECONFIG")]
    Kubernetes(#[source] kube::Error),
}

impl Process {
    /// Serves probes and metrics, waits for the Lease, and acts until `act` ends. A signal that comes while
    /// the Lease is waited for ends the wait.
    pub async fn lead<E, F>(self, pod: &Pod, act: impl FnOnce(Leader) -> F) -> Result<(), E>
    where
        E: From<Error>,
        F: Future<Output = Result<(), E>>,
    {
        let shutdown = shutdown::signal().map_err(Error::Signals)?;
        let (health, metrics) = (Health::new(), Metrics::new(self.component, &pod.version));
        let admin = Admin::bind(self.admin_address).map_err(Error::Admin)?;
        let client = traffic::default_client(&metrics).await.map_err(Error::Kubernetes)?;
        // Dropping this set ends them.
        let mut serving = JoinSet::new();
        serving.spawn(probe(client.clone(), health.register("kubernetes")));
        let (served, until) = (metrics.clone(), shutdown.clone());
        serving.spawn(async move {
            if let Err(error) = admin.serve(health, served, until).await {
                tracing::error!("{}", chain(&error));
            }
        });
        let settings = lease::Settings::new(&pod.namespace, self.lease, &pod.identity);
        let Some(lease) = Lease::acquire(client.clone(), settings, &shutdown).await else {
            return Ok(());
        };
        let (fence, lost) = (lease.fence(), lease.lost());
        let client = fence.client(client);
        let result = act(Leader { client, fence, metrics, shutdown, lost }).await;
        if timeout(GRACE, lease.release()).await.is_err() {
            tracing::warn!("the Lease {} was not released in time; it ends by itself", self.lease);
        }
        result
    }
}

/// Ready as soon as the Kubernetes API answers: leading is not asked for, or a rolling update would wait for the
/// process that it replaces.
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

impl Pod {
    /// The first lines of a program: its log, and its TLS.
    pub fn begin(&self) {
        logs::init(self.log_format);
        // Another provider cannot have been installed before the first line of the program.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// The last line of a program: an error is logged, and left where `kubectl describe` shows it.
pub fn ended<E: std::error::Error + fmt::Debug>(result: Result<(), E>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let error = chain(&error);
    tracing::error!("{error}");
    last_words(&error);
    ExitCode::FAILURE
}
