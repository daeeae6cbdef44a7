//! Which tag and which digest is meant.

use futures::FutureExt as _;
use pinnace_engine::version::{Constraint, Version};
use pinnace_registry::{Digest, Reference, Registries};

use super::Error;
use super::origin::{Origin, Which};

/// Longest regular expression for tags, in bytes, and the size that it may have when it is compiled.
const MAX_FILTER: usize = 1024;
const MAX_COMPILED: usize = 1 << 20;

/// What is asked for by name, and the digest that this is: the one that is known, or the one of the version.
pub async fn located(
    registries: &Registries,
    reference: &Reference,
    origin: &Origin,
    known: Option<String>,
) -> Result<(Reference, Digest), Error> {
    if let Some(digest) = known.and_then(|digest| digest.parse().ok()) {
        // The version is for messages alone.
        let tagged = reference.with_tag(origin.which.text());
        return Ok((tagged.unwrap_or_else(|_| reference.clone()), digest));
    }
    let tag = tag(registries, reference, &origin.which).await?;
    let reference = reference.with_tag(&tag).map_err(Error::Reference)?;
    let digest = registries.resolve(&reference).boxed().await.map_err(Error::Registry)?;
    Ok((reference, digest))
}

/// An exact version or tag is taken as it is; a range is looked up among the registry's tags.
async fn tag(
    registries: &Registries,
    reference: &Reference,
    which: &Which,
) -> Result<String, Error> {
    let range = |text: &str| {
        Constraint::parse(text).map_err(|_| Error::Version(text.chars().take(100).collect()))
    };
    let (range, found, all) = match which {
        Which::Tag(tag) => return Ok(tag.clone()),
        Which::Version(text) if semver::Version::parse(text).is_ok() => return Ok(text.clone()),
        Which::Version(text) => {
            let range = range(text)?;
            let all =
                registries.chart_versions(reference).boxed().await.map_err(Error::Registry)?;
            let all: Vec<String> = all.iter().map(semver::Version::to_string).collect();
            (text, newest(&all, &range), all)
        }
        Which::Newest { range: text, filter } => {
            let (range, filter) = (range(text)?, filter.as_deref().map(pattern).transpose()?);
            let mut all = registries.tags(reference).boxed().await.map_err(Error::Registry)?;
            all.retain(|tag| filter.as_ref().is_none_or(|filter| filter.is_match(tag)));
            let all = sorted(all);
            (text, newest(&all, &range), all)
        }
    };
    found.ok_or_else(|| Error::NoVersion {
        url: reference.to_string(),
        wanted: range.clone(),
        newest: if all.is_empty() {
            "none".to_owned()
        } else {
            all.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
        },
    })
}

/// What a filter of tags means.
fn pattern(text: &str) -> Result<regex::Regex, Error> {
    let refused = |why: String| Error::Filter { filter: text.chars().take(100).collect(), why };
    if text.len() > MAX_FILTER {
        return Err(refused(format!("it is longer than {MAX_FILTER} bytes")));
    }
    let compiled = regex::RegexBuilder::new(text).size_limit(MAX_COMPILED).build();
    compiled.map_err(|error| refused(error.to_string()))
}

/// The tags that are versions, with or without a `v`, newest first. `_` stands for the `+` that tags cannot hold.
fn sorted(tags: Vec<String>) -> Vec<String> {
    let version = |tag: String| Some((Version::parse(&tag.replace('_', "+")).ok()?, tag));
    let mut versions: Vec<(Version, String)> = tags.into_iter().filter_map(version).collect();
    versions.sort_by(|(a, _), (b, _)| b.compare(a));
    versions.into_iter().map(|(_, tag)| tag).collect()
}

/// The first of the versions, which come newest first, that is in the range as Helm reads it.
fn newest(versions: &[String], range: &Constraint) -> Option<String> {
    let fits = |text: &&String| {
        Version::parse(&text.replace('_', "+")).is_ok_and(|version| range.matches(&version))
    };
    versions.iter().find(fits).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_helm() {
        let versions: Vec<String> =
            ["2.1.0-rc.1", "2.0.1", "1.10.0", "1.2.9", "1.2.3", "1.1.0", "0.9.0"]
                .map(str::to_owned)
                .into();
        for (range, expected) in [
            ("1.2", Some("1.2.9")),
            ("1", Some("1.10.0")),
            ("v1.2.3", Some("1.2.3")),
            ("=1.2.3", Some("1.2.3")),
            ("1.x", Some("1.10.0")),
            ("*", Some("2.0.1")),
            ("~1.2.3", Some("1.2.9")),
            ("^1.2", Some("1.10.0")),
            ("1.1 - 1.2.3", Some("1.2.3")),
            (">=1.0, <1.2.9", Some("1.2.3")),
            (">=1.0 <1.2.9", Some("1.2.3")),
            ("<1 || 1.1.x", Some("1.1.0")),
            (">=1.2.0, !=2.0.1", Some("1.10.0")),
            (">=2.0.0-0", Some("2.1.0-rc.1")),
            (">2.1", None),
        ] {
            let range = Constraint::parse(range).unwrap_or_else(|e| panic!("{range}: {e}"));
            assert_eq!(newest(&versions, &range).as_deref(), expected);
        }
        assert!(Constraint::parse("newest").is_err());
    }

    #[test]
    fn tags_are_filtered_and_sorted_as_versions() {
        let tags = ["1.9.0", "latest", "v1.10.0", "1.10.1-rc.1", "1.9.0_b2", "sha256-0.sig"];
        let tags: Vec<String> = tags.map(str::to_owned).into();
        assert_eq!(sorted(tags.clone())[..2], ["1.10.1-rc.1", "v1.10.0"]);
        let range = Constraint::parse(">=1.0.0-0").expect("a range");
        assert_eq!(newest(&sorted(tags.clone()), &range).as_deref(), Some("1.10.1-rc.1"));
        let filter = pattern(r"^\d+\.\d+\.\d+$").expect("a pattern");
        let plain = tags.into_iter().filter(|tag| filter.is_match(tag)).collect();
        assert_eq!(newest(&sorted(plain), &range).as_deref(), Some("1.9.0"));
        assert!(pattern("(").is_err());
        assert!(pattern(&"a".repeat(MAX_FILTER)).is_ok());
        assert!(pattern(&"a".repeat(MAX_FILTER + 1)).is_err());
        assert!(pattern(&"a{1000}".repeat(100)).is_err(), "too large when compiled");
    }
}
