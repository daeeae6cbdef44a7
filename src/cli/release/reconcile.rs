//! `pinnace reconcile`: the controller looks at a release now.

use anyhow::{Context as _, bail};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::connect::Target;
use super::subject::SubjectArgs;
use super::suspend::FIELD_MANAGER;
use super::wait::{self, WaitArgs};
use crate::api::annotation;
use crate::api::helm_release::HelmRelease;
use crate::cluster::error::explain;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    wait: WaitArgs,
}

/// What is asked for besides a look.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Wish {
    /// Upgrade once, even if nothing has changed
    #[arg(long)]
    force: bool,
    /// Forget counted failures, so that a release that gave up is tried again
    #[arg(long)]
    reset: bool,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (target, release) = args.subject.helm_release().await?;
    let name = &args.subject.name;
    if release.is_suspended() {
        bail!("HelmRelease {name} is suspended: `pinnace resume {name} {}` first", target.flags);
    }
    let asked = ask(&target, name, args.wish).await?;
    println!("helmrelease.cd.qdrant.io/{name} asked for at {asked}");
    wait::until_handled(&target, name, &asked, &args.wait).await
}

/// Asks for a look; returns the word by which the answer is known.
pub async fn ask(target: &Target, name: &str, wish: Wish) -> anyhow::Result<String> {
    let now = Timestamp::now().to_string();
    let mut annotations = json!({annotation::REQUESTED_AT: now});
    if wish.force {
        annotations[annotation::FORCE_AT] = json!(now);
    }
    if wish.reset {
        annotations[annotation::RESET_AT] = json!(now);
    }
    let api: Api<HelmRelease> = Api::namespaced(target.client.clone(), &target.namespace);
    let patch = json!({"metadata": {"annotations": annotations}});
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    api.patch_metadata(name, &params, &Patch::Merge(&patch))
        .await
        .map_err(|error| anyhow::anyhow!("{}", explain(&error)))
        .with_context(|| format!("cannot annotate HelmRelease {}/{name}", target.namespace))?;
    Ok(now)
}
