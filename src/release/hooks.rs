//! Hooks: one at a time, by weight and name, each waited for (`pkg/action/hooks.go`).
//!
//! Before a hook runs, the record says that it does; after it, what became of it. A resumed action does not
//! run again what succeeded, and looks on at what is still running.

use std::time::Duration;

use futures::FutureExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, PropagationPolicy};
use kube::core::ObjectMeta;
use tokio::time::Instant;

use super::record::{Hook, Phase};
use super::storage::Stored;
use super::{Context, Error};
use crate::cluster::clock;
use crate::cluster::wait::{self, Rules, Until, Wait};
use crate::cluster::{self, Object, apply, failure, prune};

const BEFORE_CREATION: &str = "before-hook-creation";
const SUCCEEDED: &str = "hook-succeeded";
const FAILED: &str = "hook-failed";
/// Which run of a hook made an object: `<release>.v<revision>/<event>`.
const RUN: &str = "cd.qdrant.io/hook-run";

/// Runs the hooks of `event` that have not succeeded yet, and records each one's state. `timeout` is for each.
pub async fn run(
    ctx: &Context<'_>,
    stored: &mut Stored,
    event: &'static str,
    timeout: Duration,
) -> Result<(), Error> {
    run_chosen(ctx, stored, event, timeout, |_| true).await
}

/// The same for those hooks whose name is chosen.
pub async fn run_chosen(
    ctx: &Context<'_>,
    stored: &mut Stored,
    event: &'static str,
    timeout: Duration,
    chosen: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let mut order = order(&stored.record.hooks, event);
    order.retain(|&index| chosen(&stored.record.hooks[index].name));
    for &index in &order {
        let name = &stored.record.hooks[index].name;
        let done = stored.hooks_succeeded.get(event).is_some_and(|names| names.contains(name));
        if !done {
            run_one(ctx, stored, event, index, timeout).await?;
        }
    }
    for &index in order.iter().rev() {
        let hook = &stored.record.hooks[index];
        if deleted_when(hook, SUCCEEDED) {
            clear(ctx, stored, hook, event, Instant::now() + timeout).await?;
        }
    }
    Ok(())
}

/// Positions of the event's hooks in the order in which they run. The record has them in installation order
/// of their kinds, which decides between equal weights and names.
fn order(hooks: &[Hook], event: &str) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..hooks.len()).filter(|&i| hooks[i].events.iter().any(|e| e == event)).collect();
    order.sort_by(|&a, &b| {
        let key = |i: usize| (hooks[i].weight, hooks[i].name.as_str());
        key(a).cmp(&key(b))
    });
    order
}

/// A hook that says nothing is deleted before its next creation.
fn deleted_when(hook: &Hook, policy: &str) -> bool {
    if hook.delete_policies.is_empty() {
        return policy == BEFORE_CREATION;
    }
    hook.delete_policies.iter().any(|p| p == policy)
}

async fn run_one(
    ctx: &Context<'_>,
    stored: &mut Stored,
    event: &'static str,
    index: usize,
    timeout: Duration,
) -> Result<(), Error> {
    let hook = stored.record.hooks[index].clone();
    let mut objects = objects(ctx, &hook, &stored.record.namespace).await?;
    let run = run_of(stored, event);
    objects.iter_mut().for_each(|object| object.annotate(RUN, &run));
    // Its failure was noted, and the process ended before that of its revision was: it does not run again.
    if hook.last_run.phase == Phase::Failed && stored.record.info.status.is_pending() {
        let reason = "it failed before the action was interrupted".to_owned();
        return failed(ctx, stored, hook, event, reason, timeout).await;
    }
    let interrupted = hook.last_run.phase == Phase::Running;
    if !(interrupted && under_way(ctx, &objects, &run, stored.created).await?) {
        let old = match deleted_when(&hook, BEFORE_CREATION) {
            true => live(ctx, &objects).await?,
            false => Vec::new(),
        };
        let last_run = &mut stored.record.hooks[index].last_run;
        last_run.started_at = Some(clock::now());
        last_run.completed_at = None;
        last_run.phase = Phase::Running;
        // Whoever is no longer the one to act fails here, and has not deleted what its successor has made.
        ctx.storage.update(stored).await?;
        delete(ctx, old, Instant::now() + timeout).await?;
        for object in &objects {
            if !create(ctx, object, &run, stored.created).await? {
                let reason = format!(
                    "{} is there from an earlier run: delete it, or annotate the hook with \
                     helm.sh/hook-delete-policy: before-hook-creation",
                    object.key
                );
                return Err(Error::Hook { event, name: hook.name, reason });
            }
        }
    }
    let result = ended(ctx, &objects, Instant::now() + timeout).await;
    if let Err(error) = &result
        && error.leaves_pending()
    {
        return result;
    }
    let run = &mut stored.record.hooks[index].last_run;
    run.completed_at = Some(clock::now());
    run.phase = if result.is_ok() { Phase::Succeeded } else { Phase::Failed };
    if result.is_ok() {
        stored.hooks_succeeded.entry(event.to_owned()).or_default().push(hook.name.clone());
    }
    ctx.storage.update(stored).await?;
    let Err(error) = result else { return Ok(()) };
    failed(ctx, stored, hook, event, error.to_string(), timeout).await
}

/// What follows the failure of a hook, and its error.
async fn failed(
    ctx: &Context<'_>,
    stored: &Stored,
    hook: Hook,
    event: &'static str,
    reason: String,
    timeout: Duration,
) -> Result<(), Error> {
    if deleted_when(&hook, FAILED) {
        clear(ctx, stored, &hook, event, Instant::now() + timeout).await?;
    }
    Err(Error::Hook { event, name: hook.name, reason })
}

async fn objects(ctx: &Context<'_>, hook: &Hook, namespace: &str) -> Result<Vec<Object>, Error> {
    let mut objects = Object::parse_all(&hook.manifest, &hook.path)?;
    for object in &mut objects {
        ctx.cluster.discovery().place(object, namespace).await?;
    }
    Ok(objects)
}

/// Whether this very run has already created the hook's objects.
async fn under_way(
    ctx: &Context<'_>,
    objects: &[Object],
    run: &str,
    since: Option<Timestamp>,
) -> Result<bool, Error> {
    for object in objects {
        let live = ctx.cluster.get(&object.key).await?;
        if !live.is_some_and(|live| made_by(&live.metadata, run, since)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an object was made by this run of the hook. `since`: when its revision began; a release that was
/// uninstalled and installed again counts from 1 again.
fn made_by(live: &ObjectMeta, run: &str, since: Option<Timestamp>) -> bool {
    let made = live.creation_timestamp.as_ref().map(|t| t.0);
    names(live, run) && made.is_some() && made >= since
}

/// Whether an object names this run as the last one that has written it.
fn names(live: &ObjectMeta, run: &str) -> bool {
    live.annotations.as_ref().and_then(|a| a.get(RUN)).is_some_and(|named| named == run)
}

/// Makes a hook's object. What runs to an end has to be new: one that has ended already would not run
/// again. False if there is an older one.
async fn create(
    ctx: &Context<'_>,
    object: &Object,
    run: &str,
    since: Option<Timestamp>,
) -> Result<bool, Error> {
    if !runs(object) {
        apply::write(ctx.cluster, &object.key, &object.value).await?;
        return Ok(true);
    }
    if apply::create(ctx.cluster, &object.key, &object.value).await? {
        return Ok(true);
    }
    let live = ctx.cluster.get(&object.key).await?;
    Ok(live.is_some_and(|live| made_by(&live.metadata, run, since)))
}

/// Whether it runs to an end.
fn runs(object: &Object) -> bool {
    matches!(object.key.kind.as_str(), "Job" | "Pod")
}

/// Waits for Jobs and Pods to end; other kinds have nothing to wait for.
async fn ended(ctx: &Context<'_>, objects: &[Object], deadline: Instant) -> Result<(), Error> {
    let keys: Vec<_> = objects.iter().filter(|o| runs(o)).map(|o| o.key.clone()).collect();
    ctx.before_wait();
    let wait = Wait {
        objects: &keys,
        until: Until::Completed,
        deadline,
        since: None,
        progress: ctx.progress,
        rules: Rules::default(),
    };
    match wait::ready(ctx.cluster, wait).await {
        Err(cluster::Error::NotReady(why)) => {
            let said = failure::report(ctx.cluster, &keys).boxed().await;
            let all = if said.is_empty() { why } else { format!("{why}; {said}") };
            Err(cluster::Error::NotReady(all).into())
        }
        result => Ok(result?),
    }
}

/// Those of a hook's objects that are there. Definitions are left out: they are never deleted, for that would take every
/// object of their kind along.
async fn live<'a>(
    ctx: &Context<'_>,
    objects: &'a [Object],
) -> Result<Vec<(&'a Object, DynamicObject)>, Error> {
    let mut found = Vec::new();
    for object in objects.iter().filter(|o| o.key.kind != "CustomResourceDefinition") {
        found.extend(ctx.cluster.get(&object.key).await?.map(|live| (object, live)));
    }
    Ok(found)
}

/// Deletes these objects and waits until they are gone.
async fn delete(
    ctx: &Context<'_>,
    objects: Vec<(&Object, DynamicObject)>,
    deadline: Instant,
) -> Result<(), Error> {
    let mut deleted = Vec::new();
    for (object, live) in objects {
        let propagation = PropagationPolicy::Background;
        deleted.extend(prune::remove(ctx.cluster, &object.key, &live, propagation).await?);
    }
    if !deleted.is_empty() {
        ctx.before_wait();
    }
    Ok(wait::deleted(ctx.cluster, &deleted, deadline).await?)
}

/// Deletes what a run of a hook has made, and nothing that a later one has.
async fn clear(
    ctx: &Context<'_>,
    stored: &Stored,
    hook: &Hook,
    event: &str,
    deadline: Instant,
) -> Result<(), Error> {
    let run = run_of(stored, event);
    let objects = objects(ctx, hook, &stored.record.namespace).await?;
    let mut made = live(ctx, &objects).await?;
    made.retain(|(_, live)| names(&live.metadata, &run));
    delete(ctx, made, deadline).await
}

/// How the objects of a run name it.
fn run_of(stored: &Stored, event: &str) -> String {
    format!("{}.v{}/{event}", stored.record.name, stored.record.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hook(name: &str, weight: i64, events: &[&str], policies: &[&str]) -> Hook {
        serde_json::from_value(json!({
            "name": name, "weight": weight, "events": events, "delete_policies": policies,
        }))
        .expect("hook")
    }

    #[test]
    fn by_weight_then_name() {
        let hooks = [
            hook("b", 5, &["pre-install", "pre-upgrade"], &[]),
            hook("z", -1, &["pre-install"], &[]),
            hook("a", 5, &["pre-install"], &[]),
            hook("x", 0, &["post-install"], &[]),
        ];
        assert_eq!(order(&hooks, "pre-install"), [1, 2, 0]);
        assert_eq!(order(&hooks, "pre-upgrade"), [0]);
        assert_eq!(order(&hooks, "pre-delete"), [0; 0]);
    }

    #[test]
    fn a_run_knows_its_own_objects() {
        let since = || Some("2026-01-01T00:00:10Z".parse::<Timestamp>().expect("time"));
        let live = |created: &str, run: &str| -> ObjectMeta {
            serde_json::from_value(json!({
                "creationTimestamp": created, "annotations": {"cd.qdrant.io/hook-run": run},
            }))
            .expect("metadata")
        };
        let run = "r.v1/pre-install";
        assert!(made_by(&live("2026-01-01T00:00:10Z", run), run, since()));
        assert!(!made_by(&live("2026-01-01T00:00:09Z", run), run, since()), "an earlier release");
        assert!(!made_by(&live("2026-01-01T00:00:11Z", "r.v1/post-install"), run, since()));
        assert!(!made_by(&ObjectMeta::default(), run, since()));
    }

    #[test]
    fn deletion_policies() {
        let silent = hook("a", 0, &["pre-install"], &[]);
        assert!(deleted_when(&silent, BEFORE_CREATION) && !deleted_when(&silent, SUCCEEDED));
        let explicit = hook("a", 0, &["pre-install"], &["hook-succeeded"]);
        assert!(deleted_when(&explicit, SUCCEEDED) && !deleted_when(&explicit, BEFORE_CREATION));
    }
}
