//! The charts of a plan: named on the command line or by a pin, pulled by digest.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use pinnace_engine::Chart;
use pinnace_engine::version::{Constraint, Version};
use pinnace_registry::{Digest, Reference, Registries};
use serde_json::Value;

use super::pins::Pin;
use crate::cli::chart_source;

/// A chart and the values that it is installed with.
pub struct Need {
    pub chart: Arc<Chart>,
    /// Tag and digest; `None` for a chart of this machine.
    pub source: Option<Reference>,
    pub values: Value,
}

/// Most versions of a range that are planned at once.
const MOST_VERSIONS: usize = 200;

/// The charts that an argument names.
pub async fn find(
    registries: &Registries,
    name: &str,
    range: Option<&str>,
    all: bool,
) -> anyhow::Result<Vec<Need>> {
    if !name.starts_with("oci://") {
        if range.is_some() {
            bail!("--version goes with charts of a registry, and {name} is one of this machine");
        }
        let chart = Arc::new(chart_source::load(Path::new(name))?);
        return Ok(vec![Need { chart, source: None, values: Value::Null }]);
    }
    let reference = Reference::parse(name)?;
    let tagged = match (reference.tag(), reference.digest()) {
        (None, None) => in_range(registries, &reference, range.unwrap_or("*"), all).await?,
        _ => vec![reference],
    };
    let mut needs = Vec::with_capacity(tagged.len());
    for reference in tagged {
        let digest = match reference.digest() {
            Some(digest) => digest.clone(),
            None => registries.resolve(&reference).await?,
        };
        needs.push(pull(registries, &reference, &digest, Value::Null).await?);
    }
    Ok(needs)
}

/// The chart of a pin, which knows its digest or is looked up.
pub async fn pinned(registries: &Registries, pin: Pin) -> anyhow::Result<Need> {
    let reference = Reference::parse(&pin.chart)?;
    if let Some(digest) = pin.digest {
        let reference = reference.with_tag(&pin.version)?;
        return pull(registries, &reference, &digest, pin.values).await;
    }
    let exact = semver::Version::parse(&pin.version).is_ok();
    let reference = match exact {
        true => reference.with_tag(&pin.version)?,
        false => {
            let found = in_range(registries, &reference, &pin.version, false).await?;
            found.into_iter().next().context("a range has a newest version")?
        }
    };
    let digest = registries.resolve(&reference).await?;
    pull(registries, &reference, &digest, pin.values).await
}

async fn pull(
    registries: &Registries,
    reference: &Reference,
    digest: &Digest,
    values: Value,
) -> anyhow::Result<Need> {
    let pulled = registries.pull_chart(reference, digest).await?;
    let chart = Chart::from_archive(&pulled.archive)
        .with_context(|| format!("{reference} is not a chart that can be used"))?;
    let source = Some(reference.with_digest(digest.clone()));
    Ok(Need { chart: Arc::new(chart), source, values })
}

/// The versions in a range, as Helm reads it, newest first.
async fn in_range(
    registries: &Registries,
    reference: &Reference,
    range: &str,
    all: bool,
) -> anyhow::Result<Vec<Reference>> {
    let wanted = Constraint::parse(range)
        .ok()
        .with_context(|| format!("{range:?} is not a range of versions, such as '>=1.2 <2'"))?;
    let versions = registries.chart_versions(reference).await?;
    let fits = |version: &&semver::Version| {
        Version::parse(&version.to_string()).is_ok_and(|version| wanted.matches(&version))
    };
    let most = if all { MOST_VERSIONS + 1 } else { 1 };
    let found: Vec<Reference> = versions
        .iter()
        .filter(fits)
        .take(most)
        .map(|version| reference.with_tag(&version.to_string()))
        .collect::<Result<_, _>>()?;
    match found.len() {
        0 => {
            let newest: Vec<_> = versions.iter().take(3).map(ToString::to_string).collect();
            bail!("{reference} has no version in {range:?}: the newest are {}", newest.join(", "))
        }
        count if count > MOST_VERSIONS => {
            bail!("{reference} has more than {MOST_VERSIONS} versions in {range:?}: narrow it")
        }
        _ => Ok(found),
    }
}
