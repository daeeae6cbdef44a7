//! Rendered files to single objects: cutting, hooks, order.

use std::collections::BTreeMap;

use serde_json::Value;

use super::context::is_partial;
use super::{Hook, Manifest, Unsortable, order};
use crate::warning::Warning;
use crate::yaml::{self, Fields, YamlError};

/// A rendered file that does not hold Kubernetes objects.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("YAML parse error on {path}")]
    Yaml { path: String, source: YamlError },
    #[error("YAML parse error on {path}: {why}")]
    Shape { path: String, why: String },
}

const EVENTS: [&str; 9] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
];

/// The objects and hooks of all rendered files, each in install order. A hook of an event that
/// Helm does not know is left out, with a warning.
pub(super) fn sort(
    mut files: BTreeMap<String, String>,
    warnings: &mut Vec<Warning>,
) -> Result<(Vec<Manifest>, Vec<Hook>), Unsortable> {
    let heads = match heads(&files) {
        Ok(heads) => heads,
        Err(error) => return Err(Unsortable { error, files }),
    };
    files.retain(|path, _| !is_partial(path));
    let (mut manifests, mut hooks) = (Vec::new(), Vec::new());
    // One file after the other goes, since a large chart's objects are there twice meanwhile.
    for ((path, content), heads) in files.into_iter().zip(heads) {
        for (document, head) in split(&content).into_iter().zip(heads) {
            match head.annotations.get("helm.sh/hook") {
                None => manifests.push(Manifest {
                    source: path.clone(),
                    api_version: head.api_version,
                    kind: head.kind,
                    name: head.name,
                    content: document.to_owned(),
                }),
                Some(events) => match events_of(events) {
                    Some(events) => hooks.push(hook(&path, document, &head, events)),
                    None => warnings
                        .push(Warning::info("skipping unknown hooks").with("hookTypes", events)),
                },
            }
        }
    }
    manifests.sort_by_cached_key(|manifest| order::key(&manifest.kind));
    hooks.sort_by_cached_key(|hook: &Hook| order::key(&hook.kind));
    Ok((manifests, hooks))
}

/// For each file that is no partial, the heads of its documents.
fn heads(files: &BTreeMap<String, String>) -> Result<Vec<Vec<Head>>, ManifestError> {
    let files = files.iter().filter(|(path, _)| !is_partial(path));
    files
        .map(|(path, content)| {
            split(content).into_iter().map(|text| Head::read(path, text)).collect()
        })
        .collect()
}

/// Cuts at lines that begin with `---`. Whatever follows it on the line stays, as in Helm.
pub fn split(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut rest = text.trim_start();
    rest = rest.strip_prefix("---").unwrap_or(rest);
    loop {
        let (document, next) = match rest.split_once("\n---") {
            Some((document, next)) => (&rest[..=document.len()], Some(next)),
            None => (rest, None),
        };
        let document = document.trim_start();
        if !document.is_empty() {
            documents.push(document);
        }
        match next {
            Some(next) => rest = next,
            None => return documents,
        }
    }
}

/// The part of an object that decides what becomes of it.
#[derive(Default)]
struct Head {
    api_version: String,
    kind: String,
    name: String,
    annotations: BTreeMap<String, String>,
}

impl Head {
    fn read(path: &str, document: &str) -> Result<Self, ManifestError> {
        let document = yaml::entries_from_str(document, &["apiVersion", "kind", "metadata"])
            .map_err(|source| ManifestError::Yaml { path: path.to_owned(), source })?;
        Self::of(&document).map_err(|why| ManifestError::Shape { path: path.to_owned(), why })
    }

    /// Names count in any case, as in [`Fields`].
    fn of(document: &Value) -> Result<Self, String> {
        let mut head = Self::default();
        if document.is_null() {
            return Ok(head);
        }
        let fields = Fields::of(document, "expected a Kubernetes object")?;
        fields.text("apiVersion", &mut head.api_version)?;
        fields.text("kind", &mut head.kind)?;
        let metadata = fields.fields("metadata", true)?;
        let below = |why: String| format!("metadata.{why}");
        metadata.text("name", &mut head.name).map_err(below)?;
        metadata.text_map("annotations", &mut head.annotations).map_err(below)?;
        Ok(head)
    }

    fn list(&self, annotation: &str) -> Vec<String> {
        self.annotations.get(annotation).map_or(Vec::new(), |list| items(list))
    }
}

fn items(list: &str) -> Vec<String> {
    list.split(',').map(|item| item.trim().to_lowercase()).collect()
}

fn events_of(annotation: &str) -> Option<Vec<String>> {
    items(annotation)
        .into_iter()
        .map(|event| match event.as_str() {
            // Helm 2's name
            "test-success" => Some("test".to_owned()),
            known if EVENTS.contains(&known) => Some(event),
            _ => None,
        })
        .collect()
}

fn hook(path: &str, document: &str, head: &Head, events: Vec<String>) -> Hook {
    let weight = head.annotations.get("helm.sh/hook-weight");
    Hook {
        name: head.name.clone(),
        kind: head.kind.clone(),
        path: path.to_owned(),
        manifest: document.to_owned(),
        events,
        weight: weight.and_then(|weight| weight.parse().ok()).unwrap_or(0),
        delete_policies: head.list("helm.sh/hook-delete-policy"),
        output_log_policies: head.list("helm.sh/hook-output-log-policy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_helm_does() {
        assert_eq!(split("\n---\na: 1\n--- \n\n---b: 2\n"), ["a: 1\n", "b: 2\n"]);
        assert_eq!(split("a: |\n  ---\n"), ["a: |\n  ---\n"]);
        assert!(split(" \n---\n").is_empty());
        assert_eq!(split("---\n---\n---a\n----\n---"), ["a\n", "-\n"]);
    }

    #[test]
    fn heads_are_read_as_go_reads_them() {
        let secret = "Kind: Secret\nAPIVERSION: v1\nMetadata: {Name: x, Annotations: {helm.sh/hook: pre-install}}\n";
        let others =
            "---\nKind: Pod\n---\nkind: Pod\nKind: Secret\nKIND: Namespace\n---\nKIND: Namespace\n";
        let text = format!("{secret}{others}---\nkind: 7\nmetadata: {{name: 1e6}}\n");
        let files = BTreeMap::from([("c/templates/a.yaml".to_owned(), text)]);
        let (manifests, hooks) = sort(files, &mut Vec::new()).expect("objects");
        let hook = (&*hooks[0].kind, &*hooks[0].name, &*hooks[0].events[0]);
        assert_eq!(hook, ("Secret", "x", "pre-install"));
        let kinds: Vec<_> = manifests.iter().map(|m| (&*m.kind, &*m.name)).collect();
        assert_eq!(kinds, [("Namespace", ""), ("Pod", ""), ("Pod", ""), ("7", "1e+06")]);
    }

    #[test]
    fn what_is_not_of_its_type_is_refused() {
        for (text, why) in [
            ("- a", "expected a Kubernetes object: not a mapping"),
            ("Kind: []\nkind: A", "kind must be a string"),
            ("metadata: 5", "metadata must be a mapping"),
            ("Metadata: {Name: {}}", "metadata.name must be a string"),
            ("metadata: {annotations: {a: [1]}}", "metadata.annotations.a must be a string"),
        ] {
            let error = Head::read("p", text).err().expect(text);
            assert_eq!(error.to_string(), format!("YAML parse error on p: {why}"));
        }
    }
}
