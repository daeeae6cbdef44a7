//! Sprig: semantic versions.

mod constraint;
mod parts;
mod version;

use std::any::Any;

use super::{Function, Kind, text};
use crate::template::{Method, Object, Value};
pub use constraint::Constraint;
pub use version::Version;

pub(super) const TABLE: &[Function] = &[
    Function::new("semver", &[Kind::String], |_, a| {
        Ok(Value::object(SemVer(Version::parse(&text(&a[0]))?)))
    }),
    Function::new("semverCompare", &[Kind::String, Kind::String], |_, a| {
        let constraint = Constraint::parse(&text(&a[0]))?;
        Ok(constraint.matches(&Version::parse(&text(&a[1]))?).into())
    }),
];

struct SemVer(Version);

/// Go's `&semver.Version{}`.
pub(super) fn blank() -> Value {
    let numbers = [0; 3];
    let (prerelease, metadata, original) = Default::default();
    Value::object(SemVer(Version { numbers, prerelease, metadata, original }))
}

impl Object for SemVer {
    fn type_name(&self) -> &str {
        "*semver.Version"
    }

    fn kind(&self) -> &'static str {
        "ptr"
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let [major, minor, patch] = self.0.numbers;
        Some(vec![
            ("major", Value::Uint64(major)),
            ("minor", Value::Uint64(minor)),
            ("patch", Value::Uint64(patch)),
            ("pre", self.0.prerelease.as_str().into()),
            ("metadata", self.0.metadata.as_str().into()),
            ("original", self.0.original.as_str().into()),
        ])
    }

    fn method(&self, name: &str) -> Option<Method> {
        Some(Method::new(match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "Original" | "String" => &[],
            "Compare" | "Equal" | "LessThan" | "GreaterThan" => &[Kind::Object("*semver.Version")],
            _ => return None,
        }))
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let other = || match arguments {
            [Value::Object(object)] => object
                .as_any()
                .downcast_ref::<SemVer>()
                .map(|other| self.0.compare(&other.0))
                .ok_or("the argument is not a version".to_owned()),
            _ => Err(format!("{name} wants one version")),
        };
        let [major, minor, patch] = self.0.numbers;
        Some(Ok(match name {
            "Major" => Value::Uint64(major),
            "Minor" => Value::Uint64(minor),
            "Patch" => Value::Uint64(patch),
            "Prerelease" => self.0.prerelease.as_str().into(),
            "Metadata" => self.0.metadata.as_str().into(),
            "Original" => self.0.original.as_str().into(),
            "String" => self.0.to_string().into(),
            "Compare" => match other() {
                Ok(order) => Value::Int(order as i64),
                Err(message) => return Some(Err(message)),
            },
            "Equal" | "LessThan" | "GreaterThan" => match other() {
                Ok(order) => Value::Bool(match name {
                    "Equal" => order.is_eq(),
                    "LessThan" => order.is_lt(),
                    _ => order.is_gt(),
                }),
                Err(message) => return Some(Err(message)),
            },
            _ => return None,
        }))
    }

    fn text(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    fn json(&self) -> serde_json::Value {
        self.0.to_string().into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
