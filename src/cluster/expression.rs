//! CEL expressions about objects: pure. `dependsOn[].readyExpr` and `healthCheckExprs` are written in them.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{Context, Program, Value};

/// The longest expression, in bytes.
const MAX_TEXT: usize = 16 << 10;

/// A compiled expression that is true or false. Clones share what was compiled.
#[derive(Clone)]
pub struct Expression {
    text: String,
    program: Arc<Program>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Why an expression says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the expression {text:?} is not CEL: {why}")]
    Invalid { text: String, why: String },
    #[error("the expression has {0} bytes, and {MAX_TEXT} are the most")]
    TooLong(usize),
    #[error("the expression {text:?} cannot be evaluated: {why}")]
    Evaluation { text: String, why: String },
    #[error("the expression {text:?} is neither true nor false, but a {found}")]
    NotABool { text: String, found: String },
}

impl Error {
    /// Whether only another expression helps, as opposed to other objects.
    pub fn for_good(&self) -> bool {
        !matches!(self, Self::Evaluation { .. })
    }
}

impl Expression {
    pub fn compile(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_TEXT {
            return Err(Error::TooLong(text.len()));
        }
        let invalid = |why: String| Error::Invalid { text: text.to_owned(), why };
        // The parser is given whatever a person has written.
        let compiled = catch_unwind(|| Program::compile(text));
        let compiled = compiled.map_err(|_| invalid("the parser gave up".to_owned()))?;
        let program = compiled.map_err(|errors| invalid(first_line(&errors.to_string())))?;
        Ok(Self { text: text.to_owned(), program: Arc::new(program) })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is true of these variables.
    pub fn holds(&self, variables: &[(&str, &serde_json::Value)]) -> Result<bool, Error> {
        let failed = |why: String| Error::Evaluation { text: self.text.clone(), why };
        let evaluated = catch_unwind(AssertUnwindSafe(|| {
            let mut context = Context::default();
            for (name, value) in variables {
                context.add_variable_from_value(*name, converted(value));
            }
            self.program.execute(&context)
        }));
        let evaluated = evaluated.map_err(|_| failed("the evaluation gave up".to_owned()))?;
        match evaluated.map_err(|error| failed(error.to_string()))? {
            Value::Bool(value) => Ok(value),
            other => {
                Err(Error::NotABool { text: self.text.clone(), found: other.type_of().to_string() })
            }
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Whole numbers are `int`, as Kubernetes has them, not `uint`.
fn converted(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => {
            Value::List(Arc::new(items.iter().map(converted).collect()))
        }
        serde_json::Value::Object(fields) => {
            let entry = |(name, value): (&String, &serde_json::Value)| {
                (Key::String(Arc::new(name.clone())), converted(value))
            };
            let map: HashMap<Key, Value> = fields.iter().map(entry).collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expressions_are_true_or_false_of_objects() {
        let own = json!({"metadata": {"labels": {"tier": "a"}}, "spec": {"n": 3}});
        let dep = json!({
            "metadata": {"generation": 2, "labels": {"tier": "a"}},
            "status": {
                "observedGeneration": 2,
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
            },
        });
        let holds = |text: &str| Expression::compile(text)?.holds(&[("self", &own), ("dep", &dep)]);
        for (text, expected) in [
            ("dep.metadata.generation == dep.status.observedGeneration", true),
            ("dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')", true),
            ("dep.status.conditions.all(c, c.status == 'True')", false),
            ("self.metadata.labels.tier == dep.metadata.labels['tier']", true),
            ("has(dep.spec)", false),
            ("self.spec.n >= 3 && self.spec.n < 4", true),
        ] {
            assert_eq!(holds(text), Ok(expected), "{text}");
        }
        assert!(holds("dep.status.conditions.filter(").is_err_and(|e| e.for_good()));
        assert!(matches!(holds("self.spec.n"), Err(Error::NotABool { .. })));
        let missing = holds("dep.status.url == 'x'").expect_err("no such field");
        assert!(!missing.for_good(), "{missing}");
    }

    #[test]
    fn the_length_has_a_limit() {
        let text = |length: usize| format!("true{}", " ".repeat(length - 4));
        assert!(Expression::compile(&text(MAX_TEXT)).is_ok());
        assert!(matches!(Expression::compile(&text(MAX_TEXT + 1)), Err(Error::TooLong(_))));
    }
}
