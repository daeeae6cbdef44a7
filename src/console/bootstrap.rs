//! The installation command: shell lines for a machine with kubectl and helm. Pure.
//!
//! Each line is complete in itself and succeeds under `set -euo pipefail`, the first time and repeated.

use ed25519_dalek::VerifyingKey;
use serde_json::{Map, Value};

use super::{
    keys, pins,
    settings::{Settings, registry_host},
};
use crate::{
    model::redacted::Redacted,
    proto::qdrant::cloud::hybrid::v1::HybridCloudEnvironment as Environment,
};

/// The Secret with the access key.
const ACCESS_SECRET: &str = "qdrant-cloud-creds";

/// What the lines are made of.
pub struct Inputs<'a> {
    pub settings: &'a Settings,
    pub public_key: &'a VerifyingKey,
    pub environment: &'a Environment,
    /// Version of the agent's chart.
    pub version: &'a semver::Version,
    pub access_key: &'a Redacted<String>,
    /// Account of the default registry, if it asks for one.
    pub account: Option<&'a Account>,
}

/// A registry account.
#[derive(Clone, Debug)]
pub struct Account {
    pub username: String,
    pub password: Redacted<String>,
}

/// The lines, in the order in which they are to be run.
pub fn commands(inputs: &Inputs<'_>) -> Vec<String> {
    let configuration = inputs.environment.configuration.clone().unwrap_or_default();
    let namespace = quote(&configuration.namespace);
    let mut lines = vec![format!(
        "kubectl get namespace {namespace} >/dev/null 2>&1 || kubectl create namespace {namespace}"
    )];
    let default_secret = configuration.registry_secret_name.is_none();
    if let Some(account) = inputs.account.filter(|_| default_secret) {
        lines.extend(secret(
            &namespace,
            pins::REGISTRY_SECRET,
            &format!(
                "docker-registry {} --docker-server={} --docker-username={} --docker-password={}",
                pins::REGISTRY_SECRET,
                quote(registry_host(&inputs.settings.image_registry)),
                quote(&account.username),
                quote(account.password.expose()),
            ),
        ));
    }
    lines.extend(secret(
        &namespace,
        ACCESS_SECRET,
        &format!(
            "generic {ACCESS_SECRET} --from-literal={}",
            quote(&format!("access-key={}", inputs.access_key.expose())),
        ),
    ));
    let certificates = pins::certificates(inputs.settings, inputs.environment);
    let charts = pins::chart_repository(inputs.settings, inputs.environment);
    if let Some(account) = inputs.account.filter(|_| configuration.chart_repository_url.is_none()) {
        let login = format!(
            "printf '%s' {} | helm registry login {} --username {} --password-stdin",
            quote(account.password.expose()),
            quote(registry_host(&charts)),
            quote(&account.username),
        );
        lines.push(trusting(certificates.as_deref(), &login));
    }
    let hash = keys::hash(inputs.access_key.expose());
    let values = pins::agent_values(inputs.settings, inputs.public_key, inputs.environment, &hash);
    let install = format!(
        "helm upgrade --install {} {} --version {} --namespace {namespace}{}",
        pins::AGENT,
        quote(&format!("{charts}/{}", pins::AGENT)),
        quote(&inputs.version.to_string()),
        flags(&values),
    );
    lines.push(trusting(certificates.as_deref(), &install));
    lines
}

/// Deletes and creates, so that a second run replaces the Secret.
fn secret(namespace: &str, name: &str, create: &str) -> [String; 2] {
    [
        format!("kubectl delete secret {name} --namespace {namespace} --ignore-not-found"),
        format!("kubectl create secret {create} --namespace {namespace}"),
    ]
}

/// Adds the certificates that `helm` needs for a registry with a private CA. The subshell keeps the
/// line's exit code and cleans up.
fn trusting(certificates: Option<&str>, helm: &str) -> String {
    let Some(pem) = certificates else { return helm.to_owned() };
    format!(
        "(ca=\"$(mktemp)\"; trap 'rm -f \"$ca\"' EXIT; printf '%s' {} >\"$ca\"; {helm} --ca-file \"$ca\")",
        quote(pem)
    )
}

fn flags(values: &Map<String, Value>) -> String {
    let mut flags = String::new();
    let annotations = values.get("podAnnotations").and_then(Value::as_object);
    for (name, value) in annotations.into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        flags += &format!(" --set {}", quote(&format!("podAnnotations.{name}={value}")));
    }
    for (name, value) in values.iter().filter(|(name, _)| *name != "podAnnotations") {
        flags += &format!(" --set-json {}", quote(&format!("{name}={value}")));
    }
    flags
}

/// `text` as one word of a POSIX shell.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests;
