//! Who is asked before a release is upgraded: whoever watches over upgrades of the controller itself.

use std::fmt;

use crate::api::helm_release::HelmRelease;

/// Something that has to be in place before an upgrade begins.
#[async_trait::async_trait]
pub trait Guard: fmt::Debug + Send + Sync {
    /// Called before anything of the upgrade is written. `name` is Helm's name of the release, `from` its newest
    /// revision. An error, in words for people, keeps the upgrade from beginning.
    async fn before_upgrade(
        &self,
        release: &HelmRelease,
        name: &str,
        from: u32,
    ) -> Result<(), String>;
}
