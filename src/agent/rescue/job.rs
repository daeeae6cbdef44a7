//! The rescue Job: pure. Image, account and place are those of the pod that makes it.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};

/// On the Job: the revision that a good agent has to reach.
pub const REVISION: &str = "cd.qdrant.io/rescue-revision";
/// On the Job: `true` if the new agent has to reach the Console as well.
pub const CONSOLE: &str = "cd.qdrant.io/rescue-console";
/// On the agent's HelmRelease: how long a new agent has to confirm, such as `10m`.
pub const AFTER: &str = "cd.qdrant.io/rescue-after";

/// The container of the agent's Deployment.
const CONTAINER: &str = "agent";
/// What a finished Job is kept for people to look at.
const KEPT_SECONDS: u32 = 24 * 60 * 60;

/// What the Job is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescue {
    /// Helm's name of the agent's release.
    pub release: String,
    /// The HelmRelease.
    pub object: String,
    /// The newest revision before the upgrade.
    pub from: u32,
    /// The time that the new agent has.
    pub after: Duration,
    pub console: bool,
}

/// The name of the Job of a release. There is one at a time.
pub fn name(release: &str) -> String {
    format!("{release}-rescue")
}

/// The Job; None if the pod is not one of the agent's Deployment.
pub fn job(rescue: &Rescue, own: &Pod) -> Option<Job> {
    let spec = json!(own.spec);
    let containers = spec["containers"].as_array()?;
    let agent = containers.iter().find(|container| container["name"] == CONTAINER)?;
    let environment: Vec<&Value> = agent["env"].as_array().into_iter().flatten().collect();
    let mut pod = json!({
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 5,
        "containers": [{
            "name": "rescue",
            "image": agent["image"],
            "imagePullPolicy": "IfNotPresent",
            "args": [
                "rescue",
                "--release", rescue.object,
                "--from", rescue.from.to_string(),
                "--after", format!("{}ms", rescue.after.as_millis()),
            ],
            "env": environment,
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
            "securityContext": agent["securityContext"],
        }],
    });
    for field in
        ["serviceAccountName", "imagePullSecrets", "securityContext", "nodeSelector", "tolerations"]
    {
        if !spec[field].is_null() {
            pod[field] = spec[field].clone();
        }
    }
    let labels = json!({
        "app.kubernetes.io/name": name("qdrant-cloud-agent"),
        "app.kubernetes.io/instance": rescue.release,
    });
    let job = json!({
        "metadata": {
            "name": name(&rescue.release),
            "namespace": own.namespace(),
            "labels": labels,
            "annotations": {
                REVISION: (rescue.from + 1).to_string(),
                CONSOLE: rescue.console.to_string(),
            },
        },
        "spec": {
            "backoffLimit": 10,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    });
    serde_json::from_value(job).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_of_the_pod_that_makes_it() {
        let own: Pod = serde_json::from_value(json!({
            "metadata": {"name": "agent-1", "namespace": "n"},
            "spec": {
                "serviceAccountName": "qdrant-cloud-agent",
                "imagePullSecrets": [{"name": "creds"}],
                "securityContext": {"runAsNonRoot": true},
                "nodeName": "node1",
                "containers": [{
                    "name": "agent", "image": "r/agent:1.0.0", "args": ["--config", "x"],
                    "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "securityContext": {"readOnlyRootFilesystem": true},
                    "volumeMounts": [{"name": "config", "mountPath": "/etc"}],
                }],
            },
        }))
        .expect("a pod");
        let rescue = Rescue {
            release: "agent".into(),
            object: "agent-object".into(),
            from: 4,
            after: Duration::from_secs(90),
            console: true,
        };
        let job = json!(job(&rescue, &own).expect("a job"));
        assert_eq!(job["metadata"]["name"], "agent-rescue");
        assert_eq!(job["metadata"]["annotations"], json!({REVISION: "5", CONSOLE: "true"}));
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["serviceAccountName"], "qdrant-cloud-agent");
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "creds"}]));
        assert!(pod["nodeName"].is_null());
        let container = &pod["containers"][0];
        assert_eq!(container["image"], "r/agent:1.0.0");
        let args = ["rescue", "--release", "agent-object", "--from", "4", "--after", "90000ms"];
        assert_eq!(container["args"], json!(args));
        assert_eq!(container["env"][0]["name"], "POD_NAME");
        assert!(container["volumeMounts"].is_null());
    }

    #[test]
    fn another_pod_has_no_agent() {
        let own: Pod = serde_json::from_value(json!({
            "metadata": {"name": "x"}, "spec": {"containers": [{"name": "other"}]},
        }))
        .expect("a pod");
        let rescue = Rescue {
            release: "agent".into(),
            object: "agent".into(),
            from: 1,
            after: Duration::ZERO,
            console: false,
        };
        assert_eq!(job(&rescue, &own), None);
    }
}
