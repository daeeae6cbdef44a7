//! `pinnace why`: the one answer that is wanted at three in the morning.
//!
//! [`facts`] — all reads; [`explain`] — pure: what they mean; [`next`] — pure: what happens next, and what a person
//! can do.

use std::process::ExitCode;

use super::output::{self, Output};
use super::subject::SubjectArgs;

mod explain;
mod facts;
mod next;
#[cfg(test)]
mod tests;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// End with 1 if the release is not ready
    #[arg(long)]
    exit_code: bool,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (target, release) = args.subject.helm_release().await?;
    let facts = facts::gather(&target, release).await;
    let explanation = explain::explain(&facts);
    match args.output {
        Output::Table => print!("{}", explanation.text()),
        output => print!("{}", output::document(&serde_json::to_value(&explanation)?, output)?),
    }
    let bad = args.exit_code && explanation.verdict != explain::Verdict::Ready;
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
