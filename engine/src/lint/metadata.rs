//! Chart.yaml.

use serde_json::{Map, Value};

use super::addresses::{is_email, is_request_url, is_url};
use super::{Findings, file};
use crate::chart::{File, Maintainer, Metadata};
use crate::template::quote::quote;
use crate::version::{Version, is_compatible, is_strict_version};
use crate::yaml;

const FILE: &str = "Chart.yaml";
/// What every version is above.
const LEAST: &str = ">0.0.0-0";

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
    let Some(file) = file(files, FILE) else {
        return findings.error(FILE, "file does not exist");
    };
    let text = String::from_utf8_lossy(&file.data);
    let unreadable = |why: String| format!("unable to parse YAML\n\t{why}");
    let mut document = match yaml::from_str_exact(&text) {
        Ok(Value::Null) => Value::Object(Map::new()),
        Ok(document) => document,
        Err(error) => return findings.error(FILE, unreadable(error.to_string())),
    };
    let unknown = unknown_fields(&document);
    let has_empty = drop_empty(&mut document);
    let mut metadata = Metadata::default();
    if let Err(why) = metadata.read(&document) {
        return findings.error(FILE, unreadable(why));
    }
    if !unknown.is_empty() {
        findings.warning(FILE, format!("fields that nothing reads: {}", unknown.join(", ")));
    }
    let repeated = yaml::repeated_keys(&text).unwrap_or_default();
    if !repeated.is_empty() {
        findings.warning(FILE, format!("fields that are there twice: {}", repeated.join(", ")));
    }
    identity(&document, &metadata, findings);
    people(&metadata, has_empty, findings);
    if metadata.icon.is_empty() {
        findings.info(FILE, "icon is recommended");
    } else if !is_request_url(&metadata.icon) {
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
    if !is_strict_version(&metadata.version) {
        findings.warning(FILE, format!("version '{}' is not a valid SemVerV2", metadata.version));
    }
}

/// Name, versions and their types.
fn identity(document: &Value, metadata: &Metadata, findings: &mut Findings) {
    if metadata.name.is_empty() {
        findings.error(FILE, "name is required");
    } else if metadata.name.contains('/') {
        let name = quote(metadata.name.as_bytes());
        findings.error(FILE, format!("chart name {name} is invalid"));
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
    is_text(document, "version", findings);
    let version = &metadata.version;
    if version.is_empty() {
        findings.error(FILE, "version is required");
    } else if Version::parse(version).is_err() {
        findings.error(FILE, format!("version '{version}' is not a valid SemVer"));
    } else if !is_compatible(LEAST, version) {
        let least = LEAST.trim_start_matches('>');
        findings.error(FILE, format!("version {version:?} is less than or equal to {least:?}"));
    }
    is_text(document, "appVersion", findings);
}

fn is_text(document: &Value, name: &str, findings: &mut Findings) {
    let kind = match document.get(name) {
        Some(Value::Number(_)) => "float64",
        Some(Value::Bool(_)) => "bool",
        Some(Value::Null) => "<nil>",
        _ => return,
    };
    findings.error(FILE, format!("{name} should be of type string but it's of type {kind}"));
}

fn people(metadata: &Metadata, has_empty: bool, findings: &mut Findings) {
    for Maintainer { name, email, url } in &metadata.maintainers {
        if name.is_empty() {
            findings.error(FILE, "each maintainer requires a name");
        } else if !email.is_empty() && !is_email(email) {
            findings.error(FILE, format!("invalid email '{email}' for maintainer '{name}'"));
        } else if !url.is_empty() && !is_url(url) {
            findings.error(FILE, format!("invalid url '{url}' for maintainer '{name}'"));
        }
    }
    if has_empty {
        findings.error(FILE, "a maintainer entry is empty");
    }
    for source in metadata.sources.iter().filter(|source| !is_request_url(source)) {
        findings.error(FILE, format!("invalid source URL '{source}'"));
    }
}

/// Takes the nulls out of the lists that must not hold one, so that the rest can be read: loading the
/// chart fails for them. Whether there was one among the maintainers.
fn drop_empty(document: &mut Value) -> bool {
    let mut drop = |list: &str| {
        let Some(Value::Array(items)) = document.get_mut(list) else { return false };
        let before = items.len();
        items.retain(|item| !item.is_null());
        items.len() < before
    };
    drop("dependencies");
    drop("maintainers")
}

fn unknown_fields(document: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    let mut look = |value: &Value, known: &[&str], prefix: &str| {
        let keys = value.as_object().into_iter().flat_map(|map| map.keys());
        let is_known = |key: &str| known.iter().any(|name| yaml::is_named(key, name));
        unknown.extend(keys.filter(|key| !is_known(key)).map(|key| format!("{prefix}{key}")));
    };
    look(document, &FIELDS, "");
    for (list, known) in [("maintainers", &MAINTAINER[..]), ("dependencies", &DEPENDENCY[..])] {
        let items = document.get(list).and_then(Value::as_array).into_iter().flatten();
        items.for_each(|item| look(item, known, &format!("{list}[].")));
    }
    unknown
}
