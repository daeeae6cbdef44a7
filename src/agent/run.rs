//! The agent as a process: starts the parts in order, and ends them in order.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    FIELD_MANAGER,
    accepted::Store,
    chain,
    config::{self, AccessKeyFile, Config},
    enforce::{Enforcer, Failures},
    link::{
        Link, Offer, Ports, State, Status,
        connect::{self, Connector},
        ring::Ring,
        session::Identity,
        way,
    },
    report::Reporter,
    rescue::{confirm::Confirmer, guard::SelfGuard},
    telemetry as bulk,
    world::World,
};
use crate::{
    cluster::{
        events::Events,
        process::{self, Leader, Pod, Process},
    },
    controller,
    model::desired::Desired,
    proto::pinnace::agent::v1::Applied,
    telemetry::{logs, metrics::Metrics},
};

/// The Lease of the one agent that acts.
pub const LEASE: &str = "qdrant-cloud-agent";
/// What could not be read at the start is tried again after this time.
const RETRY: Duration = Duration::from_secs(2);
/// Charts that are pulled and rendered at the same time.
const CONCURRENCY: usize = 4;
/// The parts have this long to end.
const GRACE: Duration = Duration::from_secs(2);

/// What the process is told by its command line and environment.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: PathBuf,
    pub access_key: PathBuf,
    pub cache_dir: PathBuf,
    pub admin_address: SocketAddr,
    /// Helm's name of the agent's own release.
    pub release: String,
    pub pod: Pod,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Connect(#[from] connect::Error),
    #[error(transparent)]
    Logs(#[from] logs::Error),
    #[error(transparent)]
    Process(#[from] process::Error),
    #[error("another agent took the Lease {LEASE}; this one ends, so that only one acts")]
    LeaseLost,
    #[error("the Helm controller ended")]
    Controller(#[from] controller::Error),
    #[error("a part of the agent ended unexpectedly")]
    Ended,
}

/// Runs until a signal. After a signal it takes less than five seconds.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let config = Config::load(&settings.config)?;
    logs::configure(&config.log_level)?;
    for key in &config.unknown {
        tracing::warn!("this version does not know {key} in its configuration");
    }
    let connector = Connector::of(&config)?;
    let process =
        Process { component: "agent", lease: LEASE, admin_address: settings.admin_address };
    let pod = settings.pod.clone();
    process.lead(&pod, |leader| lead(settings, config, connector, leader)).await
}

/// Everything that only one agent may do.
async fn lead(
    settings: Settings,
    config: Config,
    connector: Connector,
    leader: Leader,
) -> Result<(), Error> {
    let Leader { client, fence, metrics, shutdown, lost } = leader;
    let Pod { namespace, identity: pod, version, .. } = settings.pod;
    let stop = shutdown.child_token();
    let store = Store::new(client.clone(), &namespace);
    let identity = Identity {
        environment: config.environment.clone(),
        boot_id: uuid::Uuid::new_v4().to_string(),
        agent_version: version,
        console_key: config.console_key,
    };
    let kept = tokio::select! {
        kept = load(&store, &identity) => kept,
        () = shutdown.cancelled() => return Ok(()),
        () = lost.cancelled() => return Err(Error::LeaseLost),
    };
    let applied = kept.as_ref().map(|(applied, _)| applied.clone());
    let (desired_sender, desired) = watch::channel(kept.map(|(_, desired)| desired));
    let (failures_sender, failures) = watch::channel(Failures::new());
    let (status_sender, link_status) = watch::channel(Status::default());
    let (observed_sender, observed) = watch::channel(None);
    let (offers_sender, offers) = mpsc::channel(1);
    let ring = Arc::new(Ring::default());

    // Dropping this set ends every part at its next wait.
    let mut parts = JoinSet::new();
    let world = World::watch(&client, &namespace, &config.environment, &mut parts);
    let enforcer = Enforcer {
        client: client.clone(),
        namespace: namespace.clone(),
        world: world.clone(),
        events: Events::new(client.clone(), FIELD_MANAGER, &pod),
        desired: desired.clone(),
        failures: failures_sender,
    };
    let confirmer = Confirmer {
        client: client.clone(),
        namespace: namespace.clone(),
        release: settings.release.clone(),
        world: world.clone(),
        link: link_status.clone(),
    };
    let guard = SelfGuard {
        client: client.clone(),
        namespace: namespace.clone(),
        pod: pod.clone(),
        release: settings.release,
        link: link_status.clone(),
    };
    let reporter = Reporter {
        client: client.clone(),
        namespace: namespace.clone(),
        environment: config.environment.clone(),
        world: world.clone(),
        desired,
        failures,
        link: link_status.clone(),
        observed: observed_sender,
    };
    let (way_sender, way) = watch::channel(connector);
    let ports = Ports {
        way,
        offers: offers_sender,
        observed,
        telemetry: ring.clone(),
        status: status_sender,
    };
    let link = Link { identity, access_key: AccessKeyFile::new(settings.access_key) };
    bulk::start(&client, &namespace, &world, &ring, &mut parts);
    parts.spawn(enforcer.run());
    parts.spawn(reporter.run());
    parts.spawn(way::follow(settings.config, config, way_sender));
    parts.spawn(confirmer.run());
    parts.spawn(measure(metrics.clone(), link_status, desired_sender.subscribe()));
    parts.spawn(keep(store, offers, desired_sender));
    parts.spawn(link.run(applied, ports, stop.clone()));

    let helm = controller::Settings {
        namespace,
        identity: pod,
        cache_dir: settings.cache_dir,
        concurrency: CONCURRENCY,
        metrics,
        guard: Some(Arc::new(guard)),
        fence,
    };
    let mut helm = tokio::spawn(controller::run(client, helm, stop.clone()));
    let result = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        () = lost.cancelled() => Err(Error::LeaseLost),
        ended = &mut helm => match ended {
            Ok(Err(error)) => Err(error.into()),
            _ => Err(Error::Ended),
        },
        // No part ends by itself.
        _ = parts.join_next() => Err(Error::Ended),
    };
    // The controller leaves releases at work pending; the successor resumes them.
    stop.cancel();
    if !helm.is_finished() && timeout(GRACE, &mut helm).await.is_err() {
        helm.abort();
    }
    result
}

/// The state that was kept in an earlier life. One that cannot be used is as good as none.
async fn load(store: &Store, identity: &Identity) -> Option<(Applied, Arc<Desired>)> {
    loop {
        match store.load(&identity.console_key, &identity.environment).await {
            Ok(kept) => {
                return kept.map(|(signed, desired)| {
                    let (generation, digest) = (desired.generation, signed.digest().to_string());
                    tracing::info!(generation, digest, "going on with the last accepted state");
                    (Applied { generation, digest }, Arc::new(desired))
                });
            }
            // Without an answer nobody knows what was accepted: an older state could slip in.
            Err(error @ super::accepted::Error::Read(_)) => {
                tracing::warn!("{}", chain(&error));
                sleep(RETRY).await;
            }
            Err(error) => {
                tracing::error!("{}", chain(&error));
                return None;
            }
        }
    }
}

/// Keeps what the link offers, then lets it take effect.
async fn keep(
    store: Store,
    mut offers: mpsc::Receiver<Offer>,
    desired: watch::Sender<Option<Arc<Desired>>>,
) {
    while let Some(offer) = offers.recv().await {
        let result = store.save(&offer.signed).await.map_err(|error| chain(&error));
        if result.is_ok() {
            desired.send_replace(Some(Arc::new(offer.desired)));
        }
        // A link that no longer waits has lost its connection and will be offered the state again.
        let _ = offer.kept.send(result);
    }
}

/// Numbers for people who watch the agent itself.
async fn measure(
    metrics: Metrics,
    mut link: watch::Receiver<Status>,
    mut desired: watch::Receiver<Option<Arc<Desired>>>,
) {
    let connected = metrics.gauge("agent_console_connected", "1 while the Console is connected");
    let generation = metrics.gauge("agent_desired_generation", "Generation of the accepted state");
    let since =
        metrics.gauge("agent_leader_since_seconds", "Unix time when this agent began to lead");
    since.set(Timestamp::now().as_second());
    loop {
        connected.set(i64::from(link.borrow_and_update().state == State::Connected));
        let accepted = desired.borrow_and_update().as_ref().map_or(0, |desired| desired.generation);
        generation.set(i64::try_from(accepted).unwrap_or(i64::MAX));
        tokio::select! {
            Ok(()) = link.changed() => {}
            Ok(()) = desired.changed() => {}
            else => return,
        }
    }
}
