//! A pending revision whose owner is gone: the same revision is carried to its end.
//!
//! The chart's definitions were there before the record was. Hooks that succeeded do not run again, objects
//! are applied again (which changes nothing where it was done), and the wait begins anew.

use super::storage::Stored;
use super::{Context, Error, Options, deploy};

/// Resumes a pending revision. The caller knows that its owner no longer works on it: it holds the leader's
/// lease, and is not at work on the release itself.
pub async fn run(
    ctx: &Context<'_>,
    mut stored: Stored,
    options: &Options,
) -> Result<Stored, Error> {
    if stored.owner.as_deref() != Some(ctx.identity) {
        stored.owner = Some(ctx.identity.to_owned());
        ctx.storage.update(&mut stored).await?;
    }
    deploy::run(ctx, stored, options).await
}
