//! One release as the Console shows it: pure.
//!
//! Running, attempted and wanted version are three fields. A failed upgrade that was rolled back stays
//! visible: the old version is READY, while attempted differs from running and the message says why.

use k8s_openapi::{
    api::apps::v1::{Deployment, StatefulSet},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::ResourceExt as _;

use crate::{
    api::helm_release::HelmRelease,
    cluster::events::shortened,
    model::condition,
    proto::pinnace::agent::v1::{Component, Phase},
};

/// Longest message that is reported, in bytes.
const MAX_MESSAGE: usize = 2048;
/// Longest name, version or reason that is reported, in bytes.
const MAX_WORD: usize = 256;
/// Annotation with which Helm marks what belongs to a release.
const RELEASE_NAME: &str = "meta.helm.sh/release-name";

/// Pods of a release that are ready, and that should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    pub ready: u32,
    pub wanted: u32,
}

impl Pods {
    /// Counts pods of the release's Deployments and StatefulSets.
    pub fn of<'a>(
        release: &str,
        deployments: impl IntoIterator<Item = &'a Deployment>,
        stateful_sets: impl IntoIterator<Item = &'a StatefulSet>,
    ) -> Self {
        let owned = |annotations: &std::collections::BTreeMap<String, String>| {
            annotations.get(RELEASE_NAME).is_some_and(|name| name == release)
        };
        let deployments = deployments.into_iter().filter(|d| owned(d.annotations())).map(|d| {
            let ready = d.status.as_ref().and_then(|status| status.ready_replicas);
            (ready, d.spec.as_ref().and_then(|spec| spec.replicas))
        });
        let stateful_sets = stateful_sets.into_iter().filter(|s| owned(s.annotations())).map(|s| {
            let ready = s.status.as_ref().and_then(|status| status.ready_replicas);
            (ready, s.spec.as_ref().and_then(|spec| spec.replicas))
        });
        let number = |replicas: Option<i32>, default| {
            replicas.and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
        };
        deployments.chain(stateful_sets).fold(Self::default(), |sum, (ready, wanted)| Self {
            ready: sum.ready.saturating_add(number(ready, 0)),
            wanted: sum.wanted.saturating_add(number(wanted, 1)),
        })
    }

    fn all_ready(self) -> bool {
        self.ready >= self.wanted
    }
}

/// A release that exists.
pub fn component(release: &HelmRelease, pods: Pods, detached: bool) -> Component {
    let status = release.status.as_ref();
    let chart = release.spec.chart.as_ref().map(|chart| &chart.spec);
    let running = status.and_then(|s| s.history.iter().find(|s| s.status == "deployed"));
    let is_installed = running.is_some();
    let (mut phase, reason, message) = judge(release, is_installed && pods.all_ready());
    if phase == Phase::Ready && !pods.all_ready() {
        phase = Phase::NotReady;
    }
    let message = match (message.is_empty(), pods.all_ready()) {
        (true, false) => format!("{} of {} pods are ready", pods.ready, pods.wanted),
        _ => message,
    };
    let word = |text: Option<&String>| shortened(text.map_or("", String::as_str), MAX_WORD);
    Component {
        namespace: word(Some(&release.own_namespace())),
        chart: word(chart.map(|chart| &chart.chart)),
        running_version: word(running.map(|snapshot| &snapshot.chart_version)),
        attempted_version: word(status.and_then(|s| s.last_attempted_revision.as_ref())),
        wanted_version: word(chart.and_then(|chart| chart.version.as_ref())),
        phase: phase.into(),
        reason: word(Some(&reason)),
        message: shortened(&message, MAX_MESSAGE),
        next_try: None,
        detached,
        pods_ready: pods.ready,
        pods_wanted: pods.wanted,
    }
}

/// A release that is pinned and not there.
pub fn missing(
    namespace: &str,
    chart: &str,
    wanted_version: &str,
    cause: Option<&str>,
) -> Component {
    Component {
        namespace: shortened(namespace, MAX_WORD),
        chart: shortened(chart, MAX_WORD),
        wanted_version: shortened(wanted_version, MAX_WORD),
        phase: Phase::NotFound.into(),
        reason: if cause.is_some() { "PinFailed".into() } else { "NotFound".into() },
        message: shortened(cause.unwrap_or("the HelmRelease does not exist"), MAX_MESSAGE),
        ..Component::default()
    }
}

/// Phase, reason and message, from the conditions and whether the version that is deployed works.
fn judge(release: &HelmRelease, running_works: bool) -> (Phase, String, String) {
    let status = release.status.as_ref();
    let find = |wanted: &str| {
        status.into_iter().flat_map(|s| &s.conditions).find(|condition| condition.type_ == wanted)
    };
    let observed = status.and_then(|status| status.observed_generation);
    let says = |condition: &Condition| (condition.reason.clone(), condition.message.clone());
    let Some(ready) = find(condition::READY) else {
        return (Phase::NotReady, "Pending".into(), "waiting for the Helm controller".into());
    };
    let is_current = observed.is_none_or(|g| Some(g) >= release.metadata.generation);
    if ready.status == "True" && is_current {
        return (Phase::Ready, ready.reason.clone(), String::new());
    }
    // What failed is said by Released; Remediated says what was done about it.
    let failed = find(condition::RELEASED).filter(|released| released.status == "False");
    let remediated = find(condition::REMEDIATED);
    let Some(failed) = failed else {
        let (reason, message) = says(ready);
        return (Phase::NotReady, reason, message);
    };
    let (reason, mut message) = says(failed);
    if let Some(remediated) = remediated {
        message = format!("{message}; {}", remediated.message);
    }
    let restored = remediated.is_some_and(|remediated| {
        remediated.status == "True" && remediated.reason == condition::reason::ROLLBACK_SUCCEEDED
    });
    let phase = if restored && running_works { Phase::Ready } else { Phase::NotReady };
    (phase, reason, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TIME: &str = "2026-01-01T00:00:00Z";

    fn snapshot(revision: i64, version: &str, status: &str) -> Value {
        json!({
            "digest": "d", "name": "r", "namespace": "q", "version": revision, "status": status,
            "chartName": "c", "chartVersion": version, "configDigest": "x",
            "firstDeployed": TIME, "lastDeployed": TIME,
        })
    }

    fn condition(type_: &str, status: &str, reason: &str) -> Value {
        json!({
            "type": type_, "status": status, "reason": reason, "message": format!("{reason}!"),
            "lastTransitionTime": TIME,
        })
    }

    fn release(attempted: &str, history: &[Value], conditions: &[Value]) -> HelmRelease {
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": { "name": "r", "namespace": "q", "generation": 2 },
            "spec": { "interval": "10m", "chart": { "spec": {
                "chart": "c", "version": "2.0.0",
                "sourceRef": { "kind": "HelmRepository", "name": "qdrant-cloud" },
            }}},
            "status": {
                "observedGeneration": 2, "lastAttemptedRevision": attempted,
                "history": history, "conditions": conditions,
            },
        }))
        .expect("a release")
    }

    const GOOD: Pods = Pods { ready: 1, wanted: 1 };

    #[test]
    fn a_release_that_runs() {
        let history = [snapshot(2, "2.0.0", "deployed"), snapshot(1, "1.0.0", "superseded")];
        let ready = condition("Ready", "True", "UpgradeSucceeded");
        let found = component(&release("2.0.0", &history, &[ready]), GOOD, false);
        assert_eq!(found.phase(), Phase::Ready);
        let versions = (found.running_version, found.attempted_version, found.wanted_version);
        assert_eq!(versions, ("2.0.0".into(), "2.0.0".into(), "2.0.0".into()));
        assert_eq!(found.message, "");
    }

    #[test]
    fn a_running_release_whose_pods_are_gone() {
        let history = [snapshot(2, "2.0.0", "deployed")];
        let ready = condition("Ready", "True", "UpgradeSucceeded");
        let pods = Pods { ready: 0, wanted: 2 };
        let found = component(&release("2.0.0", &history, &[ready]), pods, false);
        assert_eq!(found.phase(), Phase::NotReady);
        assert_eq!(found.message, "0 of 2 pods are ready");
    }

    #[test]
    fn a_failed_upgrade_that_was_rolled_back_stays_visible() {
        let mut rolled_back = snapshot(3, "1.0.0", "deployed");
        rolled_back["action"] = json!("rollback");
        let history = [rolled_back, snapshot(2, "2.0.0", "failed")];
        let conditions = [
            condition("Ready", "False", "RollbackSucceeded"),
            condition("Released", "False", "UpgradeFailed"),
            condition("Remediated", "True", "RollbackSucceeded"),
        ];
        let release = release("2.0.0", &history, &conditions);
        let found = component(&release, GOOD, false);
        assert_eq!((found.phase(), found.reason.as_str()), (Phase::Ready, "UpgradeFailed"));
        assert_eq!(found.message, "UpgradeFailed!; RollbackSucceeded!");
        assert_eq!(found.running_version, "1.0.0");
        assert_eq!(found.attempted_version, "2.0.0");
        let broken = component(&release, Pods { ready: 0, wanted: 1 }, false);
        assert_eq!(broken.phase(), Phase::NotReady);
    }

    #[test]
    fn a_failure_without_rollback_and_progress_are_not_ready() {
        let failed = [
            condition("Ready", "False", "UpgradeFailed"),
            condition("Released", "False", "UpgradeFailed"),
        ];
        let history = [snapshot(2, "2.0.0", "failed"), snapshot(1, "1.0.0", "deployed")];
        let found = component(&release("2.0.0", &history, &failed), GOOD, false);
        assert_eq!((found.phase(), found.reason.as_str()), (Phase::NotReady, "UpgradeFailed"));
        let progress = [condition("Ready", "Unknown", "Progressing")];
        let found = component(&release("2.0.0", &history, &progress), GOOD, false);
        assert_eq!((found.phase(), found.message.as_str()), (Phase::NotReady, "Progressing!"));
        let found = component(&release("", &[], &[]), Pods::default(), true);
        assert_eq!((found.phase(), found.detached), (Phase::NotReady, true));
    }

    #[test]
    fn ready_of_an_older_generation_does_not_count() {
        let ready = condition("Ready", "True", "InstallSucceeded");
        let mut release = release("1.0.0", &[snapshot(1, "1.0.0", "deployed")], &[ready]);
        release.metadata.generation = Some(3);
        assert_eq!(component(&release, GOOD, false).phase(), Phase::NotReady);
    }

    #[test]
    fn pods_of_the_release_only() {
        let deployment = |release: &str, ready: i32| -> Deployment {
            serde_json::from_value(json!({
                "metadata": { "annotations": { RELEASE_NAME: release } },
                "spec": { "replicas": 2, "selector": {}, "template": {} },
                "status": { "readyReplicas": ready },
            }))
            .expect("a deployment")
        };
        let all = [deployment("r", 1), deployment("other", 2), deployment("r", 2)];
        assert_eq!(Pods::of("r", &all, &[]), Pods { ready: 3, wanted: 4 });
    }
}
