//! The images that a Kubernetes object names, found and rewritten. Pure.

use serde_json::Value;

use crate::rules::Rules;

/// The names of images in an object, in order, as they are written there.
///
/// Found are: `image` of containers of every kind, wherever a pod's template may be; `image` of
/// custom resources, as a text or as `{registry, repository, tag, digest}`; image volumes; and
/// environment variables `RELATED_IMAGE_…`, by which operators are told what they may start.
pub fn images_of(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    visit(&mut object.clone(), &mut |image| {
        found.push(image.to_owned());
        None
    });
    found
}

/// Gives images the names under which the mirrors have them; true if one was changed. An image
/// that is written in parts (`{repository, tag}`) stays as it is: only its chart's values can
/// change it.
pub fn rewrite_images(object: &mut Value, rules: &Rules) -> bool {
    let mut changed = false;
    visit(object, &mut |image| {
        let moved = rules.rewrite_image(image);
        changed |= moved.is_some();
        moved
    });
    changed
}

fn visit(value: &mut Value, see: &mut dyn FnMut(&str) -> Option<String>) {
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
                                see(&image);
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

fn replace(image: &mut String, see: &mut dyn FnMut(&str) -> Option<String>) {
    if !image.is_empty()
        && let Some(moved) = see(image)
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

    #[test]
    fn rewritten_in_place() {
        let rules = Rules::from_yaml("rules: [{prefix: r.test, mirrors: [{location: m.test/r}]}]");
        let rules = rules.unwrap();
        let mut object = deployment();
        assert!(rewrite_images(&mut object, &rules));
        assert!(images_of(&object).iter().all(|image| image.starts_with("m.test/r/")));
        assert!(object.to_string().contains("r.test/not:1"));
        let unchanged = object.clone();
        assert!(!rewrite_images(&mut object, &rules));
        assert_eq!(object, unchanged);
    }
}
