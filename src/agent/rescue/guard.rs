//! Leaves the rescue Job behind before the agent's own release is upgraded.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::timeout;

use super::job::{self, Rescue};
use crate::agent::FIELD_MANAGER;
use crate::agent::link::{State, Status};
use crate::api::GoDuration;
use crate::api::helm_release::HelmRelease;
use crate::cluster::error::{explain, is_code, limited, retried};
use crate::controller::guard::Guard;

/// What a new agent has, besides the time of the upgrade itself, to reach the Console.
const GRACE: Duration = Duration::from_secs(120);
/// The time for the rescue's pod to run, and for an earlier one to go.
const PATIENCE: Duration = Duration::from_secs(60);

/// Watches over upgrades of one release: the agent's own.
pub struct SelfGuard {
    pub client: Client,
    pub namespace: String,
    /// The pod of this process.
    pub pod: String,
    /// Helm's name of the agent's release.
    pub release: String,
    pub link: watch::Receiver<Status>,
}

impl std::fmt::Debug for SelfGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SelfGuard({})", self.release)
    }
}

#[async_trait::async_trait]
impl Guard for SelfGuard {
    async fn before_upgrade(
        &self,
        release: &HelmRelease,
        name: &str,
        from: u32,
    ) -> Result<(), String> {
        if name != self.release || release.own_namespace() != self.namespace {
            return Ok(());
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let told = |what: &str, error: &kube::Error| {
            format!("the rescue of the agent's own upgrade cannot be {what}: {}", explain(error))
        };
        let own = retried(|| pods.get_opt(&self.pod)).await.map_err(|e| told("prepared", &e))?;
        let rescue = Rescue {
            release: self.release.clone(),
            object: release.name_any(),
            from,
            after: after(release),
            console: self.link.borrow().state == State::Connected,
        };
        let Some(job) = own.and_then(|own| job::job(&rescue, &own)) else {
            tracing::warn!(
                pod = self.pod,
                "no pod of the agent's chart: its upgrade has no rescue"
            );
            return Ok(());
        };
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.namespace);
        self.remove(&jobs, &job.name_any()).await.map_err(|e| told("made anew", &e))?;
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        limited(jobs.create(&params, &job)).await.map_err(|e| told("made", &e))?;
        let name = job.name_any();
        let runs = await_condition(jobs, &name, |job: Option<&Job>| {
            let status = job.and_then(|job| job.status.as_ref());
            status.and_then(|status| status.ready).is_some_and(|ready| ready > 0)
        });
        match timeout(PATIENCE, runs).await {
            Ok(Ok(_)) => {
                tracing::info!(job = name, after = ?rescue.after, "the rescue is in place");
                Ok(())
            }
            _ => Err(format!(
                "the rescue of the agent's own upgrade does not start: look at Job {name}, whose pod has to \
                 run before the upgrade begins"
            )),
        }
    }
}

impl SelfGuard {
    /// Removes the Job of an earlier upgrade, and waits until it is gone.
    async fn remove(&self, jobs: &Api<Job>, name: &str) -> Result<(), kube::Error> {
        let Some(old) = retried(|| jobs.get_opt(name)).await? else { return Ok(()) };
        match limited(jobs.delete(name, &DeleteParams::background())).await {
            Err(error) if is_code(&error, 404) => return Ok(()),
            result => drop(result?),
        }
        let uid = old.uid().unwrap_or_default();
        let gone = await_condition(jobs.clone(), name, conditions::is_deleted(&uid));
        match timeout(PATIENCE, gone).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(kube::Error::Service(format!("Job {name} is still being deleted").into())),
        }
    }
}

/// The time that a new agent has: what the HelmRelease says, or that of its upgrade and some more.
fn after(release: &HelmRelease) -> Duration {
    let said =
        release.request(job::AFTER).and_then(|text| GoDuration::try_from(text.to_owned()).ok());
    said.map_or_else(|| release.upgrade_timeout() + GRACE, |said| said.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_time_that_a_new_agent_has() {
        let release = |annotations, timeout: &str| -> HelmRelease {
            serde_json::from_value(json!({
                "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
                "metadata": {"name": "agent", "annotations": annotations},
                "spec": {"interval": "1m", "timeout": timeout},
            }))
            .expect("a release")
        };
        let seconds = |release: &HelmRelease| after(release).as_secs();
        assert_eq!(seconds(&release(json!({}), "3m")), 300);
        assert_eq!(seconds(&release(json!({job::AFTER: "30s"}), "3m")), 30);
        assert_eq!(seconds(&release(json!({job::AFTER: "soon"}), "3m")), 300);
    }
}
