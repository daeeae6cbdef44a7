//! `pinnace template [NAME] CHART`: what `helm template` prints.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pinnace_engine::render::{Capabilities, Operation, Options};
use pinnace_engine::template::{Budget, Environment, TemplateSet, Value, on_large_stack};
use pinnace_engine::{Chart, render};

use crate::cli::chart_source;
use crate::cli::values::ValueArgs;
use crate::model::release::ReleaseName;

mod ignored;
mod output;

/// The flags of `helm template` that mean something without a cluster.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = ignored::help())]
pub struct Args {
    /// [NAME] CHART: the release's name and the chart's folder or .tgz
    #[arg(required = true, num_args = 1..=2, value_names = ["NAME", "CHART"])]
    chart: Vec<String>,
    #[command(flatten)]
    values: ValueArgs,
    /// The namespace of the release
    #[arg(short, long, env = "HELM_NAMESPACE", default_value = "default")]
    namespace: String,
    /// A template for the name, such as release-{{ randAlphaNum 6 | lower }}
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
    /// The Kubernetes version that charts see
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// Further API versions that charts see (can be given several times, or with commas between)
    #[arg(short, long, value_name = "GROUP/VERSION", value_delimiter = ',')]
    api_versions: Vec<String>,
    /// Print the chart's crds/ folder as well
    #[arg(long)]
    include_crds: bool,
    /// Leave out the hooks that are tests
    #[arg(long)]
    skip_tests: bool,
    /// Leave out all hooks
    #[arg(long)]
    no_hooks: bool,
    /// Print only what comes of these templates, such as templates/*.yaml
    #[arg(short, long, value_name = "PATTERN")]
    show_only: Vec<String>,
    /// Render as for an upgrade: .Release.IsUpgrade
    #[arg(long)]
    is_upgrade: bool,
    /// Write files below this folder instead of printing
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Add the release's name to the path of --output-dir
    #[arg(long)]
    release_name: bool,
    /// Do not hold the values against the chart's schemas
    #[arg(long)]
    skip_schema_validation: bool,
    #[command(flatten)]
    _ignored: ignored::Ignored,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    let (name, chart) = args.name_and_chart()?;
    name.parse::<ReleaseName>().context("release name check failed")?;
    let values = args.values.read()?;
    if chart.starts_with("oci://") {
        bail!(
            "cannot load {chart}: charts are read from folders and .tgz files; run `helm pull {chart}` first"
        );
    }
    let chart = chart_source::load(Path::new(chart))?;
    check_dependencies(&chart)?;
    let mut capabilities = match &args.kube_version {
        None => Capabilities::default(),
        Some(version) => Capabilities::of_kube_version(version)
            .with_context(|| format!("invalid kube version '{version}'"))?,
    };
    capabilities.api_versions.extend(args.api_versions.iter().cloned());
    let options = Options {
        release_name: &name,
        namespace: &args.namespace,
        revision: 1,
        operation: if args.is_upgrade { Operation::Upgrade } else { Operation::Install },
        capabilities,
        lookup: None,
        skip_schema_validation: args.skip_schema_validation,
        keep_integers: true,
        budget: Budget::default(),
    };
    let rendered = render(&chart, &serde_json::Value::Object(values), &options)?;
    for warning in &rendered.warnings {
        eprintln!("{}", warning.log_line());
    }
    let mut stdout = std::io::stdout().lock();
    let choice =
        output::Choice { crds: args.include_crds, hooks: !args.no_hooks, tests: !args.skip_tests };
    match &args.output_dir {
        Some(folder) => {
            let below = if args.release_name { folder.join(&name) } else { folder.clone() };
            output::write_files(&rendered, choice, folder, &below, &mut stdout)?;
        }
        None => {
            let text = output::text(&rendered, choice);
            let text = if args.show_only.is_empty() {
                text
            } else {
                output::only(&text, &args.show_only)?
            };
            stdout.write_all(text.as_bytes()).context("cannot write to stdout")?;
        }
    }
    Ok(())
}

impl Args {
    fn name_and_chart(&self) -> anyhow::Result<(String, &str)> {
        match (self.chart.as_slice(), &self.name_template) {
            ([_, _], Some(_)) => bail!("cannot set --name-template and also specify a name"),
            ([name, chart], None) => Ok((name.clone(), chart)),
            ([chart], Some(template)) => Ok((name_of(template)?, chart)),
            ([chart], None) => Ok(("release-name".to_owned(), chart)),
            _ => bail!("give a chart, or a name and a chart"),
        }
    }
}

fn name_of(template: &str) -> anyhow::Result<String> {
    let mut set = TemplateSet::new();
    set.parse("name-template", template).context("--name-template")?;
    on_large_stack(|| set.execute("name-template", &Value::Nil, &Environment::system()))
        .context("--name-template")
}

/// Chart.yaml may ask for subcharts that charts/ does not have.
fn check_dependencies(chart: &Chart) -> anyhow::Result<()> {
    let present = |name: &str| chart.dependencies().iter().any(|sub| sub.name() == name);
    let wanted = chart.metadata().dependencies.iter();
    let missing: Vec<&str> =
        wanted.map(|dependency| dependency.name.as_str()).filter(|name| !present(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "an error occurred while checking for chart dependencies. You may need to run `helm \
         dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in \
         charts/ directory: {}",
        missing.join(", ")
    )
}
