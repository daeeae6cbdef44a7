//! When custom resources are ready: CEL expressions about them (`healthCheckExprs`). Pure.

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::Key;
use super::expression::{Error, Expression};
use super::ready::Readiness;

/// What decides about objects of one group and kind; asked in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub group: String,
    pub kind: String,
    pub in_progress: Option<Expression>,
    pub failed: Option<Expression>,
    pub current: Expression,
}

/// The checks of a release. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks(Arc<[Check]>);

impl FromIterator<Check> for Checks {
    fn from_iter<I: IntoIterator<Item = Check>>(checks: I) -> Self {
        Self(checks.into_iter().collect())
    }
}

impl Checks {
    /// The check for an object, if there is one.
    pub fn of(&self, key: &Key) -> Option<&Check> {
        self.0.iter().find(|check| check.group == key.group() && check.kind == key.kind)
    }
}

impl Check {
    /// How far this object is. The expressions see its fields by their names; `metadata`, `spec` and `status` are always
    /// there. What cannot be evaluated is not ready yet: a status may still be written.
    pub fn readiness(&self, object: &DynamicObject) -> Readiness {
        let object = serde_json::to_value(object).unwrap_or_default();
        let empty = json!({});
        let mut variables: Vec<(&str, &Value)> = Vec::new();
        for name in ["metadata", "spec", "status"] {
            variables.push((name, object.get(name).unwrap_or(&empty)));
        }
        for (name, value) in object.as_object().into_iter().flatten() {
            if !variables.iter().any(|(known, _)| known == name) {
                variables.push((name, value));
            }
        }
        match self.asked(&variables) {
            Ok(readiness) => readiness,
            Err(error) => Readiness::InProgress(error.to_string()),
        }
    }

    fn asked(&self, variables: &[(&str, &Value)]) -> Result<Readiness, Error> {
        if let Some(expression) = &self.in_progress
            && expression.holds(variables)?
        {
            return Ok(Readiness::InProgress(format!("{} holds", expression.text())));
        }
        if let Some(expression) = &self.failed
            && expression.holds(variables)?
        {
            return Ok(Readiness::Failed(format!("{} holds", expression.text())));
        }
        Ok(match self.current.holds(variables)? {
            true => Readiness::Ready,
            false => Readiness::InProgress(format!("{} does not hold", self.current.text())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_decide_in_their_order() {
        let expression = |text: &str| Expression::compile(text).expect("CEL");
        let check = Check {
            group: "x.io".into(),
            kind: "Thing".into(),
            in_progress: Some(expression("status.phase == 'Starting'")),
            failed: Some(expression("status.phase == 'Broken'")),
            current: expression("status.phase == spec.wanted && data.a == 1"),
        };
        let object = |status: Value| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t"},
                "spec": {"wanted": "Up"}, "status": status, "data": {"a": 1},
            }))
            .expect("an object")
        };
        let found = |status: Value| check.readiness(&object(status));
        assert_eq!(found(json!({"phase": "Up"})), Readiness::Ready);
        let holds = |text: &str| format!("status.phase == '{text}' holds");
        assert_eq!(found(json!({"phase": "Broken"})), Readiness::Failed(holds("Broken")));
        assert_eq!(found(json!({"phase": "Starting"})), Readiness::InProgress(holds("Starting")));
        assert!(matches!(found(json!({"phase": "Else"})), Readiness::InProgress(_)));
        assert!(matches!(found(json!({})), Readiness::InProgress(_)), "no status yet");
        let checks: Checks = [check].into_iter().collect();
        let key = |api_version: &str| Key {
            api_version: api_version.into(),
            kind: "Thing".into(),
            namespace: None,
            name: "t".into(),
        };
        assert!(checks.of(&key("x.io/v2")).is_some(), "whatever the version");
        assert!(checks.of(&key("y.io/v1")).is_none());
    }
}
