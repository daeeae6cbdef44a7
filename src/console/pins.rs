//! Stage 1's decision: environment and chosen versions in, [`Desired`] out. Pure.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use serde_json::{Map, Value, json};

use super::{settings::Settings, store::Chosen};
use crate::{
    model::{
        desired::{ChartSource, ClusterWant, Desired, Pin, ProxySource},
        redacted::Redacted,
        release::ReleaseName,
    },
    proto::qdrant::cloud::{
        cluster::v1::{Toleration, TolerationEffect, TolerationOperator},
        common::v1::{
            KeyValue, LabelSelector, NetworkPolicyPeer, NetworkPolicyPort, network_policy_peer,
            network_policy_port,
        },
        hybrid::v1::{
            HybridCloudEnvironment as Environment,
            HybridCloudEnvironmentConfiguration as Configuration,
        },
    },
};

/// Chart and release of the agent.
pub const AGENT: &str = "qdrant-cloud-agent";
/// Chart of the operator.
pub const OPERATOR: &str = "qdrant-operator";
/// Release of the operator.
pub const OPERATOR_RELEASE: &str = "qdrant-operator-v2";
/// The Secret with the registry account that the installation command makes.
pub const REGISTRY_SECRET: &str = "qdrant-registry-creds";
/// What the operator's chart takes beside `settings`. It refuses any other name.
const OPERATOR_VALUES: &[&str] = &[
    "global",
    "image",
    "imagePullSecrets",
    "nodeSelector",
    "podAnnotations",
    "podLabels",
    "resources",
    "settings",
    "tolerations",
];
/// Where volume snapshots go if nothing was chosen (the public API's default).
const DEFAULT_SNAPSHOT_CLASS: &str = "csi-snapclass";

/// All that a desired state is made of.
pub struct Inputs<'a> {
    pub settings: &'a Settings,
    /// Checks the documents' signatures.
    pub public_key: &'a VerifyingKey,
    pub environment: &'a Environment,
    pub agent: Option<&'a Chosen>,
    pub operator: Option<&'a Chosen>,
    /// Hex SHA-256 of the access key that the agent uses.
    pub access_key_hash: &'a str,
    pub clusters: BTreeMap<String, ClusterWant>,
}

/// What the environment should be, as of `generation`.
pub fn desired(inputs: &Inputs<'_>, generation: u64) -> Desired {
    let mut pins = BTreeMap::new();
    let mut pin = |release: &str, chart: &str, chosen: Option<&Chosen>, values: Value| {
        let Some(chosen) = chosen else { return };
        let release: ReleaseName = release.parse().expect("release names here are constants");
        let pin = Pin {
            chart: chart.into(),
            version: chosen.version.clone(),
            digest: chosen.digest.clone(),
            values,
        };
        pins.insert(release, pin);
    };
    let agent = agent_values(
        inputs.settings,
        inputs.public_key,
        inputs.environment,
        inputs.access_key_hash,
    );
    pin(AGENT, AGENT, inputs.agent, Value::Object(agent));
    let operator = operator_values(inputs.settings, inputs.environment);
    pin(OPERATOR_RELEASE, OPERATOR, inputs.operator, operator);
    Desired {
        environment: inputs.environment.id.clone(),
        generation,
        pins,
        charts: ChartSource {
            url: chart_repository(inputs.settings, inputs.environment),
            secret: registry_secret(inputs.settings, inputs.environment),
            ca_certificates: certificates(inputs.settings, inputs.environment),
            proxy: proxy(&configuration(inputs.environment)),
        },
        clusters: inputs.clusters.clone(),
    }
}

/// The values of the agent's release: those of the installation command, and of the pin.
pub fn agent_values(
    settings: &Settings,
    public_key: &VerifyingKey,
    environment: &Environment,
    access_key_hash: &str,
) -> Map<String, Value> {
    let c = configuration(environment);
    let mut config = json!({
        "serverURL": settings.public_url,
        "grpcServerURL": settings.grpc_url,
        "hybridCloud": {"id": environment.id, "accountId": environment.account_id},
        "logLevel": log_level(&c),
        "consolePublicKey": STANDARD.encode(public_key.as_bytes()),
    });
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            config[name] = value.into();
        }
    };
    set("caCertificates", certificates(settings, environment));
    set("httpProxy", c.http_proxy_url.clone());
    set("httpsProxy", c.https_proxy_url.clone());
    set("noProxy", (!c.no_proxy_configs.is_empty()).then(|| c.no_proxy_configs.join(",")));

    let mut values = Map::new();
    values.insert("podAnnotations".into(), json!({"accessKeyHash": access_key_hash}));
    values.insert("config".into(), config);
    values.insert("image".into(), json!({"repository": image(settings, &c, AGENT)}));
    if let Some(secret) = registry_secret(settings, environment) {
        values.insert("imagePullSecrets".into(), json!([{"name": secret}]));
    }
    placement(&c, &mut values);
    values
}

/// Values with which a chart can be rendered before there is an environment, to see what is in it.
pub fn values_of_nobody(settings: &Settings, public_key: &VerifyingKey, chart: &str) -> Value {
    let nobody = Environment {
        id: "environment".to_owned(),
        account_id: "account".to_owned(),
        ..Environment::default()
    };
    match chart {
        AGENT => Value::Object(agent_values(settings, public_key, &nobody, "")),
        _ => operator_values(settings, &nobody),
    }
}

/// The operator's values: what people wrote in `advanced_operator_settings`, with the typed fields over it.
fn operator_values(settings: &Settings, environment: &Environment) -> Value {
    let c = configuration(environment);
    let mut management = json!({"enable": true});
    let mut storage = Map::new();
    if let Some(class) = &c.database_storage_class {
        storage.insert("database".into(), json!(class));
    }
    if let Some(class) = &c.snapshot_storage_class {
        storage.insert("snapshot".into(), json!(class));
    }
    if !storage.is_empty() {
        management["storageClass"] = Value::Object(storage);
    }
    if let Some(repository) = &settings.database_image {
        let repository = match &c.container_registry_url {
            Some(mirror) => repository
                .split_once('/')
                .map_or_else(|| repository.clone(), |(_, path)| format!("{mirror}/{path}")),
            None => repository.clone(),
        };
        let mut image = json!({"repository": repository});
        if let Some(secret) = registry_secret(settings, environment) {
            image["pullSecretName"] = secret.into();
        }
        management["qdrant"]["image"] = image;
    }
    let policies = network_policies(&c);
    if !policies.is_empty() {
        management["qdrant"]["networkPolicies"] = Value::Object(policies);
    }
    let snapshots = c.volume_snapshot_storage_class.as_deref().unwrap_or(DEFAULT_SNAPSHOT_CLASS);
    let mut typed = Map::new();
    typed.insert("image".into(), json!({"repository": image(settings, &c, OPERATOR)}));
    if let Some(secret) = registry_secret(settings, environment) {
        typed.insert("imagePullSecrets".into(), json!([{"name": secret}]));
    }
    let features = json!({
        "clusterManagement": management,
        "backupManagement": {"snapshots": {"volumeSnapshotClass": snapshots}},
    });
    typed.insert("settings".into(), json!({"logLevel": log_level(&c), "features": features}));
    placement(&c, &mut typed);

    let mut values = advanced(&c);
    overlay(&mut values, Value::Object(typed));
    values
}

/// `advanced_operator_settings` as values of the chart: its own names stay at the root, everything
/// else belongs to the operator and goes below `settings`.
fn advanced(c: &Configuration) -> Value {
    let given = match &c.advanced_operator_settings {
        Some(settings) => whole_numbers(serde_json::to_value(settings).unwrap_or_default()),
        None => Value::Null,
    };
    let Value::Object(given) = given else { return Value::Object(Map::new()) };
    let (own, operators): (Map<_, _>, Map<_, _>) =
        given.into_iter().partition(|(name, _)| OPERATOR_VALUES.contains(&name.as_str()));
    let mut values = Value::Object(own);
    if !operators.is_empty() {
        overlay(&mut values, json!({ "settings": operators }));
    }
    values
}

/// A protobuf Struct has only floating point numbers: 2.0 was a 2 when somebody wrote it.
fn whole_numbers(value: Value) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < EXACT => json!(float as i64),
            _ => Value::Number(number),
        },
        Value::Array(all) => all.into_iter().map(whole_numbers).collect(),
        Value::Object(all) => all.into_iter().map(|(k, v)| (k, whole_numbers(v))).collect(),
        other => other,
    }
}

/// `over` wins; objects are merged, everything else is replaced.
fn overlay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                overlay(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

fn configuration(environment: &Environment) -> Configuration {
    environment.configuration.clone().unwrap_or_default()
}

/// `debug`, `info` (default), `warn` or `error`.
fn log_level(c: &Configuration) -> &'static str {
    match c.log_level {
        Some(1) => "debug",
        Some(3) => "warn",
        Some(4) => "error",
        _ => "info",
    }
}

fn image(settings: &Settings, c: &Configuration, name: &str) -> String {
    let registry = c.container_registry_url.as_deref().unwrap_or(&settings.image_registry);
    format!("{}/qdrant/{name}", registry.trim_end_matches('/'))
}

/// The customer's mirror, or the default repository.
pub fn chart_repository(settings: &Settings, environment: &Environment) -> String {
    let own = environment.configuration.as_ref().and_then(|c| c.chart_repository_url.as_deref());
    own.unwrap_or(&settings.chart_repository).trim_end_matches('/').to_owned()
}

/// The Secret with the registry account: the customer's own, else ours if the registry asks for one.
pub fn registry_secret(settings: &Settings, environment: &Environment) -> Option<String> {
    let own = environment.configuration.as_ref().and_then(|c| c.registry_secret_name.clone());
    own.or_else(|| {
        let anonymous = matches!(settings.registry, super::settings::RegistryAccess::Anonymous);
        (!anonymous).then(|| REGISTRY_SECRET.to_owned())
    })
}

/// Every certificate that is needed to reach the registry and the Console, as PEM.
pub fn certificates(settings: &Settings, environment: &Environment) -> Option<String> {
    let own = environment.configuration.as_ref().and_then(|c| c.ca_certificates.as_deref());
    let all: Vec<&str> =
        settings.ca_certificates.as_deref().into_iter().chain(own).map(str::trim).collect();
    (!all.is_empty()).then(|| all.join("\n") + "\n")
}

/// Registries speak TLS, so that it is the proxy for TLS.
fn proxy(c: &Configuration) -> Option<ProxySource> {
    let address = c.https_proxy_url.as_ref().filter(|url| !url.is_empty())?;
    let address = Redacted::new(address.clone());
    Some(ProxySource { address, no_proxy: c.no_proxy_configs.join(",") })
}

/// Where pods of the control plane may run, and their labels.
fn placement(c: &Configuration, values: &mut Map<String, Value>) {
    if !c.control_plane_labels.is_empty() {
        values.insert("podLabels".into(), object(&c.control_plane_labels));
    }
    if !c.node_selector.is_empty() {
        values.insert("nodeSelector".into(), object(&c.node_selector));
    }
    if !c.tolerations.is_empty() {
        values.insert("tolerations".into(), c.tolerations.iter().map(toleration).collect());
    }
}

/// Pairs as a Kubernetes map.
pub fn object(pairs: &[KeyValue]) -> Value {
    pairs.iter().map(|pair| (pair.key.clone(), Value::from(pair.value.clone()))).collect()
}

/// A toleration as Kubernetes writes it.
pub fn toleration(toleration: &Toleration) -> Value {
    let mut value = Map::new();
    if let Some(key) = toleration.key.as_deref().filter(|key| !key.is_empty()) {
        value.insert("key".into(), key.into());
    }
    let exists = toleration.operator == Some(TolerationOperator::Exists as i32);
    value.insert("operator".into(), if exists { "Exists" } else { "Equal" }.into());
    if let Some(text) = toleration.value.as_deref().filter(|_| !exists) {
        value.insert("value".into(), text.into());
    }
    let effect = toleration.effect.and_then(|effect| TolerationEffect::try_from(effect).ok());
    let effect = match effect {
        Some(TolerationEffect::NoSchedule) => Some("NoSchedule"),
        Some(TolerationEffect::PreferNoSchedule) => Some("PreferNoSchedule"),
        Some(TolerationEffect::NoExecute) => Some("NoExecute"),
        Some(TolerationEffect::Unspecified) | None => None,
    };
    if let Some(effect) = effect {
        value.insert("effect".into(), effect.into());
    }
    if let Some(seconds) = toleration.toleration_seconds {
        value.insert("tolerationSeconds".into(), seconds.into());
    }
    Value::Object(value)
}

fn network_policies(c: &Configuration) -> Map<String, Value> {
    let rule = |ports: &[NetworkPolicyPort], side: &str, peers: &[NetworkPolicyPeer]| {
        let mut rule = Map::new();
        if !ports.is_empty() {
            rule.insert("ports".into(), ports.iter().map(port).collect());
        }
        if !peers.is_empty() {
            rule.insert(side.into(), peers.iter().map(peer).collect());
        }
        Value::Object(rule)
    };
    let mut policies = Map::new();
    if !c.ingress.is_empty() {
        let rules = c.ingress.iter().map(|r| rule(&r.ports, "from", &r.from));
        policies.insert("ingress".into(), rules.collect());
    }
    if !c.egress.is_empty() {
        let rules = c.egress.iter().map(|r| rule(&r.ports, "to", &r.to));
        policies.insert("egress".into(), rules.collect());
    }
    policies
}

fn port(port: &NetworkPolicyPort) -> Value {
    let mut value = Map::new();
    if let Some(protocol) = &port.protocol {
        value.insert("protocol".into(), json!(protocol));
    }
    match &port.port_spec {
        Some(network_policy_port::PortSpec::PortNumber(number)) => {
            value.insert("port".into(), json!(number));
        }
        Some(network_policy_port::PortSpec::PortName(name)) => {
            value.insert("port".into(), json!(name));
        }
        None => {}
    }
    if let Some(end) = port.end_port {
        value.insert("endPort".into(), json!(end));
    }
    Value::Object(value)
}

fn peer(peer: &NetworkPolicyPeer) -> Value {
    match &peer.peer_type {
        Some(network_policy_peer::PeerType::Selector(selected)) => {
            let mut value = Map::new();
            if let Some(pods) = &selected.pod_selector {
                value.insert("podSelector".into(), selector(pods));
            }
            if let Some(namespaces) = &selected.namespace_selector {
                value.insert("namespaceSelector".into(), selector(namespaces));
            }
            Value::Object(value)
        }
        Some(network_policy_peer::PeerType::IpBlock(block)) => {
            let mut value = json!({"cidr": block.cidr});
            if !block.except.is_empty() {
                value["except"] = json!(block.except);
            }
            json!({"ipBlock": value})
        }
        None => json!({}),
    }
}

fn selector(selector: &LabelSelector) -> Value {
    let mut value = Map::new();
    if !selector.match_labels.is_empty() {
        value.insert("matchLabels".into(), object(&selector.match_labels));
    }
    if !selector.match_expressions.is_empty() {
        let all = selector.match_expressions.iter().map(|one| {
            let mut value = json!({"key": one.key, "operator": one.operator});
            if !one.values.is_empty() {
                value["values"] = json!(one.values);
            }
            value
        });
        value.insert("matchExpressions".into(), all.collect());
    }
    Value::Object(value)
}

#[cfg(test)]
mod tests;
