//! Which lists of Kubernetes' own kinds are merged item by item, and what tells their items apart.

use serde_json::Value;

/// The keys of lists, by the field that holds them (`patchMergeKey` in k8s.io/api).
const KEYS: &[(&str, &[&str])] = &[
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("volumes", &["name"]),
    ("env", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("secrets", &["name"]),
    ("webhooks", &["name"]),
    ("resourceClaims", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("ports", &["containerPort", "port"]),
    ("hostAliases", &["ip"]),
    ("topologySpreadConstraints", &["topologyKey"]),
    ("conditions", &["type"]),
    ("ownerReferences", &["uid"]),
];

/// Whether Kubernetes knows the kinds of a group, and so how their lists merge.
pub fn is_built_in(group: &str) -> bool {
    matches!(group, "" | "apps" | "batch" | "autoscaling" | "policy") || group.ends_with(".k8s.io")
}

/// The key of a list, if each of its items has it.
pub fn of(field: &str, old: &[Value], new: &[Value]) -> Option<&'static str> {
    let (_, keys) = KEYS.iter().find(|(name, _)| *name == field)?;
    let bare =
        |item: &Value| item.as_object().is_some_and(|o| o.len() == 1 && o.contains_key("$patch"));
    let has = |item: &Value, key: &str| item.get(key).is_some() || bare(item);
    let all = |key: &str| old.iter().chain(new).all(|item| has(item, key));
    keys.iter().copied().find(|key| all(key))
}
