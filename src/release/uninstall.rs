//! The end of a release. Every step may be done twice: whoever finds it half done does the rest.

use std::time::Duration;

use kube::api::PropagationPolicy;
use tokio::time::Instant;

use super::record::{Record, Status};
use super::{Context, Error, deploy, hooks};
use crate::cluster::clock;
use crate::cluster::{self, Object, prune, wait};

/// How a release is uninstalled (`spec.uninstall`).
#[derive(Clone, Debug)]
pub struct Options {
    pub timeout: Duration,
    pub hooks: bool,
    /// Whether to wait until the objects are gone.
    pub wait: bool,
    /// Whether the record stays, with status `uninstalled`.
    pub keep_history: bool,
    pub propagation: PropagationPolicy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            hooks: true,
            wait: true,
            keep_history: false,
            propagation: PropagationPolicy::Background,
        }
    }
}

/// Uninstalls the release: hooks, objects in Helm's order, records. Returns the last revision as it was, or
/// None if there is no release.
///
/// The newest record is deleted last: until then a successor sees that there is something left to do.
pub async fn run(ctx: &Context<'_>, options: &Options) -> Result<Option<Record>, Error> {
    tokio::select! {
        result = steps(ctx, options) => result,
        () = ctx.stop.cancelled() => Err(cluster::Error::Interrupted.into()),
    }
}

async fn steps(ctx: &Context<'_>, options: &Options) -> Result<Option<Record>, Error> {
    let revisions = ctx.storage.list().await?;
    let Some(newest) = revisions.last() else { return Ok(None) };
    let mut stored = ctx.storage.get(newest.version).await?;
    if newest.status != Status::Uninstalled {
        if options.hooks {
            hooks::run(ctx, &mut stored, "pre-delete", options.timeout).await?;
        }
        if stored.record.info.status != Status::Uninstalling {
            stored.owner = Some(ctx.identity.to_owned());
            stored.record.info.deleted = Some(clock::now());
            stored.record.set_status(Status::Uninstalling, "Deletion in progress");
            ctx.storage.update(&mut stored).await?;
        }
        let mut traces = deploy::traces(&revisions, newest.version);
        traces.reverse();
        let mut objects: Vec<Object> = Vec::new();
        for version in traces {
            add(&mut objects, ctx.storage.get(version).await?.record, ctx).await?;
        }
        add(&mut objects, stored.record.clone(), ctx).await?;
        let order = prune::uninstall_order(&objects);
        let owner = ctx.owner(&stored.record);
        let deleted =
            prune::delete(ctx.cluster, &order, &owner, options.propagation.clone()).await?;
        if options.wait {
            wait::deleted(ctx.cluster, &deleted, Instant::now() + options.timeout).await?;
        }
        if options.hooks {
            hooks::run(ctx, &mut stored, "post-delete", options.timeout).await?;
        }
    }
    if options.keep_history {
        stored.owner = None;
        stored.record.set_status(Status::Uninstalled, "Uninstallation complete");
        ctx.storage.update(&mut stored).await?;
        deploy::supersede(ctx.storage, stored.record.version).await?;
    } else {
        for revision in &revisions {
            ctx.storage.delete(revision.version).await?;
        }
    }
    Ok(Some(stored.record))
}

/// Adds the record's objects behind the others; one that is there already takes the newer manifest.
async fn add(objects: &mut Vec<Object>, record: Record, ctx: &Context<'_>) -> Result<(), Error> {
    for object in deploy::placed_where_served(ctx.cluster, &record).await? {
        objects.retain(|o| !o.key.same_object(&object.key));
        objects.push(object);
    }
    Ok(())
}
