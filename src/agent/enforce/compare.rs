//! Whether a live object already is what is wanted: pure.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use serde_json::Value;

/// What has to be done about an object, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The object is not there.
    Absent,
    /// This field has another value.
    Field { path: String, live: String, wanted: String },
    /// This field has another value, and its values may be secret.
    Hidden { path: String },
    /// This field was set in an earlier state and is no longer.
    Dropped { path: String },
}

impl Difference {
    /// The field that differs; `None` if the whole object is missing.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Field { path, .. } | Self::Hidden { path } | Self::Dropped { path } => Some(path),
        }
    }
}

/// The longest value that is shown to people, in characters.
const MAX_SHOWN: usize = 60;
/// Values of a release and data of a Secret may be secrets: below these fields no value is shown.
const SENSITIVE: &[&str] = &["spec.values", "data", "stringData"];

/// The first thing that applying `wanted` as `manager` would change, if any.
///
/// Fields that `wanted` does not name are somebody else's, unless `manager` owns them from earlier.
pub fn difference(
    wanted: &DynamicObject,
    live: Option<&DynamicObject>,
    manager: &str,
) -> Option<Difference> {
    let Some(live) = live else { return Some(Difference::Absent) };
    let wanted_data = content(wanted);
    let live_data = content(live);
    if let Some(difference) = field(&wanted_data, &live_data, "") {
        return Some(difference);
    }
    let mut owned = BTreeSet::new();
    for entry in live.metadata.managed_fields.iter().flatten() {
        let applied = entry.operation.as_deref() == Some("Apply") && entry.subresource.is_none();
        if let Some(fields) = &entry.fields_v1
            && applied
            && entry.manager.as_deref() == Some(manager)
        {
            leaves_owned(&fields.0, "", &mut owned);
        }
    }
    let mut named = BTreeSet::new();
    leaves(&wanted_data, "", &mut named);
    let dropped = owned.into_iter().find(|path| !named.contains(path));
    dropped.map(|path| Difference::Dropped { path })
}

/// What is compared of an object: its data, labels and annotations.
fn content(object: &DynamicObject) -> Value {
    let mut content = object.data.clone();
    let mut metadata = serde_json::Map::new();
    for (key, map) in
        [("labels", &object.metadata.labels), ("annotations", &object.metadata.annotations)]
    {
        if let Some(map) = map {
            metadata.insert(key.to_owned(), serde_json::json!(map));
        }
    }
    if let (Some(content), false) = (content.as_object_mut(), metadata.is_empty()) {
        content.insert("metadata".to_owned(), metadata.into());
    }
    content
}

fn field(wanted: &Value, live: &Value, path: &str) -> Option<Difference> {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().find_map(|(key, wanted)| {
            field(wanted, live.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"))
        }),
        (wanted, live) if same(wanted, live) => None,
        (wanted, live) => {
            let path = path.trim_start_matches('.');
            if is_sensitive(path) {
                return Some(Difference::Hidden { path: path.to_owned() });
            }
            let (live, wanted) = (shown(live), shown(wanted));
            Some(Difference::Field { path: path.to_owned(), live, wanted })
        }
    }
}

fn is_sensitive(path: &str) -> bool {
    SENSITIVE.iter().filter_map(|field| path.strip_prefix(field)).any(|rest| {
        // `spec.valuesFrom` only begins alike.
        rest.is_empty() || rest.starts_with('.')
    })
}

/// Equal, where the API server may have written a number in another way.
fn same(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            // Within a list the API server may have filled in defaults.
            a.iter().all(|(key, value)| same(value, b.get(key).unwrap_or(&Value::Null)))
        }
        _ => wanted == live,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.chars().count() <= MAX_SHOWN => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => "another value".to_owned(),
    }
}

/// Paths of a value's leaves, as [`leaves_owned`] writes them.
fn leaves(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                leaves(value, &format!("{path}.{key}"), paths);
            }
        }
        _ => {
            paths.insert(path.trim_start_matches('.').to_owned());
        }
    }
}

/// Paths of the leaves of a `fieldsV1`. Of lists that are merged by key, only the list is named.
fn leaves_owned(fields: &Value, path: &str, paths: &mut BTreeSet<String>) {
    let children: Vec<(&str, &Value)> = fields
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.strip_prefix("f:")?, value)))
        .collect();
    if children.is_empty() {
        paths.insert(path.trim_start_matches('.').to_owned());
    }
    for (key, value) in children {
        leaves_owned(value, &format!("{path}.{key}"), paths);
    }
}

#[cfg(test)]
mod tests {
    use kube::api::ApiResource;
    use serde_json::json;

    use super::*;
    use crate::api::helm_release::HelmRelease;

    const MANAGER: &str = "qdrant-cloud-agent";

    fn object(data: Value) -> DynamicObject {
        let mut object = DynamicObject::new("r", &ApiResource::erase::<HelmRelease>(&()));
        object.data = data;
        object
    }

    fn live(data: Value, owned: Value) -> DynamicObject {
        let mut object = object(data);
        let entry = json!([{
            "manager": MANAGER, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": owned
        }]);
        object.metadata.managed_fields = Some(serde_json::from_value(entry).expect("fields"));
        object
    }

    #[test]
    fn what_others_set_is_no_difference() {
        let wanted = object(json!({"spec": {"values": {"a": 1}, "list": [{"x": 1.0}]}}));
        let owned = json!({"f:spec": {"f:values": {"f:a": {}}, "f:list": {}}});
        let data = json!({
            "spec": {"values": {"a": 1, "b": 2}, "suspend": true, "list": [{"x": 1, "d": 0}]},
            "status": {}
        });
        assert_eq!(difference(&wanted, Some(&live(data, owned)), MANAGER), None);
    }

    #[test]
    fn an_edited_field_is_named() {
        let wanted = object(json!({"spec": {"chart": {"version": "2"}}}));
        let live = live(json!({"spec": {"chart": {"version": "1"}}}), json!({}));
        let expected = Difference::Field {
            path: "spec.chart.version".into(),
            live: "1".into(),
            wanted: "2".into(),
        };
        assert_eq!(difference(&wanted, Some(&live), MANAGER), Some(expected));
        assert_eq!(difference(&wanted, None, MANAGER), Some(Difference::Absent));
    }

    #[test]
    fn a_field_that_is_no_longer_wanted_is_dropped() {
        let wanted = object(json!({"spec": {"values": {"a": 1}}}));
        let owned = json!({"f:spec": {"f:values": {".": {}, "f:a": {}, "f:b": {}}}});
        let live = live(json!({"spec": {"values": {"a": 1, "b": 2}}}), owned);
        let expected = Difference::Dropped { path: "spec.values.b".into() };
        assert_eq!(difference(&wanted, Some(&live), MANAGER), Some(expected));
        assert_eq!(difference(&wanted, Some(&live), "kubectl"), None);
    }

    #[test]
    fn values_that_may_be_secret_are_not_repeated() {
        for (wanted, live, expected) in [
            (
                json!({"spec": {"values": {"p": "s1"}}}),
                json!({"spec": {"values": {"p": "s2"}}}),
                "spec.values.p",
            ),
            (
                json!({"spec": {"values": {"p": "s1"}}}),
                json!({"spec": {"values": "s2"}}),
                "spec.values",
            ),
            (json!({"data": {"ca.crt": "s1"}}), json!({}), "data"),
        ] {
            let found = difference(&object(wanted), Some(&object(live)), MANAGER);
            assert_eq!(found, Some(Difference::Hidden { path: expected.into() }));
        }
        let wanted = object(json!({"spec": {"valuesFrom": "a"}}));
        let found = difference(&wanted, Some(&object(json!({"spec": {}}))), MANAGER);
        assert!(matches!(found, Some(Difference::Field { .. })), "{found:?}");
    }

    #[test]
    fn long_values_are_not_repeated() {
        let wanted = object(json!({"spec": {"url": "x".repeat(MAX_SHOWN + 1)}}));
        let found = difference(&wanted, Some(&object(json!({}))), MANAGER);
        let Some(Difference::Field { wanted, live, .. }) = found else { panic!("{found:?}") };
        assert_eq!((wanted.as_str(), live.as_str()), ("another value", "nothing"));
    }
}
