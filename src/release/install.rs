//! The first revision of a release.

use super::record::{Record, Status};
use super::upgrade::Wanted;
use super::{Context, Error, Options, deploy};

/// Installs what is wanted as revision `version`: 1, or one more than the last uninstalled revision.
pub async fn run(
    ctx: &Context<'_>,
    wanted: &Wanted<'_>,
    version: u32,
    options: &Options,
) -> Result<Record, Error> {
    deploy::definitions(ctx, &wanted.crds()?, options).await?;
    let record = wanted.record(version, Status::PendingInstall, None, "Initial install underway");
    let stored = wanted.stored(record, ctx.identity);
    let stored = ctx.storage.create(stored).await?;
    deploy::run(ctx, stored, options).await
}
