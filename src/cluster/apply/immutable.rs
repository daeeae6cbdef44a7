//! Objects that cannot become what is wanted, because a field of theirs never changes: recognised, and made anew where
//! that is asked for and loses nothing.

use std::time::Duration;

use kube::api::PropagationPolicy;
use serde_json::Value;
use tokio::time::Instant;

use super::super::{Cluster, Error, Key, Object, error, prune, wait};
use super::{Manner, Method, client_side};

/// As annotation in a manifest: `recreate` or `fail`, whatever the release says.
pub const POLICY: &str = "cd.qdrant.io/on-immutable";
/// How long a deletion may take before its successor is given up.
const GONE: Duration = Duration::from_secs(120);

/// Whether the API server has refused a change because of a field that never changes.
pub fn is_refusal(error: &Error) -> bool {
    let Error::Api { source, .. } = error else { return false };
    error::status(source).is_some_and(|status| {
        let says = |text: &str| status.message.contains(text);
        status.code == 422
            && (says("field is immutable")
                || says("updates to statefulset spec for fields other than")
                || says("cannot change roleRef")
                || says("may not be changed")
                || says("is immutable"))
    })
}

/// Whether an object may be replaced as a whole. The API server fills in fields of the others that never change.
pub fn replaceable(key: &Key) -> bool {
    let job = key.group() == "batch" && key.kind == "Job";
    !job && !never_made_anew(key)
}

fn never_made_anew(key: &Key) -> bool {
    matches!(
        (key.group(), key.kind.as_str()),
        ("", "PersistentVolumeClaim" | "PersistentVolume" | "Namespace")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

/// What becomes of an object that cannot be changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Deleted in this way and made anew.
    Recreate(PropagationPolicy),
    /// Left; with what a person can do about it.
    Fail(&'static str),
}

/// The rule: what holds data is made anew only if its manifest says so, and volumes, namespaces and definitions never.
pub fn verdict(key: &Key, annotation: Option<&str>, force: bool) -> Verdict {
    if never_made_anew(key) {
        return Verdict::Fail(
            "it holds data and is never made anew: undo the change, or replace it by hand",
        );
    }
    // Its pods and their volumes stay, and the new one takes them over.
    let propagation = match key.kind.as_str() {
        "StatefulSet" => PropagationPolicy::Orphan,
        _ => PropagationPolicy::Background,
    };
    let harmless = match key.group() {
        "" => key.kind == "ConfigMap",
        "apps" | "batch" | "policy" | "rbac.authorization.k8s.io" | "storage.k8s.io" => true,
        _ => false,
    };
    match annotation {
        Some("recreate") => Verdict::Recreate(propagation),
        Some("fail") => {
            Verdict::Fail("its annotation cd.qdrant.io/on-immutable says so: undo the change")
        }
        _ if !harmless => Verdict::Fail(
            "undo the change, or annotate it with cd.qdrant.io/on-immutable: recreate to have it deleted and made anew",
        ),
        _ if force => Verdict::Recreate(propagation),
        _ => Verdict::Fail(
            "undo the change, or set spec.upgrade.force or the annotation cd.qdrant.io/on-immutable: recreate to have it \
             deleted and made anew",
        ),
    }
}

/// Deletes the object and makes it anew, if that is what [`verdict`] says; otherwise an error that says what to do.
pub async fn recreate(
    cluster: &Cluster,
    object: &Object,
    value: &Value,
    manner: Manner,
    refusal: Error,
) -> Result<(), Error> {
    let key = &object.key;
    let propagation = match verdict(key, object.annotation(POLICY), manner.force) {
        Verdict::Recreate(propagation) => propagation,
        Verdict::Fail(instead) => {
            let Error::Api { source, .. } = refusal else { return Err(refusal) };
            return Err(Error::Immutable { object: key.to_string(), instead, source });
        }
    };
    tracing::info!(object = %key, "made anew: a field of it cannot be changed");
    if let Some(live) = cluster.get(key).await? {
        let deleted = prune::remove(cluster, key, &live, propagation).await?;
        let deleted: Vec<_> = deleted.into_iter().collect();
        wait::deleted(cluster, &deleted, Instant::now() + GONE).await?;
    }
    match manner.method {
        Method::ServerSide => super::apply(cluster, key, value, manner.fields).await,
        Method::ClientSide => client_side::create(cluster, key, value, manner).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, message: &str) -> Error {
        let status = kube::core::Status::failure(message, "Invalid").with_code(code);
        Error::api("apply", "x", kube::Error::Api(status.boxed()))
    }

    #[test]
    fn refusals_are_known_by_their_words() {
        let set = "StatefulSet.apps \"s\" is invalid: spec: Forbidden: updates to statefulset spec for fields other \
                   than 'replicas' are forbidden";
        assert!(is_refusal(&refused(422, set)));
        assert!(is_refusal(&refused(422, "spec.selector: Invalid value: {}: field is immutable")));
        assert!(!is_refusal(&refused(422, "spec.replicas: Invalid value: -1")));
        assert!(!is_refusal(&refused(403, "field is immutable")));
    }

    #[test]
    fn what_holds_data_is_not_made_anew_without_a_word() {
        let key = |api_version: &str, kind: &str| Key {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: None,
            name: "x".into(),
        };
        let anew = |api_version: &str, kind: &str, annotation, force| match verdict(
            &key(api_version, kind),
            annotation,
            force,
        ) {
            Verdict::Recreate(propagation) => Some(format!("{propagation:?}")),
            Verdict::Fail(_) => None,
        };
        let background = || Some("Background".to_owned());
        for (api_version, kind, forced, annotated) in [
            ("apps/v1", "Deployment", background(), background()),
            ("apps/v1", "StatefulSet", Some("Orphan".to_owned()), Some("Orphan".to_owned())),
            ("batch/v1", "Job", background(), background()),
            ("v1", "ConfigMap", background(), background()),
            ("v1", "Secret", None, background()),
            ("v1", "Service", None, background()),
            ("qdrant.io/v1", "QdrantCluster", None, background()),
            ("v1", "PersistentVolumeClaim", None, None),
            ("v1", "Namespace", None, None),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, None),
        ] {
            assert_eq!(anew(api_version, kind, None, false), None, "{kind}");
            assert_eq!(anew(api_version, kind, None, true), forced, "{kind}");
            assert_eq!(anew(api_version, kind, Some("recreate"), false), annotated, "{kind}");
            assert_eq!(anew(api_version, kind, Some("fail"), true), None, "{kind}");
        }
    }
}
