//! What must be in a mirror: charts and images, each by its digest. No I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{digest::Digest, reference::Reference};

/// A list of charts and images. As YAML or JSON it is a file that people keep and review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    api_version: String,
    kind: String,
    #[serde(default)]
    pub charts: Vec<Item>,
    #[serde(default)]
    pub images: Vec<Item>,
}

/// One chart or image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// `host[:port]/repository[:tag]`, where the vendor has it.
    pub name: String,
    pub digest: Digest,
    /// What needs it, such as `qdrant-operator 2.1.0`; for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
}

/// Why a document is not a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the plan is not a document of {API_VERSION}, kind {KIND}: {0}")]
    Malformed(String),
    #[error("the plan has {name:?}, which is not host[:port]/repository[:tag]: {why}")]
    Name { name: String, why: String },
    #[error("the plan is longer than {LONGEST} bytes")]
    TooLong,
}

const API_VERSION: &str = "mirror.pinnace.io/v1";
const KIND: &str = "MirrorPlan";
const LONGEST: usize = 16 * 1024 * 1024;

/// The first line of a sync list, which holds tags where a plan holds digests.
pub const SYNC_LIST_NOTE: &str =
    "# Tags can move: prove the result with `pinnace mirror check`, which knows the digests.\n";

impl Default for Plan {
    fn default() -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            charts: Vec::new(),
            images: Vec::new(),
        }
    }
}

impl Item {
    /// An entry for this reference; `None` if it has no digest.
    pub fn new(reference: &Reference, used_by: &str) -> Option<Self> {
        let digest = reference.digest()?.clone();
        let name = match reference.tag() {
            Some(tag) => format!("{}:{tag}", reference.path()),
            None => reference.path(),
        };
        Some(Self { name, digest, used_by: vec![used_by.to_owned()] })
    }

    /// The name, bound to the digest.
    pub fn reference(&self) -> Result<Reference, PlanError> {
        let reference = Reference::parse(&self.name).map_err(|error| PlanError::Name {
            name: self.name.chars().take(300).collect(),
            why: error.why().to_owned(),
        })?;
        Ok(reference.with_digest(self.digest.clone()))
    }
}

impl Plan {
    /// Reads YAML or JSON, and checks every name.
    pub fn from_yaml(text: &str) -> Result<Self, PlanError> {
        if text.len() > LONGEST {
            return Err(PlanError::TooLong);
        }
        let malformed = |why: String| PlanError::Malformed(why.chars().take(200).collect());
        let plan: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?
        } else {
            serde_saphyr::from_str(text).map_err(|error| malformed(error.to_string()))?
        };
        if plan.api_version != API_VERSION || plan.kind != KIND {
            return Err(malformed(format!("it is {} of {}", plan.kind, plan.api_version)));
        }
        for item in plan.items() {
            item.reference()?;
        }
        Ok(plan)
    }

    /// Charts, then images.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.charts.iter().chain(&self.images)
    }

    pub fn add_chart(&mut self, item: Item) {
        add(&mut self.charts, item);
    }

    pub fn add_image(&mut self, item: Item) {
        add(&mut self.images, item);
    }

    /// All of another plan as well.
    pub fn extend(&mut self, other: Self) {
        other.charts.into_iter().for_each(|item| self.add_chart(item));
        other.images.into_iter().for_each(|item| self.add_image(item));
    }

    /// What `skopeo sync --src yaml` reads: tags by host and repository, digests where there is
    /// no tag. As JSON, which is YAML.
    pub fn for_skopeo(&self) -> serde_json::Value {
        let mut hosts: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for reference in self.items().filter_map(|item| item.reference().ok()) {
            let version = match reference.tag() {
                Some(tag) => tag.to_owned(),
                None => reference.digest().map(ToString::to_string).unwrap_or_default(),
            };
            let repositories = hosts.entry(reference.host().to_owned()).or_default();
            repositories.entry(reference.repository().to_owned()).or_default().push(version);
        }
        let hosts =
            hosts.into_iter().map(|(host, images)| (host, serde_json::json!({ "images": images })));
        hosts.collect::<serde_json::Map<_, _>>().into()
    }

    /// One reference on each line, with tag and digest, for a loop around `crane copy`.
    pub fn for_crane(&self) -> String {
        self.items()
            .filter_map(|item| item.reference().ok())
            .map(|reference| reference.image() + "\n")
            .collect()
    }
}

/// Keeps the list sorted, with one entry for a name and digest.
fn add(items: &mut Vec<Item>, item: Item) {
    let key = |item: &Item| (item.name.clone(), item.digest.clone());
    match items.binary_search_by_key(&key(&item), key) {
        Ok(known) => {
            for user in item.used_by {
                if !items[known].used_by.contains(&user) {
                    items[known].used_by.push(user);
                }
            }
        }
        Err(at) => items.insert(at, item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, user: &str) -> Item {
        let reference = Reference::parse(name).unwrap().with_digest(Digest::of(b"x"));
        Item::new(&reference, user).unwrap()
    }

    #[test]
    fn one_entry_for_a_name_and_digest() {
        let mut plan = Plan::default();
        for (name, user) in [("r.test/b:1", "x 1"), ("r.test/a:1", "x 1"), ("r.test/b:1", "y 2")] {
            plan.add_image(item(name, user));
        }
        let names: Vec<_> = plan.images.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["r.test/a:1", "r.test/b:1"]);
        assert_eq!(plan.images[1].used_by, ["x 1", "y 2"]);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(Plan::from_yaml(&text).unwrap(), plan);
    }

    #[test]
    fn lists_for_other_tools() {
        let mut plan = Plan::default();
        plan.add_chart(item("r.test:5000/charts/c:1.0.0", "c"));
        plan.add_image(item("r.test:5000/a", "c"));
        let digest = Digest::of(b"x");
        let wanted = serde_json::json!({ "r.test:5000": { "images": {
            "charts/c": ["1.0.0"],
            "a": [digest],
        } } });
        assert_eq!(plan.for_skopeo(), wanted);
        let lines = format!("r.test:5000/charts/c:1.0.0@{digest}\nr.test:5000/a@{digest}\n");
        assert_eq!(plan.for_crane(), lines);
    }

    #[test]
    fn refused() {
        let error = |text: &str| Plan::from_yaml(text).unwrap_err().to_string();
        assert!(error("charts: []").contains(API_VERSION));
        let other = "apiVersion: v1\nkind: Pod\n";
        assert!(error(other).contains("Pod of v1"));
        let digest = Digest::of(b"x");
        let plan = format!(
            "apiVersion: {API_VERSION}\nkind: {KIND}\nimages: [{{name: A b, digest: '{digest}'}}]"
        );
        assert!(error(&plan).contains("A b"));
    }
}
