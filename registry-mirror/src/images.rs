//! The images that a Kubernetes object names, found and renamed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rules::Rules;

/// What images were called before the rules gave them the names that they have.
///
/// With the objects it tells whether other rules would name their images in another way, without
/// making the objects anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RenamedImages(BTreeMap<String, BTreeSet<String>>);

impl RenamedImages {
    /// Gives the images of objects the names under which the mirrors have them; for each object,
    /// whether one was changed. An image that is written in parts (`{repository, tag}`) stays as
    /// it is: only its chart's values can change it.
    pub fn rename<'a>(
        objects: impl IntoIterator<Item = &'a mut Value>,
        rules: &Rules,
    ) -> (Self, Vec<bool>) {
        let mut before: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let rename = |object| {
            let mut changed = false;
            visit(object, &mut |image, whole| {
                let moved = rules.rewrite_image(image).filter(|_| whole);
                let now = moved.as_deref().unwrap_or(image).to_owned();
                before.entry(now).or_default().insert(image.to_owned());
                changed |= moved.is_some();
                moved
            });
            changed
        };
        let changed = objects.into_iter().map(rename).collect();
        before.retain(|now, names| names.iter().any(|name| name != now));
        (Self(before), changed)
    }

    /// Whether these rules name every image of an object as it is named there.
    pub fn fit(&self, object: &Value, rules: &Rules) -> bool {
        let mut fit = true;
        visit(&mut object.clone(), &mut |image, whole| {
            let itself = BTreeSet::from([image.to_owned()]);
            let names = self.0.get(image).unwrap_or(&itself);
            let named = |name: &String| rules.rewrite_image(name).unwrap_or_else(|| name.clone());
            fit &= !whole || names.iter().all(|name| named(name) == image);
            None
        });
        fit
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The names of images in an object, in order, as they are written there.
///
/// Found are: `image` of containers of every kind, wherever a pod's template may be; `image` of
/// custom resources, as a text or as `{registry, repository, tag, digest}`; image volumes; and
/// environment variables `RELATED_IMAGE_…`, by which operators are told what they may start.
pub fn images_of(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    visit(&mut object.clone(), &mut |image, _| {
        found.push(image.to_owned());
        None
    });
    found
}

/// Shows each image, and whether it is written as a whole: such a one gets the name that is given.
fn visit(value: &mut Value, see: &mut dyn FnMut(&str, bool) -> Option<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, see)),
        Value::Object(object) => {
            // Files inside of ConfigMaps are nobody's pod.
            if matches!(object.get("kind").and_then(Value::as_str), Some("ConfigMap" | "Secret")) {
                return;
            }
            let related = object
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(|name| name.starts_with("RELATED_IMAGE_"));
            for (key, value) in object.iter_mut() {
                match (key.as_str(), &mut *value) {
                    ("image", Value::String(image)) => replace(image, see),
                    ("image", Value::Object(parts)) => match parts.get_mut("reference") {
                        Some(Value::String(volume)) => replace(volume, see),
                        _ => {
                            if let Some(image) = joined(parts) {
                                see(&image, false);
                            }
                        }
                    },
                    ("value", Value::String(image)) if related => replace(image, see),
                    _ => visit(value, see),
                }
            }
        }
        _ => {}
    }
}

fn replace(image: &mut String, see: &mut dyn FnMut(&str, bool) -> Option<String>) {
    if !image.is_empty()
        && let Some(moved) = see(image, true)
    {
        *image = moved;
    }
}

/// `{registry, repository, tag, digest}` in one text; `None` without both name and version.
fn joined(parts: &serde_json::Map<String, Value>) -> Option<String> {
    let part = |name| parts.get(name).and_then(Value::as_str).filter(|part| !part.is_empty());
    let repository = part("repository")?;
    let name = match part("registry") {
        Some(registry) => format!("{registry}/{repository}"),
        None => repository.to_owned(),
    };
    match (part("digest"), part("tag")) {
        (Some(digest), _) => Some(format!("{name}@{digest}")),
        (None, Some(tag)) => Some(format!("{name}:{tag}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> Value {
        json!({
            "kind": "Deployment",
            "spec": { "template": { "spec": {
                "initContainers": [{ "name": "i", "image": "r.test/init:1" }],
                "containers": [{
                    "name": "c",
                    "image": "r.test/app:1",
                    "env": [
                        { "name": "RELATED_IMAGE_DB", "value": "r.test/db:1" },
                        { "name": "OTHER", "value": "r.test/not:1" },
                    ],
                }],
                "volumes": [{ "name": "v", "image": { "reference": "r.test/volume:1" } }],
            } } },
        })
    }

    #[test]
    fn found_wherever_they_are() {
        let mut found = images_of(&deployment());
        found.sort();
        assert_eq!(found, ["r.test/app:1", "r.test/db:1", "r.test/init:1", "r.test/volume:1"]);
        let cron =
            json!({ "kind": "CronJob", "spec": { "jobTemplate": { "spec": deployment() } } });
        assert_eq!(images_of(&cron).len(), 4);
        let custom = json!({ "kind": "X", "spec": {
            "image": { "registry": "r.test", "repository": "a", "tag": "1" },
            "other": { "image": { "repository": "r.test/b" } },
        } });
        assert_eq!(images_of(&custom), ["r.test/a:1"]);
        let files = json!({ "kind": "ConfigMap", "data": { "image": "r.test/a:1" } });
        assert!(images_of(&files).is_empty());
    }

    fn rules(location: &str) -> Rules {
        let table = format!("rules: [{{prefix: r.test, mirrors: [{{location: {location}}}]}}]");
        Rules::from_yaml(&table).unwrap()
    }

    fn pod(image: &str) -> Value {
        json!({ "kind": "Pod", "spec": { "containers": [{ "image": image }] } })
    }

    #[test]
    fn renamed_in_place() {
        let rules = rules("m.test/r");
        let mut object = deployment();
        let (_, changed) = RenamedImages::rename([&mut object], &rules);
        assert_eq!(changed, [true]);
        assert!(images_of(&object).iter().all(|image| image.starts_with("m.test/r/")));
        assert!(object.to_string().contains("r.test/not:1"));
        let unchanged = object.clone();
        let (renamed, changed) = RenamedImages::rename([&mut object], &rules);
        assert_eq!((changed, renamed.is_empty()), (vec![false], true));
        assert_eq!(object, unchanged);
    }

    /// Renamed by the first rules, and held against the second.
    #[test]
    fn other_rules_fit_if_they_give_the_same_names() {
        let none = Rules::default();
        let elsewhere = "rules: [{prefix: other.test, mirrors: [{location: m.test}]}]";
        let elsewhere = Rules::from_yaml(elsewhere).unwrap();
        let narrower = "rules: [{prefix: r.test/a, mirrors: [{location: m.test/r/a}]}]";
        let narrower = Rules::from_yaml(narrower).unwrap();
        for (first, second, image, fit) in [
            (&none, &none, "r.test/a:1", true),
            (&none, &elsewhere, "r.test/a:1", true),
            (&none, &rules("m.test/r"), "r.test/a:1", false),
            (&rules("m.test/r"), &rules("m.test/r"), "r.test/a:1", true),
            (&rules("m.test/r"), &narrower, "r.test/a:1", true),
            (&rules("m.test/r"), &narrower, "r.test/b:1", false),
            (&rules("m.test/r"), &rules("n.test"), "r.test/a:1", false),
            (&rules("m.test/r"), &none, "r.test/a:1", false),
            (&rules("m.test/r"), &none, "s.test/a:1", true),
        ] {
            let mut object = pod(image);
            let (renamed, _) = RenamedImages::rename([&mut object], first);
            let kept = serde_json::to_string(&renamed).unwrap();
            let renamed: RenamedImages = serde_json::from_str(&kept).unwrap();
            assert_eq!(renamed.fit(&object, second), fit, "{image} {first:?} {second:?}");
        }
    }

    #[test]
    fn a_name_that_two_images_have_now() {
        let (mut moved, mut named) = (pod("r.test/a:1"), pod("m.test/r/a:1"));
        let (renamed, changed) =
            RenamedImages::rename([&mut moved, &mut named], &rules("m.test/r"));
        assert_eq!((changed, &moved), (vec![true, false], &named));
        let also = "rules: [{prefix: r.test, mirrors: [{location: m.test/r}]}, \
                    {prefix: m.test, mirrors: [{location: n.test}]}]";
        assert!(renamed.fit(&named, &rules("m.test/r")));
        assert!(!renamed.fit(&named, &Rules::from_yaml(also).unwrap()));
    }

    #[test]
    fn what_is_written_in_parts_keeps_its_name_and_fits() {
        let parts =
            json!({ "kind": "X", "spec": { "image": { "repository": "r.test/b", "tag": "1" } } });
        let mut object = parts.clone();
        let (renamed, changed) = RenamedImages::rename([&mut object], &rules("m.test/r"));
        assert_eq!((changed, &object), (vec![false], &parts));
        assert!(renamed.is_empty() && renamed.fit(&object, &rules("n.test")));
    }
}
