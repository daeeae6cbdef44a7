//! A desired state as Kubernetes objects: pure.
//!
//! Only fields that the Console decides are set. All others belong to the user or the controller, and
//! server-side apply leaves them alone.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Resource,
    api::{ApiResource, DynamicObject, ObjectMeta},
};
use serde_json::{Value, json};

use crate::{
    api::{
        cluster::{CLUSTER_ID, QdrantCluster},
        helm_release::HelmRelease,
        helm_repository::HelmRepository,
        region::QdrantCloudRegion,
    },
    model::{
        desired::{ChartSource, ClusterWant, Desired, Pin, ProxySource},
        release::ReleaseName,
    },
};

/// The HelmRepository that all pins refer to.
pub const REPOSITORY: &str = "qdrant-cloud";
/// The Secret with the certificates that are trusted for it.
pub const CA_SECRET: &str = "qdrant-cloud-ca";
/// The Secret with the proxy on the way to it.
pub const PROXY_SECRET: &str = "qdrant-cloud-proxy";
/// Set to [`DETACHED`] on a HelmRelease, it makes the agent leave that release alone.
pub const PIN_ANNOTATION: &str = "cd.qdrant.io/pin";
pub const DETACHED: &str = "detached";

/// How often the controller compares a release with what is wanted, without being woken.
const INTERVAL: &str = "10m";
/// A failed installation is undone and tried this many times again.
const INSTALL_RETRIES: u32 = 3;
/// A failed upgrade is rolled back and tried this many times again.
const UPGRADE_RETRIES: u32 = 1;

/// An object with exactly the fields that the Console decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub resource: ApiResource,
    pub object: DynamicObject,
}

/// All that follows from a desired state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order in which they refer to each other.
    pub apply: Vec<Wanted>,
    /// Names of QdrantClusters that should not exist.
    pub delete_clusters: Vec<String>,
}

impl Wanted {
    fn new<K: Resource<DynamicType = ()>>(
        name: &str,
        namespace: Option<&str>,
        data: Value,
    ) -> Self {
        let resource = ApiResource::erase::<K>(&());
        let mut object = DynamicObject::new(name, &resource);
        object.metadata.namespace = namespace.map(str::to_owned);
        object.data = data;
        Self { resource, object }
    }

    fn metadata(&mut self) -> &mut ObjectMeta {
        &mut self.object.metadata
    }

    pub fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// `HelmRelease qdrant-operator-v2`, as messages name it.
    pub fn title(&self) -> String {
        format!("{} {}", self.resource.kind, self.name())
    }
}

/// The name of a cluster's QdrantCluster.
pub fn cluster_name(id: &str) -> String {
    format!("qdrant-{id}")
}

/// The objects of `desired` in the agent's namespace.
pub fn plan(desired: &Desired, namespace: &str) -> Plan {
    let mut plan = Plan::default();
    if let Some(ca) = &desired.charts.ca_certificates {
        plan.apply.push(ca_secret(ca, namespace));
    }
    if let Some(proxy) = &desired.charts.proxy {
        plan.apply.push(proxy_secret(proxy, namespace));
    }
    plan.apply.push(repository(&desired.charts, namespace));
    for (name, pin) in &desired.pins {
        plan.apply.push(release(name, pin, namespace));
    }
    plan.apply.push(region(desired, namespace));
    for (id, want) in &desired.clusters {
        match want {
            ClusterWant::Present { spec, labels } => {
                let data = json!({ "spec": spec });
                let mut cluster =
                    Wanted::new::<QdrantCluster>(&cluster_name(id), Some(namespace), data);
                let mut labels = labels.clone();
                labels.insert(CLUSTER_ID.to_owned(), id.clone());
                cluster.metadata().labels = Some(labels);
                plan.apply.push(cluster);
            }
            ClusterWant::Deleted => plan.delete_clusters.push(cluster_name(id)),
        }
    }
    plan
}

fn ca_secret(certificates: &str, namespace: &str) -> Wanted {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let data = json!({ "data": { "ca.crt": STANDARD.encode(certificates) } });
    Wanted::new::<Secret>(CA_SECRET, Some(namespace), data)
}

fn proxy_secret(proxy: &ProxySource, namespace: &str) -> Wanted {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut data = json!({ "address": STANDARD.encode(proxy.address.expose()) });
    if !proxy.no_proxy.is_empty() {
        data["noProxy"] = STANDARD.encode(&proxy.no_proxy).into();
    }
    Wanted::new::<Secret>(PROXY_SECRET, Some(namespace), json!({ "data": data }))
}

fn repository(charts: &ChartSource, namespace: &str) -> Wanted {
    let mut spec = json!({ "type": "oci", "url": charts.url });
    if let Some(secret) = &charts.secret {
        spec["secretRef"] = json!({ "name": secret });
    }
    if charts.ca_certificates.is_some() {
        spec["certSecretRef"] = json!({ "name": CA_SECRET });
    }
    if charts.proxy.is_some() {
        spec["proxySecretRef"] = json!({ "name": PROXY_SECRET });
    }
    Wanted::new::<HelmRepository>(REPOSITORY, Some(namespace), json!({ "spec": spec }))
}

fn release(name: &ReleaseName, pin: &Pin, namespace: &str) -> Wanted {
    let mut spec = json!({
        "interval": INTERVAL,
        "releaseName": name,
        "chart": { "spec": {
            "chart": pin.chart,
            "version": pin.version,
            "digest": pin.digest,
            "sourceRef": { "kind": "HelmRepository", "name": REPOSITORY },
        }},
        "install": { "remediation": { "retries": INSTALL_RETRIES } },
        "upgrade": { "remediation": {
            "retries": UPGRADE_RETRIES,
            "remediateLastFailure": true,
            "strategy": "rollback",
        }},
    });
    if !pin.values.is_null() {
        spec["values"] = pin.values.clone();
    }
    Wanted::new::<HelmRelease>(name.as_str(), Some(namespace), json!({ "spec": spec }))
}

fn region(desired: &Desired, namespace: &str) -> Wanted {
    let component = |api_version: String, kind: String, name: &str| json!({ "apiVersion": api_version, "kind": kind, "name": name, "namespace": namespace });
    let source = component(
        HelmRepository::api_version(&()).into(),
        HelmRepository::kind(&()).into(),
        REPOSITORY,
    );
    let releases = desired.pins.keys().map(|name| {
        component(
            HelmRelease::api_version(&()).into(),
            HelmRelease::kind(&()).into(),
            name.as_str(),
        )
    });
    let components: Vec<Value> = std::iter::once(source).chain(releases).collect();
    let spec = json!({ "id": desired.environment, "components": components });
    Wanted::new::<QdrantCloudRegion>(&desired.environment, None, json!({ "spec": spec }))
}

#[cfg(test)]
pub mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::digest::Digest;

    pub fn desired() -> Desired {
        let pin = Pin {
            chart: "qdrant-operator".into(),
            version: semver::Version::new(1, 2, 3),
            digest: Digest::of(b"manifest"),
            values: json!({ "settings": { "logLevel": "info" } }),
        };
        let present = ClusterWant::Present {
            spec: json!({ "id": "c1", "version": "v1.15.0", "size": 1 }),
            labels: BTreeMap::from([("customer-id".into(), "a1".into())]),
        };
        Desired {
            environment: "env-1".into(),
            generation: 3,
            pins: BTreeMap::from([("qdrant-operator-v2".parse().expect("name"), pin)]),
            charts: ChartSource {
                url: "oci://registry.test/qdrant-charts".into(),
                secret: Some("qdrant-registry-creds".into()),
                ca_certificates: Some("PEM".into()),
                proxy: None,
            },
            clusters: BTreeMap::from([("c1".into(), present), ("c2".into(), ClusterWant::Deleted)]),
        }
    }

    fn find(plan: &Plan, title: &str) -> Value {
        let wanted = plan.apply.iter().find(|wanted| wanted.title() == title).expect(title);
        serde_json::to_value(&wanted.object).expect("JSON")
    }

    #[test]
    fn every_object_in_order() {
        let plan = plan(&desired(), "qdrant");
        let titles: Vec<String> = plan.apply.iter().map(Wanted::title).collect();
        let expected = [
            "Secret qdrant-cloud-ca",
            "HelmRepository qdrant-cloud",
            "HelmRelease qdrant-operator-v2",
            "QdrantCloudRegion env-1",
            "QdrantCluster qdrant-c1",
        ];
        assert_eq!(titles, expected);
        assert_eq!(plan.delete_clusters, ["qdrant-c2"]);
    }

    #[test]
    fn they_are_what_the_types_expect() {
        let plan = plan(&desired(), "qdrant");
        let release: HelmRelease =
            serde_json::from_value(find(&plan, "HelmRelease qdrant-operator-v2")).expect("type");
        let chart = release.spec.chart.as_ref().expect("chart");
        assert_eq!(chart.spec.version.as_deref(), Some("1.2.3"));
        assert_eq!(chart.spec.digest, Some(Digest::of(b"manifest")));
        assert_eq!(release.spec.suspend, None, "suspend is the user's");
        let remediation = release.spec.upgrade_remediation();
        assert!(remediation.remediate_last_failure);
        let repository: HelmRepository =
            serde_json::from_value(find(&plan, "HelmRepository qdrant-cloud")).expect("type");
        assert_eq!(repository.spec.cert_secret_ref.expect("CA").name, CA_SECRET);
        let region: QdrantCloudRegion =
            serde_json::from_value(find(&plan, "QdrantCloudRegion env-1")).expect("type");
        assert_eq!((region.spec.components.len(), region.metadata.namespace), (2, None));
        let cluster: QdrantCluster =
            serde_json::from_value(find(&plan, "QdrantCluster qdrant-c1")).expect("type");
        let labels = cluster.metadata.labels.expect("labels");
        assert_eq!((labels["cluster-id"].as_str(), labels["customer-id"].as_str()), ("c1", "a1"));
    }

    #[test]
    fn a_proxy_goes_with_the_repository() {
        use crate::model::redacted::Redacted;
        let mut desired = desired();
        let address = Redacted::new("http://u:hunter2@p:3128".to_owned());
        desired.charts.proxy = Some(ProxySource { address, no_proxy: ".svc".into() });
        assert!(!format!("{desired:?}").contains("hunter2"));
        let text = serde_json::to_string(&desired).expect("JSON");
        assert_eq!(serde_json::from_str::<Desired>(&text).expect("the same"), desired);
        let plan = plan(&desired, "qdrant");
        let secret = find(&plan, "Secret qdrant-cloud-proxy");
        assert_eq!(secret["data"]["noProxy"], "LnN2Yw==");
        let repository = find(&plan, "HelmRepository qdrant-cloud");
        assert_eq!(repository["spec"]["proxySecretRef"]["name"], PROXY_SECRET);
    }

    #[test]
    fn what_is_not_said_is_not_set() {
        let mut desired = desired();
        desired.charts.secret = None;
        desired.charts.ca_certificates = None;
        for pin in desired.pins.values_mut() {
            pin.values = Value::Null;
        }
        let plan = plan(&desired, "qdrant");
        let repository = find(&plan, "HelmRepository qdrant-cloud");
        assert_eq!(repository["spec"].as_object().expect("spec").len(), 2);
        let release = find(&plan, "HelmRelease qdrant-operator-v2");
        assert!(release["spec"].get("values").is_none());
        assert!(!plan.apply.iter().any(|wanted| wanted.resource.kind == "Secret"));
    }
}
