use serde_json::json;

use super::*;

fn release(name: &str, spec: Value) -> HelmRelease {
    let mut spec = spec;
    if spec.get("interval").is_none() {
        spec["interval"] = json!("10m");
    }
    serde_json::from_value(json!({
        "apiVersion": "cd.qdrant.io/v2",
        "kind": "HelmRelease",
        "metadata": { "name": name, "namespace": "qdrant" },
        "spec": spec,
    }))
    .expect("a valid HelmRelease")
}

#[test]
fn names_as_flux_has_them() {
    let plain = release("agent", json!({}));
    assert_eq!(plain.release_name().expect("valid").as_str(), "agent");
    assert_eq!(plain.helm_chart_name(), "qdrant-agent");
    assert_eq!((plain.release_namespace(), plain.storage_namespace()), pair("qdrant", "qdrant"));

    let moved = release("agent", json!({ "targetNamespace": "t", "storageNamespace": "s" }));
    assert_eq!(moved.release_name().expect("valid").as_str(), "t-agent");
    assert_eq!((moved.release_namespace(), moved.storage_namespace()), pair("t", "s"));

    let named = release("agent", json!({ "targetNamespace": "t", "releaseName": "other" }));
    assert_eq!(named.release_name().expect("valid").as_str(), "other");

    let long = release(&"x".repeat(60), json!({}));
    assert_eq!(long.release_name().expect("valid").as_str().len(), 53);
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[test]
fn an_action_has_its_own_timeout_or_that_of_the_release() {
    let minutes = |m: u64| Duration::from_secs(m * 60);
    let none = release("a", json!({}));
    assert_eq!((none.interval(), none.install_timeout()), (minutes(10), minutes(5)));
    let both = release("a", json!({ "timeout": "2m", "upgrade": { "timeout": "7m" } }));
    assert_eq!((both.install_timeout(), both.upgrade_timeout()), (minutes(2), minutes(7)));
}

#[test]
fn history_of_zero_is_all_of_it() {
    for (said, kept) in [(json!({}), Some(5)), (json!({ "maxHistory": 2 }), Some(2))] {
        assert_eq!(release("a", said).max_history(), kept);
    }
    assert_eq!(release("a", json!({ "maxHistory": 0 })).max_history(), None);
}

#[test]
fn remediation_defaults() {
    let spec = release("a", json!({})).spec;
    let install = spec.install_remediation();
    assert_eq!(install.strategy, RemediationStrategy::Uninstall);
    assert!(install.exhausted(1) && !install.exhausted(0));
    assert_eq!(spec.upgrade_remediation().strategy, RemediationStrategy::Rollback);
    assert!(!spec.upgrade_remediation().remediate_last_failure);

    let spec = release(
        "a",
        json!({
            "install": { "remediation": { "retries": -1 } },
            "upgrade": { "remediation": { "retries": 2 } },
            "test": { "ignoreFailures": true },
        }),
    )
    .spec;
    assert!(!spec.install_remediation().exhausted(1_000_000));
    let upgrade = spec.upgrade_remediation();
    assert!(upgrade.remediate_last_failure && upgrade.ignore_test_failures);
    assert!(upgrade.exhausted(3) && !upgrade.exhausted(2));
}

#[test]
fn retry_in_place_is_asked_for() {
    let spec = release(
        "a",
        json!({
            "install": { "strategy": { "name": "RetryOnFailure" } },
            "upgrade": { "strategy": { "name": "RemediateOnFailure" } },
        }),
    )
    .spec;
    assert_eq!(spec.install_retry(), Some(DEFAULT_RETRY_INTERVAL));
    assert_eq!(spec.upgrade_retry(), None);
}
