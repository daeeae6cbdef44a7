use serde_json::json;

use super::*;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("object")
}

fn workload(kind: &str, spec: Value, status: Value) -> DynamicObject {
    object(json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": "x", "generation": 2}, "spec": spec, "status": status,
    }))
}

fn thing(api_version: &str, kind: &str, spec: Value, status: Value) -> DynamicObject {
    object(json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": "x", "generation": 1}, "spec": spec, "status": status,
    }))
}

/// `ready`, `failed`, or `in progress`.
fn short(object: &DynamicObject) -> &'static str {
    match readiness(object) {
        Ready => "ready",
        InProgress(_) => "in progress",
        Failed(_) => "failed",
    }
}

#[test]
fn deployments() {
    let available = json!([{"type": "Available", "status": "True"}]);
    let late =
        json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    let status = |seen, all, updated, available_count, conditions: &Value| {
        json!({
            "observedGeneration": seen, "replicas": all, "updatedReplicas": updated,
            "availableReplicas": available_count, "conditions": conditions,
        })
    };
    for (status, expected) in [
        (json!({}), "in progress"),
        (status(1, 2, 2, 2, &available), "in progress"),
        (status(2, 2, 1, 2, &available), "in progress"),
        (status(2, 3, 2, 2, &available), "in progress"),
        (status(2, 2, 2, 1, &available), "in progress"),
        (status(2, 2, 2, 2, &json!([])), "in progress"),
        (status(2, 2, 2, 1, &late), "failed"),
        (status(2, 2, 2, 2, &available), "ready"),
    ] {
        assert_eq!(
            short(&workload("Deployment", json!({"replicas": 2}), status.clone())),
            expected,
            "{status}"
        );
    }
    let none = json!({"observedGeneration": 2});
    assert_eq!(short(&workload("Deployment", json!({"replicas": 0}), none)), "ready");
}

#[test]
fn stateful_sets() {
    let status = |ready, updated, current: &str| {
        json!({
            "observedGeneration": 2, "replicas": 3, "readyReplicas": ready, "updatedReplicas": updated,
            "currentRevision": current, "updateRevision": "b",
        })
    };
    let partition = json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}});
    let on_delete = json!({"replicas": 3, "updateStrategy": {"type": "OnDelete"}});
    let plain = json!({"replicas": 3});
    for (spec, status, expected) in [
        (&plain, status(2, 3, "b"), "in progress"),
        (&plain, status(3, 2, "a"), "in progress"),
        (&plain, status(3, 3, "b"), "ready"),
        (&partition, status(3, 0, "a"), "in progress"),
        (&partition, status(3, 1, "a"), "ready"),
        (&on_delete, status(3, 0, "a"), "ready"),
    ] {
        assert_eq!(
            short(&workload("StatefulSet", spec.clone(), status.clone())),
            expected,
            "{spec} {status}"
        );
    }
}

#[test]
fn daemon_sets() {
    let status = |updated, available| {
        json!({
            "observedGeneration": 2, "desiredNumberScheduled": 2,
            "updatedNumberScheduled": updated, "numberAvailable": available,
        })
    };
    for (status, expected) in
        [(status(1, 2), "in progress"), (status(2, 1), "in progress"), (status(2, 2), "ready")]
    {
        assert_eq!(short(&workload("DaemonSet", json!({}), status)), expected);
    }
}

#[test]
fn other_kinds() {
    let condition =
        |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status}]});
    let crd = "apiextensions.k8s.io/v1";
    for (api_version, kind, spec, status, expected) in [
        ("batch/v1", "Job", json!({}), json!({}), "in progress"),
        ("batch/v1", "Job", json!({}), condition("Complete", "True"), "ready"),
        ("batch/v1", "Job", json!({}), condition("Failed", "True"), "failed"),
        ("v1", "Pod", json!({}), json!({}), "in progress"),
        ("v1", "Pod", json!({}), json!({"phase": "Succeeded"}), "ready"),
        ("v1", "Pod", json!({}), json!({"phase": "Failed"}), "failed"),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Pending"}), "in progress"),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Bound"}), "ready"),
        ("v1", "Service", json!({"type": "ClusterIP"}), json!({}), "ready"),
        (
            "v1",
            "Service",
            json!({"type": "LoadBalancer"}),
            json!({"loadBalancer": {}}),
            "in progress",
        ),
        (crd, "CustomResourceDefinition", json!({}), json!({}), "in progress"),
        (crd, "CustomResourceDefinition", json!({}), condition("Established", "True"), "ready"),
        (crd, "CustomResourceDefinition", json!({}), condition("NamesAccepted", "False"), "failed"),
        ("x.io/v1", "Thing", json!({}), Value::Null, "ready"),
        ("x.io/v1", "Thing", json!({}), condition("Ready", "False"), "in progress"),
        ("x.io/v1", "Thing", json!({}), condition("Ready", "True"), "ready"),
        ("x.io/v1", "Thing", json!({}), condition("Stalled", "True"), "failed"),
        ("x.io/v1", "Thing", json!({}), json!({"observedGeneration": 0}), "in progress"),
    ] {
        assert_eq!(
            short(&thing(api_version, kind, spec, status.clone())),
            expected,
            "{kind} {status}"
        );
    }
}

#[test]
fn pods_in_trouble() {
    let pod = |reason: &str, restarts: i64| {
        object(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "status": {"containerStatuses": [{
                "name": "c", "restartCount": restarts,
                "state": {"waiting": {"reason": reason, "message": "m"}},
                "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
            }]},
        }))
    };
    let crashing =
        "container c: CrashLoopBackOff: it keeps crashing, last with exit code 3 (Error)";
    for (reason, restarts, expected) in [
        ("ContainerCreating", 0, None),
        ("ErrImagePull", 0, Some(("container c: ErrImagePull: m", false))),
        ("ImagePullBackOff", 0, Some(("container c: ImagePullBackOff: m", false))),
        (
            "CreateContainerConfigError",
            0,
            Some(("container c: CreateContainerConfigError: m", false)),
        ),
        ("InvalidImageName", 0, Some(("container c: InvalidImageName: m", true))),
        ("ErrImageNeverPull", 0, Some(("container c: ErrImageNeverPull: m", true))),
        ("CrashLoopBackOff", 2, None),
        ("CrashLoopBackOff", 3, Some((crashing, true))),
    ] {
        let found = trouble(&pod(reason, restarts));
        let found = found.as_ref().map(|t| (t.why.as_str(), t.outlook == Outlook::Hopeless));
        assert_eq!(found, expected, "{reason} {restarts}");
    }
}

#[test]
fn selectors() {
    let deployment =
        |selector: Value| workload("Deployment", json!({"selector": selector}), json!({}));
    let labels = [("app", "a"), ("tier", "b")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for (selector, expected) in [
        (json!({}), false),
        (json!({"matchLabels": {"app": "a"}}), true),
        (json!({"matchLabels": {"app": "a", "tier": "c"}}), false),
        (json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["b"]}]}), true),
        (
            json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["b"]}]}),
            false,
        ),
        (json!({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}), true),
        (json!({"matchExpressions": [{"key": "x", "operator": "Exists"}]}), false),
    ] {
        let found = Selector::of(&deployment(selector.clone())).selects(Some(&labels));
        assert_eq!(found, expected, "{selector}");
    }
}

#[test]
fn kinds_that_are_ready_once_written_need_no_watch() {
    let key = |api_version: &str, kind: &str| Key {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: None,
        name: "x".into(),
    };
    for (api_version, kind, expected) in [
        ("v1", "ConfigMap", false),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", false),
        ("policy/v1", "PodDisruptionBudget", false),
        ("apps/v1", "Deployment", true),
        ("cd.qdrant.io/v2", "HelmRelease", true),
    ] {
        assert_eq!(takes_time(&key(api_version, kind)), expected, "{kind}");
    }
}
