//! Removal of a release's objects: those that a new chart no longer has, or all of them.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use kube::api::{DeleteParams, DynamicObject, Preconditions, PropagationPolicy};
use kube::core::ObjectMeta;

use super::object::Owner;
use super::{Cluster, Error, Key, Object, error};

/// `keep`: the object outlives its release.
pub const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

const AT_ONCE: usize = 8;
/// How often an object is looked at again whose deletion meets the writes of others.
const MAX_LOOKS: usize = 5;

/// The objects of `earlier` revisions that `now` does not have, each once, in reverse order of installation.
pub fn gone<'a>(earlier: &'a [Vec<Object>], now: &[Object]) -> Vec<&'a Object> {
    let mut gone: Vec<&Object> = Vec::new();
    for object in earlier.iter().flat_map(|revision| revision.iter().rev()) {
        let known = |o: &Object| o.key.same_object(&object.key);
        if !now.iter().any(known) && !gone.iter().any(|o| known(o)) {
            gone.push(object);
        }
    }
    gone
}

/// Helm's order of uninstallation: the reverse of installation, but webhook configurations first, so that
/// no webhook stands in the way of what follows.
pub fn uninstall_order(objects: &[Object]) -> Vec<&Object> {
    let webhook = |o: &&Object| o.key.kind.ends_with("WebhookConfiguration");
    let (mut first, rest): (Vec<&Object>, Vec<&Object>) = objects.iter().rev().partition(webhook);
    first.extend(rest);
    first
}

/// Whether a live object may be deleted with the release: it is the release's own, and not to be kept.
pub fn deletable(live: &ObjectMeta, manifest: &Object, owner: &Owner) -> bool {
    let says_keep =
        |policy: Option<&str>| policy.is_some_and(|p| p.trim().eq_ignore_ascii_case("keep"));
    let annotation = live.annotations.as_ref().and_then(|a| a.get(RESOURCE_POLICY));
    let keep = says_keep(annotation.map(String::as_str))
        || says_keep(manifest.annotation(RESOURCE_POLICY));
    Owner::of(live).as_ref() == Some(owner) && !keep
}

/// Deletes those of the objects that are there, belong to the release and are not to be kept; kind after
/// kind in the given order. Returns which ones it deleted, with their UIDs.
pub async fn delete(
    cluster: &Cluster,
    objects: &[&Object],
    owner: &Owner,
    propagation: PropagationPolicy,
) -> Result<Vec<(Key, String)>, Error> {
    let mut deleted = Vec::new();
    for batch in objects.chunk_by(|a, b| a.key.kind == b.key.kind) {
        let deletions: Vec<_> = batch
            .iter()
            .map(|object| delete_one(cluster, object, owner, propagation.clone()).boxed())
            .collect();
        let batch: Vec<Option<(Key, String)>> =
            futures::stream::iter(deletions).buffer_unordered(AT_ONCE).try_collect().await?;
        deleted.extend(batch.into_iter().flatten());
    }
    Ok(deleted)
}

async fn delete_one(
    cluster: &Cluster,
    object: &Object,
    owner: &Owner,
    propagation: PropagationPolicy,
) -> Result<Option<(Key, String)>, Error> {
    let Some(live) = cluster.get(&object.key).await? else { return Ok(None) };
    if !deletable(&live.metadata, object, owner) {
        return Ok(None);
    }
    remove(cluster, &object.key, &live, propagation).await
}

/// Deletes exactly this incarnation of an object; None if it was gone already.
pub async fn remove(
    cluster: &Cluster,
    key: &Key,
    live: &DynamicObject,
    propagation: PropagationPolicy,
) -> Result<Option<(Key, String)>, Error> {
    let uid = live.metadata.uid.clone().unwrap_or_default();
    let preconditions = Preconditions { uid: Some(uid.clone()), resource_version: None };
    let params = DeleteParams {
        propagation_policy: Some(propagation),
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    let api = cluster.api(key).await?;
    for _ in 0..MAX_LOOKS {
        match error::retried(|| api.delete(&key.name, &params)).await {
            Ok(_) => return Ok(Some((key.clone(), uid))),
            Err(e) if error::is_code(&e, 404) => return Ok(None),
            // Another incarnation is there, or the deletion only met another write.
            Err(e) if error::is_code(&e, 409) => {
                let now = cluster.get(key).await?.and_then(|now| now.metadata.uid);
                if now.as_ref() != Some(&uid) {
                    return Ok(None);
                }
            }
            Err(e) => return Err(Error::api("delete", key, e)),
        }
    }
    Err(Error::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::super::object::metadata;
    use super::*;
    use serde_json::{Value, json};

    fn object(api_version: &str, kind: &str, name: &str) -> Object {
        let key = Key {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: Some("n".into()),
            name: name.into(),
        };
        Object { key, value: json!({}) }
    }

    fn names(objects: Vec<&Object>) -> Vec<&str> {
        objects.into_iter().map(|o| o.key.name.as_str()).collect()
    }

    #[test]
    fn what_no_longer_is_in_the_chart() {
        let (a, b) = (object("v1", "ConfigMap", "a"), object("v1", "ConfigMap", "b"));
        let old = object("policy/v1beta1", "PodDisruptionBudget", "p");
        let new = object("policy/v1", "PodDisruptionBudget", "p");
        let c = object("v1", "Secret", "c");
        let earlier = [vec![a.clone(), old, b.clone()], vec![a.clone(), b, c]];
        assert_eq!(names(gone(&earlier, &[a, new])), ["b", "c"]);
    }

    #[test]
    fn webhooks_go_first() {
        let objects = [
            object("v1", "Service", "s"),
            object("apps/v1", "Deployment", "d"),
            object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "w"),
        ];
        assert_eq!(names(uninstall_order(&objects)), ["w", "d", "s"]);
    }

    #[test]
    fn only_our_own_and_never_what_is_kept() {
        let owner = Owner { release: "r".into(), namespace: "n".into() };
        let live = |policy: Value, release: &str| {
            metadata(json!({
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {
                    "meta.helm.sh/release-name": release,
                    "meta.helm.sh/release-namespace": "n",
                    "helm.sh/resource-policy": policy,
                },
            }))
        };
        let plain = object("v1", "Secret", "s");
        assert!(deletable(&live(json!("delete"), "r"), &plain, &owner));
        assert!(!deletable(&live(json!(" Keep "), "r"), &plain, &owner));
        assert!(!deletable(&live(json!("delete"), "other"), &plain, &owner));
        let mut kept = plain.clone();
        kept.value = json!({"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}});
        assert!(!deletable(&live(json!("x"), "r"), &kept, &owner));
    }
}
