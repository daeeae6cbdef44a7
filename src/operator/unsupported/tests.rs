use kube::CustomResourceExt as _;
use pinnace_registry::Rules;
use serde_json::{Value, json};

use super::super::{
    database::{Database, Invalid},
    desired,
    settings::ClusterManagement,
};
use crate::api::cluster::QdrantCluster;

/// What becomes of a field.
enum Verdict {
    /// The value changes what is applied.
    Honoured,
    /// The value is refused by name; these others ask for what happens anyway.
    Refused(&'static [&'static str]),
    /// It does not change what is applied, because of this.
    Otherwise(&'static str),
}

use Verdict::{Honoured, Otherwise, Refused};

const OFF: &[&str] = &["{}", r#"{"enabled":false,"more":1}"#];

/// Every field of the schema, a value for it in JSON, and what becomes of that value. A field that the
/// schema does not name is `unheardOf`.
const FIELDS: &[(&str, &str, Verdict)] = &[
    ("id", r#""c1""#, Otherwise("it names the object and never changes")),
    ("version", r#""v9""#, Honoured),
    ("size", "4", Honoured),
    ("servicePerNode", "false", Honoured),
    ("clusterManager", "true", Refused(&["false"])),
    ("suspend", "true", Honoured),
    ("pauses", r#"[{"owner":"me"}]"#, Otherwise("then nothing is applied")),
    ("image.repository", r#""r""#, Honoured),
    ("image.pullPolicy", r#""Always""#, Honoured),
    ("image.pullSecretName", r#""s""#, Honoured),
    ("image.unheardOf", "1", Refused(&[])),
    ("resources.cpu", r#""1""#, Honoured),
    ("resources.memory", r#""1Gi""#, Honoured),
    ("resources.storage", r#""9Gi""#, Honoured),
    ("resources.requests.cpu", r#""1""#, Honoured),
    ("resources.requests.memory", r#""1Gi""#, Honoured),
    ("resources.unheardOf", "1", Refused(&[])),
    ("security.user", "7", Honoured),
    ("security.group", "7", Honoured),
    ("security.fsGroup", "7", Honoured),
    ("tolerations", r#"[{"key":"a","operator":"Exists"}]"#, Honoured),
    ("nodeSelector", r#"{"a":"b"}"#, Honoured),
    (
        "topologySpreadConstraints",
        r#"[{"maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"}]"#,
        Honoured,
    ),
    ("podDisruptionBudget", r#"{"unhealthyPodEvictionPolicy":"AlwaysAllow"}"#, Honoured),
    ("config.collection", r#"{"replication_factor":2}"#, Honoured),
    ("config.log_level", r#""DEBUG""#, Honoured),
    ("config.service.api_key", r#"{"secretKeyRef":{"name":"s","key":"k"}}"#, Honoured),
    ("config.service.read_only_api_key", r#"{"secretKeyRef":{"name":"s","key":"k"}}"#, Honoured),
    ("config.service.jwt_rbac", "true", Honoured),
    ("config.service.hide_jwt_dashboard", "true", Honoured),
    ("config.service.enable_tls", "true", Refused(&["false"])),
    ("config.service.max_request_size_mb", "64", Honoured),
    ("config.service.unheardOf", "1", Honoured),
    ("config.storage", r#"{"wal":{"wal_capacity_mb":32}}"#, Honoured),
    ("config.tls", r#"{"cert":{"secretKeyRef":{"name":"s","key":"k"}}}"#, Refused(&[])),
    ("config.inference", r#"{"enabled":true}"#, Refused(OFF)),
    ("config.audit", r#"{"rotation":"daily"}"#, Refused(OFF)),
    ("config.unheardOf", "1", Honoured),
    ("ingress", r#"{"host":"h"}"#, Refused(OFF)),
    ("service.type", r#""NodePort""#, Honoured),
    ("service.annotations", r#"{"a":"b"}"#, Honoured),
    ("service.loadBalancerSourceRanges", r#"["10.0.0.0/8"]"#, Honoured),
    ("service.unheardOf", "1", Refused(&[])),
    ("gpu", r#"{"gpuType":"nvidia"}"#, Refused(&["{}"])),
    ("statefulSet.annotations", r#"{"a":"b"}"#, Honoured),
    ("statefulSet.pods.annotations", r#"{"a":"b"}"#, Honoured),
    ("statefulSet.pods.labels", r#"{"a":"b"}"#, Honoured),
    ("statefulSet.pods.extraEnv", r#"[{"name":"A","value":"B"}]"#, Honoured),
    ("statefulSet.pods.unheardOf", "1", Refused(&[])),
    ("statefulSet.unheardOf", "1", Refused(&[])),
    ("storageClassNames.db", r#""fast""#, Honoured),
    ("storageClassNames.snapshots", r#""slow""#, Refused(&[])),
    ("storage", r#"{"volumeSnapshotClassName":"a"}"#, Refused(&["{}"])),
    ("restartAllPodsConcurrently", "true", Refused(&["false"])),
    ("onDemandReplication", r#""Auto""#, Refused(&[r#""Off""#])),
    ("startupDelaySeconds", "5", Refused(&["0"])),
    ("rebalanceStrategy", r#""by_count""#, Refused(&[r#""disabled""#])),
    ("readClusters", r#"[{"id":"c2"}]"#, Refused(&["[]"])),
    ("writeCluster", r#"{"id":"c2"}"#, Refused(&[])),
    ("multiAZ", "true", Refused(&["false"])),
    ("unheardOf", "1", Refused(&[])),
];

/// Objects that are one value: their parts have no meaning by themselves.
const WHOLE: [&str; 3] =
    ["config.service.api_key", "config.service.read_only_api_key", "writeCluster"];

fn base() -> Value {
    json!({ "id": "c1", "version": "v1", "size": 3, "resources": { "storage": "1Gi" } })
}

fn made(spec: &Value) -> Result<Vec<Value>, Invalid> {
    let object = json!({
        "apiVersion": "qdrant.io/v1",
        "kind": "QdrantCluster",
        "metadata": {
            "name": "qdrant-c1", "namespace": "n", "uid": "u",
            "labels": { "cluster-id": "c1", "customer-id": "a1" },
        },
        "spec": spec,
    });
    let database = Database::read(&serde_json::from_value(object).expect("object"))?;
    Ok(desired::objects(&database, &ClusterManagement::default(), &Rules::default()))
}

/// The base with a value, in JSON, at a path.
fn with(path: &str, value: &str) -> Value {
    let mut spec = base();
    let place = path.split('.').fold(&mut spec, |place, key| &mut place[key]);
    *place = serde_json::from_str(value).expect("JSON");
    spec
}

/// The paths of a schema that have no further properties; `unheardOf` where any other is let through.
fn leaves(schema: &Value, path: &str, found: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { key.into() } else { format!("{path}.{key}") };
    let properties = schema["properties"].as_object().filter(|all| !all.is_empty());
    let Some(properties) = properties.filter(|_| !WHOLE.contains(&path)) else {
        return found.push(path.to_owned());
    };
    for (key, schema) in properties {
        leaves(schema, &below(key), found);
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        found.push(below("unheardOf"));
    }
}

#[test]
fn every_field_of_the_schema_is_classified() {
    let definition = serde_json::to_value(QdrantCluster::crd()).expect("JSON");
    let spec = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    let mut found = Vec::new();
    leaves(spec.expect("a schema of the spec"), "", &mut found);
    found.sort_unstable();
    let mut classified: Vec<_> = FIELDS.iter().map(|(path, ..)| (*path).to_owned()).collect();
    classified.sort_unstable();
    assert_eq!(found, classified, "add or remove fields in FIELDS, and in docs/spec");
}

#[test]
fn every_field_is_honoured_or_refused() {
    let plain = made(&base()).expect("sound");
    for (path, value, verdict) in FIELDS {
        let made_with = made(&with(path, value));
        match verdict {
            Honoured => {
                let objects = made_with.unwrap_or_else(|error| panic!("{path}: {error}"));
                assert_ne!(objects, plain, "{path}: {value} changes nothing");
            }
            Refused(harmless) => {
                let error = made_with.expect_err(path).to_string();
                let expected = format!("spec.{path} is not done by this version of the operator: ");
                assert!(error.starts_with(&expected), "{path}: {error}");
                for value in *harmless {
                    assert_eq!(made(&with(path, value)).as_ref(), Ok(&plain), "{path}: {value}");
                }
            }
            Otherwise(why) => assert_eq!(made_with.as_ref(), Ok(&plain), "{path}: {why}"),
        }
    }
}

#[test]
fn parts_of_fields_are_refused_by_name() {
    for (path, value, named) in [
        ("config.storage", r#"{"storage_path":"/x"}"#, "spec.config.storage "),
        ("config.storage", r#"{"maxCollections":9}"#, "spec.config.storage.maxCollections "),
        ("config.service.api_key", "{}", "spec.config.service.api_key "),
        ("podDisruptionBudget", r#"{"selector":{}}"#, "spec.podDisruptionBudget.selector "),
        ("statefulSet.pods.labels", r#"{"app":"x"}"#, "spec.statefulSet.pods.labels.app "),
        (
            "statefulSet.pods.annotations",
            r#"{"restartedAt":"x"}"#,
            "spec.statefulSet.pods.annotations.restartedAt ",
        ),
        ("podDisruptionBudget", r#"{"maximum":1}"#, "spec.podDisruptionBudget cannot be read"),
    ] {
        let error = made(&with(path, value)).expect_err(named).to_string();
        assert!(error.starts_with(named), "{error} should begin with {named}");
    }
    let mut spec = with("storageClassNames.db", r#""fast""#);
    spec["resources"] = json!({});
    let error = made(&spec).expect_err("a class without a volume").to_string();
    assert!(error.starts_with("spec.storageClassNames.db "), "{error}");
    let both = with("storageClassNames", r#"{"db":"fast","snapshots":"fast"}"#);
    assert!(made(&both).is_ok(), "snapshots are where they are wanted");
}

/// Specs as the Console writes them, with the defaults of the schema that the API server adds.
#[test]
fn what_the_console_writes_is_made() {
    for spec in [
        json!({
            "id": "c1", "version": "latest", "size": 3, "servicePerNode": true, "suspend": false,
            "resources": { "cpu": "500m", "memory": "1Gi", "storage": "4Gi" },
        }),
        json!({
            "id": "c1", "version": "v1.2.3", "size": 1, "servicePerNode": true, "suspend": false,
            "resources": { "cpu": "500m", "memory": "1Gi", "storage": "10Gi" },
            "nodeSelector": { "a": "b" },
            "tolerations": [{ "key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule", "tolerationSeconds": 3 }],
            "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway" }],
            "service": { "type": "LoadBalancer", "annotations": { "a": "b" }, "loadBalancerSourceRanges": ["10.0.0.0/8"] },
            "statefulSet": { "pods": { "annotations": { "a": "b" }, "labels": { "team": "x" } } },
            "storageClassNames": { "db": "fast" },
            "restartAllPodsConcurrently": false,
            "rebalanceStrategy": "disabled",
            "config": {
                "collection": { "replication_factor": 2, "write_consistency_factor": 1, "vectors": { "on_disk": true } },
                "storage": { "performance": { "optimizer_cpu_budget": 0, "async_scorer": true } },
                "service": {
                    "api_key": { "secretKeyRef": { "name": "s", "key": "k" } },
                    "read_only_api_key": { "secretKeyRef": { "name": "s", "key": "k" } },
                    "jwt_rbac": true, "enable_tls": false,
                },
                "log_level": "INFO",
            },
        }),
    ] {
        made(&spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
    }
}
