//! Observe, apply, report: for one QdrantCluster at a time, woken by watches of all that belongs to it.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, Pod, Service},
        policy::v1::PodDisruptionBudget,
    },
    jiff::Timestamp,
};
use kube::{
    Client, Resource as _, ResourceExt as _,
    api::{
        Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams,
        PartialObjectMeta, Patch, PatchParams,
    },
    runtime::{Controller, WatchStreamExt as _, controller::Action, reflector::ObjectRef, watcher},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    FIELD_MANAGER,
    database::Database,
    desired,
    metrics::ClustersByPhase,
    settings::ClusterManagement,
    status::{self, Change, Observation},
};
use crate::{
    api::cluster::{CLUSTER_ID, QdrantCluster, QdrantClusterStatus},
    cluster::{
        error::{explain, is_code},
        events::Events,
        pages,
        pauses::Pauses,
        registry_table::{TABLE, Table},
    },
    telemetry::metrics::Metrics,
};

/// The most nodes that are listed for one database: one page.
const MAX_PODS: u32 = 500;
/// Nothing is missed by watches for longer than this.
const RESYNC: Duration = Duration::from_secs(10 * 60);
/// What the API server refused, or could not answer, is tried again after this time.
const RETRY: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read what belongs to QdrantCluster {name}")]
    Observe {
        name: String,
        #[source]
        source: kube::Error,
    },
    #[error("cannot write the status of QdrantCluster {name}")]
    Status {
        name: String,
        #[source]
        source: kube::Error,
    },
}

struct Context {
    client: Client,
    settings: ClusterManagement,
    events: Events,
}

/// Looks after the QdrantClusters of one namespace until `shutdown`.
pub async fn run(
    client: Client,
    namespace: &str,
    identity: &str,
    settings: ClusterManagement,
    metrics: &Metrics,
    shutdown: CancellationToken,
) {
    let resource = resource();
    let clusters: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let ours = pages::config().labels("app=qdrant");
    let events = Events::new(client.clone(), FIELD_MANAGER, identity);
    let context = Arc::new(Context { client: client.clone(), settings, events });
    let owner = resource.clone();
    let controller =
        Controller::new_with(clusters, pages::config(), resource).trigger_backoff(Pauses::shared());
    let by_phase = ClustersByPhase(controller.store());
    metrics.register("operator_clusters", "QdrantClusters by phase", by_phase);
    controller
        .owns(Api::<StatefulSet>::namespaced(client.clone(), namespace), ours.clone())
        .owns(Api::<Service>::namespaced(client.clone(), namespace), ours.clone())
        .owns(Api::<ConfigMap>::namespaced(client.clone(), namespace), ours.clone())
        .owns(Api::<PodDisruptionBudget>::namespaced(client.clone(), namespace), ours.clone())
        .watches(Api::<Pod>::namespaced(client.clone(), namespace), ours, move |pod| {
            let id = pod.labels().get(CLUSTER_ID)?;
            let namespace = pod.namespace()?;
            Some(ObjectRef::new_with(&format!("qdrant-{id}"), owner.clone()).within(&namespace))
        })
        .reconcile_all_on(table_changes(&client, namespace))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile, retry, context)
        .for_each(|outcome| async move {
            // A cluster that was deleted is still named by the events of what it owned.
            if let Err(error) = outcome
                && !matches!(error, kube::runtime::controller::Error::ObjectNotFound(_))
            {
                tracing::warn!("{:#}", anyhow::Error::new(error));
            }
        })
        .await;
}

/// One item for each change of the site's mirror table: every database may have an image that is named by it.
fn table_changes(client: &Client, namespace: &str) -> impl Stream<Item = ()> + Send + use<> {
    let api: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(client.clone(), namespace);
    let only = watcher::Config::default().fields(&format!("metadata.name={TABLE}"));
    let changes = watcher(api, only).default_backoff().touched_objects();
    changes.filter_map(async |change| change.is_ok().then_some(()))
}

pub(super) fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("qdrant.io", "v1", "QdrantCluster"),
        &<QdrantCluster as kube::Resource>::plural(&()),
    )
}

fn retry(_: Arc<DynamicObject>, _: &Error, _: Arc<Context>) -> Action {
    Action::requeue(RETRY)
}

async fn reconcile(object: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    if object.metadata.deletion_timestamp.is_some() {
        // Owner references let Kubernetes remove everything but the claims.
        return Ok(Action::await_change());
    }
    if !is_current(&context.client, &object).await? {
        return Ok(Action::await_change());
    }
    let was = status_of(&object);
    let generation = object.metadata.generation;
    let database = match Database::read(&object) {
        Ok(database) => database,
        Err(invalid) => {
            let now = status::refused(&was, &invalid.to_string(), generation);
            report(&context, &object, &was, &now).await?;
            return Ok(Action::await_change());
        }
    };
    let failure = if database.spec.pauses.is_empty() {
        apply(&context.client, &database, &context.settings).await.err()
    } else {
        None
    };
    let (stateful_set, pods) = observe(&context.client, &database).await?;
    let now = status::of(
        &database,
        &was,
        &Observation {
            stateful_set: stateful_set.as_ref(),
            pods: &pods,
            failure: failure.clone(),
            generation,
            now: Timestamp::now(),
        },
    );
    report(&context, &object, &was, &now).await?;
    Ok(Action::requeue(if failure.is_some() { RETRY } else { RESYNC }))
}

/// Whether the object is still there. The watch may lag behind a deletion, and then the removal of
/// what it owned would have everything made anew, only for Kubernetes to remove it again.
async fn is_current(client: &Client, object: &DynamicObject) -> Result<bool, Error> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource());
    let found = api.get_metadata_opt(&name).await;
    let found = found.map_err(|source| Error::Observe { name, source })?;
    Ok(found.is_some_and(|found| {
        found.metadata.uid == object.metadata.uid && found.metadata.deletion_timestamp.is_none()
    }))
}

/// What the object says about itself; a status that cannot be read counts as none.
pub(super) fn status_of(object: &DynamicObject) -> QdrantClusterStatus {
    let status = object.data.get("status").cloned();
    status.and_then(|status| serde_json::from_value(status).ok()).unwrap_or_default()
}

/// Applies every object; the first refusal ends it, as text for the status.
async fn apply(
    client: &Client,
    database: &Database,
    settings: &ClusterManagement,
) -> Result<(), String> {
    let table = Table::read(client, &database.namespace).await;
    let table = table.map_err(|error| format!("ConfigMap {TABLE}: {error}"))?;
    let objects = desired::objects(database, settings, &table.rules);
    for object in &objects {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let api = api(client, &database.namespace, object);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        if let Err(error) = api.patch(&name, &parameters, &Patch::Apply(&object)).await {
            return Err(format!("cannot apply {kind} {name}: {}", explain(&error)));
        }
    }
    prune(client, database, &objects).await
}

/// Removes the Services of nodes that are no longer wanted: only what this very cluster owns.
async fn prune(client: &Client, database: &Database, wanted: &[Value]) -> Result<(), String> {
    let api = Api::<Service>::namespaced(client.clone(), &database.namespace);
    let selector = format!("app=qdrant,{CLUSTER_ID}={}", database.spec.id);
    let page = ListParams::default().labels(&selector).limit(MAX_PODS);
    let found = api.list_metadata(&page).await;
    let found = found.map_err(|error| format!("cannot list its Services: {}", explain(&error)))?;
    let is_wanted =
        |name: &str| wanted.iter().any(|o| o["kind"] == "Service" && o["metadata"]["name"] == name);
    for service in found.items {
        let name = service.name_any();
        let is_ours = service.owner_references().iter().any(|owner| owner.uid == database.uid);
        if !is_ours || is_wanted(&name) {
            continue;
        }
        match api.delete(&name, &DeleteParams::default()).await {
            Err(error) if !is_code(&error, 404) => {
                return Err(format!("cannot delete Service {name}: {}", explain(&error)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn api(client: &Client, namespace: &str, object: &Value) -> Api<DynamicObject> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
    let kind = GroupVersionKind::gvk(group, version, text("kind"));
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind))
}

async fn observe(
    client: &Client,
    database: &Database,
) -> Result<(Option<StatefulSet>, Vec<Pod>), Error> {
    let failed = |source| Error::Observe { name: database.name.clone(), source };
    let sets = Api::<StatefulSet>::namespaced(client.clone(), &database.namespace);
    let pods = Api::<Pod>::namespaced(client.clone(), &database.namespace);
    let selector = format!("app=qdrant,{CLUSTER_ID}={}", database.spec.id);
    let page = ListParams::default().labels(&selector).limit(MAX_PODS);
    let set = sets.get_opt(&database.name).await.map_err(failed)?;
    let mut pods = pods.list(&page).await.map_err(failed)?.items;
    pods.sort_by_key(|pod| pod.name_any());
    Ok((set, pods))
}

/// Writes the status, unless it is there already, and tells people what changed.
async fn report(
    context: &Context,
    object: &DynamicObject,
    was: &QdrantClusterStatus,
    status: &QdrantClusterStatus,
) -> Result<(), Error> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let body = json!(status);
    if object.data.get("status") == Some(&body) {
        return Ok(());
    }
    let (client, resource) = (context.client.clone(), resource());
    let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
    let patch = json!({
        "apiVersion": "qdrant.io/v1",
        "kind": "QdrantCluster",
        "metadata": { "name": name },
        "status": body,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_status(&name, &parameters, &Patch::Apply(&patch))
        .await
        .map_err(|source| Error::Status { name: name.clone(), source })?;
    if let Some(Change { good, reason, note }) = status::change(was, status) {
        tracing::info!(cluster = name, reason, "{note}");
        let about = object.object_ref(&resource);
        if good {
            context.events.normal(&about, &reason, &note).await;
        } else {
            context.events.warning(&about, &reason, &note).await;
        }
    }
    Ok(())
}
