//! The agent's enforcement and report against a real API server.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use k8s_openapi::{
    api::core::v1::{Event, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{
        WatchStreamExt as _,
        wait::{await_condition, conditions},
        watcher,
    },
};
use pinnace::{
    agent::{
        FIELD_MANAGER,
        accepted::Store,
        enforce::{Enforcer, Failures},
        link::Status,
        report::Reporter,
        world::World,
    },
    api::{
        cluster::QdrantCluster, definitions, helm_release::HelmRelease,
        helm_repository::HelmRepository, region::QdrantCloudRegion,
    },
    cluster::events::Events,
    model::{
        desired::{ChartSource, ClusterWant, Desired, Pin, SignedDesired},
        digest::Digest,
    },
    proto::pinnace::agent::v1::{Observed, Phase},
};
use pinnace_testbed::{Cluster, Namespace};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// What a test waits for happens much sooner; this ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(30);
const RELEASE: &str = "qdrant-operator-v2";

/// Enforcement and report of one environment, in a namespace of its own.
struct Agent {
    client: Client,
    namespace: String,
    environment: String,
    desired: watch::Sender<Option<Arc<Desired>>>,
    observed: watch::Receiver<Option<Arc<Observed>>>,
    failures: watch::Receiver<Failures>,
    _parts: JoinSet<()>,
    _own: Namespace<'static>,
}

impl Agent {
    async fn start() -> Self {
        let client = client().await;
        definitions_are_there(&client).await;
        let environment = uuid::Uuid::new_v4().to_string();
        let own = Cluster::shared().namespace("agent");
        let namespace = own.name().to_owned();
        let mut parts = JoinSet::new();
        let world = World::watch(&client, &namespace, &environment, &mut parts);
        let (desired, receiver) = watch::channel(None);
        let (failures_sender, failures) = watch::channel(Failures::new());
        let (observed_sender, observed) = watch::channel(None);
        let (link_sender, link) = watch::channel(Status::default());
        let enforcer = Enforcer {
            client: client.clone(),
            namespace: namespace.clone(),
            world: world.clone(),
            events: Events::new(client.clone(), FIELD_MANAGER, "test"),
            desired: receiver.clone(),
            failures: failures_sender,
        };
        let reporter = Reporter {
            client: client.clone(),
            namespace: namespace.clone(),
            environment: environment.clone(),
            world,
            desired: receiver,
            failures: failures.clone(),
            link,
            observed: observed_sender,
        };
        parts.spawn(enforcer.run());
        parts.spawn(reporter.run());
        parts.spawn(async move {
            link_sender.closed().await;
        });
        Self {
            client,
            namespace,
            environment,
            desired,
            observed,
            failures,
            _parts: parts,
            _own: own,
        }
    }

    fn want(&self, generation: u64, version: &str, values: serde_json::Value) {
        let mut desired = self.desired(generation, version, values);
        desired.clusters.insert(
            "c1".into(),
            ClusterWant::Present {
                spec: json!({ "id": "c1", "version": "v1.15.0", "size": 1 }),
                labels: [("customer-id".to_owned(), "a1".to_owned())].into(),
            },
        );
        self.desired.send_replace(Some(Arc::new(desired)));
    }

    fn desired(&self, generation: u64, version: &str, values: serde_json::Value) -> Desired {
        let pin = Pin {
            chart: "qdrant-operator".into(),
            version: version.parse().expect("a version"),
            digest: Digest::of(version.as_bytes()),
            values,
        };
        Desired {
            environment: self.environment.clone(),
            generation,
            pins: [(RELEASE.parse().expect("a name"), pin)].into(),
            charts: ChartSource {
                url: "oci://registry.test/qdrant-charts".into(),
                secret: Some("qdrant-registry-creds".into()),
                ca_certificates: Some("PEM".into()),
                proxy: None,
            },
            clusters: Default::default(),
        }
    }

    fn releases(&self) -> Api<HelmRelease> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn release(&self, is: impl Fn(&HelmRelease) -> bool + Send + Sync) -> HelmRelease {
        let is = |release: Option<&HelmRelease>| release.is_some_and(&is);
        let found = timeout(PATIENCE, await_condition(self.releases(), RELEASE, is)).await;
        found.expect("in time").expect("a watch").expect("a release")
    }

    async fn observed(&mut self, is: impl Fn(&Observed) -> bool) -> Arc<Observed> {
        let is = |observed: &Option<Arc<Observed>>| observed.as_deref().is_some_and(&is);
        let found = timeout(PATIENCE, self.observed.wait_for(is)).await.expect("in time");
        found.expect("a reporter").clone().expect("an observation")
    }

    async fn edit(&self, patch: serde_json::Value) {
        let parameters =
            PatchParams { field_manager: Some("kubectl".into()), ..Default::default() };
        let patched = self.releases().patch(RELEASE, &parameters, &Patch::Merge(patch)).await;
        patched.expect("an edit");
    }
}

async fn client() -> Client {
    pinnace::telemetry::logs::init(pinnace::telemetry::logs::Format::Text);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(Cluster::shared().kubeconfig()).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a config");
    Client::try_from(config).expect("a client")
}

async fn definitions_are_there(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in definitions() {
        let name = definition.name_any();
        let parameters = PatchParams::apply("tests").force();
        api.patch(&name, &parameters, &Patch::Apply(&definition)).await.expect("a definition");
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        timeout(PATIENCE, established).await.expect("in time").expect("established");
    }
}

fn version(release: &HelmRelease) -> Option<&str> {
    release.spec.chart.as_ref()?.spec.version.as_deref()
}

#[tokio::test]
async fn a_state_becomes_objects_and_is_reported() {
    let mut agent = Agent::start().await;
    agent.want(1, "1.0.0", json!({ "a": 1 }));
    let release = agent.release(|_| true).await;
    assert_eq!(version(&release), Some("1.0.0"));
    // The watches of the two kinds are not in step with each other.
    let seen = |o: &Observed| {
        let release = o.components.get(RELEASE);
        o.generation == 1
            && o.clusters.get("c1").is_some_and(|c| c.present)
            && release.is_some_and(|release| release.phase() != Phase::NotFound)
    };
    let observed = agent.observed(seen).await;
    let component = &observed.components[RELEASE];
    assert_eq!((component.phase(), component.wanted_version.as_str()), (Phase::NotReady, "1.0.0"));
    let namespace = agent.namespace.clone();
    let repository: HelmRepository =
        Api::namespaced(agent.client.clone(), &namespace).get("qdrant-cloud").await.expect("there");
    assert_eq!(repository.spec.url, "oci://registry.test/qdrant-charts");
    let secret: Secret = Api::namespaced(agent.client.clone(), &namespace)
        .get("qdrant-cloud-ca")
        .await
        .expect("there");
    assert_eq!(secret.data.expect("data")["ca.crt"].0, b"PEM");

    let regions: Api<QdrantCloudRegion> = Api::all(agent.client.clone());
    let reported = |region: Option<&QdrantCloudRegion>| {
        let status = region.and_then(|region| region.status.as_ref());
        status.is_some_and(|s| s.k8s_version.is_some() && s.number_of_nodes > Some(0))
    };
    let region = timeout(PATIENCE, await_condition(regions, &agent.environment, reported)).await;
    let region = region.expect("in time").expect("a watch").expect("a region");
    assert_eq!(region.status.expect("a status").helm_releases[0].name, RELEASE);

    // What is absent is not deleted; what should be gone is.
    let mut next = agent.desired(2, "1.0.0", json!({ "a": 1 }));
    agent.desired.send_replace(Some(Arc::new(next.clone())));
    agent.observed(|observed| observed.generation == 2).await;
    let clusters: Api<QdrantCluster> = Api::namespaced(agent.client.clone(), &namespace);
    assert!(clusters.get_opt("qdrant-c1").await.expect("read").is_some());
    next.clusters.insert("c1".into(), ClusterWant::Deleted);
    next.generation = 3;
    agent.desired.send_replace(Some(Arc::new(next)));
    agent.observed(|o| o.generation == 3 && o.clusters.get("c1").is_some_and(|c| !c.present)).await;
}

#[tokio::test]
async fn an_edit_is_put_back_with_an_event() {
    let mut agent = Agent::start().await;
    agent.want(1, "1.0.0", json!({ "a": 1, "b": 2 }));
    agent.release(|_| true).await;
    agent.observed(|o| o.clusters.get("c1").is_some_and(|c| c.present)).await;

    // The user's own fields stay.
    agent.edit(json!({ "spec": { "suspend": true, "values": { "mine": 1 } } })).await;
    agent.edit(json!({ "spec": { "chart": { "spec": { "version": "0.0.1" } } } })).await;
    let release = agent.release(|release| version(release) == Some("1.0.0")).await;
    assert_eq!(release.spec.suspend, Some(true));
    assert_eq!(release.spec.values.expect("values"), json!({ "a": 1, "b": 2, "mine": 1 }));
    let events: Api<Event> = Api::namespaced(agent.client.clone(), &agent.namespace);
    let mut all = watcher(events, watcher::Config::default()).applied_objects().boxed();
    let told = async {
        loop {
            // The watcher mends what breaks a watch.
            let Ok(event) = all.next().await.expect("a watch") else { continue };
            if event.reason.as_deref() == Some("PinRestored") {
                return event.message.unwrap_or_default();
            }
        }
    };
    let message = timeout(PATIENCE, told).await.expect("in time");
    assert!(
        message.contains("0.0.1") && message.contains("cd.qdrant.io/pin=detached"),
        "{message}"
    );

    // A value that the next state no longer sets goes away, the user's does not.
    agent.want(2, "1.1.0", json!({ "a": 1 }));
    let release = agent.release(|release| version(release) == Some("1.1.0")).await;
    assert_eq!(release.spec.values.expect("values"), json!({ "a": 1, "mine": 1 }));

    // A detached release is the user's, and reported so.
    agent.edit(json!({ "metadata": { "annotations": { "cd.qdrant.io/pin": "detached" } } })).await;
    agent.observed(|o| o.components[RELEASE].detached).await;
    agent.want(3, "1.2.0", json!({}));
    agent.observed(|o| o.generation == 3).await;
    agent.edit(json!({ "spec": { "chart": { "spec": { "version": "0.0.2" } } } })).await;
    let observed = agent.observed(|o| o.components[RELEASE].wanted_version == "0.0.2").await;
    assert!(observed.components[RELEASE].detached);
}

#[tokio::test]
async fn an_object_that_is_right_is_not_written() {
    let mut agent = Agent::start().await;
    agent.want(1, "1.0.0", json!({ "a": 1 }));
    let before = agent.release(|_| true).await;
    agent.observed(|o| o.clusters.get("c1").is_some_and(|c| c.present)).await;
    // The same content under a new generation: the cluster is changed, the release is not.
    let mut next = agent.desired(2, "1.0.0", json!({ "a": 1 }));
    next.clusters.insert("c1".into(), ClusterWant::Deleted);
    agent.desired.send_replace(Some(Arc::new(next)));
    agent.observed(|o| o.generation == 2 && !o.clusters["c1"].present).await;
    let after = agent.release(|_| true).await;
    assert_eq!(before.resource_version(), after.resource_version());
    assert_eq!(before.metadata.managed_fields, after.metadata.managed_fields);
}

#[tokio::test]
async fn what_the_api_server_refuses_is_reported() {
    let mut agent = Agent::start().await;
    let mut desired = agent.desired(1, "1.0.0", json!({}));
    let spec = json!({ "id": "c9", "version": "v1", "size": 0 });
    desired.clusters.insert("c9".into(), ClusterWant::Present { spec, labels: Default::default() });
    agent.desired.send_replace(Some(Arc::new(desired)));
    let observed = agent
        .observed(|o| o.clusters.get("c9").is_some_and(|cluster| !cluster.reason.is_empty()))
        .await;
    assert!(observed.clusters["c9"].reason.contains("size"), "{observed:?}");
    assert_eq!(observed.region.as_ref().expect("a region").phase, "FailedToSync");
    assert_eq!(agent.failures.borrow().len(), 1);
    agent.release(|_| true).await;
}

#[tokio::test]
async fn what_the_cluster_does_not_keep_is_reported() {
    let mut agent = Agent::start().await;
    let mut desired = agent.desired(1, "1.0.0", json!({}));
    // The API server takes `null` and stores the default of the field.
    let spec = json!({ "id": "c8", "version": "v1.15.0", "size": 1, "servicePerNode": null });
    desired.clusters.insert("c8".into(), ClusterWant::Present { spec, labels: Default::default() });
    agent.desired.send_replace(Some(Arc::new(desired.clone())));
    let observed = agent
        .observed(|o| o.clusters.get("c8").is_some_and(|c| c.present && !c.reason.is_empty()))
        .await;
    let expected = "does not keep spec.servicePerNode of QdrantCluster qdrant-c8";
    assert!(observed.clusters["c8"].reason.contains(expected), "{observed:?}");
    let region = observed.region.as_ref().expect("a region");
    assert_eq!(region.phase, "FailedToSync");
    assert!(region.message.contains(expected), "{region:?}");

    // A state that the cluster keeps ends it.
    let spec = json!({ "id": "c8", "version": "v1.15.0", "size": 1, "servicePerNode": false });
    desired.clusters.insert("c8".into(), ClusterWant::Present { spec, labels: Default::default() });
    desired.generation = 2;
    agent.desired.send_replace(Some(Arc::new(desired)));
    agent.observed(|o| o.generation == 2 && o.clusters["c8"].reason.is_empty()).await;
}

#[tokio::test]
async fn an_accepted_state_survives_a_restart() {
    let agent = Agent::start().await;
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let store = Store::new(agent.client.clone(), &agent.namespace);
    let verify = key.verifying_key();
    assert!(store.load(&verify, &agent.environment).await.expect("read").is_none());
    for generation in [4, 5] {
        let desired = agent.desired(generation, "1.0.0", json!({}));
        let signed = SignedDesired::sign(&desired, &key).expect("sign");
        store.save(&signed).await.expect("write");
        let kept = store.load(&verify, &agent.environment).await.expect("read").expect("kept");
        assert_eq!(kept, (signed, desired));
    }
    let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key();
    assert!(store.load(&other, &agent.environment).await.is_err());
    assert!(store.load(&verify, "another").await.is_err());
}
