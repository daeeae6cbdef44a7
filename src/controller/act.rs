//! How a spec's fields become options of Helm's actions, and how an action is run while its progress is told.

use std::time::Duration;

use futures::future::BoxFuture;
use kube::api::PropagationPolicy;
use pinnace_engine::render::Operation;
use tokio::sync::watch;

use super::report::Report;
use crate::api::helm_release::{CrdsPolicy, DeletionPropagation, HelmRelease};
use crate::cluster::apply::Adoption;
use crate::cluster::crd;
use crate::release::record::Status;
use crate::release::{Options, uninstall};

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
    loop {
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
        tokio::select! {
            result = &mut action => return result,
            () = tokio::time::sleep(BETWEEN_MESSAGES) => {}
        }
    }
}
