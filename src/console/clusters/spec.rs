//! A cluster of the public API as the spec of a QdrantCluster object. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    console::pins,
    proto::qdrant::cloud::{
        cluster::v1::{
            Cluster, ClusterConfiguration, ClusterConfigurationGpuType,
            ClusterConfigurationRebalanceStrategy, ClusterConfigurationRestartPolicy,
            ClusterServiceType, DatabaseConfiguration, DatabaseConfigurationLogLevel,
        },
        common::v1::{SecretKeyRef, TopologySpreadConstraint},
    },
};

/// What runs if nothing was asked for.
pub const DEFAULT_VERSION: &str = "latest";
/// Without a booking service there is one package: limits per node.
const CPU: &str = "500m";
const MEMORY: &str = "1Gi";
/// GiB, before `additional_resources`.
const DISK: u32 = 4;

/// Labels that every object of a cluster carries.
pub fn labels(cluster: &Cluster) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("cluster-id".to_owned(), cluster.id.clone()),
        ("customer-id".to_owned(), cluster.account_id.clone()),
    ])
}

/// `QdrantCluster.spec`.
pub fn of(cluster: &Cluster) -> Value {
    let c = cluster.configuration.clone().unwrap_or_default();
    let disk = DISK + c.additional_resources.as_ref().map_or(0, |more| more.disk);
    let mut spec = json!({
        "id": cluster.id,
        "version": c.version.as_deref().unwrap_or(DEFAULT_VERSION),
        "size": c.number_of_nodes,
        "resources": {"cpu": CPU, "memory": MEMORY, "storage": format!("{disk}Gi")},
    });
    let mut set = |name: &str, value: Value| {
        let empty = match &value {
            Value::Null => true,
            Value::Object(fields) => fields.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        if !empty {
            spec[name] = value;
        }
    };
    set("nodeSelector", pins::object(&c.node_selector));
    set("tolerations", c.tolerations.iter().map(pins::toleration).collect());
    set("topologySpreadConstraints", c.topology_spread_constraints.iter().map(spread).collect());
    set("service", service(&c));
    let mut pods = Map::new();
    if !c.annotations.is_empty() {
        pods.insert("annotations".into(), pins::object(&c.annotations));
    }
    if !c.pod_labels.is_empty() {
        pods.insert("labels".into(), pins::object(&c.pod_labels));
    }
    if !pods.is_empty() {
        set("statefulSet", json!({"pods": pods}));
    }
    set("storageClassNames", storage_classes(&c));
    set("config", c.database_configuration.as_ref().map(database).unwrap_or_default());
    set(
        "gpu",
        match c.gpu_type() {
            ClusterConfigurationGpuType::Nvidia => json!({"gpuType": "nvidia"}),
            ClusterConfigurationGpuType::Amd => json!({"gpuType": "amd"}),
            ClusterConfigurationGpuType::Unspecified => Value::Null,
        },
    );
    set(
        "restartAllPodsConcurrently",
        match c.restart_policy() {
            ClusterConfigurationRestartPolicy::Rolling => json!(false),
            ClusterConfigurationRestartPolicy::Parallel => json!(true),
            _ => Value::Null,
        },
    );
    set(
        "rebalanceStrategy",
        match c.rebalance_strategy() {
            ClusterConfigurationRebalanceStrategy::ByCount => json!("by_count"),
            ClusterConfigurationRebalanceStrategy::BySize => json!("by_size"),
            ClusterConfigurationRebalanceStrategy::ByCountAndSize => json!("by_count_and_size"),
            ClusterConfigurationRebalanceStrategy::Disabled => json!("disabled"),
            ClusterConfigurationRebalanceStrategy::Unspecified => Value::Null,
        },
    );
    spec
}

fn service(c: &ClusterConfiguration) -> Value {
    let mut service = Map::new();
    let kind = match c.service_type() {
        ClusterServiceType::ClusterIp => Some("ClusterIP"),
        ClusterServiceType::NodePort => Some("NodePort"),
        ClusterServiceType::LoadBalancer => Some("LoadBalancer"),
        ClusterServiceType::Unspecified => None,
    };
    if let Some(kind) = kind {
        service.insert("type".into(), kind.into());
    }
    if !c.service_annotations.is_empty() {
        service.insert("annotations".into(), pins::object(&c.service_annotations));
    }
    if !c.allowed_ip_source_ranges.is_empty() {
        service.insert("loadBalancerSourceRanges".into(), json!(c.allowed_ip_source_ranges));
    }
    Value::Object(service)
}

fn storage_classes(c: &ClusterConfiguration) -> Value {
    let mut names = Map::new();
    let storage = c.cluster_storage_configuration.clone().unwrap_or_default();
    if let Some(class) = storage.database_storage_class {
        names.insert("db".into(), class.into());
    }
    if let Some(class) = storage.snapshot_storage_class {
        names.insert("snapshots".into(), class.into());
    }
    Value::Object(names)
}

fn database(d: &DatabaseConfiguration) -> Value {
    let mut config = Map::new();
    if let Some(c) = &d.collection {
        let mut collection = Map::new();
        if let Some(factor) = c.replication_factor {
            collection.insert("replication_factor".into(), json!(factor));
        }
        if let Some(factor) = c.write_consistency_factor {
            collection.insert("write_consistency_factor".into(), json!(factor));
        }
        if let Some(on_disk) = c.vectors.as_ref().and_then(|vectors| vectors.on_disk) {
            collection.insert("vectors".into(), json!({"on_disk": on_disk}));
        }
        config.insert("collection".into(), Value::Object(collection));
    }
    if let Some(performance) = d.storage.as_ref().and_then(|storage| storage.performance.as_ref()) {
        let mut fields = Map::new();
        if let Some(budget) = performance.optimizer_cpu_budget {
            fields.insert("optimizer_cpu_budget".into(), json!(budget));
        }
        if let Some(scorer) = performance.async_scorer {
            fields.insert("async_scorer".into(), json!(scorer));
        }
        config.insert("storage".into(), json!({"performance": fields}));
    }
    if let Some(service) = &d.service {
        let mut fields = Map::new();
        if let Some(key) = &service.api_key {
            fields.insert("api_key".into(), reference(key));
            fields.insert("jwt_rbac".into(), json!(true));
        }
        if let Some(key) = &service.read_only_api_key {
            fields.insert("read_only_api_key".into(), reference(key));
        }
        if let Some(tls) = service.enable_tls {
            fields.insert("enable_tls".into(), json!(tls));
        }
        config.insert("service".into(), Value::Object(fields));
    }
    let level = match d.log_level() {
        DatabaseConfigurationLogLevel::Trace => Some("TRACE"),
        DatabaseConfigurationLogLevel::Debug => Some("DEBUG"),
        DatabaseConfigurationLogLevel::Info => Some("INFO"),
        DatabaseConfigurationLogLevel::Warn => Some("WARN"),
        DatabaseConfigurationLogLevel::Error => Some("ERROR"),
        DatabaseConfigurationLogLevel::Off => Some("OFF"),
        DatabaseConfigurationLogLevel::Unspecified => None,
    };
    if let Some(level) = level {
        config.insert("log_level".into(), level.into());
    }
    if let Some(tls) = &d.tls {
        let mut fields = Map::new();
        if let Some(cert) = &tls.cert {
            fields.insert("cert".into(), reference(cert));
        }
        if let Some(key) = &tls.key {
            fields.insert("key".into(), reference(key));
        }
        config.insert("tls".into(), Value::Object(fields));
    }
    Value::Object(config)
}

fn reference(key: &SecretKeyRef) -> Value {
    json!({"secretKeyRef": {"name": key.name, "key": key.key}})
}

fn spread(constraint: &TopologySpreadConstraint) -> Value {
    let anyway = constraint.when_unsatisfiable == Some(2);
    json!({
        "maxSkew": constraint.max_skew.unwrap_or(1),
        "topologyKey": constraint.topology_key,
        "whenUnsatisfiable": if anyway { "ScheduleAnyway" } else { "DoNotSchedule" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_holds_what_was_asked_for_and_no_more() {
        let mut cluster = Cluster {
            id: "c1".into(),
            account_id: "a1".into(),
            configuration: Some(ClusterConfiguration { number_of_nodes: 3, ..Default::default() }),
            ..Default::default()
        };
        let least = json!({
            "id": "c1", "version": "latest", "size": 3,
            "resources": {"cpu": "500m", "memory": "1Gi", "storage": "4Gi"},
        });
        assert_eq!(of(&cluster), least);
        assert_eq!(labels(&cluster)["customer-id"], "a1");

        let configuration = json!({
            "numberOfNodes": 1, "version": "v1.2.3", "additionalResources": {"disk": 6},
            "serviceType": "CLUSTER_SERVICE_TYPE_NODE_PORT",
            "podLabels": [{"key": "team", "value": "x"}],
            "databaseConfiguration": {"service": {"apiKey": {"name": "s", "key": "k"}}},
            "clusterStorageConfiguration": {"databaseStorageClass": "fast"},
        });
        cluster.configuration = Some(serde_json::from_value(configuration).unwrap());
        let spec = of(&cluster);
        assert_eq!(spec["resources"]["storage"], "10Gi");
        assert_eq!(spec["service"], json!({"type": "NodePort"}));
        assert_eq!(spec["statefulSet"], json!({"pods": {"labels": {"team": "x"}}}));
        assert_eq!(spec["storageClassNames"], json!({"db": "fast"}));
        let api_key = json!({"secretKeyRef": {"name": "s", "key": "k"}});
        assert_eq!(spec["config"]["service"], json!({"api_key": api_key, "jwt_rbac": true}));
    }
}
