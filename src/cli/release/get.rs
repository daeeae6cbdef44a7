//! `pinnace get`: all releases on one page.

use anyhow::{Context as _, bail};
use clap_complete::engine::ArgValueCompleter;
use futures::StreamExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use pinnace_engine::yaml;
use serde_json::{Value, json};

use super::connect::{ClusterArgs, Target};
use super::table::{self, Table};
use super::{age, names};
use crate::api::helm_release::HelmRelease;
use crate::cluster::error::{explain, retried};
use crate::model::condition::READY;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only these
    #[arg(value_name = "RELEASE", add = ArgValueCompleter::new(names::complete))]
    names: Vec<String>,
    /// Those of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only those with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    /// Go on and print each change
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    #[default]
    Table,
    /// The table, with what each release says of itself
    Wide,
    Json,
    Yaml,
    /// helmrelease.cd.qdrant.io/NAME, for kubectl
    Name,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    if args.all_namespaces && !args.names.is_empty() {
        bail!("a release is named within one namespace: leave out -A, or the names");
    }
    if args.watch && !matches!(args.output, Form::Table | Form::Wide) {
        bail!("--watch prints a table: leave out -o, or use kubectl get --watch");
    }
    let target = args.cluster.connect().await?;
    let releases = list(&args, &target).await?;
    match args.output {
        Form::Table | Form::Wide => {
            let table = table(&releases, &args, Timestamp::now());
            if table.is_empty() && !args.watch {
                let whole = args.all_namespaces;
                let place = if whole { String::new() } else { format!(" in {}", target.namespace) };
                eprintln!("No HelmReleases found{place}");
                return Ok(());
            }
            print!("{}", table.text());
            if args.watch {
                follow(&args, &target, &releases, &table.widths()).await;
            }
        }
        Form::Name => {
            releases.iter().for_each(|r| println!("helmrelease.cd.qdrant.io/{}", r.name_any()))
        }
        Form::Json => println!("{}", serde_json::to_string_pretty(&document(&args, &releases))?),
        Form::Yaml => print!("{}", yaml::to_string(&document(&args, &releases))),
    }
    Ok(())
}

fn api(args: &Args, target: &Target) -> Api<HelmRelease> {
    match args.all_namespaces {
        true => Api::all(target.client.clone()),
        false => Api::namespaced(target.client.clone(), &target.namespace),
    }
}

async fn list(args: &Args, target: &Target) -> anyhow::Result<Vec<HelmRelease>> {
    let mut params = ListParams::default();
    params.label_selector.clone_from(&args.selector);
    let api = api(args, target);
    let list = retried(|| api.list(&params)).await;
    let list = list.map_err(|e| anyhow::anyhow!("cannot list HelmReleases: {}", explain(&e)))?;
    if args.names.is_empty() {
        return Ok(list.items);
    }
    let mut found = Vec::new();
    for name in &args.names {
        let release = list.items.iter().find(|release| release.name_any() == *name);
        let release = release.with_context(|| {
            format!("there is no HelmRelease {name} in namespace {}", target.namespace)
        })?;
        found.push(release.clone());
    }
    Ok(found)
}

/// One named release is itself; anything else is a list.
fn document(args: &Args, releases: &[HelmRelease]) -> Value {
    match releases {
        [one] if args.names.len() == 1 => json!(one),
        all => json!({"apiVersion": "v1", "kind": "List", "items": all}),
    }
}

/// Prints each change, until the program is ended.
async fn follow(args: &Args, target: &Target, listed: &[HelmRelease], widths: &[usize]) {
    let mut config = watcher::Config::default();
    config.label_selector.clone_from(&args.selector);
    let changes = watcher(api(args, target), config).default_backoff().applied_objects();
    let mut changes = std::pin::pin!(changes);
    let key = |release: &HelmRelease| (release.namespace(), release.name_any());
    let said = |release: &HelmRelease| {
        // That it grew older is no change.
        let born = release.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |made| made.0);
        cells(release, args, born)
    };
    let mut shown: std::collections::HashMap<_, _> =
        listed.iter().map(|release| (key(release), said(release))).collect();
    while let Some(release) = changes.next().await {
        // A watch that broke off is begun again by the watcher.
        let Ok(release) = release else { continue };
        if !args.names.is_empty() && !args.names.contains(&release.name_any()) {
            continue;
        }
        let now = said(&release);
        if shown.insert(key(&release), now.clone()) != Some(now) {
            print!("{}", table::line(&cells(&release, args, Timestamp::now()), widths));
        }
    }
}

fn table(releases: &[HelmRelease], args: &Args, now: Timestamp) -> Table {
    let mut heading = vec!["NAME", "READY", "REVISION", "RUNNING", "WANTED", "REASON", "AGE"];
    if args.all_namespaces {
        heading.insert(0, "NAMESPACE");
    }
    if args.output == Form::Wide {
        heading.push("MESSAGE");
    }
    let mut table = Table::new(&heading);
    releases.iter().for_each(|release| table.row(cells(release, args, now)));
    table
}

fn cells(release: &HelmRelease, args: &Args, now: Timestamp) -> Vec<String> {
    let status = release.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().find(|condition| condition.type_ == READY);
    let deployed = status.history.iter().find(|snapshot| snapshot.status == "deployed");
    let running = deployed.or(status.history.first());
    let since = release.creation_timestamp().map_or(now, |made| made.0);
    let mut cells = vec![
        release.name_any(),
        match (release.is_suspended(), ready) {
            (true, _) => "Suspended".to_owned(),
            (false, ready) => ready.map_or_else(|| "Unknown".to_owned(), |c| c.status.clone()),
        },
        running.map_or_else(String::new, |snapshot| snapshot.version.to_string()),
        deployed
            .map_or_else(|| "-".to_owned(), |s| format!("{}-{}", s.chart_name, s.chart_version)),
        wanted(release),
        ready.map_or_else(String::new, |c| c.reason.clone()),
        age::human(now.as_second() - since.as_second()),
    ];
    if args.all_namespaces {
        cells.insert(0, release.namespace().unwrap_or_default());
    }
    if args.output == Form::Wide {
        cells.push(ready.map_or_else(String::new, |c| c.message.clone()));
    }
    cells
}

/// The chart that the spec asks for, in a table.
pub fn wanted(release: &HelmRelease) -> String {
    match (&release.spec.chart, &release.spec.chart_ref) {
        (Some(chart), _) => {
            let name = chart.spec.chart.rsplit('/').next().unwrap_or_default();
            format!("{name}-{}", chart.spec.version())
        }
        (None, Some(source)) => source.name.clone(),
        (None, None) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn release() -> HelmRelease {
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {
                "name": "web", "namespace": "n", "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"interval": "1m", "chart": {"spec": {
                "chart": "web", "version": "2.0.0",
                "sourceRef": {"kind": "HelmRepository", "name": "charts"},
            }}},
            "status": {
                "history": [
                    {
                        "digest": "d", "name": "web", "namespace": "n", "version": 3,
                        "status": "deployed", "chartName": "web", "chartVersion": "1.0.0",
                        "configDigest": "d", "firstDeployed": "2026-01-01T00:00:00Z",
                        "lastDeployed": "2026-01-01T00:00:00Z",
                    },
                ],
                "conditions": [{
                    "type": "Ready", "status": "False", "reason": "RollbackSucceeded",
                    "message": "went back", "lastTransitionTime": "2026-01-01T00:00:00Z",
                }],
            },
        }))
        .expect("a release")
    }

    fn shown(line: &str) -> String {
        let words = std::iter::once("get").chain(line.split_whitespace());
        let args = Line::try_parse_from(words).unwrap_or_else(|e| panic!("{e}")).args;
        let now = "2026-01-01T00:05:12Z".parse().expect("a time");
        table(&[release()], &args, now).text()
    }

    #[test]
    fn what_runs_and_what_is_wanted() {
        let expected = "\
NAME   READY   REVISION   RUNNING     WANTED      REASON              AGE
web    False   3          web-1.0.0   web-2.0.0   RollbackSucceeded   5m12s
";
        assert_eq!(shown(""), expected);
        let expected = "\
NAMESPACE   NAME   READY   REVISION   RUNNING     WANTED      REASON              AGE     MESSAGE
n           web    False   3          web-1.0.0   web-2.0.0   RollbackSucceeded   5m12s   went back
";
        assert_eq!(shown("-A -o wide"), expected);
    }

    #[test]
    fn a_suspended_release_says_so() {
        let mut release = release();
        release.spec.suspend = Some(true);
        let args = Line::try_parse_from(["get"]).unwrap_or_else(|e| panic!("{e}")).args;
        assert_eq!(cells(&release, &args, Timestamp::UNIX_EPOCH)[1], "Suspended");
    }
}
