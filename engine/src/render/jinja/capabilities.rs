//! `Capabilities` for Jinja.

use std::sync::Arc;

use minijinja::value::Object;
use minijinja::{Error, ErrorKind, State, Value};

use super::super::capabilities;
use super::value;

/// `KubeVersion`, `HelmVersion` and `APIVersions`, the last with `Has`.
pub(super) fn of(capabilities: &capabilities::Capabilities) -> Value {
    let all = capabilities.to_json();
    let versions = Value::from_object(Versions(capabilities.api_versions.clone()));
    let told = ["KubeVersion", "HelmVersion"].into_iter().filter_map(|name| {
        let told = all.get(name)?;
        Some((name, value::of_json(told)))
    });
    Value::from_pairs(told.chain([("APIVersions", versions)]))
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
