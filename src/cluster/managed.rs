//! Who manages which fields of an object. Helm 3 wrote with client-side apply; what it wrote has to become
//! the server-side applier's own, or a field that a chart drops would stay for ever (as client-go's
//! `util/csaupgrade` does).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::{Cluster, Error, FIELD_MANAGER, Key, error};

/// Who wrote release objects with client-side apply: Helm 3, and Flux.
const CLIENT_SIDE: [&str; 2] = ["helm", "helm-controller"];

/// What [`FIELD_MANAGER`] has applied, and when: it changes with every apply that changes something.
pub fn applied(live: &ObjectMeta) -> Option<&ManagedFieldsEntry> {
    live.managed_fields.as_deref().unwrap_or_default().iter().find(|e| is_applied(e))
}

fn is_applied(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER)
        && entry.operation.as_deref() == Some("Apply")
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

fn is_client_side(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref().is_some_and(|m| CLIENT_SIDE.contains(&m))
        && entry.operation.as_deref() == Some("Update")
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// Whether there is something for [`upgrade`] to do.
pub fn is_outdated(live: &ObjectMeta) -> bool {
    live.managed_fields.iter().flatten().any(is_client_side)
}

/// The entries with those of client-side apply made [`FIELD_MANAGER`]'s; None if there are none of them.
fn upgraded(entries: &[ManagedFieldsEntry]) -> Option<Vec<ManagedFieldsEntry>> {
    let newest = entries.iter().find(|e| is_client_side(e))?;
    let mut ours = entries.iter().find(|e| is_applied(e)).unwrap_or(newest).clone();
    ours.manager = Some(FIELD_MANAGER.to_owned());
    ours.operation = Some("Apply".to_owned());
    for old in entries.iter().filter(|e| is_client_side(e) && e.api_version == ours.api_version) {
        if let Some(FieldsV1(fields)) = &old.fields_v1 {
            let all = ours.fields_v1.get_or_insert_with(|| FieldsV1(json!({})));
            unite(&mut all.0, fields);
        }
    }
    let others = entries.iter().filter(|e| !is_client_side(e) && !is_applied(e)).cloned();
    Some(std::iter::once(ours.clone()).chain(others).collect())
}

/// A set of fields is a tree of names.
fn unite(into: &mut Value, more: &Value) {
    let (Some(into), Some(more)) = (into.as_object_mut(), more.as_object()) else { return };
    for (name, below) in more {
        unite(into.entry(name).or_insert_with(|| json!({})), below);
    }
}

/// Makes what client-side apply wrote the server-side applier's own. Returns the object's metadata after
/// it, or None if there was nothing to do.
pub async fn upgrade(
    cluster: &Cluster,
    key: &Key,
    live: &ObjectMeta,
) -> Result<Option<ObjectMeta>, Error> {
    let Some(entries) = upgraded(live.managed_fields.as_deref().unwrap_or_default()) else {
        return Ok(None);
    };
    let metadata = json!({"resourceVersion": live.resource_version, "managedFields": entries});
    let patch = Patch::Merge(json!({"metadata": metadata}));
    let (api, params) = (cluster.api(key).await?, PatchParams::default());
    let patched = error::retried(|| api.patch(&key.name, &params, &patch)).await;
    patched.map(|object| Some(object.metadata)).map_err(|e| Error::api("take over", key, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.into()),
            operation: Some(operation.into()),
            api_version: Some("v1".into()),
            fields_type: Some("FieldsV1".into()),
            fields_v1: Some(FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        }
    }

    #[test]
    fn what_helm_3_wrote_becomes_applied() {
        let old = entry("helm", "Update", json!({"f:data": {"f:a": {}, ".": {}}}));
        let flux = entry("helm-controller", "Update", json!({"f:data": {"f:b": {}}}));
        let new = entry("helm", "Apply", json!({"f:data": {"f:c": {}}}));
        let person = entry("kubectl-edit", "Update", json!({"f:data": {"f:d": {}}}));
        let both = json!({"f:data": {"f:a": {}, ".": {}, "f:b": {}}});
        let all = json!({"f:data": {"f:a": {}, ".": {}, "f:b": {}, "f:c": {}}});
        let mut status = old.clone();
        status.subresource = Some("status".into());
        for (entries, expected) in [
            (vec![], None),
            (vec![new.clone(), person.clone(), status.clone()], None),
            (
                vec![old.clone(), person.clone(), flux.clone(), status.clone()],
                Some(vec![entry("helm", "Apply", both), person.clone(), status.clone()]),
            ),
            (vec![flux, old, new], Some(vec![entry("helm", "Apply", all)])),
        ] {
            assert_eq!(upgraded(&entries), expected);
        }
    }
}
