//! The process in the rescue Job: waits, and if nobody has taken the Job away by then, puts the revision before back.

use std::time::Duration;

use clap::Parser;
use kube::Client;
use tokio::time::{sleep, timeout};

use crate::agent::run::LEASE;
use crate::api::GoDuration;
use crate::cluster::error::chain;
use crate::cluster::lease::{self, Lease};
use crate::cluster::process::Pod;
use crate::controller::restore::{self, Order, Outcome};
use crate::telemetry::shutdown;

/// The first pause after a failure, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];
/// The Lease has this long to be released.
const GRACE: Duration = Duration::from_secs(2);

/// Puts the agent's release back to the revision before an upgrade, unless it is ended in time.
#[derive(Debug, Parser)]
#[command(name = "qdrant-cloud-agent rescue", version)]
pub struct Args {
    /// The agent's HelmRelease
    #[arg(long, value_name = "NAME")]
    release: String,
    /// The newest revision before the upgrade
    #[arg(long, value_name = "REVISION")]
    from: u32,
    /// The time that the new agent has to confirm
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    after: Duration,
    #[command(flatten)]
    pub pod: Pod,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = GoDuration::try_from(text.to_owned());
    parsed.map(|duration| duration.get()).map_err(|error| error.to_string())
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    #[error("cannot find the Kubernetes API")]
    Kubernetes(#[source] kube::Error),
    /// Whoever takes the Job away does not mind; a Job whose pod is moved goes on with another one.
    #[error("ended by a signal before the new agent was confirmed or undone")]
    Ended,
}

/// Runs until the release is back. Whoever takes the Job away confirms the new agent, and ends this.
pub async fn run(args: Args) -> Result<(), Error> {
    let shutdown = shutdown::signal().map_err(Error::Signals)?;
    let client = Client::try_default().await.map_err(Error::Kubernetes)?;
    let (release, from) = (args.release.as_str(), args.from);
    tracing::info!(release, from, after = ?args.after, "waiting for the new agent to confirm");
    tokio::select! {
        () = shutdown.cancelled() => return Err(Error::Ended),
        () = sleep(args.after) => {}
    }
    let order = Order {
        namespace: args.pod.namespace.clone(),
        name: args.release.clone(),
        from,
        why: format!(
            "the new agent did not confirm within {} s that it leads, has finished the release and reaches \
             the Console",
            args.after.as_secs()
        ),
        identity: args.pod.identity.clone(),
    };
    // The agent before may have seen the failure itself, and be at work since.
    if matches!(restore::is_due(&client, &order).await, Ok(false)) {
        tracing::info!(release, "there is nothing to put back");
        return Ok(());
    }
    let settings = lease::Settings::new(&args.pod.namespace, LEASE, &args.pod.identity);
    let lease = Lease::seize(client.clone(), settings).await;
    let client = lease.fence().client(client);
    let restored = tokio::select! {
        () = restore(&client, &order) => Ok(()),
        () = shutdown.cancelled() => Err(Error::Ended),
    };
    if timeout(GRACE, lease.release()).await.is_err() {
        tracing::warn!("the Lease {LEASE} was not released in time; it ends by itself");
    }
    restored
}

/// Tries until the release is back, or needs nothing.
async fn restore(client: &Client, order: &Order) {
    let release = order.name.as_str();
    let mut pause = PAUSES[0];
    loop {
        match restore::run(client, order).await {
            Ok(Outcome::Restored(revision)) => {
                return tracing::warn!(release, revision, "the revision before runs again");
            }
            Ok(Outcome::NothingBegan | Outcome::WasBack) => {
                return tracing::info!(release, "there is nothing to put back");
            }
            Err(error) => {
                tracing::error!(release, "not put back, next try in {pause:?}: {}", chain(&error));
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}
