//! The steps that install, upgrade and rollback share, from the pending record to the deployed one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

use super::record::{Record, Status};
use super::storage::{Storage, Stored, Summary};
use super::{Context, Error, Options, hooks};
use crate::cluster::apply::{Manner, Plan};
use crate::cluster::clock;
use crate::cluster::wait::{self, Until, Wait};
use crate::cluster::{self, Cluster, Key, Object, crd, failure, prune};

/// Carries a pending revision to its end. Every step may have been done before.
///
/// On success the revision is deployed and what was deployed before is superseded. On failure it is failed,
/// with the reason as its description. When the action was stopped, or the cluster went out of reach, the
/// record stays pending and the error says so ([`Error::leaves_pending`]); but not for ever: what keeps the
/// cluster from doing its part, such as a webhook without a server, may be the release itself, and then only
/// a rollback helps.
pub async fn run(
    ctx: &Context<'_>,
    mut stored: Stored,
    options: &Options,
) -> Result<Stored, Error> {
    let done = tokio::select! {
        result = steps(ctx, &mut stored, options) => result,
        () = ctx.stop.cancelled() => Err(cluster::Error::Interrupted.into()),
    };
    let since = stored.record.info.last_deployed;
    let age = age(since, clock::now(), clock::uptime());
    let done = done.map_err(|error| lasting(error, age, options.timeout));
    match done {
        Ok(()) => {
            finish(ctx, &mut stored, options).boxed().await?;
            Ok(stored)
        }
        Err(error) if error.leaves_pending() => Err(error),
        Err(error) => {
            let verb = verb(stored.record.info.status);
            let description = format!("{verb} \"{}\" failed: {error}", stored.record.name);
            if options.cleanup {
                clean_up(ctx, &stored.record).boxed().await?;
            }
            stored.record.set_status(Status::Failed, description);
            ctx.storage.update(&mut stored).await?;
            Err(error)
        }
    }
}

/// How long an attempt that began at `since` has been carried on. Its beginning may have been stamped by a clock that was
/// off, and nothing was tried while no process ran: it is no longer than this one has been `up`.
fn age(since: Option<DateTime<Utc>>, now: DateTime<Utc>, up: Duration) -> Duration {
    let by_clock = since.map(|since| (now - since).to_std().unwrap_or(up));
    by_clock.unwrap_or_default().min(up)
}

/// An error that would leave the record pending counts as failure once the attempt is older than twice its
/// timeout.
fn lasting(error: Error, age: Duration, timeout: Duration) -> Error {
    if error.transient() && age > timeout * 2 {
        return Error::GaveUp { after: age, reason: error.to_string() };
    }
    error
}

/// Deletes what an action has made that no earlier revision had.
async fn clean_up(ctx: &Context<'_>, record: &Record) -> Result<(), Error> {
    let objects = [placed_where_served(ctx.cluster, record).await?];
    let earlier = earlier(ctx, record.version).await?.concat();
    let made = prune::gone(&objects, &earlier);
    let propagation = kube::api::PropagationPolicy::Background;
    prune::delete(ctx.cluster, &made, &ctx.owner(record), propagation).await?;
    Ok(())
}

/// Installs the chart's definitions, and says what became of each. Before the revision's record is written, as in
/// Helm: whoever finds the record pending need not know the definitions of subcharts, which records do not hold.
pub async fn definitions(
    ctx: &Context<'_>,
    definitions: &[Object],
    options: &Options,
) -> Result<Vec<crd::Outcome>, Error> {
    if !definitions.is_empty() {
        ctx.before_wait();
    }
    let deadline = Instant::now() + options.timeout;
    tokio::select! {
        result = crd::install(ctx.cluster, definitions, options.crds, deadline) => Ok(result?),
        () = ctx.stop.cancelled() => Err(cluster::Error::Interrupted.into()),
    }
}

/// The action that a pending status belongs to, as Helm words it in descriptions.
fn verb(status: Status) -> &'static str {
    match status {
        Status::PendingInstall => "Release",
        Status::PendingRollback => "Rollback",
        _ => "Upgrade",
    }
}

/// The hook events before and after.
fn events(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::PendingInstall => ("pre-install", "post-install"),
        Status::PendingRollback => ("pre-rollback", "post-rollback"),
        _ => ("pre-upgrade", "post-upgrade"),
    }
}

async fn steps(ctx: &Context<'_>, stored: &mut Stored, options: &Options) -> Result<(), Error> {
    let (before, after) = events(stored.record.info.status);
    if options.hooks {
        hooks::run(ctx, stored, before, options.timeout).boxed().await?;
    }
    let objects = placed(ctx.cluster, &stored.record).await?;
    apply(ctx, &stored.record, &objects, options).boxed().await?;
    let keys = awaited(objects, options);
    if options.wait {
        wait(ctx, &keys, stored.created, options).await?;
    }
    if options.hooks {
        hooks::run(ctx, stored, after, options.timeout).boxed().await?;
    }
    Ok(())
}

/// Brings the cluster to these objects, from what earlier revisions had.
async fn apply(
    ctx: &Context<'_>,
    record: &Record,
    objects: &[Object],
    options: &Options,
) -> Result<(), Error> {
    let earlier = earlier(ctx, record.version).await?;
    let owner = ctx.owner(record);
    let plan = Plan::make(ctx.cluster, objects, &earlier, &owner, options.adoption).await?;
    let manner = Manner { method: record.method(), fields: options.fields, force: options.force };
    plan.run(ctx.cluster, &owner, manner).await?;
    let gone = prune::gone(&earlier, objects);
    prune::delete(ctx.cluster, &gone, &owner, kube::api::PropagationPolicy::Background).await?;
    Ok(())
}

/// What is to be waited for of these objects.
fn awaited(objects: Vec<Object>, options: &Options) -> Vec<Key> {
    let is_job = |key: &Key| key.group() == "batch" && key.kind == "Job";
    objects
        .into_iter()
        .filter(|object| !is_ready_as_made(object))
        .map(|object| object.key)
        .filter(|key| options.wait_for_jobs || !is_job(key))
        .collect()
}

async fn wait(
    ctx: &Context<'_>,
    keys: &[Key],
    since: Option<Timestamp>,
    options: &Options,
) -> Result<(), Error> {
    ctx.before_wait();
    let deadline = Instant::now() + options.timeout;
    let (until, rules) = (Until::Ready, options.rules.clone());
    let wait = Wait { objects: keys, until, deadline, since, progress: ctx.progress, rules };
    let waited = tokio::select! {
        result = wait::ready(ctx.cluster, wait) => result,
        () = ctx.preempt.cancelled() => Err(cluster::Error::Preempted),
    };
    match waited {
        Err(cluster::Error::NotReady(why)) => {
            let said = failure::report(ctx.cluster, keys).boxed().await;
            let all = if said.is_empty() { why } else { format!("{why}; {said}") };
            Err(cluster::Error::NotReady(all).into())
        }
        result => Ok(result?),
    }
}

/// Whether nothing has to happen to an object for it to be ready: a Service without a load balancer.
fn is_ready_as_made(object: &Object) -> bool {
    object.key.group().is_empty()
        && object.key.kind == "Service"
        && object.value["spec"]["type"] != "LoadBalancer"
}

async fn finish(ctx: &Context<'_>, stored: &mut Stored, options: &Options) -> Result<(), Error> {
    let description = match stored.record.info.status {
        Status::PendingInstall => "Install complete".to_owned(),
        Status::PendingRollback => format!("Rollback to {}", stored.record.info.rollback_revision),
        _ => "Upgrade complete".to_owned(),
    };
    // Helm's order: a crash in between leaves two deployed revisions, of which the newer one counts.
    stored.record.set_status(Status::Deployed, description);
    stored.owner = None;
    ctx.storage.update(stored).await?;
    tidy(ctx.storage, stored.record.version, options.max_history).await
}

/// What follows a deployment: older deployed revisions are superseded, surplus ones deleted. To be done again
/// by whoever finds it half done.
pub async fn tidy(storage: &Storage, version: u32, max_history: usize) -> Result<(), Error> {
    let revisions = supersede(storage, version).await?;
    storage.prune(&revisions, max_history).await
}

/// Marks every deployed revision older than `version` as superseded. Returns all revisions as they are then.
pub async fn supersede(storage: &Storage, version: u32) -> Result<Vec<Summary>, Error> {
    let mut revisions = storage.list().await?;
    for old in &mut revisions {
        if old.version < version && old.status == Status::Deployed {
            let mut stored = storage.get(old.version).await?;
            stored.record.info.status = Status::Superseded;
            storage.update(&mut stored).await?;
            old.status = Status::Superseded;
        }
    }
    Ok(revisions)
}

/// The record's objects, each in its namespace.
pub async fn placed(cluster: &Cluster, record: &Record) -> Result<Vec<Object>, Error> {
    let mut objects = Object::parse_all(&record.manifest, "the release record")?;
    for object in &mut objects {
        cluster.discovery().place(object, &record.namespace).await?;
    }
    Ok(objects)
}

/// Like [`placed`], for revisions of the past: objects of kinds that the cluster no longer serves are gone.
pub async fn placed_where_served(cluster: &Cluster, record: &Record) -> Result<Vec<Object>, Error> {
    let mut objects = Vec::new();
    for mut object in Object::parse_all(&record.manifest, "the release record")? {
        match cluster.discovery().place(&mut object, &record.namespace).await {
            Ok(()) => objects.push(object),
            Err(cluster::Error::UnknownKind { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(objects)
}

/// The objects of each revision whose traces may be in the cluster, newest first.
async fn earlier(ctx: &Context<'_>, version: u32) -> Result<Vec<Vec<Object>>, Error> {
    let mut earlier = Vec::new();
    for old in traces(&ctx.storage.list().await?, version) {
        let record = ctx.storage.get(old).await?.record;
        earlier.push(placed_where_served(ctx.cluster, &record).await?);
    }
    Ok(earlier)
}

/// The revisions before `version` whose objects may be in the cluster, newest first: back to the last one
/// that was applied in full, or to the last uninstallation.
pub fn traces(revisions: &[Summary], version: u32) -> Vec<u32> {
    let mut traces = Vec::new();
    for revision in revisions.iter().rev().filter(|r| r.version < version) {
        if revision.status == Status::Uninstalled {
            break;
        }
        traces.push(revision.version);
        if matches!(revision.status, Status::Deployed | Status::Superseded) {
            break;
        }
    }
    traces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_out_of_reach_fails_in_the_end() {
        let refused = |code: u16| {
            let message = "failed calling webhook \"w.test\": connection refused";
            let status = kube::core::Status::failure(message, "InternalError").with_code(code);
            let source = kube::Error::Api(status.boxed());
            Error::from(cluster::Error::api("apply", "Deployment n/d", source))
        };
        let after = |error, minutes: u64| {
            lasting(error, Duration::from_secs(minutes * 60), Duration::from_secs(300))
        };
        assert!(after(refused(500), 10).leaves_pending());
        let error = after(refused(500), 11);
        assert!(!error.leaves_pending());
        assert_eq!(
            error.to_string(),
            "given up after 11 minutes: cannot apply Deployment n/d: failed calling webhook \"w.test\": \
             connection refused"
        );
        let stopped = || Error::from(cluster::Error::Interrupted);
        assert!(after(stopped(), 99).leaves_pending());
        assert!(matches!(after(refused(403), 99), Error::Cluster(_)));
    }

    #[test]
    fn an_attempt_is_no_older_than_who_carries_it_on() {
        let now: DateTime<Utc> = "2026-01-01T01:00:00Z".parse().expect("time");
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (what, began, up, expected) in [
            ("begun by this process", Some(-10), 30, 10),
            ("resumed after an hour without a process", Some(-70), 3, 3),
            ("begun by a clock that was ahead", Some(60), 30, 30),
            ("nobody knows when", None, 30, 0),
        ] {
            let since = began.map(|began| now + chrono::TimeDelta::minutes(began));
            assert_eq!(age(since, now, minutes(up)), minutes(expected), "{what}");
        }
    }

    #[test]
    fn traces_go_back_to_the_last_full_revision() {
        use Status::{Deployed, Failed, PendingUpgrade, Superseded, Uninstalled};
        for (statuses, version, expected) in [
            (vec![], 1, vec![]),
            (vec![Superseded, Deployed, PendingUpgrade], 3, vec![2]),
            (vec![Deployed, Failed, PendingUpgrade], 3, vec![2, 1]),
            (vec![Superseded, Failed, Failed], 4, vec![3, 2, 1]),
            (vec![Deployed, Uninstalled], 3, vec![]),
            (vec![Failed, PendingUpgrade], 2, vec![1]),
        ] {
            assert_eq!(traces(&Summary::history(&statuses), version), expected, "{statuses:?}");
        }
    }
}
