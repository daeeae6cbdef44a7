//! Charts out of OCI registries, for the time of one command.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use pinnace_engine::version::{Constraint, Version};
use pinnace_registry::{Client, Credentials, CredentialsError, Options, Reference};

use super::ChartSourceArgs;

/// The bytes of the chart's archive. Tells what was pulled on stderr, as Helm does.
pub(super) fn pull(name: &str, args: &ChartSourceArgs) -> anyhow::Result<Vec<u8>> {
    let reference = Reference::parse(name)?;
    let mut options = Options {
        credentials: credentials(args, reference.host())?,
        plain_http: args.plain_http,
        https_proxy: proxy("HTTPS_PROXY").map(Into::into),
        no_proxy: proxy("NO_PROXY"),
        ..Options::default()
    };
    if let Some(file) = &args.ca_file {
        let pem = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read --ca-file {}", file.display()))?;
        options.ca_certificates.push(pem);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the network runtime")?;
    runtime.block_on(async {
        let client = Client::new(options)?;
        let reference = with_version(&client, reference, args).await?;
        let pulled = client.pull_chart(&reference, None).await?;
        eprintln!(
            "Pulled: {}\nDigest: {}",
            reference.to_string().trim_start_matches("oci://"),
            pulled.digest
        );
        Ok(pulled.archive.to_vec())
    })
}

/// The reference with the tag that `--version` asks for, or that of the newest version.
async fn with_version(
    client: &Client,
    reference: Reference,
    args: &ChartSourceArgs,
) -> anyhow::Result<Reference> {
    let wanted = args.version.as_deref().map(str::trim).filter(|version| !version.is_empty());
    if let Some(tag) = reference.tag() {
        match wanted {
            Some(version) if version.replace('+', "_") != tag => bail!(
                "the reference {reference} has the tag {tag}, and --version asks for {version}: give only one of them"
            ),
            _ => return Ok(reference),
        }
    }
    if reference.digest().is_some() {
        return Ok(reference);
    }
    if let Some(version) = wanted
        && semver::Version::parse(version).is_ok()
    {
        return Ok(reference.with_tag(&version.replace('+', "_"))?);
    }
    let range = wanted.unwrap_or(if args.devel { ">0.0.0-0" } else { "*" });
    let Ok(constraint) = Constraint::parse(range) else {
        bail!("--version {range:?} is neither a version nor a range of versions, such as ^1.2");
    };
    let versions = client.chart_versions(&reference).await?;
    let fits = |version: &&semver::Version| {
        Version::parse(&version.to_string()).is_ok_and(|version| constraint.matches(&version))
    };
    match versions.iter().find(fits) {
        Some(version) => Ok(reference.with_tag(&version.to_string().replace('+', "_"))?),
        None => bail!("{reference} has no version that matches {range:?}"),
    }
}

/// `--username` and `--password`, or the entry of a login file; nothing if there is none.
fn credentials(args: &ChartSourceArgs, host: &str) -> anyhow::Result<Credentials> {
    match (&args.username, &args.password) {
        (Some(username), Some(password)) => {
            return Ok(Credentials::basic(username.as_str(), password.clone()));
        }
        (None, None) => {}
        (Some(_), None) => bail!("--username also needs --password"),
        (None, Some(_)) if args.registry_config.is_none() => {
            bail!("--password also needs --username")
        }
        (None, Some(_)) => {}
    }
    for (file, is_asked_for) in login_files(args) {
        let json = match std::fs::read(&file) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_asked_for => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        match Credentials::from_docker_config(&json, host) {
            Ok(credentials) => return Ok(credentials),
            Err(CredentialsError::NoEntry { .. } | CredentialsError::Incomplete { .. }) => {}
            // A file that is there for other things, such as Docker's contexts.
            Err(CredentialsError::Malformed) if !is_asked_for => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot use {}", file.display()));
            }
        }
    }
    Ok(Credentials::Anonymous)
}

/// Where logins may be, and whether a person named the file.
fn login_files(args: &ChartSourceArgs) -> Vec<(PathBuf, bool)> {
    if let Some(file) = &args.registry_config {
        return vec![(file.clone(), true)];
    }
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let home = folder("HOME");
    let helm = folder("HELM_CONFIG_HOME")
        .or_else(|| folder("XDG_CONFIG_HOME").map(|config| config.join("helm")))
        .or_else(|| home.as_ref().map(|home| home.join(".config/helm")));
    let docker = folder("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
    let files =
        [helm.map(|f| f.join("registry/config.json")), docker.map(|f| f.join("config.json"))];
    files.into_iter().flatten().map(|file| (file, false)).collect()
}

/// A variable of the environment in upper or lower case.
fn proxy(name: &str) -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    set(name).or_else(|| set(&name.to_lowercase()))
}
