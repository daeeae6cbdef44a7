//! A good agent takes the rescue Job away: it leads, has finished its release, and has reached the Console.

use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, DeleteParams, Preconditions, PropagationPolicy};
use kube::{Client, ResourceExt as _};
use tokio::sync::watch;

use super::job;
use crate::agent::link::{State, Status};
use crate::agent::world::World;
use crate::api::helm_release::{HelmRelease, Snapshot};
use crate::cluster::error::{explain, is_code, retried};

/// The part of a leading agent that confirms.
pub struct Confirmer {
    pub client: Client,
    pub namespace: String,
    /// Helm's name of the agent's release.
    pub release: String,
    pub world: World,
    pub link: watch::Receiver<Status>,
}

/// What was looked at last: the same need not be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    revision: i64,
    connected: bool,
}

impl Confirmer {
    pub async fn run(mut self) {
        let mut changes = self.world.changes();
        let mut settled = None;
        loop {
            let connected = self.link.borrow_and_update().state == State::Connected;
            changes.mark_unchanged();
            if let Some(revision) = self.finished() {
                let seen = Seen { revision, connected };
                if settled != Some(seen) {
                    match self.confirm(seen).await {
                        Ok(()) => settled = Some(seen),
                        Err(error) => tracing::warn!("not confirmed: {}", explain(&error)),
                    }
                }
            }
            tokio::select! {
                Ok(()) = changes.changed() => {}
                Ok(()) = self.link.changed() => {}
                else => return,
            }
        }
    }

    /// The newest revision of the agent's own release, if it is deployed.
    fn finished(&self) -> Option<i64> {
        self.world.releases.state().iter().find_map(|object| {
            let release: HelmRelease =
                serde_json::from_value(serde_json::to_value(&**object).ok()?).ok()?;
            let own = release.release_name().is_ok_and(|name| name.as_str() == self.release);
            own.then(|| deployed(&release.status?.history)).flatten()
        })
    }

    async fn confirm(&self, seen: Seen) -> Result<(), kube::Error> {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.namespace);
        let name = job::name(&self.release);
        let Some(job) = retried(|| jobs.get_opt(&name)).await? else { return Ok(()) };
        if !is_good(&job, seen) {
            return Ok(());
        }
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions { uid: job.uid(), resource_version: None }),
            ..DeleteParams::default()
        };
        match retried(|| jobs.delete(&name, &params)).await {
            Err(error) if !is_code(&error, 404) && !is_code(&error, 409) => Err(error),
            _ => {
                tracing::info!(revision = seen.revision, "confirmed: the rescue is not needed");
                Ok(())
            }
        }
    }
}

fn deployed(history: &[Snapshot]) -> Option<i64> {
    history.first().filter(|head| head.status == "deployed").map(|head| head.version)
}

/// Whether what was seen is all that the Job waits for.
fn is_good(job: &Job, seen: Seen) -> bool {
    let annotation = |name: &str| job.annotations().get(name).map(String::as_str);
    let wanted = annotation(job::REVISION).and_then(|revision| revision.parse::<i64>().ok());
    let console = annotation(job::CONSOLE) == Some("true");
    wanted.is_some_and(|wanted| seen.revision >= wanted) && (seen.connected || !console)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_new_agent_has_to_reach() {
        let job = |console: &str| -> Job {
            serde_json::from_value(json!({"metadata": {"annotations": {
                job::REVISION: "5", job::CONSOLE: console,
            }}}))
            .expect("a job")
        };
        for (console, revision, connected, good) in [
            ("true", 5, true, true),
            ("true", 6, true, true),
            ("true", 4, true, false),
            ("true", 5, false, false),
            ("false", 5, false, true),
            ("false", 4, false, false),
        ] {
            let seen = Seen { revision, connected };
            assert_eq!(is_good(&job(console), seen), good, "{console} {seen:?}");
        }
        assert!(!is_good(&Job::default(), Seen { revision: 9, connected: true }));
    }
}
