//! `pinnace manifest`: the objects of a revision, as they were applied.

use serde_json::Value;

use super::output::{self, Output};
use super::subject::SubjectArgs;
use super::{redact, values};
use crate::cluster::Object;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    /// The revision (default: the newest)
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u32>,
    /// The hooks as well
    #[arg(long)]
    hooks: bool,
    /// Show secrets as well
    #[arg(long)]
    show_secrets: bool,
    #[arg(short, long, value_enum, default_value = "yaml")]
    output: Output,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let subject = args.subject.find().await?;
    let record = subject.revision(args.revision).await?.record;
    let mut text = record.manifest.clone();
    if args.hooks {
        for hook in &record.hooks {
            text.extend(["---\n# Source: ", &hook.path, "\n", &hook.manifest, "\n"]);
        }
    }
    if !args.show_secrets {
        let (_, hidden) = values::hidden(&subject, &record).await;
        text = redact::manifest(&text, &hidden);
    }
    match args.output {
        Output::Json => {
            let objects = Object::parse_all(&text, "the release record")?;
            let objects: Value = objects.into_iter().map(|object| object.value).collect();
            print!("{}", output::document(&objects, Output::Json)?);
        }
        Output::Table => {
            for object in Object::parse_all(&text, "the release record")? {
                println!("{}", object.key);
            }
        }
        Output::Yaml => print!("{text}{}", if text.ends_with('\n') { "" } else { "\n" }),
    }
    Ok(())
}
