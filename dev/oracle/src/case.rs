//! One template with all that it may use.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// A chart named `t`: `templates/case.txt`, and what stands beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Case {
    pub template: String,
    /// Other files of templates/, by base name: what a `_helpers.tpl` defines.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub templates: Vec<(String, String)>,
    /// What `.Files` holds.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub files: Vec<(String, String)>,
    /// `.Values`; [`shared_values`] unless the generator has others.
    pub values: Value,
    /// Whole numbers of the values are int64, as `--set` makes them, rather than float64.
    pub integers: bool,
    /// What is set on top of the values, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<Set>,
}

/// One flag of `--set` and its kin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Set {
    /// `set`, `string`, `json`, `file` or `literal`.
    pub form: String,
    pub line: String,
}

impl Case {
    /// A template over [`shared_values`].
    pub fn new(template: impl Into<String>) -> Self {
        Case { template: template.into(), values: shared_values(), ..Case::default() }
    }
}

/// The values of the fixed cases, so that a small difference can be added to them as it is.
pub fn shared_values() -> Value {
    use std::sync::LazyLock;
    static VALUES: LazyLock<Value> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../../../engine/tests/oracle/cases/data.json"))
            .expect("data.json is JSON")
    });
    VALUES.clone()
}

fn as_map<S: serde::Serializer>(
    entries: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(name, text)| (name, text)))
}

/// As a case stands in `engine/tests/oracle/cases`, but for other templates and files.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in &self.templates {
            writeln!(f, "templates/{name}: {text:?}")?;
        }
        for (name, text) in &self.files {
            writeln!(f, "{name}: {text:?}")?;
        }
        for set in &self.sets {
            writeln!(f, "--{} {:?}", set.form, set.line)?;
        }
        if self.integers {
            writeln!(f, "whole numbers are int64")?;
        }
        if self.values != shared_values() {
            writeln!(f, "= {}", self.values)?;
        }
        for (i, line) in self.template.split('\n').enumerate() {
            write!(f, "{}> {line}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}
