use super::*;

fn desired(spec: Value) -> Vec<Value> {
    mirrored(spec, &Rules::default())
}

fn mirrored(spec: Value, mirrors: &Rules) -> Vec<Value> {
    let mut whole = json!({ "id": "c1", "version": "v1.15.0", "size": 3 });
    if let (Some(whole), Some(spec)) = (whole.as_object_mut(), spec.as_object()) {
        whole.extend(spec.clone());
    }
    let object = json!({
        "apiVersion": "qdrant.io/v1",
        "kind": "QdrantCluster",
        "metadata": {
            "name": "qdrant-c1", "namespace": "n", "uid": "u",
            "labels": { "cluster-id": "c1", "customer-id": "a1" },
        },
        "spec": whole,
    });
    let database = Database::read(&serde_json::from_value(object).expect("object")).expect("sound");
    objects(&database, &ClusterManagement::default(), mirrors)
}

fn find(all: &[Value], kind: &str) -> Value {
    all.iter().find(|object| object["kind"] == kind).expect(kind).clone()
}

fn stateful_set(spec: Value) -> Value {
    find(&desired(spec), "StatefulSet")
}

#[test]
fn every_object_belongs_to_the_cluster() {
    let all = desired(json!({}));
    let names: Vec<_> = all
        .iter()
        .map(|o| format!("{} {}", o["kind"], o["metadata"]["name"]).replace('"', ""))
        .collect();
    assert_eq!(
        names,
        [
            "Secret qdrant-c1",
            "ConfigMap qdrant-c1",
            "Service qdrant-headless-c1",
            "Service qdrant-c1",
            "PodDisruptionBudget qdrant-c1",
            "Service qdrant-c1-0",
            "Service qdrant-c1-1",
            "Service qdrant-c1-2",
            "StatefulSet qdrant-c1",
        ]
    );
    for object in &all {
        let metadata = &object["metadata"];
        assert_eq!(metadata["ownerReferences"][0]["uid"], "u");
        assert_eq!(
            metadata["labels"],
            json!({ "app": "qdrant", "cluster-id": "c1", "customer-id": "a1" })
        );
    }
}

/// Each case: a spec, a place in the StatefulSet, and what must be there.
#[test]
fn what_the_spec_says_is_in_the_stateful_set() {
    let container = "/spec/template/spec/containers/0";
    for (spec, pointer, expected) in [
        (json!({}), "/spec/replicas", json!(3)),
        (json!({ "suspend": true }), "/spec/replicas", json!(0)),
        (json!({}), "/spec/serviceName", json!("qdrant-headless-c1")),
        (
            json!({}),
            &format!("{container}/image"),
            json!("registry.cloud.qdrant.io/qdrant/qdrant:v1.15.0"),
        ),
        (
            json!({ "image": { "repository": "mirror/q" } }),
            &format!("{container}/image"),
            json!("mirror/q:v1.15.0"),
        ),
        (
            json!({ "image": { "pullSecretName": "s" } }),
            "/spec/template/spec/imagePullSecrets",
            json!([{ "name": "s" }]),
        ),
        (
            json!({ "resources": { "cpu": "1", "memory": "2Gi", "requests": { "cpu": "100m" } } }),
            &format!("{container}/resources"),
            json!({
                "limits": { "cpu": "1", "memory": "2Gi" },
                "requests": { "cpu": "100m", "memory": "2Gi" },
            }),
        ),
        (
            json!({ "resources": { "storage": "5Gi" }, "storageClassNames": { "db": "fast" } }),
            "/spec/volumeClaimTemplates/0/spec",
            json!({
                "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": "5Gi" } },
                "storageClassName": "fast",
            }),
        ),
        (
            json!({ "config": { "service": { "api_key": { "secretKeyRef": { "name": "s", "key": "k" } } } } }),
            &format!("{container}/env/5"),
            json!({
                "name": "QDRANT__SERVICE__API_KEY",
                "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } },
            }),
        ),
        (
            json!({ "tolerations": [{ "key": "a", "operator": "Exists" }] }),
            "/spec/template/spec/tolerations/0/key",
            json!("a"),
        ),
        (
            json!({ "security": { "user": 5 } }),
            "/spec/template/spec/securityContext/runAsUser",
            json!(5),
        ),
        (
            json!({ "statefulSet": { "pods": { "labels": { "x": "y" } } } }),
            "/spec/template/metadata/labels",
            json!({ "app": "qdrant", "cluster-id": "c1", "customer-id": "a1", "x": "y" }),
        ),
    ] {
        let set = stateful_set(spec.clone());
        assert_eq!(set.pointer(pointer), Some(&expected), "{spec} at {pointer}");
    }
}

#[test]
fn without_storage_the_data_lives_as_long_as_the_pod() {
    let set = stateful_set(json!({}));
    assert_eq!(set.pointer("/spec/volumeClaimTemplates"), None);
    let volumes = set.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    assert!(volumes.is_some_and(|all| all.iter().any(|v| v["name"] == "storage")));
}

#[test]
fn settings_change_the_pods_and_unknown_ones_are_kept_secret() {
    let digest = |set: &Value| {
        set.pointer("/spec/template/metadata/annotations/qdrant.io~1config-digest").cloned()
    };
    let config = json!({ "config": { "log_level": "DEBUG", "telemetry": { "token": "hunter2" } } });
    let (before, after) = (desired(json!({})), desired(config));
    assert_ne!(digest(&find(&before, "StatefulSet")), digest(&find(&after, "StatefulSet")));
    assert!(after[0].to_string().contains("hunter2"), "the Secret has it");
    assert!(after[1..].iter().all(|object| !object.to_string().contains("hunter2")));
    assert!(after[1]["data"]["production.yaml"].to_string().contains("DEBUG"));
}

#[test]
fn one_node_at_a_time_unless_said_otherwise() {
    let budget = |spec| find(&desired(spec), "PodDisruptionBudget")["spec"].clone();
    assert_eq!(budget(json!({}))["maxUnavailable"], 1);
    let other = budget(json!({ "podDisruptionBudget": { "minAvailable": "50%" } }));
    assert_eq!((&other["minAvailable"], other.get("maxUnavailable")), (&json!("50%"), None));
}

#[test]
fn a_service_for_each_node_unless_said_otherwise() {
    let services = |spec| {
        let all = desired(spec).into_iter().filter(|object| object["kind"] == "Service");
        all.map(|service| service["metadata"]["name"].clone()).collect::<Vec<_>>()
    };
    let without = services(json!({ "servicePerNode": false }));
    assert_eq!(without, ["qdrant-headless-c1", "qdrant-c1"]);
    let with = services(json!({ "servicePerNode": true, "size": 1 }));
    assert_eq!(with, ["qdrant-headless-c1", "qdrant-c1", "qdrant-c1-0"]);
    let all = desired(json!({}));
    let second = all.iter().find(|o| o["metadata"]["name"] == "qdrant-c1-1").expect("it");
    let pod = &second["spec"]["selector"]["statefulset.kubernetes.io/pod-name"];
    assert_eq!(pod, "qdrant-c1-1");
}

#[test]
fn the_image_is_called_as_the_mirrors_call_it() {
    let rules = Rules::from_yaml(
        "rules: [{prefix: registry.cloud.qdrant.io, mirrors: [{location: m.test/v}]}]",
    );
    let rules = rules.expect("a table");
    for (spec, image) in [
        (json!({}), "m.test/v/qdrant/qdrant:v1.15.0"),
        (json!({ "image": { "repository": "other.test/q" } }), "other.test/q:v1.15.0"),
    ] {
        let set = find(&mirrored(spec, &rules), "StatefulSet");
        assert_eq!(set["spec"]["template"]["spec"]["containers"][0]["image"], image);
    }
}
