//! `pinnace suspend`: the controller leaves a release alone.

use anyhow::Context as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::connect::Target;
use super::subject::SubjectArgs;
use crate::api::helm_release::HelmRelease;
use crate::cluster::error::explain;

/// The field manager of what a person changes with this command.
pub const FIELD_MANAGER: &str = "pinnace";

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (target, _) = args.subject.helm_release().await?;
    let name = &args.subject.name;
    set(&target, name, true).await?;
    println!(
        "helmrelease.cd.qdrant.io/{name} suspended: nothing is done about it until `pinnace resume {name}`"
    );
    Ok(())
}

/// Sets `spec.suspend`; returns the object as it is then.
pub async fn set(target: &Target, name: &str, suspend: bool) -> anyhow::Result<HelmRelease> {
    let api: Api<HelmRelease> = Api::namespaced(target.client.clone(), &target.namespace);
    let patch = json!({"spec": {"suspend": suspend}});
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let patched = api.patch(name, &params, &Patch::Merge(&patch)).await;
    let verb = if suspend { "suspend" } else { "resume" };
    patched
        .map_err(|error| anyhow::anyhow!("{}", explain(&error)))
        .with_context(|| format!("cannot {verb} HelmRelease {}/{name}", target.namespace))
}
