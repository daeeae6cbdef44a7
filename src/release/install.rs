//! The first revision of a release.

use super::record::Status;
use super::storage::Stored;
use super::upgrade::Wanted;
use super::{Context, Error, Options, deploy};

/// Installs what is wanted as revision `version`: 1, or one more than the last uninstalled revision. The chart's
/// definitions are there already ([`deploy::definitions`]), and so is the namespace of the records.
pub async fn run(
    ctx: &Context<'_>,
    wanted: &Wanted<'_>,
    version: u32,
    options: &Options,
) -> Result<Stored, Error> {
    let method = options.method.unwrap_or_default();
    let (status, told) = (Status::PendingInstall, "Initial install underway");
    let record = wanted.record(version, status, None, told, method);
    let stored = wanted.stored(record, ctx.identity);
    let stored = ctx.storage.create(stored).await?;
    deploy::run(ctx, stored, options).await
}
