//! Waits until the controller has done what it was asked for, and tells what it says meanwhile.

use std::time::Duration;

use anyhow::bail;
use futures::StreamExt as _;
use kube::api::Api;
use kube::runtime::{WatchStreamExt as _, watcher};

use super::connect::Target;
use crate::api::GoDuration;
use crate::api::helm_release::HelmRelease;
use crate::model::condition::{READY, RECONCILING, STALLED};

#[derive(Clone, Debug, clap::Args)]
pub struct WaitArgs {
    /// Do not wait for the outcome
    #[arg(long)]
    no_wait: bool,
    /// The longest wait
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed = GoDuration::try_from(text.to_owned());
    parsed.map(|duration| duration.get()).map_err(|error| error.to_string())
}

/// What came of a request, as far as the object tells.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Ready(String),
    /// It went wrong, and nothing more is done at the moment.
    Failed(String),
    /// Still at work: what it says.
    Working(String),
}

/// Waits until the request `asked` was seen and led to an end; an error if that is not Ready.
pub async fn until_handled(
    target: &Target,
    name: &str,
    asked: &str,
    args: &WaitArgs,
) -> anyhow::Result<()> {
    if args.no_wait {
        return Ok(());
    }
    let api: Api<HelmRelease> = Api::namespaced(target.client.clone(), &target.namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut seen = std::pin::pin!(watcher(api, config).default_backoff().applied_objects());
    let mut said = String::new();
    let waiting = async {
        while let Some(release) = seen.next().await {
            // A watch that broke off is begun again by the watcher.
            let Ok(release) = release else { continue };
            match outcome(&release, asked) {
                Outcome::Working(message) if message != said => {
                    eprintln!("{message}");
                    said = message;
                }
                Outcome::Working(_) => {}
                end => return Some(end),
            }
        }
        None
    };
    let flags = &target.flags;
    match tokio::time::timeout(args.timeout, waiting).await {
        Ok(Some(Outcome::Ready(message))) => {
            println!("{message}");
            Ok(())
        }
        Ok(Some(Outcome::Failed(message))) => {
            bail!("{message}\n`pinnace why {name} {flags}` says more")
        }
        _ => bail!(
            "HelmRelease {name} is not ready after {}s; it is gone on with. `pinnace why {name} {flags}` says more",
            args.timeout.as_secs()
        ),
    }
}

fn outcome(release: &HelmRelease, asked: &str) -> Outcome {
    let status = release.status.clone().unwrap_or_default();
    let find = |type_: &str| status.conditions.iter().find(|c| c.type_ == type_);
    let Some(ready) = find(READY) else {
        return Outcome::Working("waiting for the controller".into());
    };
    let seen = status.last_handled_reconcile_at.as_deref() == Some(asked);
    let current = ready.observed_generation == release.metadata.generation;
    if !seen || !current {
        return Outcome::Working("waiting for the controller".into());
    }
    if ready.status == "True" && status.observed_generation == release.metadata.generation {
        return Outcome::Ready(ready.message.clone());
    }
    if find(STALLED).is_some_and(|stalled| stalled.status == "True") {
        return Outcome::Failed(ready.message.clone());
    }
    // The message of a pause says when it is gone on with: nobody has to wait for that.
    let pausing = find(RECONCILING).is_some_and(|c| c.message != ready.message);
    if ready.status == "False" && pausing {
        return Outcome::Failed(ready.message.clone());
    }
    Outcome::Working(ready.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn release(handled: &str, conditions: &[(&str, &str, &str)]) -> HelmRelease {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(type_, status, message)| {
                json!({
                    "type": type_, "status": status, "reason": "R", "message": message,
                    "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 2,
                })
            })
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "web", "namespace": "n", "generation": 2},
            "spec": {"interval": "1m"},
            "status": {
                "lastHandledReconcileAt": handled, "observedGeneration": 2, "conditions": conditions,
            },
        }))
        .expect("a release")
    }

    #[test]
    fn what_came_of_it() {
        let of = |handled, conditions: &[_]| outcome(&release(handled, conditions), "now");
        let ready = ("Ready", "True", "good");
        let waiting = Outcome::Working("waiting for the controller".into());
        assert_eq!(of("then", &[ready]), waiting);
        assert_eq!(of("now", &[]), waiting);
        assert_eq!(of("now", &[ready]), Outcome::Ready("good".into()));
        let (failed, stalled) = (("Ready", "False", "bad"), ("Stalled", "True", "no more"));
        assert_eq!(of("now", &[failed, stalled]), Outcome::Failed("bad".into()));
        let pause = ("Reconciling", "True", "next attempt at 12:00");
        assert_eq!(of("now", &[failed, pause]), Outcome::Failed("bad".into()));
        let busy = ("Ready", "Unknown", "Running 'upgrade' action");
        assert_eq!(of("now", &[busy]), Outcome::Working("Running 'upgrade' action".into()));
    }
}
