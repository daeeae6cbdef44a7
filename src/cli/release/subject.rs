//! The release that a verb is about: a HelmRelease with its records, or a release of genuine Helm alone.

use anyhow::{Context as _, bail};
use clap_complete::engine::ArgValueCompleter;
use kube::api::Api;

use super::connect::{ClusterArgs, Target};
use super::names;
use crate::api::helm_release::HelmRelease;
use crate::cluster::error::{explain, is_code, retried};
use crate::controller::claim;
use crate::release::storage::{Storage, Stored};

/// One release by name.
#[derive(Clone, Debug, clap::Args)]
pub struct SubjectArgs {
    /// The HelmRelease; where there is none of this name, the release of helm
    #[arg(value_name = "RELEASE", add = ArgValueCompleter::new(names::complete))]
    pub name: String,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

pub struct Subject {
    pub target: Target,
    /// None: genuine Helm made it, and nobody looks after it.
    pub release: Option<HelmRelease>,
    pub storage: Storage,
}

impl SubjectArgs {
    /// The release, with or without a HelmRelease.
    pub async fn find(&self) -> anyhow::Result<Subject> {
        let target = self.cluster.connect().await?;
        let release = helm_release(&target, &self.name).await?;
        let storage = match &release {
            Some(release) => storage(&target, release)?,
            None => Storage::new(target.client.clone(), &target.namespace, &self.name),
        };
        if release.is_none() && storage.list().await?.is_empty() {
            bail!(missing(&target, &self.name));
        }
        Ok(Subject { target, release, storage })
    }

    /// The HelmRelease; an error if there is none.
    pub async fn helm_release(&self) -> anyhow::Result<(Target, HelmRelease)> {
        let target = self.cluster.connect().await?;
        match helm_release(&target, &self.name).await? {
            Some(release) => Ok((target, release)),
            None => bail!(missing(&target, &self.name)),
        }
    }
}

impl Subject {
    /// One revision, the newest if none is named.
    pub async fn revision(&self, wanted: Option<u32>) -> anyhow::Result<Stored> {
        let version = match wanted {
            Some(version) => version,
            None => {
                let newest = self.storage.list().await?.last().map(|newest| newest.version);
                newest.with_context(|| {
                    format!("release {} has no revision yet", self.storage.release())
                })?
            }
        };
        Ok(self.storage.get(version).await?)
    }
}

fn missing(target: &Target, name: &str) -> String {
    format!(
        "there is no HelmRelease {name} in namespace {}; `pinnace get -A` lists all of them",
        target.namespace
    )
}

/// The HelmRelease of this name. None also where the cluster does not know the kind.
async fn helm_release(target: &Target, name: &str) -> anyhow::Result<Option<HelmRelease>> {
    let api: Api<HelmRelease> = Api::namespaced(target.client.clone(), &target.namespace);
    match retried(|| api.get_opt(name)).await {
        Err(error) if is_code(&error, 404) => Ok(None),
        Err(error) => {
            bail!("cannot read HelmRelease {}/{name}: {}", target.namespace, explain(&error))
        }
        found => Ok(found?),
    }
}

/// The records of what was made for an object, or else of what it asks for.
pub fn storage(target: &Target, release: &HelmRelease) -> anyhow::Result<Storage> {
    let made = release.status.as_ref().and_then(|status| status.history.first());
    let name = match made {
        Some(head) => head.name.clone(),
        None => release.release_name().context("spec.releaseName")?.to_string(),
    };
    let storage = Storage::new(target.client.clone(), &release.storage_namespace(), &name);
    Ok(storage.held_by(&claim::holder(release)))
}
