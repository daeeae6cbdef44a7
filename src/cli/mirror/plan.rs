//! `pinnace mirror plan`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use pinnace_registry::mirror::{Item, Plan, SYNC_LIST_NOTE};
use pinnace_registry::{Reference, Registries};

use super::output;
use crate::cli::registries::RegistryArgs;
use crate::cli::values::ValueArgs;
use crate::console::catalogue::images;

mod charts;
mod pins;

use charts::Need;

/// Writes the exact list of charts and images, each by its digest.
///
/// Images are found by rendering each chart with its values, and in its annotations
/// (artifacthub.io/images). The list is a file to keep, to review and to give to copy, check and
/// prune.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Charts: oci://host/path/name[:version], a folder or a .tgz (of these two, the images alone)
    #[arg(value_name = "CHART", required_unless_present_any = ["pins", "image"])]
    charts: Vec<String>,
    /// The newest version in this range, as Helm reads it, for charts without a version
    #[arg(long, value_name = "RANGE")]
    version: Option<String>,
    /// Every version in the range instead of the newest
    #[arg(long, requires = "version")]
    all_versions: bool,
    /// A desired state of the Console, or HelmRelease and HelmRepository objects (kubectl -o yaml)
    #[arg(long, value_name = "FILE")]
    pins: Vec<PathBuf>,
    /// A further image (can be given several times)
    #[arg(long, value_name = "IMAGE")]
    image: Vec<String>,
    /// A version of Qdrant that the operator may be asked for, such as v1.15.0 (can be given several times)
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    qdrant_version: Vec<String>,
    #[command(flatten)]
    values: ValueArgs,
    /// The namespace that charts are rendered for
    #[arg(short, long, env = "HELM_NAMESPACE", default_value = "default")]
    namespace: String,
    /// The Kubernetes version that charts see
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// Further API versions that charts see (can be given several times, or with commas between)
    #[arg(short, long, value_name = "GROUP/VERSION", value_delimiter = ',')]
    api_versions: Vec<String>,
    /// How the list is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For copy, check and prune
    #[default]
    Yaml,
    /// The same as JSON
    Json,
    /// For `skopeo sync --src yaml`
    Skopeo,
    /// One reference on each line, for a loop around `crane copy`
    Crane,
}

const EXAMPLES: &str = "\
Examples:
  pinnace mirror plan oci://registry.example/charts/app:1.2.0 -f values.yaml > plan.yaml
  pinnace mirror plan oci://registry.example/charts/app --version '>=1.2 <2' --all-versions
  pinnace mirror plan --pins desired.json
  kubectl get helmreleases,helmrepositories -o yaml | pinnace mirror plan --pins -
  pinnace mirror plan oci://registry.example/charts/app:1.2.0 -o skopeo > sync.yaml";

/// Names that are looked up at one time.
const SIDE_BY_SIDE: usize = 16;

pub async fn run(args: Args) -> anyhow::Result<()> {
    let registries = args.registry.registries()?;
    let values = args.values.read()?;
    let mut needs = Vec::new();
    for chart in &args.charts {
        let found = charts::find(&registries, chart, args.version.as_deref(), args.all_versions);
        needs.extend(
            found.await?.into_iter().map(|need| Need { values: values.clone().into(), ..need }),
        );
    }
    let mut versions: BTreeSet<String> = args.qdrant_version.iter().cloned().collect();
    for path in &args.pins {
        let pinned = pins::read(path)?;
        versions.extend(pinned.database_versions);
        for pin in pinned.pins {
            needs.push(charts::pinned(&registries, pin).await?);
        }
    }
    let mut plan = Plan::default();
    let mut images = Images::default();
    for image in &args.image {
        images.add(image, "--image")?;
    }
    let see = images::See {
        namespace: &args.namespace,
        kube_version: args.kube_version.as_deref(),
        api_versions: &args.api_versions,
        database_versions: &versions,
    };
    for need in &needs {
        let user = format!("{} {}", need.chart.name(), need.chart.version());
        if let Some(item) = need.source.as_ref().and_then(|source| Item::new(source, &user)) {
            plan.add_chart(item);
        }
        for image in images::of(&need.chart, &need.values, &see)? {
            images.add(&image, &user)?;
        }
    }
    for item in images.resolved(&registries).await? {
        plan.add_image(item);
    }
    match args.output {
        Format::Yaml => print!("{}", output::yaml(&plan)?),
        Format::Json => println!("{}", serde_json::to_string_pretty(&plan)?),
        Format::Skopeo => print!("{SYNC_LIST_NOTE}{}", output::yaml(&plan.for_skopeo())?),
        Format::Crane => print!("{}", plan.for_crane()),
    }
    Ok(())
}

/// Images by name, with what needs them.
#[derive(Default)]
struct Images(BTreeMap<String, (Reference, BTreeSet<String>)>);

impl Images {
    fn add(&mut self, image: &str, user: &str) -> anyhow::Result<()> {
        let reference = Reference::parse_image(image).with_context(|| format!("in {user}"))?;
        let (_, users) = self.0.entry(reference.image()).or_insert((reference, BTreeSet::new()));
        users.insert(user.to_owned());
        Ok(())
    }

    /// Each with the digest that its tag stands for now.
    async fn resolved(self, registries: &Registries) -> anyhow::Result<Vec<Item>> {
        let resolved = stream::iter(self.0.into_values()).map(async |(reference, users)| {
            let needed = || users.iter().cloned().collect::<Vec<_>>().join(", ");
            let digest = match reference.digest() {
                Some(digest) => digest.clone(),
                None => registries.resolve(&reference).await.with_context(|| {
                    format!("cannot look up {}, which {} needs", reference.image(), needed())
                })?,
            };
            let Some(mut item) = Item::new(&reference.with_digest(digest), "") else {
                bail!("{} has no digest", reference.image());
            };
            item.used_by = users.into_iter().collect();
            Ok(item)
        });
        resolved.buffered(SIDE_BY_SIDE).try_collect().await
    }
}
