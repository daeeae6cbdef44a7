//! `Capabilities` for Jinja.

use std::sync::Arc;

use minijinja::value::Object;
use minijinja::{Error, ErrorKind, State, Value};

use super::super::capabilities;
use super::value;

/// `KubeVersion`, `HelmVersion` and `APIVersions`, the last with `Has`.
#[derive(Debug)]
pub(super) struct Capabilities(pub(super) capabilities::Capabilities);

impl Object for Capabilities {
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "APIVersions" => Some(Value::from_object(Versions(self.0.api_versions.clone()))),
            "KubeVersion" | "HelmVersion" => {
                let all = self.0.to_json();
                Some(value::of_json(all.get(key)?))
            }
            _ => None,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
}

#[derive(Debug)]
struct Versions(Vec<String>);

impl Object for Versions {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).map(Value::from)
    }

    fn enumerate(self: &Arc<Self>) -> minijinja::value::Enumerator {
        minijinja::value::Enumerator::Seq(self.0.len())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match (method, arguments) {
            ("Has", [wanted]) => Ok(Value::from(
                self.0.iter().any(|version| Some(version.as_str()) == wanted.as_str()),
            )),
            ("Has", _) => {
                Err(Error::new(ErrorKind::InvalidOperation, "Has takes one text, an API version"))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
