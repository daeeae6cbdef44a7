//! `pinnace rollback`: an earlier revision again, by a person's own hand and rights.

use std::convert::Infallible;

use anyhow::{Context as _, bail};
use chrono::Utc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::subject::{Subject, SubjectArgs};
use super::{suspend, wait};
use crate::cluster::Cluster;
use crate::controller::act;
use crate::release::storage::Summary;
use crate::release::{self, Options, Status, rollback};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    /// The revision to go back to (default: the newest before the present one that was deployed)
    #[arg(value_name = "REVISION")]
    revision: Option<u32>,
    /// The longest wait for the objects to become ready (default: the HelmRelease's own, or 5m)
    #[arg(long, value_name = "DURATION", value_parser = wait::duration)]
    timeout: Option<std::time::Duration>,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut subject = args.subject.find().await?;
    let name = args.subject.name.clone();
    let flags = subject.target.flags.clone();
    let revisions = subject.storage.list().await?;
    let to = target(&revisions, args.revision)?;
    let held = subject.release.is_some();
    if held {
        // Otherwise the controller would go back to what is wanted as soon as it sees the new revision.
        subject.release = Some(suspend::set(&subject.target, &name, true).await?);
        println!("helmrelease.cd.qdrant.io/{name} suspended, so that the rollback stays");
    }
    let done = back(&subject, to, args.timeout).await?;
    println!(
        "release {} is at revision {done}, which is revision {to} again",
        subject.storage.release()
    );
    if held {
        println!(
            "When what is wanted (the pin, spec.chart, spec.values) fits again: pinnace resume {name} {flags}"
        );
    }
    Ok(())
}

/// Which revision is gone back to; an error if somebody is at work on the release.
fn target(revisions: &[Summary], wanted: Option<u32>) -> anyhow::Result<u32> {
    let newest = revisions.last().context("the release has no revision yet")?;
    if newest.status.is_pending() || newest.status == Status::Uninstalling {
        let who = newest.owner.as_deref().unwrap_or("another Helm client");
        bail!(
            "revision {} is {}: {who} is at work on the release; wait for its end, which `pinnace why` tells",
            newest.version,
            newest.status
        );
    }
    let Some(wanted) = wanted else {
        let good = |r: &&Summary| {
            r.version < newest.version && matches!(r.status, Status::Deployed | Status::Superseded)
        };
        let found = revisions.iter().rev().find(good).map(|r| r.version);
        return found.context("there is no earlier revision that was deployed");
    };
    if !revisions.iter().any(|r| r.version == wanted) {
        let kept: Vec<String> = revisions.iter().map(|r| r.version.to_string()).collect();
        bail!("there is no revision {wanted}: those that are kept are {}", kept.join(", "));
    }
    Ok(wanted)
}

/// Rolls back, and returns the new revision.
async fn back(
    subject: &Subject,
    to: u32,
    timeout: Option<std::time::Duration>,
) -> anyhow::Result<u32> {
    let mut options = subject.release.as_ref().map_or_else(Options::default, act::rollback);
    options.timeout = timeout.unwrap_or(options.timeout);
    let latest = subject.revision(None).await?.record;
    let target = subject.storage.get(to).await?;
    let cluster = Cluster::new(subject.target.client.clone());
    let (progress, mut told) = watch::channel(String::new());
    let identity = format!("pinnace-{}", std::process::id());
    let context = release::Context {
        cluster: &cluster,
        storage: &subject.storage,
        identity: &identity,
        stop: CancellationToken::new(),
        preempt: CancellationToken::new(),
        progress: Some(&progress),
        turn: None,
    };
    let done = tokio::select! {
        done = rollback::run(&context, &latest, target, Utc::now(), &options) => done,
        never = tell(&mut told) => match never {},
    };
    let stored = done.with_context(|| format!("the rollback to revision {to} failed"))?;
    Ok(stored.record.version)
}

/// Prints what is waited for.
async fn tell(told: &mut watch::Receiver<String>) -> Infallible {
    while told.changed().await.is_ok() {
        let waiting = told.borrow_and_update().clone();
        if !waiting.is_empty() {
            eprintln!("waiting: {waiting}");
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_revision_is_gone_back_to() {
        use Status::{Deployed, Failed, PendingUpgrade, Superseded};
        let history = Summary::history(&[Superseded, Failed, Superseded, Failed, Deployed]);
        assert_eq!(target(&history, None).ok(), Some(3));
        assert_eq!(target(&history, Some(1)).ok(), Some(1));
        let error = target(&history, Some(9)).expect_err("not kept").to_string();
        assert_eq!(error, "there is no revision 9: those that are kept are 1, 2, 3, 4, 5");
        for (history, words) in [
            (Summary::history(&[]), "no revision yet"),
            (Summary::history(&[Failed]), "no earlier revision"),
            (Summary::history(&[Deployed, PendingUpgrade]), "another Helm client is at work"),
        ] {
            let error = target(&history, None).expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
