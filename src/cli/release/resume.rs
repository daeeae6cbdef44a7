//! `pinnace resume`: the controller looks after a release again.

use super::subject::SubjectArgs;
use super::wait::{self, WaitArgs};
use super::{reconcile, suspend};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (target, _) = args.subject.helm_release().await?;
    let name = &args.subject.name;
    suspend::set(&target, name, false).await?;
    println!("helmrelease.cd.qdrant.io/{name} resumed");
    let asked = reconcile::ask(&target, name, reconcile::Wish::default()).await?;
    wait::until_handled(&target, name, &asked, &args.wait).await
}
