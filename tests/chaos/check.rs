//! What is there after an operation, held against what must be.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;

use crate::chart::{self, LABEL};
use crate::lane::{Lane, Operation};
use crate::world::World;

const KINDS: [(&str, &str); 5] = [
    ("v1", "ConfigMap"),
    ("apps/v1", "Deployment"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
];

/// Everything that is lost, doubled or otherwise not as it must be, in words. `before`: the revision before it.
pub async fn all(world: &World, lane: &mut Lane, operation: Operation, before: u32) -> Vec<String> {
    let mut wrong = hooks(world, lane, operation, before).await;
    wrong.extend(records(world, lane, operation).await);
    wrong.extend(objects(world, lane).await);
    wrong
}

/// Each hook has run once.
async fn hooks(world: &World, lane: &Lane, operation: Operation, before: u32) -> Vec<String> {
    let mut ran = world.runs.take(&lane.name).await;
    let mut wrong = Vec::new();
    for key in lane.runs(operation, before) {
        match ran.remove(&key).unwrap_or(0) {
            1 => {}
            times => wrong.push(format!("hook {} ran {times} times ({})", key.1, key.0)),
        }
    }
    wrong.extend(ran.into_iter().map(|((run, hook), _)| format!("hook {hook} ran ({run})")));
    wrong
}

/// One deployed revision, the newest one; none pending.
async fn records(world: &World, lane: &Lane, operation: Operation) -> Vec<String> {
    let api: Api<Secret> = Api::namespaced(world.bed.client.clone(), world.bed.namespace());
    let params = ListParams::default().labels(&format!("owner=helm,name={}", lane.name));
    let found = api.list_metadata(&params).await.expect("a list");
    let mut revisions: BTreeMap<u32, String> = BTreeMap::new();
    for secret in found.items {
        let label = |name: &str| secret.labels().get(name).cloned().unwrap_or_default();
        revisions.insert(label("version").parse().unwrap_or(0), label("status"));
    }
    let mut wrong = Vec::new();
    if revisions.keys().last().copied().unwrap_or(0) != lane.revision {
        wrong.push(format!("revision {} must be the newest one: {revisions:?}", lane.revision));
    }
    for (revision, status) in &revisions {
        let expected = match () {
            () if *revision == lane.revision => "deployed",
            () if operation == Operation::Rollback && revision + 1 == lane.revision => "failed",
            () if status == "failed" => "failed",
            () => "superseded",
        };
        if status != expected {
            wrong.push(format!("revision {revision} must be {expected}: {revisions:?}"));
        }
    }
    wrong
}

/// Every object of the manifest once, as the release's own, and no other one.
async fn objects(world: &World, lane: &mut Lane) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    let mut uids = BTreeMap::new();
    let params = ListParams::default().labels(&format!("{LABEL}={}", lane.name));
    for (version, kind) in KINDS {
        let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> =
            Api::namespaced_with(world.bed.client.clone(), world.bed.namespace(), &resource);
        for object in api.list(&params).await.expect("a list") {
            let name = object.name_any();
            let managed = object.labels().get("app.kubernetes.io/managed-by");
            let owner = object.annotations().get("meta.helm.sh/release-name");
            if managed.map(String::as_str) != Some("Helm") || owner != Some(&lane.name) {
                wrong.push(format!("{kind} {name} does not belong to {}", lane.name));
            }
            if kind == "ConfigMap" && name.ends_with("-a") {
                let version = object.data["data"]["version"].as_str();
                if version != Some(lane.deployed()) {
                    wrong.push(format!("{name} is of {version:?}, not of {}", lane.deployed()));
                }
            }
            let id = format!("{kind} {name}");
            uids.insert(id, object.uid().unwrap_or_default());
            found.push((kind, name));
        }
    }
    found.sort();
    let mut expected = match lane.revision {
        0 => Vec::new(),
        _ => chart::objects(&lane.name, lane.deployed()),
    };
    expected.sort();
    if found != expected {
        wrong.push(format!("there are {found:?}, and must be {expected:?}"));
    }
    for (id, uid) in &lane.uids {
        if let Some(now) = uids.get(id)
            && now != uid
        {
            // The object of the other version comes and goes.
            let lasts = !id.contains("-1-0-0") && !id.contains("-2-0-0");
            if lasts {
                wrong.push(format!("{id} was made anew"));
            }
        }
    }
    lane.uids = uids;
    wrong
}
