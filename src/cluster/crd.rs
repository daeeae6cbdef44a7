//! The crds/ folder of a chart: created where absent, left alone where present unless told otherwise.

use serde_json::Value;
use tokio::time::Instant;

use super::wait::{self, Until, Wait};
use super::{Cluster, Error, Object, apply, error};

/// What becomes of the definitions in crds/ (`spec.install.crds`, `spec.upgrade.crds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Skip,
    /// Creates what is absent and never changes what is there, as Helm does.
    Create,
    /// Creates what is absent and brings the rest to the chart's version. Nothing is ever deleted.
    CreateReplace,
}

/// Applies definitions by the policy, and waits until those that it wrote are established.
///
/// A definition that is there and equal needs no right but to read it.
pub async fn install(
    cluster: &Cluster,
    definitions: &[Object],
    policy: Policy,
    deadline: Instant,
) -> Result<(), Error> {
    if policy == Policy::Skip {
        return Ok(());
    }
    let mut written = Vec::new();
    for definition in definitions.iter().filter(|d| d.key.kind == "CustomResourceDefinition") {
        let key = &definition.key;
        let live = cluster.get(key).await.map_err(|e| forbidden("read", definition, e))?;
        if !to_write(live.as_ref().map(|l| &l.data), &definition.value, policy) {
            continue;
        }
        apply::write(cluster, key, &definition.value)
            .await
            .map_err(|e| forbidden("write", definition, e))?;
        written.push(key.clone());
    }
    if written.is_empty() {
        return Ok(());
    }
    let objects = &written;
    let wait = Wait { objects, until: Until::Ready, deadline, since: None, progress: None };
    wait::ready(cluster, wait).await?;
    cluster.discovery().forget_capabilities().await;
    Ok(())
}

pub(super) fn to_write(live: Option<&Value>, wanted: &Value, policy: Policy) -> bool {
    match (live, policy) {
        (_, Policy::Skip) | (Some(_), Policy::Create) => false,
        (None, _) => true,
        (Some(live), Policy::CreateReplace) => !contains(&live["spec"], &wanted["spec"]),
    }
}

/// Whether `live` says everything that `wanted` says; the server may have filled in defaults.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, w)| w.is_null() || live.get(name).is_some_and(|l| contains(l, w))),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| contains(l, w))
        }
        _ => live == wanted,
    }
}

fn forbidden(verb: &'static str, definition: &Object, error: Error) -> Error {
    match error {
        Error::Api { source, .. } if error::is_code(&source, 403) => {
            Error::CrdForbidden { verb, object: definition.key.to_string(), source }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written() {
        let wanted = json!({"spec": {"group": "g", "versions": [{"name": "v1"}]}});
        let same =
            json!({"spec": {"group": "g", "versions": [{"name": "v1", "served": true}], "x": 1}});
        let other = json!({"spec": {"group": "g", "versions": []}});
        for (live, policy, expected) in [
            (None, Policy::Skip, false),
            (None, Policy::Create, true),
            (None, Policy::CreateReplace, true),
            (Some(&other), Policy::Create, false),
            (Some(&other), Policy::CreateReplace, true),
            (Some(&same), Policy::CreateReplace, false),
        ] {
            assert_eq!(to_write(live, &wanted, policy), expected, "{live:?} {policy:?}");
        }
    }
}
