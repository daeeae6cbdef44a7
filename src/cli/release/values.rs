//! `pinnace values`: what a revision was configured with.

use pinnace_engine::values::merge;
use serde_json::{Map, Value};

use super::output::{self, Output};
use super::redact;
use super::subject::{Subject, SubjectArgs};
use crate::api::helm_release::HelmRelease;
use crate::api::reference::ValuesKind;
use crate::controller::redactor::Redactor;
use crate::controller::values;
use crate::release::record::Record;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    /// The revision (default: the newest)
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u32>,
    /// With the defaults of the chart under them
    #[arg(short, long)]
    all: bool,
    /// Show secrets as well
    #[arg(long)]
    show_secrets: bool,
    #[arg(short, long, value_enum, default_value = "yaml")]
    output: Output,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let subject = args.subject.find().await?;
    let record = subject.revision(args.revision).await?.record;
    let mut shown = match args.show_secrets {
        true => Value::Object(record.config.clone()),
        false => hidden(&subject, &record).await.0,
    };
    if args.all {
        let own = shown.as_object().cloned().unwrap_or_default();
        let mut all = defaults(&record, args.show_secrets);
        merge(&mut all, own);
        shown = Value::Object(all);
    }
    print!("{}", output::document(&shown, args.output)?);
    Ok(())
}

/// What the chart's own values.yaml says. Helm does not record those of its subcharts.
fn defaults(record: &Record, with_secrets: bool) -> Map<String, Value> {
    let defaults = record.chart["values"].as_object().cloned().unwrap_or_default();
    if with_secrets {
        return defaults;
    }
    redact::values(&defaults, None).0.as_object().cloned().unwrap_or_default()
}

/// The values of a revision without their secrets, and what hides the same secrets elsewhere.
pub async fn hidden(subject: &Subject, record: &Record) -> (Value, Redactor) {
    let open = match &subject.release {
        Some(release) if from_secrets(release) => Some(open(subject, release).await),
        _ => None,
    };
    redact::values(&record.config, open.as_ref())
}

fn from_secrets(release: &HelmRelease) -> bool {
    release.spec.values_from.iter().any(|reference| reference.kind == ValuesKind::Secret)
}

/// What the release would be configured with without its Secrets. Nothing, if that cannot be told.
async fn open(subject: &Subject, release: &HelmRelease) -> Value {
    let mut open = release.clone();
    open.spec.values_from.retain(|reference| reference.kind != ValuesKind::Secret);
    open.spec.values_from.iter_mut().for_each(|reference| reference.optional = Some(true));
    let read = values::read(&subject.target.client, &open).await;
    Value::Object(read.map(|values| values.merged).unwrap_or_default())
}
