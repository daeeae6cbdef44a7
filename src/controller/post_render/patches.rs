//! Patches of objects: JSON 6902 (a list of operations) and strategic merge (a piece of an object).

use pinnace_engine::yaml;
use serde_json::Value;

use super::{matcher, strategic};
use crate::api::helm_release;
use crate::cluster::{Key, Object, list_keys};
use crate::controller::selector::{Invalid, Matcher};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is not YAML: {0}")]
    Yaml(String),
    #[error("target: {0}")]
    Target(Invalid),
    #[error("it is neither a list of operations nor a piece of an object")]
    Shape,
    #[error("a list of operations needs a target")]
    NoTarget,
    #[error("it is not a list of JSON 6902 operations: {0}")]
    Operations(String),
    #[error("without a target it needs apiVersion, kind and metadata.name: {0}")]
    Identity(String),
    #[error("it cannot be applied to {object}: {why}")]
    Apply { object: Key, why: String },
}

/// A patch that was read.
pub struct Patch {
    target: Target,
    change: Change,
}

enum Target {
    Selected(Matcher),
    /// The object that the patch itself names.
    Named(Key),
}

enum Change {
    Operations(json_patch::Patch),
    Merge(Value),
}

impl Patch {
    pub fn read(patch: &helm_release::Patch) -> Result<Self, Error> {
        let value = yaml::from_str(&patch.patch).map_err(|e| Error::Yaml(e.to_string()))?;
        let selected = patch.target.as_ref().map(matcher).transpose();
        let selected = selected.map_err(Error::Target)?.map(Target::Selected);
        match value {
            Value::Array(_) => {
                let operations = serde_json::from_value(value);
                let operations = operations.map_err(|e| Error::Operations(e.to_string()))?;
                let target = selected.ok_or(Error::NoTarget)?;
                Ok(Self { target, change: Change::Operations(operations) })
            }
            Value::Object(_) => {
                let named = || Object::new(value.clone()).map(|o| Target::Named(o.key));
                let target = selected.map_or_else(named, Ok).map_err(Error::Identity)?;
                Ok(Self { target, change: Change::Merge(value) })
            }
            _ => Err(Error::Shape),
        }
    }

    /// The object with the patch, if it is meant; None if the patch deletes it.
    pub fn apply(&self, mut object: Object) -> Result<Option<Object>, Error> {
        let meant = match &self.target {
            Target::Selected(matcher) => matcher.matches(&object),
            Target::Named(key) => named(key, &object.key),
        };
        if !meant {
            return Ok(Some(object));
        }
        let failed = |why: String| Error::Apply { object: object.key.clone(), why };
        match &self.change {
            Change::Operations(operations) => {
                json_patch::patch(&mut object.value, operations)
                    .map_err(|e| failed(e.to_string()))?;
            }
            Change::Merge(patch) if patch["$patch"] == "delete" => return Ok(None),
            Change::Merge(patch) => {
                let mut patch = patch.clone();
                // A patch with a target may be of any name and kind: it changes neither.
                if let Some(map) = patch.as_object_mut() {
                    map.remove("apiVersion");
                    map.remove("kind");
                }
                if let Some(metadata) = patch["metadata"].as_object_mut() {
                    metadata.remove("name");
                    metadata.remove("namespace");
                }
                let built_in = list_keys::is_built_in(object.key.group());
                strategic::merge(&mut object.value, patch, built_in).map_err(failed)?;
            }
        }
        let key = object.key.clone();
        let patched = Object::new(object.value);
        patched.map(Some).map_err(|why| Error::Apply { object: key, why })
    }
}

/// Whether a patch means an object: the version is no matter, and a patch without a namespace means any.
fn named(patch: &Key, object: &Key) -> bool {
    patch.group() == object.group()
        && patch.kind == object.kind
        && patch.name == object.name
        && (patch.namespace.is_none() || patch.namespace == object.namespace)
}
