//! `pinnace diff`: what an upgrade would do, by dry runs on the API server. Its codes are those of `kubectl diff`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use pinnace_engine::Chart;
use pinnace_registry::Cache;
use serde_json::{Value, json};

use super::output::{self, Output};
use super::subject::{self, SubjectArgs};
use crate::api::helm_release::HelmRelease;
use crate::cli::chart_source;
use crate::cli::values::ValueArgs;
use crate::cluster::Cluster;
use crate::cluster::preview::Change;
use crate::controller::preview::{self, Preview, Question};
use crate::controller::{plan, source, values};

/// Bytes of charts that one run keeps.
const CACHE_BYTES: u64 = 64 << 20;

#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0, nothing would change; 1, something would; 2, it cannot be told."
)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    /// The version or range of versions to upgrade to (default: what the spec says)
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// A chart on this machine in place of the registry's: folder or .tgz
    #[arg(long, value_name = "PATH", conflicts_with = "version")]
    chart: Option<PathBuf>,
    /// These go over the values of the spec
    #[command(flatten)]
    values: ValueArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Prints the differences; 1 if there are any.
pub async fn run(args: Args) -> ExitCode {
    match show(args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// True: nothing would change.
async fn show(args: Args) -> anyhow::Result<bool> {
    let (target, release) = args.subject.helm_release().await?;
    let mut asked = plan::asked(&release, args.version.as_deref().unwrap_or(plan::SPEC))?;
    over(&mut asked, &args.values)?;
    let values =
        values::read(&target.client, &asked).await.context("cannot put the values together")?;
    let (chart, digest) = match &args.chart {
        Some(path) => (Arc::new(chart_source::load(path)?), None),
        None => pull(&target.client, &asked).await?,
    };
    let to = format!("{}@{}", chart.name(), chart.version());
    let storage = subject::storage(&target, &release)?;
    let mirrors = source::mirrors(&target.client, &asked.own_namespace())
        .await
        .context("cannot tell where images are")?;
    let question = Question {
        release: &asked,
        storage: &storage,
        chart,
        mirrors: &mirrors,
        values: &values.merged,
        redactor: &values.redactor,
    };
    let cluster = Cluster::new(target.client.clone());
    let found = preview::run(&cluster, &question).await.context("cannot tell what would change")?;
    match args.output {
        Output::Table => print!("{}", text(&args.subject.name, &to, &found)),
        output => print!("{}", output::document(&document(&to, digest, &found), output)?),
    }
    Ok(found.is_empty())
}

/// The values of the command line go over those of the spec.
fn over(release: &mut HelmRelease, values: &ValueArgs) -> anyhow::Result<()> {
    let more = values.read()?;
    if more.is_empty() {
        return Ok(());
    }
    let mut all = match release.spec.values.take() {
        None | Some(Value::Null) => serde_json::Map::new(),
        Some(Value::Object(values)) => values,
        Some(_) => bail!("spec.values is not a map"),
    };
    pinnace_engine::values::merge(&mut all, more);
    release.spec.values = Some(Value::Object(all));
    Ok(())
}

/// The chart as the controller would pull it, with the repository's own Secrets.
async fn pull(
    client: &kube::Client,
    release: &HelmRelease,
) -> anyhow::Result<(Arc<Chart>, Option<String>)> {
    let folder = tempfile::tempdir().context("cannot make a folder for the chart")?;
    let cache = Cache::new(folder.path(), CACHE_BYTES)?;
    let sources = source::Sources::new(client.clone(), cache, 1);
    let pulled = sources.chart(release).await.context(
        "cannot pull the chart (--chart takes one from this machine; the annotation cd.qdrant.io/plan has the \
         controller look)",
    )?;
    Ok((pulled.chart, Some(pulled.digest)))
}

/// Lines for people: what comes, what changes, what goes.
fn text(name: &str, to: &str, found: &Preview) -> String {
    let from = match &found.from {
        Some((revision, chart)) => format!("revision {revision}, {chart}"),
        None => "not installed".to_owned(),
    };
    let mut text = format!("{name}: {from} -> {to}\n\n");
    let mut counts = [0; 4];
    for object in &found.objects {
        let key = &object.key;
        match &object.change {
            Change::Same => {}
            Change::Create => {
                counts[0] += 1;
                text += &format!("+ {key}\n");
            }
            Change::Fields(fields) => {
                counts[1] += 1;
                text += &format!("~ {key}\n");
                for it in fields {
                    text += &format!(
                        "    {}: {} -> {}\n",
                        it.field,
                        value(&it.before),
                        value(&it.after)
                    );
                }
            }
            Change::Delete => {
                counts[2] += 1;
                text += &format!("- {key}\n");
            }
            Change::Refused(why) => {
                counts[3] += 1;
                text += &format!("! {key}: it would be refused: {why}\n");
            }
        }
    }
    for (key, replaced) in &found.definitions {
        text += &format!("{} {key}\n", if *replaced { "~" } else { "+" });
    }
    for (event, hook) in &found.hooks {
        text += &format!("* {event} hook: {hook}\n");
    }
    let [create, change, delete, refused] = counts;
    text += &format!(
        "{create} to create, {change} to change, {delete} to delete, {} unchanged",
        found.unchanged()
    );
    if refused > 0 {
        text += &format!(", {refused} refused: the upgrade would fail");
    }
    text + "\n"
}

fn value(value: &Value) -> String {
    if value.is_null() { "(none)".to_owned() } else { value.to_string() }
}

fn document(to: &str, digest: Option<String>, found: &Preview) -> Value {
    let with = |wanted: &dyn Fn(&Change) -> Option<Value>| -> Vec<Value> {
        let rows = found.objects.iter().filter_map(|object| {
            let mut row = wanted(&object.change)?;
            row["object"] = json!(object.key.to_string());
            Some(row)
        });
        rows.collect()
    };
    let named = |change: &Change| {
        let names = found.objects.iter().filter(|object| object.change == *change);
        names.map(|object| object.key.to_string()).collect::<Vec<_>>()
    };
    let definition =
        |(key, replaced): &(_, bool)| json!({"object": key_text(key), "replaced": replaced});
    json!({
        "from": found.from.as_ref().map(|(revision, chart)| json!({"revision": revision, "chart": chart})),
        "to": {"chart": to, "digest": digest},
        "create": named(&Change::Create),
        "change": with(&|change| match change {
            Change::Fields(fields) => Some(json!({"fields": fields})),
            _ => None,
        }),
        "delete": named(&Change::Delete),
        "refused": with(&|change| match change {
            Change::Refused(why) => Some(json!({"why": why})),
            _ => None,
        }),
        "definitions": found.definitions.iter().map(definition).collect::<Vec<_>>(),
        "hooks": found.hooks.iter().map(|(event, hook)| json!({"event": event, "object": hook})).collect::<Vec<_>>(),
        "unchanged": found.unchanged(),
    })
}

fn key_text(key: &crate::cluster::Key) -> String {
    key.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Key;
    use crate::cluster::preview::{Difference, Preview as One};

    fn found() -> Preview {
        let one = |name: &str, change| One {
            key: Key {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: Some("n".into()),
                name: name.into(),
            },
            change,
        };
        let field = Difference { field: "/data/a".into(), before: json!("1"), after: Value::Null };
        Preview {
            from: Some((2, "web@1.0.0".into())),
            objects: vec![
                one("new", Change::Create),
                one("same", Change::Same),
                one("other", Change::Fields(vec![field])),
                one("bad", Change::Refused("it is immutable".into())),
                one("old", Change::Delete),
            ],
            definitions: Vec::new(),
            hooks: vec![("pre-upgrade", "Job migrate".into())],
        }
    }

    #[test]
    fn lines_for_people() {
        let expected = "\
web: revision 2, web@1.0.0 -> web@2.0.0

+ ConfigMap n/new
~ ConfigMap n/other
    /data/a: \"1\" -> (none)
! ConfigMap n/bad: it would be refused: it is immutable
- ConfigMap n/old
* pre-upgrade hook: Job migrate
1 to create, 1 to change, 1 to delete, 1 unchanged, 1 refused: the upgrade would fail
";
        assert_eq!(text("web", "web@2.0.0", &found()), expected);
    }

    #[test]
    fn a_document_for_programs() {
        let document = document("web@2.0.0", None, &found());
        assert_eq!(document["create"], json!(["ConfigMap n/new"]));
        assert_eq!(document["refused"][0]["why"], "it is immutable");
        assert_eq!(document["change"][0]["fields"][0]["before"], "1");
        assert_eq!(document["from"]["revision"], 2);
    }
}
