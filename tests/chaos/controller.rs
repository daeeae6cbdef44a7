//! The process that is killed: the controller as the agent runs it, behind its Lease.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use pinnace::cluster::clock;
use pinnace::cluster::process::{self, Leader, Pod, Process};
use pinnace::controller::{self, Settings};
use pinnace::telemetry::logs::Format;

/// The controller has this long to end once another one leads.
const GRACE: Duration = Duration::from_secs(2);
/// Charts that are rendered at the same time, as in the agent.
const CONCURRENCY: usize = 4;

#[derive(clap::Args)]
pub struct Role {
    /// Be the controller of this namespace
    #[arg(long, value_name = "NAMESPACE", hide = true)]
    pub controller: Option<String>,
    #[arg(long, default_value = "chaos", hide = true)]
    identity: String,
    #[arg(long, default_value = ".", hide = true)]
    cache: PathBuf,
    /// Seconds by which its clock is ahead
    #[arg(long, default_value_t = 0, allow_hyphen_values = true, hide = true)]
    ahead: i64,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Process(#[from] process::Error),
    #[error("another one leads")]
    LeaseLost,
    #[error("the controller ended")]
    Controller(#[from] controller::Error),
}

pub async fn run(namespace: &str, role: &Role) -> ExitCode {
    let pod = Pod {
        log_format: Format::Text,
        namespace: namespace.to_owned(),
        identity: role.identity.clone(),
        version: "0".to_owned(),
    };
    pod.begin();
    clock::put_ahead(role.ahead);
    let admin_address = ([127, 0, 0, 1], 0).into();
    let process = Process { component: "chaos", lease: "chaos", admin_address };
    process::ended(process.lead(&pod, |leader| lead(leader, &pod, role)).await)
}

async fn lead(leader: Leader, pod: &Pod, role: &Role) -> Result<(), Error> {
    let Leader { client, fence, metrics, shutdown, lost } = leader;
    let stop = shutdown.child_token();
    let settings = Settings {
        namespace: pod.namespace.clone(),
        identity: pod.identity.clone(),
        cache_dir: role.cache.clone(),
        concurrency: CONCURRENCY,
        metrics,
        guard: None,
        fence,
    };
    let mut helm = tokio::spawn(controller::run(client, settings, stop.clone()));
    let result = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        () = lost.cancelled() => Err(Error::LeaseLost),
        ended = &mut helm => ended.expect("no panic").map_err(Error::from),
    };
    stop.cancel();
    if !helm.is_finished() && tokio::time::timeout(GRACE, &mut helm).await.is_err() {
        helm.abort();
    }
    result
}
