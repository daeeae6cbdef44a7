//! What a chart renders, with the names under which the site's mirrors have its images: pure.
//!
//! Objects that name no image of a mirror keep the very text that they had.

use pinnace_engine::{Rendered, yaml};
use pinnace_registry::{RenamedImages, Rules};
use serde_json::Value;

use crate::cluster::Object;
use crate::release::storage::Stored;

/// What was rendered is not YAML.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read what the chart rendered in {file}, to give its images the names of the mirrors: {why}"
)]
pub struct Error {
    file: String,
    why: String,
}

/// Renames the images of manifests and hooks; gives what they were called.
pub fn apply(rendered: &mut Rendered, rules: &Rules) -> Result<RenamedImages, Error> {
    if rules.rules.is_empty() {
        return Ok(RenamedImages::default());
    }
    let manifests = rendered.manifests.iter_mut().map(|m| (&mut m.content, m.source.as_str()));
    let hooks = rendered.hooks.iter_mut().map(|hook| (&mut hook.manifest, hook.path.as_str()));
    rename(manifests.chain(hooks).collect(), rules)
}

fn rename(texts: Vec<(&mut String, &str)>, rules: &Rules) -> Result<RenamedImages, Error> {
    let read = |(text, file): &(&mut String, &str)| {
        yaml::from_str(text)
            .map_err(|error| Error { file: (*file).to_owned(), why: error.to_string() })
    };
    let mut objects: Vec<Value> = texts.iter().map(read).collect::<Result<_, _>>()?;
    let (renamed, changed) = RenamedImages::rename(&mut objects, rules);
    for (((text, _), object), changed) in texts.into_iter().zip(&objects).zip(changed) {
        if changed {
            *text = yaml::to_string(object);
        }
    }
    Ok(renamed)
}

/// Whether the images of a revision have the names that these rules give them. Neither rules for what the
/// revision does not use nor how mirrors are reached make a difference.
pub fn fits(stored: &Stored, rules: &Rules) -> bool {
    if rules.rules.is_empty() && stored.renamed_images.is_empty() {
        return true;
    }
    let record = &stored.record;
    let texts = record.hooks.iter().map(|hook| &hook.manifest).chain([&record.manifest]);
    // What cannot be read has no image that was renamed.
    let objects = texts.flat_map(|text| Object::parse_all(text, "the record").unwrap_or_default());
    objects.into_iter().all(|object| stored.renamed_images.fit(&object.value, rules))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::{Status, record::tests::record};

    fn rules(policy: &str, location: &str, secret: &str) -> Rules {
        let table = format!(
            "rules: [{{prefix: r.test, policy: {policy}, mirrors: [{{location: {location}, secret: {secret}}}]}}]"
        );
        Rules::from_yaml(&table).expect("a table")
    }

    const POD: &str = "kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec:\n  containers:\n  - image: r.test/a:1 # here\n";

    fn renamed(text: &str, rules: &Rules) -> (String, RenamedImages) {
        let mut text = text.to_owned();
        let images = rename(vec![(&mut text, "pod.yaml")], rules).expect("YAML");
        (text, images)
    }

    /// A revision deployed under `first`, looked at under `second`.
    fn same(first: &Rules, second: &Rules) -> bool {
        let (pod, images) = renamed(POD, first);
        let mut record = record(1, Status::Deployed);
        record.manifest = format!("---\n# Source: c/templates/pod.yaml\n{pod}");
        fits(&Stored::new(record, "pod", None).changed(None, images), second)
    }

    #[test]
    fn only_another_name_of_its_own_images_is_a_difference() {
        let none = Rules::default();
        let with = |policy, location, secret| rules(policy, location, secret);
        let first = || with("mirrorFirst", "m.test", "a");
        assert!(same(&none, &none) && same(&first(), &first()));
        assert!(same(&none, &with("defaultFirst", "m.test", "a")), "no name is another then");
        assert!(same(&first(), &with("mirrorOnly", "m.test", "b")), "the way to it is no name");
        let other = "rules: [{prefix: other.test, mirrors: [{location: m.test}]}]";
        assert!(same(&none, &Rules::from_yaml(other).expect("a table")), "it has no such image");
        assert!(!same(&none, &first()));
        assert!(!same(&first(), &with("mirrorFirst", "n.test", "a")));
        assert!(!same(&first(), &none));
    }

    #[test]
    fn an_image_gets_its_new_name_and_all_else_stays() {
        let rules = rules("mirrorFirst", "m.test/v", "s");
        let pod = "kind: Pod\nspec:\n  containers:\n  - image: r.test/a:1 # here\n";
        let (pod, images) = renamed(pod, &rules);
        assert_eq!(pod, "kind: Pod\nspec:\n  containers:\n  - image: m.test/v/a:1\n");
        assert_eq!(json!(images), json!({"m.test/v/a:1": ["r.test/a:1"]}));
        let before = "kind: Pod # of another registry\nspec: {containers: [{image: o.test/a:1}]}";
        let (text, images) = renamed(before, &rules);
        assert_eq!((text.as_str(), images.is_empty()), (before, true));
        let error = rename(vec![(&mut "a: [".to_owned(), "bad.yaml")], &rules);
        let error = error.expect_err("no YAML");
        assert!(error.to_string().contains("bad.yaml"), "{error}");
    }
}
