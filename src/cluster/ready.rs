//! Whether a live object has become what its manifest asks for: pure, after the rules of kstatus
//! (`sigs.k8s.io/cli-utils/pkg/kstatus/status`), plus signs in pods that waiting longer will not help.

use kube::api::DynamicObject;
use serde_json::Value;

use super::Key;

mod legacy;
mod trouble;

pub use legacy::legacy;
pub use trouble::{Outlook, Selector, Trouble, refusal, trouble};

/// How far an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// What it still waits for.
    InProgress(String),
    /// What went wrong for good.
    Failed(String),
}

use Readiness::{Failed, InProgress, Ready};

/// Whether objects of this kind become ready only some time after they were written.
pub fn takes_time(key: &Key) -> bool {
    let kind = key.kind.as_str();
    match key.group() {
        "" => matches!(kind, "Pod" | "PersistentVolumeClaim" | "Service" | "ReplicationController"),
        "apps" => matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"),
        "batch" => kind == "Job",
        "apiextensions.k8s.io" => kind == "CustomResourceDefinition",
        "autoscaling" | "policy" | "extensions" => false,
        group => !group.ends_with(".k8s.io"),
    }
}

/// Whether objects of this kind run pods that its [`Selector`] finds.
pub fn runs_pods(key: &Key) -> bool {
    match key.group() {
        "apps" => true,
        "batch" => key.kind == "Job",
        _ => false,
    }
}

/// How far this object is. Unknown kinds go by the usual conditions: Stalled, Reconciling, Ready.
pub fn readiness(object: &DynamicObject) -> Readiness {
    if object.metadata.deletion_timestamp.is_some() {
        return InProgress("it is being deleted".into());
    }
    let kind = object.types.as_ref().map_or("", |t| t.kind.as_str());
    let group =
        object.types.as_ref().and_then(|t| t.api_version.split_once('/')).map_or("", |g| g.0);
    let generation = object.metadata.generation.unwrap_or(0);
    let view = View { spec: &object.data["spec"], status: &object.data["status"] };
    if view.status["observedGeneration"].as_i64().is_some_and(|seen| seen < generation) {
        return InProgress("its controller has not seen the new version yet".into());
    }
    match (group, kind) {
        ("apps", "Deployment") => view.unseen(generation).unwrap_or_else(|| view.deployment()),
        ("apps", "StatefulSet") => view.unseen(generation).unwrap_or_else(|| view.stateful_set()),
        ("apps", "DaemonSet") => view.unseen(generation).unwrap_or_else(|| view.daemon_set()),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => {
            view.unseen(generation).unwrap_or_else(|| view.replica_set())
        }
        ("batch", "Job") => view.job(),
        ("", "Pod") => view.pod(),
        ("", "PersistentVolumeClaim") => view.claim(),
        ("", "Service") => view.service(),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => view.definition(),
        _ => view.generic(),
    }
}

/// How far an object is that runs to an end, such as a hook: a pod counts once it has succeeded, not while
/// it runs.
pub fn completion(object: &DynamicObject) -> Readiness {
    let is_pod = object.types.as_ref().is_some_and(|t| t.api_version == "v1" && t.kind == "Pod");
    match readiness(object) {
        Ready if is_pod && object.data["status"]["phase"] != "Succeeded" => {
            InProgress("the pod has not ended yet".into())
        }
        other => other,
    }
}

/// Spec and status of one object.
struct View<'a> {
    spec: &'a Value,
    status: &'a Value,
}

impl View<'_> {
    fn condition(&self, wanted: &str) -> Option<&Value> {
        self.status["conditions"].as_array()?.iter().find(|c| c["type"] == wanted)
    }

    fn is(&self, condition: &str, status: &str) -> bool {
        self.condition(condition).is_some_and(|c| c["status"] == status)
    }

    fn says(&self, condition: &str) -> String {
        let text = |name| {
            let value = self.condition(condition).and_then(|c| c[name].as_str());
            value.filter(|text| !text.is_empty())
        };
        text("message").or_else(|| text("reason")).unwrap_or(condition).to_owned()
    }

    fn count(&self, name: &str) -> i64 {
        self.status[name].as_i64().unwrap_or(0)
    }

    fn wanted(&self) -> i64 {
        self.spec["replicas"].as_i64().unwrap_or(1)
    }

    /// A workload whose controller has not written a status at all.
    fn unseen(&self, generation: i64) -> Option<Readiness> {
        let seen = self.status["observedGeneration"].as_i64().unwrap_or(0);
        (generation > 0 && seen == 0)
            .then(|| InProgress("its controller has not seen it yet".into()))
    }

    fn deployment(&self) -> Readiness {
        // Someone has said that nothing is to happen: there is nothing to wait for.
        if self.spec["paused"] == true {
            return Ready;
        }
        if self.condition("Progressing").is_some_and(|c| c["reason"] == "ProgressDeadlineExceeded")
        {
            return Failed(format!(
                "its progress deadline is exceeded: {}",
                self.says("Progressing")
            ));
        }
        let (wanted, updated) = (self.wanted(), self.count("updatedReplicas"));
        let available = self.count("availableReplicas");
        if updated < wanted {
            InProgress(format!("{updated} of {wanted} replicas are updated"))
        } else if self.count("replicas") > updated {
            let old = self.count("replicas") - updated;
            InProgress(format!("{old} replicas of the old version have not ended yet"))
        } else if available < wanted {
            InProgress(format!("{available} of {wanted} replicas are available"))
        } else if wanted > 0 && !self.is("Available", "True") {
            InProgress("it is not available yet".into())
        } else {
            Ready
        }
    }

    fn stateful_set(&self) -> Readiness {
        let (wanted, ready) = (self.wanted(), self.count("readyReplicas"));
        let partition =
            self.spec.pointer("/updateStrategy/rollingUpdate/partition").and_then(Value::as_i64);
        let to_update = (wanted - partition.unwrap_or(0)).max(0);
        let on_delete = self.spec.pointer("/updateStrategy/type").is_some_and(|t| t == "OnDelete");
        let updated = self.count("updatedReplicas");
        let same_revision = self.status["currentRevision"] == self.status["updateRevision"];
        if ready < wanted {
            InProgress(format!("{ready} of {wanted} replicas are ready"))
        } else if self.count("replicas") > wanted {
            InProgress("replicas that are no longer wanted have not ended yet".into())
        } else if on_delete || same_revision || (partition.is_some() && updated >= to_update) {
            Ready
        } else {
            InProgress(format!("{updated} of {to_update} replicas are updated"))
        }
    }

    fn daemon_set(&self) -> Readiness {
        let wanted = self.count("desiredNumberScheduled");
        let (updated, available) =
            (self.count("updatedNumberScheduled"), self.count("numberAvailable"));
        let on_delete = self.spec.pointer("/updateStrategy/type").is_some_and(|t| t == "OnDelete");
        if updated < wanted && !on_delete {
            InProgress(format!("{updated} of {wanted} pods are updated"))
        } else if available < wanted {
            InProgress(format!("{available} of {wanted} pods are available"))
        } else {
            Ready
        }
    }

    fn replica_set(&self) -> Readiness {
        let (wanted, available) = (self.wanted(), self.count("availableReplicas"));
        if self.is("ReplicaFailure", "True") {
            InProgress(self.says("ReplicaFailure"))
        } else if available < wanted || self.count("replicas") > wanted {
            InProgress(format!("{available} of {wanted} replicas are available"))
        } else {
            Ready
        }
    }

    fn job(&self) -> Readiness {
        if self.is("Failed", "True") {
            Failed(format!("the job failed: {}", self.says("Failed")))
        } else if self.is("Complete", "True") {
            Ready
        } else if self.spec["suspend"] == true {
            InProgress("the job is suspended".into())
        } else {
            let (done, wanted) =
                (self.count("succeeded"), self.spec["completions"].as_i64().unwrap_or(1));
            InProgress(format!("{done} of {wanted} pods of the job have completed"))
        }
    }

    fn pod(&self) -> Readiness {
        match self.status["phase"].as_str() {
            Some("Succeeded") => Ready,
            Some("Failed") => {
                let why = self.status["message"].as_str().or(self.status["reason"].as_str());
                Failed(format!(
                    "the pod failed: {}",
                    why.unwrap_or("a container ended with an error")
                ))
            }
            Some("Running") if self.is("Ready", "True") => Ready,
            phase => InProgress(format!("the pod is {} and not ready", phase.unwrap_or("Pending"))),
        }
    }

    fn claim(&self) -> Readiness {
        match self.status["phase"].as_str() {
            Some("Bound") => Ready,
            Some("Lost") => Failed("its volume is lost".into()),
            _ => InProgress("it is not bound to a volume yet".into()),
        }
    }

    fn service(&self) -> Readiness {
        let external = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
        let waits = self.spec["type"] == "LoadBalancer"
            && !external(&self.spec["externalIPs"])
            && !external(&self.status["loadBalancer"]["ingress"]);
        if waits { InProgress("its load balancer has no address yet".into()) } else { Ready }
    }

    fn definition(&self) -> Readiness {
        if self.is("NamesAccepted", "False") {
            Failed(format!("its names are not accepted: {}", self.says("NamesAccepted")))
        } else if self.is("Established", "True") {
            Ready
        } else {
            InProgress("it is not established yet".into())
        }
    }

    fn generic(&self) -> Readiness {
        if self.is("Stalled", "True") {
            Failed(self.says("Stalled"))
        } else if self.is("Reconciling", "True") {
            InProgress(self.says("Reconciling"))
        } else if self.condition("Ready").is_none_or(|c| c["status"] == "True") {
            Ready
        } else {
            InProgress(self.says("Ready"))
        }
    }
}

#[cfg(test)]
mod tests;
