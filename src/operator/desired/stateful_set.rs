//! The nodes.

use super::*;

const USER: i64 = 1000;
const GROUP: i64 = 2000;
const FS_GROUP: i64 = 3000;

pub fn spec(database: &Database, settings: &ClusterManagement, digest: &str) -> Value {
    let storage = database.spec.resources.as_ref().and_then(|r| r.storage.clone());
    let mut spec = json!({
        "replicas": database.replicas(),
        "serviceName": database.headless_name(),
        "podManagementPolicy": "Parallel",
        "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain", "whenScaled": "Retain" },
        "selector": { "matchLabels": selector(database) },
        "template": {
            "metadata": {
                "labels": pod_labels(database),
                "annotations": pod_annotations(database, digest),
            },
            "spec": pod(database, settings, storage.is_none()),
        },
    });
    if let Some(size) = storage {
        spec["volumeClaimTemplates"] = json!([claim(database, settings, &size)]);
    }
    spec
}

fn pod_labels(database: &Database) -> BTreeMap<String, String> {
    let stateful_set = database.spec.stateful_set.as_ref();
    let mut all =
        stateful_set.and_then(|s| s.pods.as_ref()).map(|p| p.labels.clone()).unwrap_or_default();
    all.extend(labels(database));
    all
}

fn pod_annotations(database: &Database, digest: &str) -> BTreeMap<String, String> {
    let stateful_set = database.spec.stateful_set.as_ref();
    let mut all = stateful_set
        .and_then(|s| s.pods.as_ref())
        .map(|p| p.annotations.clone())
        .unwrap_or_default();
    all.insert(CONFIG_DIGEST.into(), digest.into());
    if let Some(restarted) = &database.restarted_at {
        all.insert(RESTARTED_AT.into(), restarted.clone());
    }
    all
}

fn claim(database: &Database, settings: &ClusterManagement, size: &str) -> Value {
    let own = database.spec.storage_class_names.as_ref().and_then(|names| names.db.as_ref());
    let class = own.or(settings.storage_class.database.as_ref()).filter(|name| !name.is_empty());
    let mut claim = json!({
        "metadata": { "name": "storage", "labels": labels(database) },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": size } },
        },
    });
    if let Some(class) = class {
        claim["spec"]["storageClassName"] = json!(class);
    }
    claim
}

fn pod(database: &Database, settings: &ClusterManagement, ephemeral: bool) -> Value {
    let security = database.spec.security.clone().unwrap_or_default();
    let image = database.spec.image.clone().unwrap_or_default();
    let pull_secret = image
        .pull_secret_name
        .or_else(|| settings.qdrant.image.pull_secret_name.clone())
        .filter(|name| !name.is_empty());
    let mut volumes = vec![
        json!({ "name": "config", "configMap": { "name": database.name } }),
        json!({ "name": "secret-config", "secret": { "secretName": database.name } }),
        json!({ "name": "init", "emptyDir": {} }),
        json!({ "name": "tmp", "emptyDir": {} }),
    ];
    if ephemeral {
        volumes.push(json!({ "name": "storage", "emptyDir": {} }));
    }
    let mut pod = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": security.user.unwrap_or(USER),
            "runAsGroup": security.group.unwrap_or(GROUP),
            "fsGroup": security.fs_group.unwrap_or(FS_GROUP),
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": [container(database, settings)],
        "volumes": volumes,
        "nodeSelector": database.spec.node_selector,
        "tolerations": database.tolerations,
        "topologySpreadConstraints": database.topology,
    });
    if let Some(name) = pull_secret {
        pod["imagePullSecrets"] = json!([{ "name": name }]);
    }
    pod
}

fn container(database: &Database, settings: &ClusterManagement) -> Value {
    let own = database.spec.image.clone().unwrap_or_default();
    let settings = &settings.qdrant.image;
    let repository = own.repository.as_ref().unwrap_or(&settings.repository);
    let mut container = json!({
        "name": "qdrant",
        "image": format!("{repository}:{}", database.spec.version),
        "imagePullPolicy": own.pull_policy.as_ref().unwrap_or(&settings.pull_policy),
        "env": env(database),
        "ports": [
            { "name": "http", "containerPort": HTTP, "protocol": "TCP" },
            { "name": "grpc", "containerPort": GRPC, "protocol": "TCP" },
            { "name": "p2p", "containerPort": PEER, "protocol": "TCP" },
        ],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        "startupProbe": probe("/healthz", 2, 150),
        "livenessProbe": probe("/healthz", 10, 6),
        "readinessProbe": probe("/readyz", 2, 3),
        "volumeMounts": [
            { "name": "storage", "mountPath": "/qdrant/storage" },
            { "name": "config", "mountPath": "/qdrant/config/production.yaml", "subPath": "production.yaml" },
            { "name": "secret-config", "mountPath": "/qdrant/config/local.yaml", "subPath": "local.yaml" },
            { "name": "init", "mountPath": "/qdrant/init" },
            { "name": "tmp", "mountPath": "/tmp" },
        ],
    });
    if let Some(resources) = resources(database) {
        container["resources"] = resources;
    }
    container
}

fn probe(path: &str, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": { "path": path, "port": "http" },
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    })
}

/// Where a node is and whom it asks to join: node 0, which takes its own name for "a new cluster".
fn env(database: &Database) -> Value {
    let headless = database.headless_name();
    let mut env = vec![
        json!({ "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }),
        json!({ "name": "RUN_MODE", "value": "production" }),
        json!({ "name": "QDRANT_INIT_FILE_PATH", "value": "/qdrant/init/.qdrant-initialized" }),
        json!({ "name": "QDRANT_URI", "value": format!("http://$(POD_NAME).{headless}:{PEER}") }),
        json!({ "name": "QDRANT_BOOTSTRAP", "value": format!("http://{}-0.{headless}:{PEER}", database.name) }),
    ];
    let service = database.spec.config.as_ref().and_then(|c| c.service.as_ref());
    let keys = service.map(|s| {
        [
            ("QDRANT__SERVICE__API_KEY", s.api_key.as_ref()),
            ("QDRANT__SERVICE__READ_ONLY_API_KEY", s.read_only_api_key.as_ref()),
        ]
    });
    for (name, source) in keys.into_iter().flatten() {
        if let Some(SecretSource { secret_key_ref: Some(key) }) = source {
            env.push(json!({ "name": name, "valueFrom": { "secretKeyRef": key } }));
        }
    }
    env.extend(database.extra_env.iter().map(|variable| json!(variable)));
    env.into()
}

/// Limits as said; requests equal to them unless said otherwise.
fn resources(database: &Database) -> Option<Value> {
    let wanted = database.spec.resources.as_ref()?;
    let requests = wanted.requests.clone().unwrap_or_default();
    let (mut limit, mut request) = (Map::new(), Map::new());
    for (name, most, least) in
        [("cpu", &wanted.cpu, &requests.cpu), ("memory", &wanted.memory, &requests.memory)]
    {
        limit.extend(most.as_ref().map(|q| (name.to_owned(), json!(q))));
        request.extend(least.as_ref().or(most.as_ref()).map(|q| (name.to_owned(), json!(q))));
    }
    Some(json!({ "limits": limit, "requests": request }))
}
