use ed25519_dalek::SigningKey;

use super::*;
use crate::{
    console::settings::{RegistryAccess, sample},
    model::{digest::Digest, redacted::Redacted},
};

fn settings() -> Settings {
    let password = Redacted::new("secret".to_owned());
    Settings {
        registry: RegistryAccess::Shared { username: "robot".into(), password },
        database_image: Some("registry.vendor.test/qdrant/database".into()),
        ..sample()
    }
}

fn environment(c: Configuration) -> Environment {
    Environment {
        id: "5f7c".into(),
        account_id: "acc".into(),
        name: "prod".into(),
        configuration: Some(Configuration { namespace: "qdrant".into(), ..c }),
        ..Default::default()
    }
}

fn chosen(version: &str) -> Chosen {
    Chosen { version: version.parse().unwrap(), digest: Digest::of(version.as_bytes()) }
}

fn made(c: Configuration) -> Desired {
    let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
    desired(
        &Inputs {
            settings: &settings(),
            public_key: &key,
            environment: &environment(c),
            agent: Some(&chosen("1.0.0")),
            operator: Some(&chosen("2.0.0")),
            access_key_hash: "abc",
            clusters: BTreeMap::new(),
        },
        7,
    )
}

fn values(desired: &Desired, release: &str) -> Value {
    desired.pins[&release.parse::<ReleaseName>().unwrap()].values.clone()
}

#[test]
fn the_agent_gets_the_values_of_the_installation_command() {
    let desired = made(Configuration::default());
    let expected = json!({
        "podAnnotations": {"accessKeyHash": "abc"},
        "config": {
            "serverURL": "https://vendor.test",
            "grpcServerURL": "https://vendor.test",
            "hybridCloud": {"id": "5f7c", "accountId": "acc"},
            "logLevel": "info",
            "consolePublicKey": "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=",
        },
        "image": {"repository": "registry.vendor.test/qdrant/qdrant-cloud-agent"},
        "imagePullSecrets": [{"name": "qdrant-registry-creds"}],
    });
    assert_eq!(values(&desired, AGENT), expected);
    assert_eq!(desired.generation, 7);
    assert_eq!(desired.charts.url, "oci://registry.vendor.test/qdrant-charts");
    assert_eq!(desired.charts.secret.as_deref(), Some(REGISTRY_SECRET));
    assert_eq!(desired.charts.ca_certificates, None);
}

#[test]
fn typed_fields_win_over_advanced_settings() {
    let advanced = json!({
        "replicaCount": 2,
        "settings": {"logLevel": "trace", "features": {"clusterManagement": {"maxConcurrentReconciles": 3}}},
    });
    let desired = made(Configuration {
        log_level: Some(1),
        database_storage_class: Some("fast".into()),
        advanced_operator_settings: serde_json::from_value(advanced).unwrap(),
        ..Default::default()
    });
    let values = values(&desired, OPERATOR_RELEASE);
    assert_eq!(values["replicaCount"], json!(2));
    assert_eq!(values["settings"]["logLevel"], "debug");
    let management = &values["settings"]["features"]["clusterManagement"];
    assert_eq!(management["maxConcurrentReconciles"], json!(3));
    assert_eq!(management["enable"], true);
    assert_eq!(management["storageClass"], json!({"database": "fast"}));
    let image = json!({"repository": "registry.vendor.test/qdrant/database", "pullSecretName": REGISTRY_SECRET});
    assert_eq!(management["qdrant"]["image"], image);
}

#[test]
fn a_customers_mirror_is_used_for_everything() {
    let desired = made(Configuration {
        container_registry_url: Some("mirror.test/hub".into()),
        chart_repository_url: Some("oci://mirror.test/charts".into()),
        registry_secret_name: Some("mine".into()),
        ca_certificates: Some("PEM".into()),
        ..Default::default()
    });
    assert_eq!(desired.charts.url, "oci://mirror.test/charts");
    assert_eq!(desired.charts.secret.as_deref(), Some("mine"));
    assert_eq!(desired.charts.ca_certificates.as_deref(), Some("PEM\n"));
    let agent = values(&desired, AGENT);
    assert_eq!(agent["image"]["repository"], "mirror.test/hub/qdrant/qdrant-cloud-agent");
    assert_eq!(agent["config"]["caCertificates"], "PEM\n");
    let operator = values(&desired, OPERATOR_RELEASE);
    assert_eq!(operator["image"]["repository"], "mirror.test/hub/qdrant/qdrant-operator");
    let database = &operator["settings"]["features"]["clusterManagement"]["qdrant"]["image"];
    assert_eq!(database["repository"], "mirror.test/hub/qdrant/database");
}

#[test]
fn what_was_not_chosen_is_not_pinned() {
    let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
    let inputs = Inputs {
        settings: &settings(),
        public_key: &key,
        environment: &environment(Configuration::default()),
        agent: None,
        operator: None,
        access_key_hash: "",
        clusters: BTreeMap::new(),
    };
    assert!(desired(&inputs, 1).pins.is_empty());
}

#[test]
fn network_rules_are_kubernetes_own() {
    let rule = json!({
        "ports": [{"protocol": "TCP", "portNumber": 6333}],
        "from": [{"selector": {"namespaceSelector": {"matchLabels": [{"key": "a", "value": "b"}]}}},
                 {"ipBlock": {"cidr": "10.0.0.0/8"}}],
    });
    let desired = made(Configuration {
        ingress: vec![serde_json::from_value(rule).unwrap()],
        ..Default::default()
    });
    let operator = values(&desired, OPERATOR_RELEASE);
    let policies =
        &operator["settings"]["features"]["clusterManagement"]["qdrant"]["networkPolicies"];
    let expected = json!({"ingress": [{
        "ports": [{"protocol": "TCP", "port": 6333}],
        "from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}],
    }]});
    assert_eq!(policies, &expected);
}
