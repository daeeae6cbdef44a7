//! Which objects a selector of a spec means: pure. The fields are anchored regular expressions, as in kustomize.

use std::collections::BTreeMap;

use regex::Regex;

use crate::api::helm_release::{HelmRelease, Selector};
use crate::cluster::Object;

/// A selector that can be asked.
#[derive(Debug)]
pub struct Matcher {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    namespace: Option<Regex>,
    name: Option<Regex>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("{field} {text:?} is not a regular expression")]
    Expression { field: &'static str, text: String },
    #[error("{0:?} is not a selector such as a=b,c!=d,e in (f,g),h,!i")]
    Selector(String),
}

/// One part of a label selector.
#[derive(Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

impl Matcher {
    pub fn of(selector: &Selector) -> Result<Self, Invalid> {
        let expression = |field: &'static str, text: &Option<String>| {
            let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else {
                return Ok(None);
            };
            let invalid = |_| Invalid::Expression { field, text: text.to_owned() };
            Regex::new(&format!("^(?:{text})$")).map(Some).map_err(invalid)
        };
        Ok(Self {
            group: expression("group", &selector.group)?,
            version: expression("version", &selector.version)?,
            kind: expression("kind", &selector.kind)?,
            namespace: expression("namespace", &selector.namespace)?,
            name: expression("name", &selector.name)?,
            labels: requirements(selector.label_selector.as_deref().unwrap_or_default())?,
            annotations: requirements(selector.annotation_selector.as_deref().unwrap_or_default())?,
        })
    }

    pub fn matches(&self, object: &Object) -> bool {
        let key = &object.key;
        let fits = |expression: &Option<Regex>, text: &str| {
            expression.as_ref().is_none_or(|expression| expression.is_match(text))
        };
        let map = |field: &str| -> BTreeMap<&str, &str> {
            let entries = object.value["metadata"][field].as_object().into_iter().flatten();
            entries.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
        };
        let (labels, annotations) = (map("labels"), map("annotations"));
        fits(&self.group, key.group())
            && fits(&self.version, key.api_version.rsplit('/').next().unwrap_or_default())
            && fits(&self.kind, &key.kind)
            && fits(&self.namespace, key.namespace.as_deref().unwrap_or_default())
            && fits(&self.name, &key.name)
            && self.labels.iter().all(|requirement| requirement.holds(&labels))
            && self.annotations.iter().all(|requirement| requirement.holds(&annotations))
    }
}

/// Whether every selector of the spec can be asked; the error names its field.
pub fn check(release: &HelmRelease) -> Result<(), String> {
    let ignored = release.spec.drift_detection.iter().flat_map(|drift| &drift.ignore);
    for target in ignored.filter_map(|rule| rule.target.as_ref()) {
        Matcher::of(target).map_err(|e| format!("spec.driftDetection.ignore: target: {e}"))?;
    }
    Ok(())
}

impl Requirement {
    fn holds(&self, entries: &BTreeMap<&str, &str>) -> bool {
        let value = |name: &String| entries.get(name.as_str()).copied();
        match self {
            Self::Exists(name) => value(name).is_some(),
            Self::Absent(name) => value(name).is_none(),
            Self::In(name, values) => value(name).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(name, values) => value(name).is_none_or(|v| values.iter().all(|w| w != v)),
        }
    }
}

/// The parts of a selector in Kubernetes' writing.
fn requirements(text: &str) -> Result<Vec<Requirement>, Invalid> {
    let invalid = || Invalid::Selector(text.to_owned());
    let (mut parts, mut depth) = (vec![String::new()], 0_i32);
    for character in text.chars() {
        match character {
            ',' if depth == 0 => parts.push(String::new()),
            other => {
                depth += i32::from(other == '(') - i32::from(other == ')');
                parts.last_mut().ok_or_else(invalid)?.push(other);
            }
        }
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.map(|part| requirement(part).ok_or_else(invalid)).collect()
}

fn requirement(part: &str) -> Option<Requirement> {
    let name = |text: &str| {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        (!text.is_empty() && text.chars().all(plain)).then(|| text.to_owned())
    };
    for (words, inside) in [(" notin ", false), (" in ", true)] {
        if let Some((left, right)) = part.split_once(words) {
            let list = right.trim().strip_prefix('(')?.strip_suffix(')')?;
            let values = list.split(',').map(|value| value.trim().to_owned()).collect();
            let name = name(left)?;
            return Some(match inside {
                true => Requirement::In(name, values),
                false => Requirement::NotIn(name, values),
            });
        }
    }
    if let Some((left, right)) = part.split_once("!=") {
        return Some(Requirement::NotIn(name(left)?, vec![right.trim().to_owned()]));
    }
    if let Some((left, right)) = part.split_once('=') {
        let right = right.strip_prefix('=').unwrap_or(right).trim().to_owned();
        return Some(Requirement::In(name(left)?, vec![right]));
    }
    match part.strip_prefix('!') {
        Some(absent) => name(absent).map(Requirement::Absent),
        None => name(part).map(Requirement::Exists),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web-1", "namespace": "n",
                "labels": {"app": "web", "tier": "front"}, "annotations": {"note": "x"},
            },
        }))
        .expect("an object")
    }

    #[test]
    fn objects_are_chosen_by_each_field() {
        for (selector, expected) in [
            (json!({}), true),
            (json!({"kind": "Deployment"}), true),
            (json!({"kind": "Deploy"}), false),
            (json!({"kind": "Deployment|StatefulSet", "name": "web-.*"}), true),
            (json!({"name": "web"}), false),
            (json!({"group": "apps", "version": "v1", "namespace": "n"}), true),
            (json!({"group": "batch"}), false),
            (json!({"namespace": "other"}), false),
            (json!({"labelSelector": "app=web"}), true),
            (json!({"labelSelector": "app==web,tier!=back"}), true),
            (json!({"labelSelector": "tier in (front, back),!gone"}), true),
            (json!({"labelSelector": "tier notin (front)"}), false),
            (json!({"labelSelector": "gone"}), false),
            (json!({"annotationSelector": "note=x"}), true),
            (json!({"annotationSelector": "note=y"}), false),
        ] {
            let parsed = serde_json::from_value(selector.clone()).expect("a selector");
            let matcher = Matcher::of(&parsed).expect("valid");
            assert_eq!(matcher.matches(&object()), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for selector in [
            json!({"name": "("}),
            json!({"labelSelector": "a in b"}),
            json!({"labelSelector": "a b"}),
            json!({"annotationSelector": "=x"}),
        ] {
            let parsed = serde_json::from_value(selector.clone()).expect("a selector");
            assert!(Matcher::of(&parsed).is_err(), "{selector}");
        }
    }
}
