//! `Files` for Jinja: the chart's other files.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object};
use minijinja::{Error, ErrorKind, State, Value};

use super::super::files;
use crate::chart::File;

/// The same methods as in Go templates.
pub(super) struct Files(files::Files);

impl Files {
    pub(super) fn of(files: &[File]) -> Self {
        Self(files::Files::of(files))
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

impl Object for Files {
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.names().any(|name| name == key).then(|| Value::from(self.0.text(key)))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.names().map(Value::from).collect())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let one = || match arguments {
            [name] if name.as_str().is_some() => Ok(name.as_str().unwrap_or_default()),
            _ => Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("Files.{method} takes one text"),
            )),
        };
        Ok(match method {
            "Get" => Value::from(self.0.text(one()?)),
            "GetBytes" => Value::from_bytes(self.0.bytes(one()?).to_vec()),
            "Glob" => Value::from_object(Self(self.0.glob(one()?))),
            "Lines" => self.0.text(one()?).lines().map(Value::from).collect(),
            "AsConfig" => Value::from(self.0.as_config()),
            "AsSecrets" => Value::from(self.0.as_secrets()),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }
}
