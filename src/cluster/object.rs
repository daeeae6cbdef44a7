//! The objects of a manifest.

use std::fmt;

use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

use super::Error;

/// Who owns an object, by its label `app.kubernetes.io/managed-by`.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const RELEASE_NAME: &str = "meta.helm.sh/release-name";
pub const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// Which object: what its manifest says, and the namespace that it is in (None for cluster-wide kinds).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
}

impl Key {
    /// The API group: empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether both mean the same object, whatever API version they say it in.
    pub fn same_object(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// One object as a manifest has it. `key.namespace` is what the manifest says until discovery has been
/// asked whether the kind is namespaced ([`super::discovery::Discovery::place`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub key: Key,
    pub value: Value,
}

impl Object {
    /// Every object of a YAML stream, lists taken apart. `source` names the stream in errors.
    pub fn parse_all(yaml: &str, source: &str) -> Result<Vec<Self>, Error> {
        let mut objects = Vec::new();
        for document in documents(yaml) {
            let refuse = |message: String| Error::Manifest {
                source_file: origin(document).unwrap_or(source).to_owned(),
                message,
            };
            let value = read(document).map_err(&refuse)?;
            if value.is_null() {
                continue;
            }
            flatten(value, &mut objects).map_err(refuse)?;
        }
        Ok(objects)
    }

    /// The error says what is missing.
    pub fn new(value: Value) -> Result<Self, String> {
        let text =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let key = Key {
            api_version: text("/apiVersion").ok_or("an object has no apiVersion")?,
            kind: text("/kind").ok_or("an object has no kind")?,
            namespace: text("/metadata/namespace").filter(|n| !n.is_empty()),
            name: text("/metadata/name").ok_or("an object has no metadata.name")?,
        };
        Ok(Self { key, value })
    }

    /// An annotation of the manifest.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.value.get("metadata")?.get("annotations")?.get(name)?.as_str()
    }

    /// Sets an annotation of the manifest.
    pub fn annotate(&mut self, name: &str, text: &str) {
        set(&mut self.value, "annotations", name, text);
    }

    /// The object with Helm's ownership label and annotations.
    pub fn owned_by(&self, owner: &Owner) -> Value {
        let mut value = self.value.clone();
        set(&mut value, "labels", MANAGED_BY, "Helm");
        set(&mut value, "annotations", RELEASE_NAME, &owner.release);
        set(&mut value, "annotations", RELEASE_NAMESPACE, &owner.namespace);
        value
    }
}

fn set(value: &mut Value, under: &str, name: &str, text: &str) {
    if !value["metadata"].is_object() {
        value["metadata"] = json!({});
    }
    let entries = &mut value["metadata"][under];
    if !entries.is_object() {
        *entries = Value::Object(Map::new());
    }
    entries[name] = Value::String(text.to_owned());
}

/// Helm's rule (`pkg/release/v1/util/manifest.go`): a line that begins with `---` separates documents.
fn documents(yaml: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<(usize, usize)> = vec![(0, 0)];
    let mut offset = 0;
    for line in yaml.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            starts.push((offset, offset + 3 + blanks));
        }
        offset += line.len();
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|s| s.0).chain([yaml.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|((_, from), to)| &yaml[from..to])
        .filter(|d| !d.trim().is_empty())
}

/// The file that a `# Source:` line names.
fn origin(document: &str) -> Option<&str> {
    document.lines().find_map(|line| line.strip_prefix("# Source: ")).map(str::trim)
}

fn read(document: &str) -> Result<Value, String> {
    let nothing = document.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#'));
    if nothing {
        return Ok(Value::Null);
    }
    pinnace_engine::yaml::from_str(document).map_err(|e| e.to_string())
}

fn flatten(value: Value, into: &mut Vec<Object>) -> Result<(), String> {
    let is_list = value["kind"].as_str().is_some_and(|k| k.ends_with("List"));
    match value.get("items") {
        Some(Value::Array(items)) if is_list => {
            items.iter().try_for_each(|item| flatten(item.clone(), into))
        }
        _ => {
            into.push(Object::new(value)?);
            Ok(())
        }
    }
}

/// The release that an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub release: String,
    pub namespace: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.release)
    }
}

impl Owner {
    /// The release that a live object says it belongs to.
    pub fn of(live: &ObjectMeta) -> Option<Self> {
        let annotation = |name| live.annotations.as_ref()?.get(name).cloned();
        let managed = live.labels.as_ref()?.get(MANAGED_BY)? == "Helm";
        match (managed, annotation(RELEASE_NAME), annotation(RELEASE_NAMESPACE)) {
            (true, Some(release), Some(namespace)) => Some(Self { release, namespace }),
            _ => None,
        }
    }
}

/// A live object's metadata as its own type, for tests that write YAML.
#[cfg(test)]
pub(crate) fn metadata(value: Value) -> ObjectMeta {
    serde_json::from_value(value).expect("metadata")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "---\n# Source: c/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: |\n    x\n---\n# Source: c/templates/b.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: b\n  namespace: ns\n";

    #[test]
    fn objects_of_a_manifest() {
        let objects = Object::parse_all(TWO, "manifest").expect("valid");
        let names: Vec<String> = objects.iter().map(|o| o.key.to_string()).collect();
        assert_eq!(names, ["ConfigMap a", "Deployment ns/b"]);
        assert_eq!(objects[1].key.group(), "apps");
        assert_eq!(objects[0].value["data"]["k"], "x\n");
    }

    /// YAML 1.1, as Kubernetes reads it: octal numbers and the old words for true.
    #[test]
    fn values_mean_what_they_mean_to_kubectl() {
        let yaml = "apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec: {mode: 0644, on: yes}\n";
        let object = Object::parse_all(yaml, "m").expect("valid").remove(0);
        assert_eq!(object.value["spec"], serde_json::json!({"mode": 420, "true": true}));
    }

    #[test]
    fn comments_alone_are_nothing() {
        assert!(Object::parse_all("---\n# Source: c\n# nothing\n", "m").expect("valid").is_empty());
        assert!(Object::parse_all("", "m").expect("valid").is_empty());
    }

    #[test]
    fn lists_are_taken_apart() {
        let yaml = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n";
        assert_eq!(Object::parse_all(yaml, "m").expect("valid").len(), 2);
    }

    #[test]
    fn an_error_names_the_template() {
        let yaml = "---\n# Source: c/templates/x.yaml\nkind: Pod\nmetadata: {name: x}\n";
        let error = Object::parse_all(yaml, "m").expect_err("no apiVersion").to_string();
        assert_eq!(
            error,
            "cannot read the manifest of c/templates/x.yaml: an object has no apiVersion"
        );
    }

    #[test]
    fn ownership_is_written_and_read() {
        let owner = Owner { release: "r".into(), namespace: "n".into() };
        let object = Object::parse_all(TWO, "m").expect("valid").remove(0);
        let value = object.owned_by(&owner);
        assert_eq!(Owner::of(&metadata(value["metadata"].clone())), Some(owner));
        assert_eq!(Owner::of(&metadata(object.value["metadata"].clone())), None);
    }
}
