use std::{fs, path::Path};

use ed25519_dalek::SigningKey;
use pinnace_engine::{
    chart::{Chart, File},
    render::{Options, render},
};

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
        "podAnnotations": {"a": "b"},
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
    assert_eq!(values["podAnnotations"], json!({"a": "b"}));
    assert_eq!(values["replicaCount"], Value::Null, "the chart would refuse it");
    assert_eq!(values["settings"]["replicaCount"], json!(2));
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
        https_proxy_url: Some("http://proxy.test:3128".into()),
        no_proxy_configs: vec![".svc".into(), "10.0.0.0/8".into()],
        ..Default::default()
    });
    assert_eq!(desired.charts.url, "oci://mirror.test/charts");
    assert_eq!(desired.charts.secret.as_deref(), Some("mine"));
    assert_eq!(desired.charts.ca_certificates.as_deref(), Some("PEM\n"));
    let proxy = desired.charts.proxy.as_ref().expect("a proxy");
    assert_eq!(proxy.address.expose(), "http://proxy.test:3128");
    assert_eq!(proxy.no_proxy, ".svc,10.0.0.0/8");
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

fn chart(name: &str) -> Chart {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts").join(name);
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            files.push(File { name, data: fs::read(&path).unwrap().into(), modified: None });
        }
    }
    Chart::from_files(files).unwrap()
}

fn full() -> Configuration {
    let everything = json!({
        "httpProxyUrl": "http://proxy.test:3128",
        "httpsProxyUrl": "http://proxy.test:3128",
        "noProxyConfigs": ["10.0.0.0/8", ".svc"],
        "containerRegistryUrl": "mirror.test/hub",
        "chartRepositoryUrl": "oci://mirror.test/charts",
        "registrySecretName": "mine",
        "caCertificates": "PEM",
        "databaseStorageClass": "fast",
        "snapshotStorageClass": "slow",
        "volumeSnapshotStorageClass": "csi",
        "ingress": [{"ports": [{"protocol": "TCP", "portNumber": 6333}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        "logLevel": "HYBRID_CLOUD_ENVIRONMENT_CONFIGURATION_LOG_LEVEL_WARN",
        "tolerations": [{"key": "a", "operator": "TOLERATION_OPERATOR_EQUAL", "value": "b",
                         "effect": "TOLERATION_EFFECT_NO_EXECUTE", "tolerationSeconds": "30"}],
        "nodeSelector": [{"key": "pool", "value": "infra"}],
        "controlPlaneLabels": [{"key": "team", "value": "data"}],
        "advancedOperatorSettings": {
            "replicaCount": 2, "resources": {"limits": {"memory": "1Gi"}}, "whatever": {"a": [1]},
        },
    });
    serde_json::from_value(everything).unwrap()
}

#[test]
fn both_charts_take_all_that_a_configuration_can_say() {
    let desired = made(full());
    for (release, name) in [(AGENT, AGENT), (OPERATOR_RELEASE, OPERATOR)] {
        let options = Options::new(release, "qdrant");
        let rendered = render(&chart(name), &values(&desired, release), &options)
            .unwrap_or_else(|error| panic!("{name}: {:#}", anyhow::Error::from(error)));
        let deployment = rendered.manifests.iter().find(|m| m.kind == "Deployment").unwrap();
        for line in [
            "        team: data",
            "        pool: infra",
            "        - effect: NoExecute",
            "        - name: mine",
            "mirror.test/hub/qdrant/",
        ] {
            assert!(deployment.content.contains(line), "{line}: {}", deployment.content);
        }
    }
}

#[test]
fn the_names_that_the_operators_chart_takes_are_those_of_its_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts").join(OPERATOR);
    let schema = fs::read(root.join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let mut names: Vec<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, OPERATOR_VALUES);
    assert_eq!(schema["additionalProperties"], json!(false));
}
