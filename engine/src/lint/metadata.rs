//! Chart.yaml.

use serde_json::Value;

use super::{Findings, text_of};
use crate::chart::{File, Metadata};
use crate::version::{Version, is_strict_version};
use crate::yaml;

const FILE: &str = "Chart.yaml";

/// The names that Chart.yaml may have, and those of its lists' items.
const FIELDS: [&str; 17] = [
    "annotations",
    "apiVersion",
    "appVersion",
    "condition",
    "dependencies",
    "deprecated",
    "description",
    "home",
    "icon",
    "keywords",
    "kubeVersion",
    "maintainers",
    "name",
    "sources",
    "tags",
    "type",
    "version",
];
const MAINTAINER: [&str; 3] = ["email", "name", "url"];
const DEPENDENCY: [&str; 8] =
    ["alias", "condition", "enabled", "import-values", "name", "repository", "tags", "version"];

pub(super) fn check(files: &[File], findings: &mut Findings) {
    let Some(text) = text_of(files, FILE) else {
        return findings.error(FILE, "file does not exist");
    };
    let document = match yaml::from_str_exact(text) {
        Ok(document) => document,
        Err(error) => return findings.error(FILE, format!("unable to parse YAML: {error}")),
    };
    let mut metadata = Metadata::default();
    if let Err(why) = metadata.read(&document) {
        return findings.error(FILE, format!("unable to parse YAML: {why}"));
    }
    let unknown = unknown_fields(&document);
    if !unknown.is_empty() {
        findings.warning(FILE, format!("fields that nothing reads: {}", unknown.join(", ")));
    }
    identity(&document, &metadata, findings);
    people(&metadata, findings);
    if metadata.icon.is_empty() {
        findings.info(FILE, "icon is recommended");
    } else if !is_url(&metadata.icon) {
        findings.error(FILE, format!("invalid icon URL '{}'", metadata.icon));
    }
    let version = &metadata.api_version;
    if !metadata.kind.is_empty() && version != "v2" {
        findings.error(
            FILE,
            format!(
                "chart type is not valid in apiVersion '{version}'. It is valid in apiVersion 'v2'"
            ),
        );
    }
    if !metadata.dependencies.is_empty() && version != "v2" {
        findings.error(
            FILE,
            format!(
                "dependencies are not valid in the Chart file with apiVersion '{version}'. They are \
                 valid in apiVersion 'v2'"
            ),
        );
    }
    if Version::parse(&metadata.version).is_ok() && !is_strict_version(&metadata.version) {
        findings.warning(FILE, format!("version '{}' is not a valid SemVerV2", metadata.version));
    }
}

/// Name, versions and their types.
fn identity(document: &Value, metadata: &Metadata, findings: &mut Findings) {
    if metadata.name.is_empty() {
        findings.error(FILE, "name is required");
    } else if metadata.name.contains('/') {
        findings.error(FILE, format!("chart name {:?} is invalid", metadata.name));
    }
    match metadata.api_version.as_str() {
        "" => {
            findings.error(FILE, r#"apiVersion is required. The value must be either "v1" or "v2""#)
        }
        "v1" | "v2" => {}
        other => findings.error(
            FILE,
            format!(r#"apiVersion '{other}' is not valid. The value must be either "v1" or "v2""#),
        ),
    }
    for name in ["version", "appVersion"] {
        let kind = match document.get(name) {
            Some(Value::Number(_)) => "float64",
            Some(Value::Bool(_)) => "bool",
            _ => continue,
        };
        findings.error(
            FILE,
            format!("{name} should be of type string but it's of type {kind}: quote it"),
        );
    }
    if metadata.version.is_empty() {
        findings.error(FILE, "version is required");
    } else if Version::parse(&metadata.version).is_err() {
        findings.error(FILE, format!("version '{}' is not a valid SemVer", metadata.version));
    }
}

fn people(metadata: &Metadata, findings: &mut Findings) {
    for maintainer in &metadata.maintainers {
        if maintainer.name.is_empty() {
            findings.error(FILE, "each maintainer requires a name");
        } else if !maintainer.email.is_empty() && !is_email(&maintainer.email) {
            findings.error(
                FILE,
                format!(
                    "invalid email '{}' for maintainer '{}'",
                    maintainer.email, maintainer.name
                ),
            );
        } else if !maintainer.url.is_empty() && !is_url(&maintainer.url) {
            findings.error(
                FILE,
                format!("invalid url '{}' for maintainer '{}'", maintainer.url, maintainer.name),
            );
        }
    }
    for source in metadata.sources.iter().filter(|source| !is_url(source)) {
        findings.error(FILE, format!("invalid source URL '{source}'"));
    }
}

fn unknown_fields(document: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    let mut look = |value: &Value, known: &[&str], prefix: &str| {
        let keys = value.as_object().into_iter().flat_map(|map| map.keys());
        unknown.extend(
            keys.filter(|key| !known.contains(&key.as_str())).map(|key| format!("{prefix}{key}")),
        );
    };
    look(document, &FIELDS, "");
    for (list, known) in [("maintainers", &MAINTAINER[..]), ("dependencies", &DEPENDENCY[..])] {
        let items = document.get(list).and_then(Value::as_array).into_iter().flatten();
        items.for_each(|item| look(item, known, &format!("{list}[].")));
    }
    unknown
}

/// `scheme://host…`, without spaces.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    !scheme.is_empty()
        && scheme.chars().all(is_scheme)
        && !rest.is_empty()
        && !rest.starts_with('/')
        && !text.contains(char::is_whitespace)
}

fn is_email(text: &str) -> bool {
    match text.rsplit_once('@') {
        Some((name, host)) => {
            !name.is_empty()
                && !text.contains(char::is_whitespace)
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
        }
        None => false,
    }
}
