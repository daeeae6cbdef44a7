//! The first revision of a release.

use super::record::Status;
use super::storage::Stored;
use super::upgrade::{Pending, Wanted};
use super::{Context, Error, Options, deploy};

/// Installs what is wanted as revision `version`: 1, or one more than the last uninstalled revision. The chart's
/// definitions are there already ([`deploy::definitions`]), and so is the namespace of the records.
pub async fn run(
    ctx: &Context<'_>,
    wanted: Wanted<'_>,
    version: u32,
    options: &Options,
) -> Result<Stored, Error> {
    let pending = Pending {
        version,
        status: Status::PendingInstall,
        first_deployed: None,
        description: "Initial install underway",
        method: options.method.unwrap_or_default(),
    };
    let stored = wanted.stored(pending, ctx.identity);
    let stored = ctx.storage.create(stored).await?;
    deploy::run(ctx, stored, options).await
}
