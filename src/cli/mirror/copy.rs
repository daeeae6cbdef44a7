//! `pinnace mirror copy`.

use std::sync::Arc;
use std::time::Instant;

use anyhow::bail;
use futures::{StreamExt as _, stream};
use pinnace_registry::mirror::{Copied, Copier, CopyOptions, MirrorError, Outcome, Platforms};
use serde::Serialize;

use super::output::{self, Output, bytes};
use super::target::{Part, TargetArgs};

mod progress;

use progress::Shown;

/// Copies charts and images of a plan, by digest, with their signatures.
///
/// What the mirror has is not sent again, and a copy that was stopped goes on where it was.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Only these platforms of each image, such as linux/amd64 (can be given several times)
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    platform: Vec<String>,
    /// Leave out signatures, attestations and SBOMs
    #[arg(long)]
    no_attachments: bool,
    /// Say what would be copied, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Blobs that are transferred at one time
    #[arg(short, long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  pinnace mirror copy plan.yaml --to harbor.example/vendor --dry-run
  pinnace mirror copy plan.yaml --to harbor.example/vendor --platform linux/amd64,linux/arm64
  pinnace mirror copy plan.yaml --rules mirrors.yaml -o json";

/// One line of the result.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    source: String,
    target: String,
    /// `copied`, `unchanged`, `would copy` or `failed`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    bytes: u64,
    attachments: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let began = Instant::now();
    let registries = args.target.registries()?;
    let parts = args.target.parts(&registries)?;
    let options = CopyOptions {
        platforms: Platforms::parse(&args.platform)?,
        attachments: !args.no_attachments,
        dry_run: args.dry_run,
        at_once: args.jobs.into(),
    };
    let shown = Arc::new(Shown::new(parts.len()));
    let copier = Copier::new(registries.clone(), registries, options, shown.clone());
    let copies = stream::iter(&parts)
        .map(async |part| line(part, copier.copy(&part.source, &part.target).await))
        .buffer_unordered(usize::from(args.jobs) * 2);
    let mut copies = std::pin::pin!(copies);
    let mut lines = Vec::with_capacity(parts.len());
    while let Some(line) = copies.next().await {
        shown.done(&line, args.output == Output::Text);
        lines.push(line);
    }
    shown.finish();
    lines.sort_by(|a, b| a.target.cmp(&b.target));
    if !output::print(args.output, &lines)? {
        let count = |result: &str| lines.iter().filter(|line| line.result == result).count();
        let sent = lines.iter().map(|line| line.bytes).sum();
        let (verb, done) = if args.dry_run {
            ("to copy", count("would copy"))
        } else {
            ("copied", count("copied"))
        };
        println!(
            "{done} {verb}, {} unchanged, {} failed, {} in {:.1} s",
            count("unchanged"),
            count("failed"),
            bytes(sent),
            began.elapsed().as_secs_f64()
        );
    }
    match lines.iter().filter(|line| line.error.is_some()).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} could not be copied; run it again to go on", lines.len()),
    }
}

fn line(part: &Part, copied: Result<Copied, MirrorError>) -> Line {
    let (source, target) = (part.source.image(), part.target.image());
    match copied {
        Ok(copied) => Line {
            source,
            target,
            result: match copied.outcome {
                Outcome::Unchanged => "unchanged",
                Outcome::Copied => "copied",
                Outcome::WouldCopy => "would copy",
            },
            digest: Some(copied.digest.to_string()),
            bytes: copied.bytes,
            attachments: copied.attachments,
            error: None,
        },
        Err(error) => {
            let error = Some(format!("{:#}", anyhow::Error::new(error)));
            Line { source, target, result: "failed", digest: None, bytes: 0, attachments: 0, error }
        }
    }
}

impl Line {
    fn text(&self) -> String {
        let mut text = format!("{:<10} {}", self.result, self.target);
        if self.bytes > 0 {
            text += &format!("  {}", bytes(self.bytes));
        }
        if self.attachments > 0 {
            text += &format!("  with {} attached", self.attachments);
        }
        if let Some(error) = &self.error {
            text += &format!("\n  {error}");
        }
        text
    }
}
