//! HelmRelease objects become releases: observe, decide, act. It knows nothing of a Console.
//!
//! * [`reconcile`] — the way of one object; [`session`] — the loop over its release
//! * [`unsupported`] — pure: which fields are refused; [`values`], [`source`] — what is wanted;
//!   [`helm_chart`] shows it as an object; [`observe`] — what is there
//! * [`source_status`] — OCIRepository, HelmChart and HelmRepository: what they stand for now, in their status
//! * [`state`] — pure: what state that is; [`decide`] — pure: what to do about it
//! * [`claim`] — pure: whose release it is; [`dependencies`] — what has to be ready first; [`memory`] — why an object may be left alone until later
//! * [`inventory`] — changes of what releases are made of; [`selector`] — pure: which objects a spec means
//! * [`target`] — which cluster, and as whom
//! * [`act`] — all writes to the release; [`status`] — pure: what the object says; [`report`] writes it
//! * [`render`] — chart and values to manifests; [`post_render`] — pure: what the spec changes of them; [`mirrored`] — pure: where their images are; [`preempt`] — a newer spec ends a wait;
//!   [`preview`] — what an upgrade would do; [`plan`] — the same, in the status, on request
//!   [`guard`] — who is asked before an upgrade; [`restore`] — back to an earlier revision, without a registry
//!   [`remembered`] — what every release needs, asked once;
//!   [`redactor`] — no secret in a message; [`metrics`] — numbers for people who look after many

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{Controller, WatchStreamExt as _};
use kube::{Client, Resource, ResourceExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::api::ORIGIN_NAMESPACE;
use crate::api::helm_chart::HelmChart;
use crate::api::helm_release::{ChartReferenceKind, HelmRelease};
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OciRepository;
use crate::cluster::fence::Fence;
use crate::cluster::pauses::Pauses;
use crate::cluster::registry_table::TABLE;
use crate::cluster::{clock, pages};
use crate::telemetry::metrics::Metrics;

pub mod act;
pub mod burst;
pub mod claim;
pub mod decide;
pub mod dependencies;
pub mod guard;
pub mod helm_chart;
pub mod inventory;
pub mod memory;
pub mod metrics;
pub mod mirrored;
pub mod observe;
pub mod plan;
pub mod post_render;
pub mod preempt;
pub mod preview;
pub mod reconcile;
pub mod redactor;
pub mod remembered;
pub mod render;
pub mod report;
pub mod restore;
pub mod selector;
pub mod session;
pub mod source;
pub mod source_status;
pub mod state;
pub mod status;
pub mod target;
pub mod unsupported;
pub mod values;

/// Disk that pulled charts may take, in bytes.
const CACHE_BYTES: u64 = 256 << 20;

#[derive(Clone, Debug)]
pub struct Settings {
    /// The one namespace whose HelmReleases are looked after.
    pub namespace: String,
    /// Unique per process: the pod's name.
    pub identity: String,
    /// Where pulled charts are kept.
    pub cache_dir: PathBuf,
    /// Charts that are pulled and rendered at the same time. A release that waits counts for nothing.
    pub concurrency: usize,
    /// Where the controller's numbers are registered.
    pub metrics: Metrics,
    /// Who is asked before a release is upgraded.
    pub guard: Option<Arc<dyn guard::Guard>>,
    /// For the clients of other clusters that it makes. The one that it is given has to have it already.
    pub fence: Fence,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use {} as the chart cache", path.display())]
    Cache { path: PathBuf, source: pinnace_registry::CacheError },
}

/// Looks after every HelmRelease of the namespace until `shutdown`. Releases at work are left pending then,
/// for a successor to resume. The caller holds the leader's lease.
pub async fn run(
    client: Client,
    settings: Settings,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    // From here on: what was begun before was not tried meanwhile.
    clock::uptime();
    let cache = pinnace_registry::Cache::new(&settings.cache_dir, CACHE_BYTES)
        .map_err(|source| Error::Cache { path: settings.cache_dir.clone(), source })?;
    let namespace = settings.namespace.clone();
    let releases: Api<HelmRelease> = Api::namespaced(client.clone(), &namespace);
    let repositories: Api<HelmRepository> = Api::namespaced(client.clone(), &namespace);
    let artifacts: Api<OciRepository> = Api::namespaced(client.clone(), &namespace);
    let charts: Api<HelmChart> = Api::namespaced(client.clone(), &namespace);
    let (reader, writer) = reflector::store();
    let kept = pages::without_managers(releases).reflect(writer).applied_objects();
    let controller = Controller::for_stream(kept, reader)
        .with_config(Config::default().debounce(Duration::from_millis(50)))
        .trigger_backoff(Pauses::shared());
    let memory = memory::Memory::default();
    let (wake, woken) = mpsc::channel(1);
    let (ended, awake) = (memory.clone(), wake.clone());
    let gone = move |uid: &str| {
        ended.saw_end(uid);
        // If there is a wake under way already, it comes after this end.
        let _ = awake.try_send(());
    };
    let stop = shutdown.child_token();
    let newest = preempt::Newest::watch(client.clone(), &namespace, stop, gone);
    let (told, notices) = mpsc::unbounded_channel();
    let of_repository =
        of_source(controller.store(), memory.clone(), told.clone(), |name, release| {
            let chart = release.spec.chart.as_ref();
            chart.is_some_and(|c| c.spec.source_ref.name == name)
        });
    let of_artifact =
        of_source(controller.store(), memory.clone(), told.clone(), |name, release| {
            refers(release, ChartReferenceKind::OciRepository, name)
        });
    let of_chart = of_source(controller.store(), memory.clone(), told.clone(), |name, release| {
        refers(release, ChartReferenceKind::HelmChart, name)
    });
    // Release records that anyone writes: whoever runs `helm upgrade` is noticed at once.
    let records: Api<PartialObjectMeta<Secret>> = Api::namespaced(client.clone(), &namespace);
    let seen = memory.clone();
    let using = using(controller.store(), |record: &PartialObjectMeta<Secret>, release| {
        let name = record.labels().get("name");
        name.is_some() && release.release_name().ok().map(|n| n.to_string()).as_ref() == name
    });
    let of_record = move |record: PartialObjectMeta<Secret>| {
        if let Some(name) = record.labels().get("name") {
            seen.saw_record(name, &record);
        }
        using(&record)
    };
    // Whoever waits for a release's name is woken when it becomes free, and for a release when it changes.
    let seen = memory.clone();
    let using = self::using(controller.store(), |other: &HelmRelease, release| {
        other.uid() != release.uid()
            && (claim::same_release(other, release) || depends_on(release, other))
    });
    let of_release = move |other: HelmRelease| {
        seen.saw_release(&other);
        using(&other)
    };
    let others: Api<HelmRelease> = Api::namespaced(client.clone(), &namespace);
    let (releases, known) = (controller.store(), memory.clone());
    let asked_once = remembered::client(client.clone(), &namespace, memory.clone());
    let sources = source::Sources::new(asked_once, cache, settings.concurrency);
    let sources = Arc::new(sources);
    let keeper =
        source_status::Keeper::new(client.clone(), &namespace, sources.clone(), memory.clone());
    let keeping = keeper.run(notices, shutdown.child_token());
    let watched = reconcile::Watched { newest, releases, memory: known, sources, wake };
    let configs: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(client.clone(), &namespace);
    let secrets: Api<PartialObjectMeta<Secret>> = Api::namespaced(client.clone(), &namespace);
    let of_config = of_values(controller.store(), memory.clone(), told.clone());
    let of_secret = of_values(controller.store(), memory, told);
    let context = Arc::new(reconcile::Context::new(client, settings, watched, shutdown.clone()));
    // Those of a release's template are its own.
    let foreign = pages::config().labels(&format!("!{ORIGIN_NAMESPACE}"));
    let releasing = controller
        .watches(repositories, pages::config(), of_repository)
        .watches(artifacts, pages::config(), of_artifact)
        .watches(charts, foreign, of_chart)
        .watches(others, pages::config(), of_release)
        .watches(records, pages::config().labels("owner=helm"), of_record)
        .watches(configs, pages::config(), of_config)
        .watches(secrets, pages::config().labels("owner!=helm"), of_secret)
        .reconcile_all_on(ReceiverStream::new(woken))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile::run, |_, _, _| Action::requeue(Duration::from_secs(5)), context)
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::debug!(%error, "reconciliation");
            }
        });
    tokio::join!(releasing, keeping);
    Ok(())
}

/// Whether `release` waits for `other`, of the same namespace.
fn depends_on(release: &HelmRelease, other: &HelmRelease) -> bool {
    let mut references = release.spec.depends_on.iter();
    references.any(|reference| {
        reference.name == other.name_any()
            && dependencies::namespace(release, reference) == other.own_namespace()
    })
}

/// Whether the chart of a release is that of another object.
fn refers(release: &HelmRelease, kind: ChartReferenceKind, name: &str) -> bool {
    release.spec.chart_ref.as_ref().is_some_and(|r| r.kind == kind && r.name == name)
}

/// The HelmReleases that use a source by its name. It is noted as seen, and whoever keeps its status is told.
fn of_source<K: source_status::Source>(
    store: Store<HelmRelease>,
    memory: memory::Memory,
    told: mpsc::UnboundedSender<source_status::Notice>,
    uses: impl Fn(&str, &HelmRelease) -> bool,
) -> impl Fn(K) -> Vec<ObjectRef<HelmRelease>> {
    let using = using(store, move |object: &K, release| uses(&object.name_any(), release));
    move |object| {
        memory.saw_source(&object);
        // Nobody is told any more while the process ends.
        let _ = told.send(source_status::Notice::seen(&object));
        using(&object)
    }
}

/// The HelmReleases for which `uses` is true of an object.
fn using<K>(
    store: Store<HelmRelease>,
    uses: impl Fn(&K, &HelmRelease) -> bool,
) -> impl Fn(&K) -> Vec<ObjectRef<HelmRelease>> {
    move |object| {
        let releases = store.state();
        let using = releases.iter().filter(|release| uses(object, release));
        using.map(|release| ObjectRef::from_obj(&**release)).collect()
    }
}

/// The HelmReleases whose values come from an object, or whose chart is had or judged by it; it is thereby noted
/// as seen.
fn of_values<K: Resource<DynamicType = ()> + 'static>(
    store: Store<HelmRelease>,
    memory: memory::Memory,
    told: mpsc::UnboundedSender<source_status::Notice>,
) -> impl Fn(PartialObjectMeta<K>) -> Vec<ObjectRef<HelmRelease>> {
    let known = memory.clone();
    let using = using(store, move |object: &PartialObjectMeta<K>, release| {
        let (kind, name) = (K::kind(&()), object.name_any());
        known.is_of_chart(release, &kind, &name)
            || release
                .spec
                .values_from
                .iter()
                .any(|reference| values::kind(reference) == kind && reference.name == name)
    });
    move |object| {
        if memory.is_of_source(&K::kind(&()), &object.name_any()) {
            let _ = told.send(source_status::Notice::Retry);
        }
        let users = using(&object);
        // Of all the others there is nothing to remember.
        if !users.is_empty() || object.name_any() == TABLE {
            memory.saw_values(&object);
        }
        users
    }
}
