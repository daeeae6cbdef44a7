//! Back to an earlier revision: its chart, values, manifest and hooks as a new revision.

use chrono::{DateTime, Utc};

use super::record::{Execution, Info, Record, Status, apply_method};
use super::storage::Stored;
use super::{Context, Error, Options, deploy};

/// Rolls the release back from `latest` to `target`. The chart's crds/ stay as they are.
pub async fn run(
    ctx: &Context<'_>,
    latest: &Record,
    target: Stored,
    now: DateTime<Utc>,
    options: &Options,
) -> Result<Stored, Error> {
    let method = options.method.unwrap_or(target.record.method());
    let mut record = record(latest, target.record, now);
    record.apply_method = apply_method(method);
    let stored = Stored::new(record, ctx.identity, target.chart_digest)
        .changed(target.post_rendering, target.renamed_images);
    let stored = ctx.storage.create(stored).await?;
    deploy::run(ctx, stored, options).await
}

fn record(latest: &Record, target: Record, now: DateTime<Utc>) -> Record {
    let mut hooks = target.hooks;
    for hook in &mut hooks {
        hook.last_run = Execution::default();
    }
    Record {
        info: Info {
            first_deployed: latest.info.first_deployed,
            last_deployed: Some(now),
            deleted: None,
            description: format!("Rollback to {}", target.version),
            status: Status::PendingRollback,
            rollback_revision: target.version,
            notes: target.info.notes,
        },
        hooks,
        version: latest.version + 1,
        ..target
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record as revision;
    use super::*;

    #[test]
    fn a_new_revision_with_the_old_content() {
        let (target, latest) = (revision(2, Status::Superseded), revision(5, Status::Failed));
        let found = record(&latest, target.clone(), Utc::now());
        assert_eq!((found.version, found.info.rollback_revision), (6, 2));
        assert_eq!(found.info.description, "Rollback to 2");
        assert_eq!(found.info.status, Status::PendingRollback);
        assert_eq!((found.manifest, found.config), (target.manifest, target.config));
    }
}
