//! Puts a release back to the revision that it had before an upgrade, with Helm's records alone: no registry, no
//! rendering, no word from the spec but its timeouts. For the rescue of the controller's own release.
//!
//! Every step may be done twice: whoever is interrupted begins anew.

use kube::Client;
use kube::api::Api;
use tokio_util::sync::CancellationToken;

use super::memory::Memory;
use super::report::Report;
use super::session::wording::{failed, rolled_back};
use super::{act, claim, status};
use crate::api::helm_release::HelmRelease;
use crate::cluster::clock;
use crate::cluster::error::retried;
use crate::cluster::events::Events;
use crate::cluster::{self, Cluster, Key, failure};
use crate::model::condition::reason;
use crate::release::record::Status;
use crate::release::storage::{Storage, Stored, Summary};
use crate::release::{self, deploy, resume, rollback};

/// What is to be put back.
#[derive(Clone, Debug)]
pub struct Order {
    pub namespace: String,
    /// The HelmRelease.
    pub name: String,
    /// The newest revision before the upgrade.
    pub from: u32,
    /// Why the upgrade counts as failed.
    pub why: String,
    /// Who does it: unique per process.
    pub identity: String,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No revision was made since.
    NothingBegan,
    /// Somebody else has put it back.
    WasBack,
    /// It runs as this new revision.
    Restored(u32),
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Release(#[from] release::Error),
    #[error("{}", cluster::error::explain(.0))]
    Api(#[from] kube::Error),
    #[error("HelmRelease {0} is not there")]
    Gone(String),
    #[error("HelmRelease {name}: {why}")]
    Name { name: String, why: String },
    #[error("release {0} has no revision left that was deployed before the upgrade")]
    NoTarget(String),
}

/// What to do about the revisions that are there: pure.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    WasBack,
    /// A way back was begun.
    Resume(u32),
    Rollback {
        failed: u32,
        to: u32,
    },
    NoTarget,
}

/// `returns`: whether the newest revision is a rollback.
fn step(revisions: &[Summary], from: u32, returns: bool) -> Step {
    let Some(newest) = revisions.last().filter(|newest| newest.version > from) else {
        return Step::Nothing;
    };
    match newest.status {
        Status::PendingRollback => return Step::Resume(newest.version),
        Status::Deployed if returns => return Step::WasBack,
        _ => {}
    }
    let good = |r: &&Summary| {
        r.version <= from && matches!(r.status, Status::Deployed | Status::Superseded)
    };
    match revisions.iter().rev().find(good) {
        Some(target) => Step::Rollback { failed: newest.version, to: target.version },
        None => Step::NoTarget,
    }
}

/// Whether there is anything to put back. Changes nothing.
pub async fn is_due(client: &Client, order: &Order) -> Result<bool, Error> {
    let (_, storage) = find(client, order).await?;
    let revisions = storage.list().await?;
    let newest = newest(&storage, &revisions, order.from).await?;
    let step = step(&revisions, order.from, newest.as_ref().is_some_and(returns));
    Ok(!matches!(step, Step::Nothing | Step::WasBack))
}

/// The HelmRelease, and its records.
async fn find(client: &Client, order: &Order) -> Result<(HelmRelease, Storage), Error> {
    let api: Api<HelmRelease> = Api::namespaced(client.clone(), &order.namespace);
    let release = retried(|| api.get_opt(&order.name)).await?;
    let release = release.ok_or_else(|| Error::Gone(order.name.clone()))?;
    let named = |why: String| Error::Name { name: order.name.clone(), why };
    let name = release.release_name().map_err(|e| named(e.to_string()))?;
    let storage = Storage::new(client.clone(), &release.storage_namespace(), name.as_str())
        .held_by(&claim::holder(&release));
    Ok((release, storage))
}

/// The newest revision, if it was made after `from`.
async fn newest(
    storage: &Storage,
    revisions: &[Summary],
    from: u32,
) -> Result<Option<Stored>, Error> {
    match revisions.last() {
        Some(newest) if newest.version > from => Ok(Some(storage.get(newest.version).await?)),
        _ => Ok(None),
    }
}

fn returns(newest: &Stored) -> bool {
    newest.record.info.rollback_revision > 0
}

/// Carries an order out. The caller holds the leader's Lease.
pub async fn run(client: &Client, order: &Order) -> Result<Outcome, Error> {
    let (release, storage) = find(client, order).await?;
    let events = Events::new(client.clone(), "rescue", &order.identity);
    let mut report = Report::new(client.clone(), events, Memory::default(), &release);
    let cluster = Cluster::new(client.clone());
    let context = release::Context {
        cluster: &cluster,
        storage: &storage,
        identity: &order.identity,
        stop: CancellationToken::new(),
        preempt: CancellationToken::new(),
        progress: None,
        turn: None,
    };
    let options = act::rollback(&release);
    let revisions = storage.list().await?;
    let newest = newest(&storage, &revisions, order.from).await?;
    let returns = newest.as_ref().is_some_and(returns);
    let done = match (step(&revisions, order.from, returns), newest) {
        (Step::WasBack, _) => return Ok(Outcome::WasBack),
        (Step::NoTarget, _) => {
            return Err(Error::NoTarget(storage.release().to_owned()));
        }
        (Step::Resume(_), Some(stored)) => resume::run(&context, stored, &options).await,
        (Step::Rollback { to, .. }, Some(mut stored)) => {
            give_up(&cluster, &storage, &mut report, &mut stored, order, &release).await?;
            let target = storage.get(to).await?;
            rollback::run(&context, &stored.record, target, clock::now(), &options).await
        }
        (_, None) | (Step::Nothing, _) => return Ok(Outcome::NothingBegan),
    };
    let ended = storage.list().await?;
    if let Some(newest) = ended.last() {
        let stored = storage.get(newest.version).await?;
        tell(&mut report, &stored, &done).await?;
    }
    Ok(Outcome::Restored(done?.record.version))
}

/// Marks the revision as failed, in Helm's records and in the status, with as many failures as keep the controller
/// from trying it again.
async fn give_up(
    cluster: &Cluster,
    storage: &Storage,
    report: &mut Report,
    stored: &mut Stored,
    order: &Order,
    release: &HelmRelease,
) -> Result<(), Error> {
    if stored.record.info.status != Status::Failed {
        let keys = match deploy::placed_where_served(cluster, &stored.record).await {
            Ok(objects) => objects.into_iter().map(|object| object.key).collect(),
            Err(_) => Vec::<Key>::new(),
        };
        let said = failure::report(cluster, &keys).await;
        let why =
            if said.is_empty() { order.why.clone() } else { format!("{}; {said}", order.why) };
        let description = format!("Upgrade \"{}\" failed: {why}", stored.record.name);
        stored.record.set_status(Status::Failed, description);
        stored.owner = None;
        storage.update(stored).await?;
    }
    let retries = release.spec.upgrade_remediation().retries.unwrap_or(0);
    let count = i64::try_from(retries).unwrap_or(i64::MAX).saturating_add(1);
    let told = stored.record.info.description.as_str();
    let why = told.split_once(" failed: ").map_or(told, |(_, why)| why);
    let message = failed("upgrade", &stored.record, why);
    report.draft().note(status::snapshot(stored, "upgrade"));
    report.status.failures = Some(count);
    report.status.upgrade_failures = Some(count);
    report.draft().released(false, reason::UPGRADE_FAILED, &message);
    report.save().await?;
    report.event(false, reason::UPGRADE_FAILED, &message).await;
    Ok(())
}

async fn tell(
    report: &mut Report,
    stored: &Stored,
    done: &Result<Stored, release::Error>,
) -> Result<(), Error> {
    if stored.record.info.status.is_pending() {
        return Ok(());
    }
    let why = done.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let good = done.is_ok();
    let (reason, message) = rolled_back(&stored.record, good, &why);
    report.draft().note(status::snapshot(stored, "rollback"));
    report.draft().remediated(good, reason, &message);
    report.save().await?;
    report.event(good, reason, &message).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_about_the_revisions() {
        use Status::{Deployed, Failed, PendingRollback, PendingUpgrade, Superseded, Uninstalled};
        let back = |failed, to| Step::Rollback { failed, to };
        for (statuses, from, returns, expected) in [
            (vec![], 1, false, Step::Nothing),
            (vec![Superseded, Deployed], 2, false, Step::Nothing),
            (vec![Superseded, Deployed, PendingUpgrade], 2, false, back(3, 2)),
            (vec![Superseded, Superseded, Deployed], 2, false, back(3, 2)),
            (vec![Deployed, Failed, Failed], 2, false, back(3, 1)),
            (vec![Deployed, Failed, PendingRollback], 1, true, Step::Resume(3)),
            (vec![Superseded, Failed, Deployed], 1, true, Step::WasBack),
            (vec![Superseded, Failed, Failed], 1, true, back(3, 1)),
            (vec![Uninstalled, PendingUpgrade], 1, false, Step::NoTarget),
        ] {
            let found = step(&Summary::history(&statuses), from, returns);
            assert_eq!(found, expected, "{statuses:?} from {from}");
        }
    }
}
