//! Helm's order of kinds.

use std::cmp::Ordering;

/// Kinds in the order in which Helm installs them.
const INSTALL: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Known kinds first, in install order; the others after them, by name.
pub fn install(a: &str, b: &str) -> Ordering {
    key(a).cmp(&key(b))
}

/// What [`install`] compares: the place of a known kind, or the end and the name.
pub(super) fn key(kind: &str) -> (usize, String) {
    match INSTALL.iter().position(|known| *known == kind) {
        Some(place) => (place, String::new()),
        None => (INSTALL.len(), kind.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_kinds() {
        let mut kinds = ["Zoo", "Service", "Apple", "Namespace", "", "Deployment"];
        kinds.sort_by(|a, b| install(a, b));
        assert_eq!(kinds, ["Namespace", "Service", "Deployment", "", "Apple", "Zoo"]);
    }
}
