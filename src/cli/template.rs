//! `pinnace template [NAME] CHART`: what `helm template` prints.

use std::io::{BufWriter, Write as _};
use std::mem::ManuallyDrop;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use pinnace_engine::render::{Capabilities, Operation, Options, RenderError, render_with_warnings};
use pinnace_engine::{Chart, Rendered, Warning};

use crate::cli::chart_source::ChartSourceArgs;
use crate::cli::flags::switches;
use crate::cli::values::ValueArgs;
use crate::model::release::ReleaseName;

mod excerpt;
mod ignored;
mod name;
mod output;

const EXAMPLES: &str = "\
Examples:
  pinnace template demo ./chart                      a chart in a folder
  pinnace template demo chart-1.2.3.tgz -f prod.yaml an archive, with values of a file
  pinnace template demo oci://registry.example/charts/thing --version ^1.2 --set replicas=3
  pinnace template demo ./chart -s 'templates/*.yaml' only what some templates write
  kubectl get configmap prod -o jsonpath='{.data.values}' | pinnace template demo ./chart -f -

";

switches! {
    Switches {
        include_crds "include-crds" "Print the chart's crds/ folder as well"
        skip_tests "skip-tests" "Leave out the hooks that are tests"
        no_hooks "no-hooks" "Leave out all hooks"
        is_upgrade "is-upgrade" "Render as for an upgrade: .Release.IsUpgrade"
        generate_name "generate-name" ('g') "Take the name release-name, as without a NAME"
        release_name "release-name" "Add the release's name to the path of --output-dir"
        skip_schema_validation "skip-schema-validation" "Do not hold the values against the chart's schemas"
        debug "debug" "Print what was rendered even if it is not YAML"
    }
}

/// The flags of `helm template` that mean something without a cluster.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = help(), args_override_self = true)]
pub struct Args {
    /// [NAME] CHART: the release's name, and the chart's folder, .tgz or oci:// reference
    #[arg(required = true, num_args = 1.., value_names = ["NAME", "CHART"])]
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
    /// Print only what comes of these templates, such as templates/*.yaml
    #[arg(short, long, value_name = "PATTERN")]
    show_only: Vec<String>,
    /// Write files below this folder instead of printing
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    #[command(flatten)]
    switches: Switches,
    #[command(flatten)]
    source: ChartSourceArgs,
    #[command(flatten)]
    ignored: ignored::Ignored,
}

fn help() -> String {
    format!("{EXAMPLES}{}", ignored::help())
}

pub fn run(args: Args) -> anyhow::Result<()> {
    args.ignored.check()?;
    let capabilities = args.capabilities()?;
    let (name, chart) = args.name_and_chart()?;
    // Helm finds the chart before it reads the values, and the values before the chart.
    let values = args.values.read()?;
    // The process ends when it has printed: to take all trees and texts apart before would be a tenth of its time.
    let chart = ManuallyDrop::new(args.source.load(chart)?);
    check_chart(&chart)?;
    if name.parse::<ReleaseName>().is_err() {
        let why = format!("release name {name:?}: {}", name::refusal(&name));
        log_error("release name check failed", &why);
        bail!("release name check failed: {why}");
    }
    let options = Options {
        operation: match args.switches.is_upgrade {
            true => Operation::Upgrade,
            false => Operation::Install,
        },
        capabilities,
        skip_schema_validation: args.switches.skip_schema_validation,
        keep_integers: true,
        ..Options::new(&name, &args.namespace)
    };
    let values = serde_json::Value::Object(values);
    let mut warnings = Vec::new();
    let rendered = render_with_warnings(&chart, &values, &options, &mut warnings);
    log(&warnings);
    match rendered {
        Ok(rendered) => print(&args, &name, &ManuallyDrop::new(rendered)),
        Err(error) => fail(&args, &chart, &values, error),
    }
}

/// Helm's lines about the chart and the values go to stderr.
fn log(warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("{}", warning.log_line());
    }
}

fn log_error(message: &str, error: &str) {
    eprintln!("level=ERROR msg={message:?} error={error:?}");
}

fn print(args: &Args, name: &str, rendered: &Rendered) -> anyhow::Result<()> {
    // Without a buffer in between each line would be a write.
    let mut stdout = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let choice = output::Choice {
        crds: args.switches.include_crds,
        hooks: !args.switches.no_hooks,
        tests: !args.switches.skip_tests,
    };
    if let Some(folder) = &args.output_dir {
        let below = if args.switches.release_name { folder.join(name) } else { folder.clone() };
        output::write_files(rendered, choice, folder, &below, &mut stdout)?;
    }
    let write = |out: &mut dyn std::io::Write| match args.output_dir {
        // What Helm prints of a release whose manifests are in files.
        Some(_) => out.write_all(b"\n"),
        None => output::write(rendered, choice, out),
    };
    let written = if args.show_only.is_empty() {
        write(&mut stdout)
    } else {
        let mut text = Vec::new();
        write(&mut text)?;
        let chosen = output::only(&String::from_utf8(text)?, &args.show_only)?;
        stdout.write_all(chosen.as_bytes())
    };
    written.and_then(|()| stdout.flush()).context("cannot write to stdout")
}

/// Adds to an error what Helm adds, and on a terminal the lines of the template.
fn fail(
    args: &Args,
    chart: &Chart,
    values: &serde_json::Value,
    error: RenderError,
) -> anyhow::Result<()> {
    if let RenderError::TypeMismatch(why) = &error {
        log_error("chart dependencies processing failed", &why.to_string());
    }
    // Helm says so of everything that fails once the values are known to be good.
    let is_late = matches!(
        error,
        RenderError::KubeVersion { .. }
            | RenderError::Template(_)
            | RenderError::Jinja(_)
            | RenderError::Manifest(_)
    );
    if is_late && args.switches.debug && args.show_only.is_empty() {
        let text = match &error {
            RenderError::Manifest(unsortable) => output::unsorted(&unsortable.files),
            _ => "\n".to_owned(),
        };
        std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")?;
    }
    let mut after = String::new();
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        after.push_str(&excerpt::of(&error, chart, values));
    }
    if is_late && !args.switches.debug {
        after.push_str("\n\nUse --debug flag to render out invalid YAML");
    }
    let error = anyhow::Error::from(error);
    match after.is_empty() {
        true => Err(error),
        false => bail!("{error:#}{after}"),
    }
}

impl Args {
    fn capabilities(&self) -> anyhow::Result<Capabilities> {
        let mut capabilities = match &self.kube_version {
            None => Capabilities::default(),
            Some(version) => Capabilities::of_kube_version(version)
                .with_context(|| format!("invalid kube version '{version}'"))?,
        };
        capabilities.api_versions.extend(self.api_versions.iter().cloned());
        Ok(capabilities)
    }

    fn name_and_chart(&self) -> anyhow::Result<(String, &str)> {
        match (self.chart.as_slice(), &self.name_template) {
            ([_, _], Some(_)) => bail!("cannot set --name-template and also specify a name"),
            ([_, _], None) if self.switches.generate_name => {
                bail!("cannot set --generate-name and also specify a name")
            }
            ([name, chart], None) => Ok((name.clone(), chart)),
            ([chart], Some(template)) => Ok((name::of(template)?, chart)),
            // Helm's name for every chart without one, --generate-name or not.
            ([chart], None) => Ok(("release-name".to_owned(), chart)),
            ([_, _, further @ ..], _) => bail!(
                "expected at most two arguments, unexpected arguments: {}",
                further.join(", ")
            ),
            ([], _) => bail!("give a chart, or a name and a chart"),
        }
    }
}

/// What Helm asks of a chart before it looks at the values.
fn check_chart(chart: &Chart) -> anyhow::Result<()> {
    let metadata = chart.metadata();
    if !matches!(metadata.kind.as_str(), "" | "application") {
        bail!("{} charts are not installable", metadata.kind);
    }
    if metadata.deprecated {
        eprintln!("level=WARN msg=\"this chart is deprecated\"");
    }
    let present = |name: &str| chart.dependencies().iter().any(|sub| sub.name() == name);
    let wanted = metadata.dependencies.iter();
    let missing: Vec<&str> =
        wanted.map(|dependency| dependency.name.as_str()).filter(|name| !present(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "an error occurred while checking for chart dependencies. You may need to run 'helm \
         dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in \
         charts/ directory: {}",
        missing.join(", ")
    )
}
