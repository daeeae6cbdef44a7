//! How a spec's fields become options of Helm's actions, and how an action is run while its progress is told.

use std::time::Duration;

use futures::future::BoxFuture;
use kube::api::PropagationPolicy;
use pinnace_engine::render::Operation;
use tokio::sync::watch;

use super::report::Report;
use crate::api::helm_release::{
    CrdsPolicy, DeletionPropagation, HelmRelease, ServerSideApply, TestFilter, WaitStrategyName,
};
use crate::cluster::apply::{Adoption, Method, UnknownFields};
use crate::cluster::crd;
use crate::cluster::expression::Expression;
use crate::cluster::health::{Check, Checks};
use crate::cluster::wait::{Rules, Strategy};
use crate::release::record::Status;
use crate::release::{Options, test, uninstall};

/// An action that ends before that says nothing of its progress.
const BEFORE_MESSAGES: Duration = Duration::from_secs(1);
/// The shortest time between two messages about the progress of one action.
const BETWEEN_MESSAGES: Duration = Duration::from_secs(3);

fn adoption(refused: Option<bool>) -> Adoption {
    if refused == Some(true) { Adoption::Refuse } else { Adoption::Adopt }
}

fn crds(policy: Option<CrdsPolicy>) -> crd::Policy {
    match policy {
        Some(CrdsPolicy::Skip) => crd::Policy::Skip,
        Some(CrdsPolicy::CreateReplace) => crd::Policy::CreateReplace,
        Some(CrdsPolicy::Create) | None => crd::Policy::Create,
    }
}

/// `auto`, and no word, are as in the revision before.
fn method(wanted: Option<ServerSideApply>) -> Option<Method> {
    match wanted {
        Some(ServerSideApply::Enabled) => Some(Method::ServerSide),
        Some(ServerSideApply::Disabled) => Some(Method::ClientSide),
        Some(ServerSideApply::Auto) | None => None,
    }
}

fn fields(unchecked: Option<bool>) -> UnknownFields {
    if unchecked == Some(true) { UnknownFields::Dropped } else { UnknownFields::Refused }
}

/// By which rules the release's objects are ready. Its expressions have been looked at ([`checks`]).
fn rules(release: &HelmRelease) -> Rules {
    let strategy = match &release.spec.wait_strategy {
        Some(wanted) if wanted.name == WaitStrategyName::Legacy => Strategy::Legacy,
        _ => Strategy::Poller,
    };
    Rules { strategy, checks: checks(release).unwrap_or_default() }
}

/// `healthCheckExprs`; the error names the one that is no expression.
pub fn checks(release: &HelmRelease) -> Result<Checks, String> {
    let all = release.spec.health_check_exprs.iter().enumerate();
    all.map(|(index, wanted)| {
        let named = |field: &str, text: &str| {
            Expression::compile(text)
                .map_err(|why| format!("spec.healthCheckExprs[{index}].{field}: {why}"))
        };
        let optional = |field: &str, text: &Option<String>| {
            text.as_deref().filter(|t| !t.is_empty()).map(|text| named(field, text)).transpose()
        };
        let group = wanted.api_version.split_once('/').map_or("", |(group, _)| group);
        Ok(Check {
            group: group.to_owned(),
            kind: wanted.kind.clone().unwrap_or_default(),
            in_progress: optional("inProgress", &wanted.in_progress)?,
            failed: optional("failed", &wanted.failed)?,
            current: named("current", &wanted.current)?,
        })
    })
    .collect()
}

fn off(disabled: Option<bool>) -> bool {
    disabled != Some(true)
}

pub fn install(release: &HelmRelease) -> Options {
    let spec = release.spec.install.clone().unwrap_or_default();
    Options {
        timeout: release.install_timeout(),
        wait: off(spec.disable_wait),
        wait_for_jobs: off(spec.disable_wait_for_jobs),
        hooks: off(spec.disable_hooks),
        adoption: adoption(spec.disable_take_ownership),
        crds: crds(spec.crds),
        method: spec.server_side_apply.map(|on| match on {
            true => Method::ServerSide,
            false => Method::ClientSide,
        }),
        fields: fields(spec.disable_open_api_validation),
        force: false,
        cleanup: false,
        create_namespace: spec.create_namespace == Some(true),
        rules: rules(release),
        max_history: release.max_history().unwrap_or(0),
    }
}

pub fn upgrade(release: &HelmRelease) -> Options {
    let spec = release.spec.upgrade.clone().unwrap_or_default();
    Options {
        timeout: release.upgrade_timeout(),
        wait: off(spec.disable_wait),
        wait_for_jobs: off(spec.disable_wait_for_jobs),
        hooks: off(spec.disable_hooks),
        adoption: adoption(spec.disable_take_ownership),
        crds: crds(spec.crds),
        method: method(spec.server_side_apply),
        fields: fields(spec.disable_open_api_validation),
        force: spec.force == Some(true),
        cleanup: spec.cleanup_on_fail == Some(true),
        create_namespace: false,
        rules: rules(release),
        max_history: release.max_history().unwrap_or(0),
    }
}

pub fn rollback(release: &HelmRelease) -> Options {
    let spec = release.spec.rollback.clone().unwrap_or_default();
    Options {
        timeout: release.rollback_timeout(),
        wait: off(spec.disable_wait),
        wait_for_jobs: off(spec.disable_wait_for_jobs),
        hooks: off(spec.disable_hooks),
        adoption: Adoption::Adopt,
        crds: crd::Policy::Skip,
        method: method(spec.server_side_apply),
        fields: UnknownFields::Refused,
        force: spec.force == Some(true),
        cleanup: spec.cleanup_on_fail == Some(true),
        create_namespace: false,
        rules: rules(release),
        max_history: release.max_history().unwrap_or(0),
    }
}

/// The options of the action that a pending status belongs to.
pub fn resume(release: &HelmRelease, status: Status) -> Options {
    match status {
        Status::PendingInstall => install(release),
        Status::PendingRollback => rollback(release),
        _ => upgrade(release),
    }
}

pub fn uninstall(release: &HelmRelease) -> uninstall::Options {
    let spec = release.spec.uninstall.clone().unwrap_or_default();
    uninstall::Options {
        timeout: release.uninstall_timeout(),
        hooks: off(spec.disable_hooks),
        wait: off(spec.disable_wait),
        keep_history: spec.keep_history == Some(true),
        propagation: match spec.deletion_propagation.unwrap_or_default() {
            DeletionPropagation::Background => PropagationPolicy::Background,
            DeletionPropagation::Foreground => PropagationPolicy::Foreground,
            DeletionPropagation::Orphan => PropagationPolicy::Orphan,
        },
    }
}

pub fn test(release: &HelmRelease) -> test::Options {
    let filters = release.spec.test.clone().unwrap_or_default().filters;
    let (without, only): (Vec<_>, Vec<_>) =
        filters.into_iter().partition(|filter| filter.exclude == Some(true));
    let names = |filters: Vec<TestFilter>| filters.into_iter().map(|f| f.name).collect();
    test::Options { timeout: release.test_timeout(), only: names(only), without: names(without) }
}

/// Whether values need not fit the charts' schemas.
pub fn skips_schema(release: &HelmRelease, operation: Operation) -> bool {
    let spec = &release.spec;
    let flag = match operation {
        Operation::Install => spec.install.as_ref().and_then(|a| a.disable_schema_validation),
        Operation::Upgrade => spec.upgrade.as_ref().and_then(|a| a.disable_schema_validation),
    };
    flag == Some(true)
}

/// Carries an action out, telling in the status now and then what it waits for.
pub async fn watched<T>(
    report: &mut Report,
    doing: &str,
    mut progress: watch::Receiver<String>,
    mut action: BoxFuture<'_, T>,
) -> T {
    let mut pause = BEFORE_MESSAGES;
    loop {
        tokio::select! {
            result = &mut action => return result,
            () = tokio::time::sleep(pause) => {}
        }
        pause = BETWEEN_MESSAGES;
        tokio::select! {
            result = &mut action => return result,
            Ok(()) = progress.changed() => {}
        }
        let waiting = progress.borrow_and_update().clone();
        if !waiting.is_empty() {
            report.draft().progressing(&format!("{doing}: waiting: {waiting}"));
            tokio::select! {
                result = &mut action => return result,
                saved = report.save() => {
                    if let Err(error) = saved {
                        tracing::warn!(error = %crate::cluster::error::explain(&error), "status not written");
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn release(more: Value) -> HelmRelease {
        let mut spec = json!({"interval": "1m"});
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "x", "namespace": "n"}, "spec": spec,
        }))
        .expect("a release")
    }

    #[test]
    fn options_without_a_word_in_the_spec() {
        let plain = release(json!({}));
        assert_eq!(install(&plain), Options::default());
        assert_eq!(upgrade(&plain), Options::default());
        assert_eq!(rollback(&plain).crds, crd::Policy::Skip);
    }

    /// Each field of `install`, `upgrade` and `rollback` that is an option of Helm's action.
    #[test]
    fn options_are_those_of_the_spec() {
        let install_of = |field: &str, value: Value| {
            let (block, general) = (json!({field: value}), json!({field: value}));
            let installed = install(&release(json!({"install": block})));
            assert_eq!(upgrade(&release(json!({"upgrade": general}))), installed, "{field}");
            installed
        };
        let plain = Options::default();
        for (field, value, expected) in [
            ("timeout", json!("7s"), Options { timeout: Duration::from_secs(7), ..plain.clone() }),
            ("disableWait", json!(true), Options { wait: false, ..plain.clone() }),
            ("disableWaitForJobs", json!(true), Options { wait_for_jobs: false, ..plain.clone() }),
            ("disableHooks", json!(true), Options { hooks: false, ..plain.clone() }),
            (
                "disableTakeOwnership",
                json!(true),
                Options { adoption: Adoption::Refuse, ..plain.clone() },
            ),
            ("crds", json!("Skip"), Options { crds: crd::Policy::Skip, ..plain.clone() }),
            (
                "crds",
                json!("CreateReplace"),
                Options { crds: crd::Policy::CreateReplace, ..plain.clone() },
            ),
        ] {
            assert_eq!(install_of(field, value.clone()), expected, "{field}");
            if !matches!(field, "crds" | "disableTakeOwnership") {
                let back = rollback(&release(json!({"rollback": {field: value}})));
                assert_eq!(Options { crds: plain.crds, ..back }, expected, "rollback.{field}");
            }
        }
        let all = release(json!({"timeout": "9s", "maxHistory": 0}));
        let options = install(&all);
        assert_eq!((options.timeout, options.max_history), (Duration::from_secs(9), 0));
    }

    /// What is written how, on which conditions, and what becomes of it when it fails.
    #[test]
    fn objects_are_written_as_the_spec_says() {
        let plain = Options::default();
        let client = || Options { method: Some(Method::ClientSide), ..plain.clone() };
        assert_eq!(install(&release(json!({"install": {"serverSideApply": false}}))), client());
        let lenient = || Options { fields: UnknownFields::Dropped, ..plain.clone() };
        for (field, value, expected) in [
            ("serverSideApply", json!("disabled"), client()),
            ("serverSideApply", json!("auto"), plain.clone()),
            ("force", json!(true), Options { force: true, ..plain.clone() }),
            ("cleanupOnFail", json!(true), Options { cleanup: true, ..plain.clone() }),
            ("disableOpenAPIValidation", json!(true), lenient()),
        ] {
            assert_eq!(upgrade(&release(json!({"upgrade": {field: value}}))), expected, "{field}");
            if field == "disableOpenAPIValidation" {
                assert_eq!(install(&release(json!({"install": {field: value}}))), expected);
            } else {
                let back = rollback(&release(json!({"rollback": {field: value}})));
                assert_eq!(Options { crds: plain.crds, ..back }, expected, "rollback.{field}");
            }
        }
        let named = install(&release(json!({"install": {"createNamespace": true}})));
        assert!(named.create_namespace);
        let legacy = json!({"waitStrategy": {"name": "legacy"}});
        assert_eq!(upgrade(&release(legacy)).rules.strategy, Strategy::Legacy);
    }

    #[test]
    fn health_is_asked_by_expressions() {
        let check = |more: Value| {
            let mut all = json!({"apiVersion": "x.io/v1", "kind": "Thing", "current": "status.up"});
            json_patch::merge(&mut all, &more);
            checks(&release(json!({"healthCheckExprs": [all]})))
        };
        assert!(check(json!({"failed": "status.down", "inProgress": ""})).is_ok());
        let error = check(json!({"failed": "status.("})).expect_err("no expression");
        assert!(error.starts_with("spec.healthCheckExprs[0].failed: "), "{error}");
    }

    #[test]
    fn schemas_are_skipped_by_action() {
        let spec = release(json!({"install": {"disableSchemaValidation": true}}));
        assert!(skips_schema(&spec, Operation::Install));
        assert!(!skips_schema(&spec, Operation::Upgrade));
        let spec = release(json!({"upgrade": {"disableSchemaValidation": true}}));
        assert!(skips_schema(&spec, Operation::Upgrade));
    }

    #[test]
    fn tests_are_run_as_the_spec_says() {
        let filters = json!([{"name": "a"}, {"name": "b", "exclude": true}]);
        let options = test(&release(json!({"test": {"timeout": "7s", "filters": filters}})));
        let (only, without) = (vec!["a".to_owned()], vec!["b".to_owned()]);
        assert_eq!(options, test::Options { timeout: Duration::from_secs(7), only, without });
    }

    #[test]
    fn an_uninstallation_is_as_the_spec_says() {
        let options = uninstall(&release(json!({"uninstall": {
            "timeout": "7s", "disableHooks": true, "disableWait": true, "keepHistory": true,
            "deletionPropagation": "orphan",
        }})));
        assert_eq!(options.timeout, Duration::from_secs(7));
        assert_eq!((options.hooks, options.wait, options.keep_history), (false, false, true));
        assert!(matches!(options.propagation, PropagationPolicy::Orphan));
    }
}
