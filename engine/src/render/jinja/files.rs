//! `Files` for Jinja: the chart's other files.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object};
use minijinja::{Error, ErrorKind, State, Value};

use super::super::files;
use super::allowance::{Allowance, CONTAINER};
use super::operators::made_by;
use crate::chart::File;

/// The same methods as in Go templates.
pub(super) struct Files {
    files: files::Files,
    allowance: Arc<Allowance>,
}

impl Files {
    pub(super) fn of(files: &[File], allowance: &Arc<Allowance>) -> Self {
        Self { files: files::Files::of(files), allowance: allowance.clone() }
    }

    /// Each time that a file is asked for, its text is copied.
    fn text(&self, name: &str) -> Result<Value, Error> {
        self.allowance.hold_text(self.files.bytes(name).len())?;
        Ok(Value::from(self.files.text(name)))
    }

    fn len(&self) -> usize {
        self.files.names().map(|name| self.files.bytes(name).len() + name.len()).sum()
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

impl Object for Files {
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let is_there = self.files.names().any(|name| name == key);
        is_there.then(|| self.text(key).unwrap_or_else(Value::from))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.files.names().map(Value::from).collect())
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
            "Get" => self.text(one()?)?,
            "GetBytes" => {
                let bytes = self.files.bytes(one()?);
                self.allowance.hold_text(bytes.len())?;
                Value::from_bytes(bytes.to_vec())
            }
            "Glob" => {
                let names: usize = self.files.names().map(|name| name.len() + CONTAINER).sum();
                self.allowance.hold(names)?;
                self.allowance.spend(names as u64 / 64)?;
                let files = self.files.glob(one()?);
                Value::from_object(Self { files, allowance: self.allowance.clone() })
            }
            "Lines" => {
                let text = self.files.text(one()?);
                self.allowance.hold_text(text.len())?;
                made_by(&self.allowance, text.lines().map(Value::from).collect())?
            }
            "AsConfig" | "AsSecrets" => {
                // As a YAML block each line is indented; Base64 takes a third more.
                self.allowance.check(self.len().saturating_mul(4))?;
                let text = match method {
                    "AsConfig" => self.files.as_config(),
                    _ => self.files.as_secrets(),
                };
                self.allowance.hold_text(text.len())?;
                Value::from(text)
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }
}
