//! API versions that Kubernetes has given up.

/// API version, its kinds (empty: all), the minor version of Kubernetes 1 that deprecated it, the one
/// that has it no more, and what took its place.
type Row = (&'static str, &'static [&'static str], u32, u32, &'static str);

/// From the deprecated API migration guide of Kubernetes.
const TABLE: [Row; 24] = [
    ("extensions/v1beta1", &["Deployment", "DaemonSet", "ReplicaSet"], 8, 16, "apps/v1"),
    ("extensions/v1beta1", &["NetworkPolicy"], 9, 16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", &["PodSecurityPolicy"], 11, 16, "Pod Security Admission"),
    ("extensions/v1beta1", &["Ingress"], 14, 22, "networking.k8s.io/v1"),
    ("apps/v1beta1", &[], 8, 16, "apps/v1"),
    ("apps/v1beta2", &[], 9, 16, "apps/v1"),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 19, 22, "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", &[], 17, 22, "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1alpha1", &[], 17, 22, "rbac.authorization.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", &[], 16, 22, "apiextensions.k8s.io/v1"),
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        16,
        22,
        "admissionregistration.k8s.io/v1",
    ),
    ("apiregistration.k8s.io/v1beta1", &[], 19, 22, "apiregistration.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", &[], 14, 22, "scheduling.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", &["Lease"], 19, 22, "coordination.k8s.io/v1"),
    (
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        19,
        22,
        "certificates.k8s.io/v1",
    ),
    (
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        19,
        22,
        "storage.k8s.io/v1",
    ),
    ("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], 24, 27, "storage.k8s.io/v1"),
    ("batch/v1beta1", &["CronJob"], 21, 25, "batch/v1"),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"], 21, 25, "discovery.k8s.io/v1"),
    ("policy/v1beta1", &["PodDisruptionBudget"], 21, 25, "policy/v1"),
    ("policy/v1beta1", &["PodSecurityPolicy"], 21, 25, "Pod Security Admission"),
    ("autoscaling/v2beta1", &[], 22, 25, "autoscaling/v2"),
    ("autoscaling/v2beta2", &[], 23, 26, "autoscaling/v2"),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], 22, 25, "node.k8s.io/v1"),
];

/// What Kubernetes 1.`minor` has to say of an object's API version.
pub(super) fn of(api_version: &str, kind: &str, minor: u32) -> Option<String> {
    let fits = |row: &&Row| row.0 == api_version && (row.1.is_empty() || row.1.contains(&kind));
    let (_, _, deprecated, removed, instead) = TABLE.iter().find(fits)?;
    // The same kind in another group; what has no `/` is no API version.
    let kind_there = if instead.contains('/') { format!(" {kind}") } else { String::new() };
    (minor >= *deprecated).then(|| {
        format!(
            "{api_version} {kind} is deprecated in v1.{deprecated}+, unavailable in v1.{removed}+; \
             use {instead}{kind_there}"
        )
    })
}
