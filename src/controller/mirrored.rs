//! What a chart renders, with the names under which the site's mirrors have its images: pure.
//!
//! Objects that name no image of a mirror keep the very text that they had.

use pinnace_engine::{Rendered, yaml};
use pinnace_registry::{Policy, Rules, rewrite_images};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// What was rendered is not YAML.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read what the chart rendered in {file}, to give its images the names of the mirrors: {why}"
)]
pub struct Error {
    file: String,
    why: String,
}

/// The digest of all that is done to what a chart renders: `spec` is that of what the HelmRelease asks for. How
/// the mirrors are reached is not in it: the objects stay the same then.
pub fn digest(rules: &Rules, spec: Option<String>) -> Option<String> {
    let names: Vec<_> = rules
        .rules
        .iter()
        .filter(|rule| rule.policy != Policy::DefaultFirst)
        .map(|rule| json!([rule.prefix, rule.mirrors.first().map(|mirror| &mirror.location)]))
        .collect();
    if names.is_empty() {
        return spec;
    }
    let all = json!([names, spec]);
    Some(format!("sha256:{}", hex::encode(Sha256::digest(all.to_string()))))
}

/// Renames the images of manifests and hooks.
pub fn apply(rendered: &mut Rendered, rules: &Rules) -> Result<(), Error> {
    if rules.rules.is_empty() {
        return Ok(());
    }
    for manifest in &mut rendered.manifests {
        rename(&mut manifest.content, &manifest.source, rules)?;
    }
    for hook in &mut rendered.hooks {
        rename(&mut hook.manifest, &hook.path, rules)?;
    }
    Ok(())
}

fn rename(text: &mut String, file: &str, rules: &Rules) -> Result<(), Error> {
    let unreadable = |why: String| Error { file: file.to_owned(), why };
    let mut object = yaml::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if rewrite_images(&mut object, rules) {
        *text = yaml::to_string(&object);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(policy: &str, location: &str, secret: &str) -> Rules {
        let table = format!(
            "rules: [{{prefix: r.test, policy: {policy}, mirrors: [{{location: {location}, secret: {secret}}}]}}]"
        );
        Rules::from_yaml(&table).expect("a table")
    }

    #[test]
    fn the_digest_is_of_names_alone() {
        let spec = Some("sha256:s".to_owned());
        let with =
            |policy, location, secret| digest(&rules(policy, location, secret), spec.clone());
        assert_eq!(digest(&Rules::default(), spec.clone()), spec);
        assert_eq!(with("defaultFirst", "m.test", "a"), spec, "no name is another then");
        assert_ne!(with("mirrorFirst", "m.test", "a"), spec);
        assert_eq!(with("mirrorFirst", "m.test", "a"), with("mirrorOnly", "m.test", "b"));
        assert_ne!(with("mirrorFirst", "m.test", "a"), with("mirrorFirst", "n.test", "a"));
    }

    #[test]
    fn an_image_gets_its_new_name_and_all_else_stays() {
        let rules = rules("mirrorFirst", "m.test/v", "s");
        let mut pod = "kind: Pod\nspec:\n  containers:\n  - image: r.test/a:1 # here\n".to_owned();
        rename(&mut pod, "pod.yaml", &rules).expect("YAML");
        assert_eq!(pod, "kind: Pod\nspec:\n  containers:\n  - image: m.test/v/a:1\n");
        let before = "kind: Pod # of another registry\nspec: {containers: [{image: o.test/a:1}]}";
        let mut text = before.to_owned();
        rename(&mut text, "pod.yaml", &rules).expect("YAML");
        assert_eq!(text, before);
        let error = rename(&mut "a: [".to_owned(), "bad.yaml", &rules).expect_err("no YAML");
        assert!(error.to_string().contains("bad.yaml"), "{error}");
    }
}
