//! `pinnace lint CHART…`: mistakes in charts, before anyone installs them.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use pinnace_engine::Chart;
use pinnace_engine::chart::File;
use pinnace_engine::lint::{Finding, Linted, Options, Severity, lint};
use pinnace_engine::render::Capabilities;
use serde::Serialize;

use crate::cli::chart_source::folder;
use crate::cli::flags::switches;
use crate::cli::values::ValueArgs;

const EXAMPLES: &str = "\
Examples:
  pinnace lint ./chart
  pinnace lint ./chart chart-1.2.3.tgz -f prod.yaml --strict
  pinnace lint ./chart -o json | jq '.charts[].findings[].message'

Exit code 0: nothing that fails; 1: a chart failed (an ERROR; with --strict a WARNING too), or it
cannot be read.";

switches! {
    Switches {
        strict "strict" "Warnings fail the chart as well"
        quiet "quiet" "Print only warnings and errors"
        with_subcharts "with-subcharts" "Look at the charts below charts/ as well"
        skip_schema_validation "skip-schema-validation" "Do not hold the values against the chart's schemas"
        debug "debug" "Accepted, as by helm lint, and of no effect here"
    }
}

/// How the findings are printed.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// As `helm lint` prints them
    Text,
    Json,
    Yaml,
}

/// The flags of `helm lint`, and `--output`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_override_self = true)]
pub struct Args {
    /// Folders and .tgz files of charts
    #[arg(required = true, value_name = "CHART")]
    charts: Vec<String>,
    #[command(flatten)]
    values: ValueArgs,
    /// The namespace that templates see
    #[arg(short, long, env = "HELM_NAMESPACE", default_value = "default")]
    namespace: String,
    /// The Kubernetes version that charts see, and whose deprecations count
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// How to print the findings
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
    #[command(flatten)]
    switches: Switches,
}

/// One chart and what was found in it.
#[derive(Serialize)]
struct Report {
    chart: String,
    failed: bool,
    findings: Vec<Finding>,
    /// It is no chart, as its only finding says.
    #[serde(skip)]
    is_unreadable: bool,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    let capabilities = match &args.kube_version {
        None => Capabilities::default(),
        Some(version) => Capabilities::of_kube_version(version)
            .with_context(|| format!("invalid kube version '{version}'"))?,
    };
    let (values, texts) = args.values.read_with_texts()?;
    let options = Options {
        values: &values,
        values_files: &texts,
        namespace: &args.namespace,
        capabilities,
        skip_schema_validation: args.switches.skip_schema_validation,
        has_templates: false,
    };
    let mut reports = Vec::new();
    let mut readable = Vec::new();
    for chart in &args.charts {
        match files(chart) {
            Ok(files) => {
                look(chart, &files, &args, &options, &mut reports);
                readable.push((chart, files));
            }
            Err(error) => {
                let message = format!("{error:#}");
                let finding = Finding { severity: Severity::Error, path: String::new(), message };
                let report = args.report(chart.clone(), vec![finding]);
                reports.push(Report { is_unreadable: true, ..report });
            }
        }
    }
    if args.switches.with_subcharts {
        for (chart, files) in &readable {
            look_below(chart, files, &args, &options, &mut reports);
        }
    }
    print(&args, &reports)
}

/// Looks at one chart. Helm's lines about it and its values go to stderr.
fn look(name: &str, files: &[File], args: &Args, options: &Options<'_>, reports: &mut Vec<Report>) {
    let has_templates = Path::new(name).join("templates").is_dir();
    let capabilities = options.capabilities.clone();
    let Linted { findings, log } =
        lint(files, &Options { has_templates, capabilities, ..*options });
    for line in log {
        eprintln!("{}", line.log_line());
    }
    reports.push(args.report(name.to_owned(), findings));
}

/// Looks at the charts of a chart's charts/, and those below them.
fn look_below(
    name: &str,
    files: &[File],
    args: &Args,
    options: &Options<'_>,
    reports: &mut Vec<Report>,
) {
    for subchart in subcharts(files) {
        let below: Vec<File> = match subchart.strip_suffix(".tgz") {
            Some(_) => {
                let file = files.iter().find(|file| file.name == subchart);
                file.and_then(|file| Chart::files_of_archive(&file.data).ok()).unwrap_or_default()
            }
            None => files.iter().filter_map(|file| below(file, &subchart)).collect(),
        };
        let name = format!("{}/{subchart}", name.trim_end_matches('/'));
        look(&name, &below, args, options, reports);
        look_below(&name, &below, args, options, reports);
    }
}

fn below(file: &File, folder: &str) -> Option<File> {
    let name = file.name.strip_prefix(folder)?.strip_prefix('/')?.to_owned();
    Some(File { name, ..file.clone() })
}

/// The folders and archives directly below charts/.
fn subcharts(files: &[File]) -> Vec<String> {
    let mut found: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let below = file.name.strip_prefix("charts/")?;
            match below.split_once('/') {
                Some((folder, "Chart.yaml")) => Some(format!("charts/{folder}")),
                None if below.ends_with(".tgz") => Some(file.name.clone()),
                _ => None,
            }
        })
        .collect();
    found.sort();
    found
}

fn files(name: &str) -> anyhow::Result<Vec<File>> {
    let path = Path::new(name);
    if path.is_dir() {
        let metadata = path.join("Chart.yaml");
        if !metadata.exists() {
            bail!(
                "unable to check Chart.yaml file in chart: stat {}: no such file or directory",
                metadata.display()
            );
        }
        return folder::files(path).with_context(|| format!("cannot read the chart in {name}"));
    }
    let archive = folder::archive(path)?;
    Chart::files_of_archive(&archive).with_context(|| format!("cannot read the chart {name}"))
}

impl Args {
    fn report(&self, chart: String, mut findings: Vec<Finding>) -> Report {
        let fails = if self.switches.strict { Severity::Warning } else { Severity::Error };
        let failed = findings.iter().any(|finding| finding.severity >= fails);
        if self.switches.quiet {
            findings.retain(|finding| finding.severity > Severity::Info);
        }
        Report { chart, failed, findings, is_unreadable: false }
    }
}

fn print(args: &Args, reports: &[Report]) -> anyhow::Result<()> {
    let failed = reports.iter().filter(|report| report.failed).count();
    let summary = format!("{} chart(s) linted, {failed} chart(s) failed", reports.len());
    let text = match args.output {
        Format::Text => text(args, reports, (failed == 0).then_some(&*summary)),
        Format::Json | Format::Yaml => {
            let all = serde_json::json!({ "charts": reports, "failed": failed });
            match args.output {
                Format::Yaml => pinnace_engine::yaml::to_string(&all),
                _ => format!("{}\n", serde_json::to_string_pretty(&all)?),
            }
        }
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")?;
    match failed {
        0 => Ok(()),
        _ => bail!(summary),
    }
}

fn text(args: &Args, reports: &[Report], summary: Option<&str>) -> String {
    let mut text = String::new();
    let shown = |report: &&Report| !args.switches.quiet || !report.findings.is_empty();
    let mut any = false;
    for report in reports.iter().filter(shown) {
        any = true;
        text.push_str(&format!("==> Linting {}\n", report.chart));
        for finding in &report.findings {
            text.push_str(&match report.is_unreadable {
                true => format!("Error {}\n", finding.message),
                false => format!("{finding}\n"),
            });
        }
        text.push('\n');
    }
    if let Some(summary) = summary.filter(|_| any) {
        text.push_str(&format!("{summary}\n"));
    }
    text
}
