//! Charts that people name on a command line: folders, archives and `oci://` references.

use std::fmt::Display;
use std::path::Path;

use anyhow::{anyhow, bail};
use pinnace_engine::Chart;
use pinnace_engine::chart::ChartError;
use pinnace_registry::Secret;

pub mod folder;
mod registry;

/// Helm's flags for where a chart comes from.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Charts from registries")]
pub struct ChartSourceArgs {
    /// The version of an oci:// chart: exact, or a range such as ^1.2 (default: the newest)
    #[arg(long, value_name = "RANGE")]
    version: Option<String>,
    /// Take versions such as 1.0.0-rc.1 too, if --version is not given
    #[arg(long, action = clap::ArgAction::SetTrue)]
    devel: bool,
    /// PEM file of further certificate authorities for the registry
    #[arg(long, value_name = "FILE")]
    ca_file: Option<std::path::PathBuf>,
    /// Speak HTTP without TLS to the registry
    #[arg(long)]
    plain_http: bool,
    /// User name for the registry
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Password for the registry
    #[arg(long, value_name = "PASSWORD", env = "PINNACE_REGISTRY_PASSWORD", hide_env_values = true,
          value_parser = secret)]
    password: Option<Secret>,
    /// File of `helm registry login` or `docker login` (default: Helm's, then Docker's)
    #[arg(long, value_name = "FILE", env = "HELM_REGISTRY_CONFIG")]
    registry_config: Option<std::path::PathBuf>,
    #[command(flatten)]
    refused: Refused,
}

/// Helm's flags for other places of charts: known, and refused with a word on what to do instead.
#[derive(Clone, Debug, Default, clap::Args)]
struct Refused {
    #[arg(long, hide = true)]
    repo: Option<String>,
    #[arg(long, hide = true)]
    dependency_update: bool,
    #[arg(long, hide = true)]
    verify: bool,
    #[arg(long, hide = true)]
    cert_file: Option<String>,
    #[arg(long, hide = true)]
    key_file: Option<String>,
    #[arg(long, hide = true)]
    insecure_skip_tls_verify: bool,
}

impl Refused {
    fn check(&self) -> anyhow::Result<()> {
        if self.repo.is_some() {
            bail!(
                "--repo is not supported: charts come from folders, .tgz files and OCI registries; \
                 fetch it first with `helm pull --repo …`"
            );
        }
        if self.dependency_update {
            bail!(
                "--dependency-update is not supported: run `helm dependency update` in the chart first"
            );
        }
        if self.verify {
            bail!("--verify is not supported: run `helm verify` on the archive first");
        }
        if self.cert_file.is_some() || self.key_file.is_some() {
            bail!(
                "--cert-file and --key-file are not supported: use --username or --registry-config"
            );
        }
        if self.insecure_skip_tls_verify {
            bail!(
                "--insecure-skip-tls-verify is not supported: give the registry's CA with --ca-file"
            );
        }
        Ok(())
    }
}

impl ChartSourceArgs {
    /// Loads the chart of a folder, a `.tgz` or an `oci://` reference.
    pub fn load(&self, name: &str) -> anyhow::Result<Chart> {
        self.refused.check()?;
        let name = name.trim();
        if name.starts_with("oci://") {
            return unpacked(&registry::pull(name, self)?, name);
        }
        load(Path::new(name))
    }
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::from(text))
}

/// Loads the chart of a folder or of a `.tgz`. As in Helm, the errors of a chart do not repeat where
/// it is; those of what is no chart do.
pub fn load(path: &Path) -> anyhow::Result<Chart> {
    if path.is_dir() {
        return Chart::from_files(folder::files(path)?).map_err(|error| match error {
            ChartError::NoMetadata => {
                anyhow!(error).context(format!("cannot load the chart in {}", path.display()))
            }
            error => error.into(),
        });
    }
    unpacked(&folder::archive(path)?, path.display())
}

fn unpacked(archive: &[u8], name: impl Display) -> anyhow::Result<Chart> {
    Chart::from_archive(archive).map_err(|error| match error {
        ChartError::Archive(_) => anyhow!(error).context(format!("cannot load the chart {name}")),
        error => error.into(),
    })
}
