//! All that is read to explain a release. What cannot be read is left out: a half answer beats none.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde::{Deserialize, Serialize};

use super::super::connect::Target;
use super::super::subject;
use crate::agent::run::LEASE;
use crate::api::helm_release::HelmRelease;
use crate::api::helm_repository::HelmRepository;
use crate::cluster::error::limited;
use crate::cluster::ready::{self, Readiness};
use crate::cluster::{Cluster, Key, failure};
use crate::controller::dependencies;
use crate::model::condition::READY;
use crate::release::deploy;
use crate::release::storage::{Storage, Stored};

/// Objects that are named.
const MAX_OBJECTS: usize = 10;
/// Events that are told.
const MAX_EVENTS: usize = 3;

/// What is known of one release.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    pub now: Timestamp,
    /// The flags by which a person finds the same release again.
    pub flags: String,
    pub release: HelmRelease,
    /// None: there is no such HelmRepository.
    #[serde(default)]
    pub repository: Option<Repository>,
    /// What the release depends on, by name.
    #[serde(default)]
    pub dependencies: BTreeMap<String, Dependency>,
    #[serde(default)]
    pub controller: Controller,
    /// The newest revision.
    #[serde(default)]
    pub latest: Option<Revision>,
    /// Objects of the newest revision that are not ready, and why.
    #[serde(default)]
    pub objects: Vec<String>,
    /// What their pods had to say.
    #[serde(default)]
    pub pods: Vec<String>,
    /// Warnings about the release, the newest last.
    #[serde(default)]
    pub events: Vec<Happened>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    pub url: String,
    #[serde(default)]
    pub suspended: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// None: it is not there.
    pub ready: Option<String>,
    #[serde(default)]
    pub message: String,
}

/// Who looks after the releases of the namespace.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Controller {
    /// The Lease could be read. Without that nothing is said about the controller.
    pub known: bool,
    #[serde(default)]
    pub holder: String,
    #[serde(default)]
    pub renewed: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    pub version: u32,
    pub status: String,
    pub chart: String,
    #[serde(default)]
    pub owner: Option<String>,
    /// When its action began.
    #[serde(default)]
    pub began: Option<Timestamp>,
    /// When it was last written.
    #[serde(default)]
    pub modified: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Happened {
    pub at: Timestamp,
    pub reason: String,
    pub message: String,
}

/// Reads all of it.
pub async fn gather(target: &Target, release: HelmRelease) -> Facts {
    let cluster = Cluster::new(target.client.clone());
    let storage = subject::storage(target, &release).ok();
    let latest = match &storage {
        Some(storage) => newest(storage).await,
        None => None,
    };
    let (objects, pods) = match &latest {
        Some((stored, _)) => troubles(&cluster, stored).await,
        None => Default::default(),
    };
    let mut facts = Facts {
        now: Timestamp::now(),
        flags: target.flags.clone(),
        repository: repository(target, &release).await,
        dependencies: BTreeMap::new(),
        controller: controller(target).await,
        latest: latest.map(|(stored, modified)| revision(&stored, modified)),
        objects,
        pods,
        events: events(target, &release).await,
        release,
    };
    for reference in &facts.release.spec.depends_on {
        let namespace = dependencies::namespace(&facts.release, reference);
        let found = dependency(target, &namespace, &reference.name).await;
        if let Some(found) = found {
            let name = match namespace == facts.release.own_namespace() {
                true => reference.name.clone(),
                false => format!("{namespace}/{}", reference.name),
            };
            facts.dependencies.insert(name, found);
        }
    }
    facts
}

/// The newest revision, and when it was last written.
async fn newest(storage: &Storage) -> Option<(Stored, Option<Timestamp>)> {
    let newest = storage.list().await.ok()?.pop()?;
    let modified = newest.modified.and_then(|at| Timestamp::from_second(at.timestamp()).ok());
    Some((storage.get(newest.version).await.ok()?, modified))
}

fn revision(stored: &Stored, modified: Option<Timestamp>) -> Revision {
    let record = &stored.record;
    let began =
        record.info.last_deployed.and_then(|at| Timestamp::from_second(at.timestamp()).ok());
    Revision {
        version: record.version,
        status: record.info.status.to_string(),
        chart: format!("{} {}", record.chart_name(), record.chart_version()),
        owner: stored.owner.clone(),
        began,
        modified,
    }
}

/// The objects of a revision that are not ready, and what their pods had to say.
async fn troubles(cluster: &Cluster, stored: &Stored) -> (Vec<String>, Vec<String>) {
    let Ok(objects) = deploy::placed_where_served(cluster, &stored.record).await else {
        return Default::default();
    };
    let mut told = Vec::new();
    let mut keys: Vec<Key> = Vec::new();
    for key in objects.into_iter().map(|object| object.key).filter(ready::takes_time) {
        let why = match cluster.get(&key).await {
            Ok(None) => "it is not there".to_owned(),
            Ok(Some(live)) => match ready::readiness(&live) {
                Readiness::Ready => continue,
                Readiness::InProgress(why) | Readiness::Failed(why) => why,
            },
            Err(error) => error.to_string(),
        };
        told.push(format!("{key}: {why}"));
        keys.push(key);
    }
    told.truncate(MAX_OBJECTS);
    let said = failure::report(cluster, &keys).await;
    let pods = said.split("; pod ").filter(|text| !text.is_empty());
    let pods = pods.map(|pod| pod.strip_prefix("pod ").unwrap_or(pod).to_owned());
    (told, pods.collect())
}

async fn repository(target: &Target, release: &HelmRelease) -> Option<Repository> {
    let name = &release.spec.chart.as_ref()?.spec.source_ref.name;
    let api: Api<HelmRepository> =
        Api::namespaced(target.client.clone(), &release.helm_chart_namespace());
    let found = limited(api.get_opt(name)).await.ok()??;
    Some(Repository { url: found.spec.url, suspended: found.spec.suspend == Some(true) })
}

/// None: it cannot be read.
async fn dependency(target: &Target, namespace: &str, name: &str) -> Option<Dependency> {
    let api: Api<HelmRelease> = Api::namespaced(target.client.clone(), namespace);
    let found = limited(api.get_opt(name)).await.ok()?;
    let Some(found) = found else {
        return Some(Dependency { ready: None, message: String::new() });
    };
    let status = found.status.unwrap_or_default();
    let ready = status.conditions.into_iter().find(|c| c.type_ == READY);
    Some(Dependency {
        ready: Some(ready.as_ref().map_or_else(|| "Unknown".to_owned(), |c| c.status.clone())),
        message: ready.map(|c| c.message).unwrap_or_default(),
    })
}

async fn controller(target: &Target) -> Controller {
    let api: Api<Lease> = Api::namespaced(target.client.clone(), &target.namespace);
    match limited(api.get_opt(LEASE)).await {
        Err(_) => Controller::default(),
        Ok(lease) => {
            let spec = lease.and_then(|lease| lease.spec).unwrap_or_default();
            Controller {
                known: true,
                holder: spec.holder_identity.unwrap_or_default(),
                renewed: spec.renew_time.map(|time| time.0),
            }
        }
    }
}

async fn events(target: &Target, release: &HelmRelease) -> Vec<Happened> {
    let api: Api<Event> = Api::namespaced(target.client.clone(), &target.namespace);
    let name = release.name_any();
    let about = "involvedObject.kind=HelmRelease,type=Warning";
    let params = ListParams::default().fields(&format!("{about},involvedObject.name={name}"));
    let Ok(list) = limited(api.list(&params)).await else { return Vec::new() };
    let mut events: Vec<Happened> = list
        .items
        .into_iter()
        .filter_map(|event| {
            let at = event.last_timestamp.map(|time| time.0);
            let at = at.or_else(|| event.event_time.map(|time| time.0))?;
            Some(Happened { at, reason: event.reason?, message: event.message? })
        })
        .collect();
    events.sort_by_key(|event| event.at);
    events.split_off(events.len().saturating_sub(MAX_EVENTS))
}
