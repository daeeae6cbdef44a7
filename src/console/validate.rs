//! The rules of the public API for what people send. Pure.

use url::Url;

use crate::proto::qdrant::cloud::{
    cluster::v1::{Toleration, TolerationEffect, TolerationOperator},
    common::v1::KeyValue,
    hybrid::v1::{HybridCloudEnvironment, HybridCloudEnvironmentConfiguration},
};

/// What is wrong, one line per field: `configuration.namespace: must …`.
pub type Violations = Vec<String>;

const MAX_NAME: usize = 64;
const MAX_NAMESPACE: usize = 63;
const MAX_URL: usize = 2048;
const MAX_PAIRS: usize = 10;
const MAX_CERTIFICATES: usize = 256 << 10;
const MAX_TOLERATIONS: usize = 50;
const MAX_RULES: usize = 100;
/// Labels by which the charts' Deployments find their pods.
const CHART_LABELS: &[&str] = &["app.kubernetes.io/name", "app.kubernetes.io/instance"];
const MAX_SETTINGS: usize = 256 << 10;

/// Holds an environment's name and configuration against the rules.
pub fn environment(environment: &HybridCloudEnvironment) -> Violations {
    let mut wrong = Vec::new();
    name(&environment.name, 1, &mut wrong);
    match &environment.configuration {
        None => wrong.push("configuration: is required; it names at least the namespace".into()),
        Some(configuration) => self::configuration(configuration, &mut wrong),
    }
    wrong
}

/// `[a-zA-Z0-9-_]`, `min..=64` characters.
pub fn name(name: &str, min: usize, wrong: &mut Violations) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.len() < min || name.len() > MAX_NAME || !name.chars().all(allowed) {
        wrong.push(format!("name: must be {min} to {MAX_NAME} letters, digits, - or _"));
    }
}

fn configuration(c: &HybridCloudEnvironmentConfiguration, wrong: &mut Violations) {
    if !dns_label(&c.namespace) {
        wrong.push(format!(
            "configuration.namespace: must be 1 to {MAX_NAMESPACE} characters of a-z, 0-9 and -, and begin and end with a letter or digit"
        ));
    }
    for (field, value) in
        [("http_proxy_url", &c.http_proxy_url), ("https_proxy_url", &c.https_proxy_url)]
    {
        let usable = |text: &str| {
            text.len() <= MAX_URL
                && Url::parse(text)
                    .is_ok_and(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
        };
        if value.as_deref().is_some_and(|text| !usable(text)) {
            wrong.push(format!(
                "configuration.{field}: must be a URL such as http://proxy.example:3128"
            ));
        }
    }
    if c.no_proxy_configs.len() > 100
        || c.no_proxy_configs.iter().any(|e| e.len() > 253 || e.contains([',', ' ']))
    {
        wrong.push(
            "configuration.no_proxy_configs: at most 100 hosts, domains or networks, one each"
                .into(),
        );
    }
    if c.container_registry_url.as_deref().is_some_and(|text| !place(text)) {
        wrong.push(
            "configuration.container_registry_url: must be host[:port][/path] without a scheme"
                .into(),
        );
    }
    let charts = |text: &str| text.strip_prefix("oci://").is_some_and(place);
    if c.chart_repository_url.as_deref().is_some_and(|text| !charts(text)) {
        wrong.push("configuration.chart_repository_url: must be oci://host[:port]/path".into());
    }
    if c.registry_secret_name.as_deref().is_some_and(|text| !dns_subdomain(text)) {
        wrong.push("configuration.registry_secret_name: must be the name of a Secret".into());
    }
    if c.ca_certificates.as_deref().is_some_and(|pem| !certificates(pem)) {
        wrong.push(format!(
            "configuration.ca_certificates: must be PEM certificates (BEGIN CERTIFICATE) and nothing else, such as a private key; at most {MAX_CERTIFICATES} bytes"
        ));
    }
    for (field, value) in [
        ("database_storage_class", &c.database_storage_class),
        ("snapshot_storage_class", &c.snapshot_storage_class),
        ("volume_snapshot_storage_class", &c.volume_snapshot_storage_class),
    ] {
        if value.as_deref().is_some_and(|text| !dns_subdomain(text)) {
            wrong.push(format!("configuration.{field}: must be the name of a class, or unset"));
        }
    }
    if c.log_level.is_some_and(|level| !(1..=4).contains(&level)) {
        wrong.push("configuration.log_level: must be DEBUG, INFO, WARN or ERROR".into());
    }
    if c.ingress.len() > MAX_RULES || c.egress.len() > MAX_RULES {
        wrong.push(format!("configuration.ingress and egress: at most {MAX_RULES} rules each"));
    }
    pairs("configuration.node_selector", &c.node_selector, wrong);
    pairs("configuration.control_plane_labels", &c.control_plane_labels, wrong);
    if let Some(own) = c.control_plane_labels.iter().find(|p| CHART_LABELS.contains(&&*p.key)) {
        wrong.push(format!(
            "configuration.control_plane_labels: {} is set by the charts; use another key",
            own.key
        ));
    }
    tolerations("configuration.tolerations", &c.tolerations, wrong);
    if let Some(settings) = &c.advanced_operator_settings {
        let size = serde_json::to_vec(settings).map_or(usize::MAX, |text| text.len());
        if size > MAX_SETTINGS {
            wrong.push(format!(
                "configuration.advanced_operator_settings: at most {MAX_SETTINGS} bytes as JSON"
            ));
        }
    }
}

/// At most ten labels.
pub fn pairs(field: &str, pairs: &[KeyValue], wrong: &mut Violations) {
    if pairs.len() > MAX_PAIRS {
        wrong.push(format!("{field}: at most {MAX_PAIRS} entries"));
    }
    for pair in pairs.iter().take(MAX_PAIRS) {
        if !label_key(&pair.key) {
            wrong.push(format!("{field}: {:?} is not a label key", short(&pair.key)));
        } else if !label_value(&pair.value) {
            wrong.push(format!("{field}: {:?} is not a label value", short(&pair.value)));
        }
        if pairs.iter().filter(|other| other.key == pair.key).count() > 1 {
            wrong.push(format!("{field}: {} is given twice", pair.key));
        }
    }
}

/// Kubernetes' rules for tolerations.
pub fn tolerations(field: &str, tolerations: &[Toleration], wrong: &mut Violations) {
    if tolerations.len() > MAX_TOLERATIONS {
        wrong.push(format!("{field}: at most {MAX_TOLERATIONS} entries"));
    }
    for (at, toleration) in tolerations.iter().enumerate().take(MAX_TOLERATIONS) {
        let exists = toleration.operator == Some(TolerationOperator::Exists as i32);
        let key = toleration.key.as_deref().unwrap_or_default();
        let value = toleration.value.as_deref().unwrap_or_default();
        if exists && !value.is_empty() {
            wrong.push(format!("{field}[{at}]: EXISTS takes no value"));
        }
        if !exists && key.is_empty() {
            wrong.push(format!("{field}[{at}]: a toleration without a key needs EXISTS"));
        }
        if !exists && toleration.value.is_none() {
            wrong.push(format!("{field}[{at}]: EQUAL needs a value"));
        }
        let evicts = toleration.effect == Some(TolerationEffect::NoExecute as i32);
        if toleration.toleration_seconds.is_some() && !evicts {
            wrong.push(format!("{field}[{at}]: toleration_seconds is for NO_EXECUTE only"));
        }
    }
}

/// A DNS-1123 label: the name of a namespace.
pub fn dns_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= MAX_NAMESPACE
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|&b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(dns_label)
}

fn place(text: &str) -> bool {
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let segment = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    text.len() <= MAX_URL
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        && port.parse::<u16>().is_ok()
        && path.chars().all(segment)
}

/// Only certificates: they are passed on to agents and shown to people, which a private key must never be.
fn certificates(pem: &str) -> bool {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    let certificates =
        pem.lines().filter(|line| line.trim() == "-----BEGIN CERTIFICATE-----").count();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    pem.len() <= MAX_CERTIFICATES
        && certificates > 0
        && pem.matches("-----BEGIN").count() == certificates
        && found.is_ok_and(|found| found.len() == certificates)
}

fn label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(p, n)| (Some(p), n));
    key.len() <= 253 && prefix.is_none_or(dns_subdomain) && !name.is_empty() && label_value(name)
}

fn label_value(value: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> HybridCloudEnvironment {
        HybridCloudEnvironment {
            name: "prod".into(),
            configuration: Some(HybridCloudEnvironmentConfiguration {
                namespace: "qdrant".into(),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn violation(change: impl Fn(&mut HybridCloudEnvironmentConfiguration)) -> String {
        let mut sample = sample();
        change(sample.configuration.as_mut().unwrap());
        environment(&sample).join("; ")
    }

    #[test]
    fn the_least_is_enough() {
        assert_eq!(environment(&sample()), Violations::new());
        assert_eq!(violation(|c| c.namespace = "a".repeat(63)), "");
    }

    #[test]
    fn names_and_namespaces() {
        for bad in ["", "a b", "ä", &"x".repeat(65)] {
            let sample = HybridCloudEnvironment { name: bad.into(), ..sample() };
            assert!(environment(&sample)[0].starts_with("name: must be 1 to 64"), "{bad}");
        }
        for bad in ["", "A", "-a", "a-", "a.b", "a_b", "$(id)", &"a".repeat(64)] {
            assert!(
                violation(|c| c.namespace = bad.into()).contains("configuration.namespace"),
                "{bad}"
            );
        }
        let none = HybridCloudEnvironment { configuration: None, ..sample() };
        assert!(environment(&none)[0].starts_with("configuration: is required"));
    }

    #[test]
    fn places() {
        for good in ["registry.test", "registry.test:5000/a/b"] {
            assert_eq!(violation(|c| c.container_registry_url = Some(good.into())), "");
            assert_eq!(violation(|c| c.chart_repository_url = Some(format!("oci://{good}"))), "");
        }
        for bad in ["", "https://registry.test", "r:port", "a'b", "a b"] {
            assert_ne!(violation(|c| c.container_registry_url = Some(bad.into())), "", "{bad}");
        }
        assert_ne!(violation(|c| c.chart_repository_url = Some("https://r.test/c".into())), "");
        assert_ne!(violation(|c| c.https_proxy_url = Some("proxy:3128".into())), "");
        assert_ne!(violation(|c| c.https_proxy_url = Some("httpx://proxy.test".into())), "");
        assert_eq!(violation(|c| c.https_proxy_url = Some("http://proxy.test:3128".into())), "");
        assert_ne!(violation(|c| c.registry_secret_name = Some("A".into())), "");
    }

    #[test]
    fn certificates_and_nothing_else() {
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
        let (ca, key) = (block("CERTIFICATE"), block("PRIVATE KEY"));
        assert_eq!(violation(|c| c.ca_certificates = Some(format!("# ours\n{ca}{ca}"))), "");
        let secret = format!("{ca}{key}");
        for bad in ["", "nonsense", &key, &secret, &ca[..40], &ca.replace('\n', " ")] {
            let said = violation(|c| c.ca_certificates = Some(bad.into()));
            assert!(said.contains("nothing else, such as a private key"), "{bad}: {said}");
        }
    }

    #[test]
    fn labels_and_tolerations() {
        let pair = |key: &str, value: &str| KeyValue { key: key.into(), value: value.into() };
        assert_eq!(violation(|c| c.node_selector = vec![pair("a.b/c", "d")]), "");
        assert_ne!(violation(|c| c.node_selector = vec![pair("a b", "d")]), "");
        assert_ne!(violation(|c| c.node_selector = vec![pair("a", "1"), pair("a", "2")]), "");
        assert_ne!(violation(|c| c.node_selector = vec![pair("a", "b"); 11]), "");
        assert_eq!(violation(|c| c.control_plane_labels = vec![pair("team", "d")]), "");
        let own = pair("app.kubernetes.io/name", "mine");
        assert_ne!(violation(|c| c.control_plane_labels = vec![own.clone()]), "");
        let exists =
            Toleration { operator: Some(TolerationOperator::Exists as i32), ..Default::default() };
        assert_eq!(violation(|c| c.tolerations = vec![exists.clone()]), "");
        let valued = Toleration { value: Some("v".into()), ..exists.clone() };
        assert!(violation(|c| c.tolerations = vec![valued.clone()]).contains("takes no value"));
        let seconds = Toleration { toleration_seconds: Some(3), ..exists };
        assert!(violation(|c| c.tolerations = vec![seconds.clone()]).contains("NO_EXECUTE"));
    }
}
