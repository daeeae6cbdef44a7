//! The verbs about releases of a live cluster, in kubectl's habits.
//!
//! * [`connect`] — which cluster and namespace; [`subject`] — which release: its HelmRelease, its Helm records
//! * [`get`], [`history`], [`values`], [`manifest`], [`why`], [`diff`] — look, and change nothing
//! * [`rollback`], [`suspend`], [`resume`], [`reconcile`] — ask for something; [`wait`] — and see what comes of it
//! * [`table`], [`output`], [`redact`], [`age`] — pure: how it is shown; [`names`] — names for the shell to complete

use std::process::ExitCode;

use clap::Subcommand;

mod age;
mod connect;
mod diff;
mod get;
mod history;
mod manifest;
mod names;
mod output;
mod reconcile;
mod redact;
mod resume;
mod rollback;
mod subject;
mod suspend;
mod table;
mod values;
mod wait;
mod why;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List HelmReleases: what runs, what is wanted, whether it is ready
    Get(get::Args),
    /// Say in plain words why a release is not ready, and what will happen next
    Why(why::Args),
    /// List the revisions of a release
    History(history::Args),
    /// Print the values of a revision, secrets hidden
    Values(values::Args),
    /// Print the objects of a revision, secrets hidden
    Manifest(manifest::Args),
    /// Show what an upgrade would create, change and delete; nothing is applied
    Diff(diff::Args),
    /// Go back to an earlier revision, and suspend the release so that it stays there
    Rollback(rollback::Args),
    /// Have the controller leave a release alone
    Suspend(suspend::Args),
    /// Have the controller look after a release again
    Resume(resume::Args),
    /// Have the controller look at a release now
    Reconcile(reconcile::Args),
}

/// Runs a verb. The code is 0 unless the verb says otherwise.
pub fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match verb {
            Verb::Get(args) => get::run(args).await?,
            Verb::Why(args) => return why::run(args).await,
            Verb::History(args) => history::run(args).await?,
            Verb::Values(args) => values::run(args).await?,
            Verb::Manifest(args) => manifest::run(args).await?,
            Verb::Diff(args) => return Ok(diff::run(args).await),
            Verb::Rollback(args) => rollback::run(args).await?,
            Verb::Suspend(args) => suspend::run(args).await?,
            Verb::Resume(args) => resume::run(args).await?,
            Verb::Reconcile(args) => reconcile::run(args).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}
