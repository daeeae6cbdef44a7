//! `namespace()`: the only values that change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, ValueOrKwargs};
use minijinja::{Error, ErrorKind, Value};

use super::allowance::{Allowance, CONTAINER, ENTRY};

/// What `{% set ns.name = … %}` writes to. MiniJinja's own cannot be emptied.
#[derive(Debug, Default)]
pub(super) struct Namespace(Mutex<BTreeMap<Arc<str>, Value>>);

/// All namespaces of a rendering. They may hold each other, and then are freed only if they are emptied.
#[derive(Debug, Default)]
pub(super) struct Namespaces(Mutex<Vec<Arc<Namespace>>>);

impl Namespaces {
    /// The function `namespace`.
    pub(super) fn make(
        &self,
        allowance: &Allowance,
        arguments: Rest<ValueOrKwargs>,
    ) -> Result<Value, Error> {
        let namespace = Arc::new(Namespace::default());
        let arguments = arguments.into_values();
        if arguments.len() > 1 {
            return Err(Error::from(ErrorKind::TooManyArguments));
        }
        for defaults in &arguments {
            let object = defaults.as_object().filter(|object| object.repr() == ObjectRepr::Map);
            let Some(pairs) = object.and_then(|object| object.try_iter_pairs()) else {
                let why = format!("expected object or keyword arguments, got {}", defaults.kind());
                return Err(Error::new(ErrorKind::InvalidOperation, why));
            };
            allowance.hold(ENTRY.saturating_mul(defaults.len().unwrap_or(0)))?;
            for (key, value) in pairs {
                if let Some(key) = key.as_str() {
                    namespace.set(key, value);
                }
            }
        }
        allowance.spend(1)?;
        allowance.hold(CONTAINER)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(namespace.clone());
        Ok(Value::from_dyn_object(namespace))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for namespace in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            namespace.entries().clear();
        }
    }
}

impl Namespace {
    pub(super) fn set(&self, name: &str, value: Value) {
        self.entries().insert(name.into(), value);
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object for Namespace {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.entries().get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries().keys().cloned().map(Value::from).collect())
    }
}
