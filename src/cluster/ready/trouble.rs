//! Signs that waiting longer will not help: pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::DynamicObject;
use kube::core::SelectorExt as _;
use serde::Deserialize as _;
use serde_json::Value;

/// A container that has been started this often and still crashes will not recover on its own: by then its
/// third back-off pause (10, 20, 40 s) has begun.
const MAX_RESTARTS: i64 = 3;

/// A sign in a pod that waiting will not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub why: String,
    pub outlook: Outlook,
}

/// Whether a trouble may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing but a change of the manifest helps.
    Hopeless,
    /// A registry can have a hiccup, and a missing ConfigMap can still come.
    MayPass,
    /// A node can be added, and a quota be raised.
    MayTakeTime,
}

/// Why a workload's controller cannot make its pods, such as an exceeded quota, if it says so.
pub fn refusal(workload: &DynamicObject) -> Option<String> {
    let conditions = workload.data["status"]["conditions"].as_array()?;
    let refused =
        conditions.iter().find(|c| c["type"] == "ReplicaFailure" && c["status"] == "True")?;
    Some(refused["message"].as_str().unwrap_or("its pods cannot be made").to_owned())
}

/// Why this pod may not get well by waiting, if it shows a sign of that: an image that cannot be pulled, a
/// container that keeps crashing, a pod that cannot be made at all.
pub fn trouble(pod: &DynamicObject) -> Option<Trouble> {
    let status = &pod.data["status"];
    let containers = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|list| status[list].as_array())
        .flatten();
    let mut passing = None;
    for container in containers {
        let name = container["name"].as_str().unwrap_or("?");
        let waiting = &container["state"]["waiting"];
        let message = waiting["message"].as_str().unwrap_or("no message");
        let told = |reason: &str, outlook| Trouble {
            why: format!("container {name}: {reason}: {message}"),
            outlook,
        };
        match waiting["reason"].as_str() {
            Some(reason @ ("InvalidImageName" | "ErrImageNeverPull")) => {
                return Some(told(reason, Outlook::Hopeless));
            }
            // A pod goes to and fro between the first two.
            Some(reason @ ("ImagePullBackOff" | "ErrImagePull" | "CreateContainerConfigError")) => {
                passing.get_or_insert_with(|| told(reason, Outlook::MayPass));
            }
            Some("CrashLoopBackOff")
                if container["restartCount"].as_i64() >= Some(MAX_RESTARTS) =>
            {
                let last = &container["lastState"]["terminated"];
                let code = last["exitCode"].as_i64().unwrap_or(-1);
                let reason = last["reason"].as_str().unwrap_or("Error");
                let why = format!(
                    "container {name}: CrashLoopBackOff: it keeps crashing, last with exit code {code} ({reason})"
                );
                return Some(Trouble { why, outlook: Outlook::Hopeless });
            }
            _ => {}
        }
    }
    passing.or_else(|| unschedulable(status))
}

fn unschedulable(status: &Value) -> Option<Trouble> {
    let condition = status["conditions"].as_array()?.iter().find(|c| {
        c["type"] == "PodScheduled" && c["status"] == "False" && c["reason"] == "Unschedulable"
    })?;
    let message = condition["message"].as_str().unwrap_or("no node takes it");
    Some(Trouble { why: format!("Unschedulable: {message}"), outlook: Outlook::MayTakeTime })
}

/// Which pods are a workload's: its `spec.selector`. One that says nothing, or cannot be read, selects none.
pub struct Selector(Option<kube::core::Selector>);

impl Selector {
    pub fn of(workload: &DynamicObject) -> Self {
        let selector = LabelSelector::deserialize(&workload.data["spec"]["selector"]).ok();
        let selector = selector.and_then(|s| kube::core::Selector::try_from(s).ok());
        Self(selector.filter(|selector| !selector.selects_all()))
    }

    /// Whether a pod with these labels is selected.
    pub fn selects(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let none = BTreeMap::new();
        self.0.as_ref().is_some_and(|selector| selector.matches(labels.unwrap_or(&none)))
    }
}
