//! The crds/ folder of a chart: created where absent, left alone where present unless told otherwise.

use serde_json::Value;
use tokio::time::Instant;

use super::wait::{self, Rules, Until, Wait};
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

/// What became of one definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub name: String,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Created,
    Replaced,
    /// It says all that the chart's says.
    Same,
    /// It differs from the chart's, and the policy leaves it.
    Kept,
}

/// Applies definitions by the policy, waits until those that it wrote are established, and says what became of each.
///
/// A definition that is there and equal needs no right but to read it. [`Error::StoredVersion`], before any is
/// written, if one would lose a version that objects are stored in.
pub async fn install(
    cluster: &Cluster,
    definitions: &[Object],
    policy: Policy,
    deadline: Instant,
) -> Result<Vec<Outcome>, Error> {
    if policy == Policy::Skip {
        return Ok(Vec::new());
    }
    let mut outcomes = Vec::new();
    for definition in definitions.iter().filter(|d| d.key.kind == "CustomResourceDefinition") {
        let key = &definition.key;
        let live = cluster.get(key).await.map_err(|e| forbidden("read", definition, e))?;
        let live = live.as_ref().map(|l| &l.data);
        let fate = fate(live, &definition.value, policy);
        if let (Fate::Replaced, Some(live)) = (fate, live)
            && let Some(version) = lost_version(live, &definition.value)
        {
            return Err(Error::StoredVersion { object: key.to_string(), version });
        }
        outcomes.push((definition, Outcome { name: key.name.clone(), fate }));
    }
    let mut written = Vec::new();
    for (definition, outcome) in &outcomes {
        let key = &definition.key;
        if !matches!(outcome.fate, Fate::Created | Fate::Replaced) {
            continue;
        }
        apply::write(cluster, key, &definition.value)
            .await
            .map_err(|e| forbidden("write", definition, e))?;
        written.push(key.clone());
    }
    let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    if written.is_empty() {
        return Ok(outcomes);
    }
    let (objects, until, rules) = (&written, Until::Ready, Rules::default());
    let wait = Wait { objects, until, deadline, since: None, progress: None, rules };
    wait::ready(cluster, wait).await?;
    cluster.discovery().forget_capabilities().await;
    Ok(outcomes)
}

fn fate(live: Option<&Value>, wanted: &Value, policy: Policy) -> Fate {
    match live {
        None => Fate::Created,
        Some(live) if contains(&live["spec"], &wanted["spec"]) => Fate::Same,
        Some(_) if policy == Policy::CreateReplace => Fate::Replaced,
        Some(_) => Fate::Kept,
    }
}

/// Whether a definition would be written.
pub(super) fn to_write(live: Option<&Value>, wanted: &Value, policy: Policy) -> bool {
    policy != Policy::Skip && matches!(fate(live, wanted, policy), Fate::Created | Fate::Replaced)
}

/// A version that objects are stored in and that the definition would no longer have.
fn lost_version(live: &Value, wanted: &Value) -> Option<String> {
    let versions = wanted["spec"]["versions"].as_array();
    let known = |stored: &&Value| {
        versions.is_some_and(|versions| versions.iter().any(|v| v["name"] == **stored))
    };
    let stored = live["status"]["storedVersions"].as_array()?;
    stored.iter().find(|version| !known(version))?.as_str().map(str::to_owned)
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
    fn a_stored_version_stays() {
        let live = json!({"status": {"storedVersions": ["v1alpha1", "v1"]}});
        let wanted = |names: &[&str]| {
            let versions: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"spec": {"versions": versions}})
        };
        assert_eq!(lost_version(&live, &wanted(&["v1", "v1alpha1", "v2"])), None);
        assert_eq!(lost_version(&live, &wanted(&["v1", "v2"])).as_deref(), Some("v1alpha1"));
        assert_eq!(lost_version(&json!({}), &wanted(&["v1"])), None);
    }

    #[test]
    fn what_is_written() {
        let wanted = json!({"spec": {"group": "g", "versions": [{"name": "v1"}]}});
        let same =
            json!({"spec": {"group": "g", "versions": [{"name": "v1", "served": true}], "x": 1}});
        let other = json!({"spec": {"group": "g", "versions": []}});
        for (live, policy, expected) in [
            (None, Policy::Create, Fate::Created),
            (None, Policy::CreateReplace, Fate::Created),
            (Some(&other), Policy::Create, Fate::Kept),
            (Some(&other), Policy::CreateReplace, Fate::Replaced),
            (Some(&same), Policy::Create, Fate::Same),
            (Some(&same), Policy::CreateReplace, Fate::Same),
        ] {
            assert_eq!(fate(live, &wanted, policy), expected, "{live:?} {policy:?}");
        }
    }
}
