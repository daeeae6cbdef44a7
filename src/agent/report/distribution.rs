//! Who made the cluster's Kubernetes, by what its nodes say: pure.

use k8s_openapi::api::core::v1::Node;

use crate::api::region::Distribution;

/// Prefixes of `spec.providerID`.
const PROVIDERS: &[(&str, Distribution)] = &[
    ("aws://", Distribution::Aws),
    ("gce://", Distribution::Gcp),
    ("azure://", Distribution::Azure),
    ("digitalocean://", Distribution::Do),
    ("scaleway://", Distribution::Scaleway),
    ("linode://", Distribution::Linode),
    ("civo://", Distribution::Civo),
    ("oci://", Distribution::Oci),
    ("ocid1.", Distribution::Oci),
    ("vultr://", Distribution::Vultr),
    ("k3s://", Distribution::K3s),
];

/// Labels of nodes: any label key that begins so. They say more than the provider: OpenShift runs on many
/// clouds, and several clouds are OpenStack underneath.
const LABELS: &[(&str, Distribution)] = &[
    ("node.openshift.io/", Distribution::Openshift),
    ("node.k8s.ovh/", Distribution::Ovhcloud),
    ("k8s.ovh.net/", Distribution::Ovhcloud),
    ("node.stackit.cloud/", Distribution::Stackit),
    ("eks.amazonaws.com/", Distribution::Aws),
    ("cloud.google.com/gke-", Distribution::Gcp),
    ("kubernetes.azure.com/", Distribution::Azure),
    ("doks.digitalocean.com/", Distribution::Do),
    ("k8s.scaleway.com/", Distribution::Scaleway),
    ("lke.linode.com/", Distribution::Linode),
    ("kubernetes.civo.com/", Distribution::Civo),
    ("oke.oraclecloud.com/", Distribution::Oci),
    ("vke.vultr.com/", Distribution::Vultr),
];

/// Parts of a version such as `v1.36.3+k3s1`.
const VERSIONS: &[(&str, Distribution)] = &[
    ("+k3s", Distribution::K3s),
    ("-eks-", Distribution::Aws),
    ("-gke.", Distribution::Gcp),
    ("+vke", Distribution::Vultr),
];

/// The distribution of a cluster with these nodes and this version; `Unknown` for plain Kubernetes.
pub fn detect<'a>(nodes: impl IntoIterator<Item = &'a Node>, version: &str) -> Distribution {
    let found = nodes.into_iter().find_map(of_node);
    let by_version = || VERSIONS.iter().find(|(part, _)| version.contains(part)).map(|(_, d)| *d);
    found.or_else(by_version).unwrap_or(Distribution::Unknown)
}

fn of_node(node: &Node) -> Option<Distribution> {
    let labels = node.metadata.labels.as_ref();
    let has = |prefix: &str| labels.is_some_and(|l| l.keys().any(|key| key.starts_with(prefix)));
    let by_label = LABELS.iter().find(|(prefix, _)| has(prefix)).map(|(_, d)| *d);
    by_label.or_else(|| {
        let id = node.spec.as_ref()?.provider_id.as_deref()?;
        PROVIDERS.iter().find(|(prefix, _)| id.starts_with(prefix)).map(|(_, d)| *d)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(provider: &str, label: &str) -> Node {
        serde_json::from_value(serde_json::json!({
            "metadata": { "name": "n", "labels": { label: "x" } },
            "spec": { "providerID": provider },
        }))
        .expect("a node")
    }

    #[test]
    fn each_distribution() {
        use Distribution::*;
        for (provider, label, version, expected) in [
            ("aws:///eu-1a/i-0", "a", "v1.36.0", Aws),
            ("aws:///eu-1a/i-0", "node.openshift.io/os_id", "v1.36.0", Openshift),
            ("gce://p/z/n", "a", "v1.36.0-gke.100", Gcp),
            ("azure:///subscriptions/x", "a", "v1.36.0", Azure),
            ("digitalocean://1", "a", "v1.36.0", Do),
            ("scaleway://instance/fr/1", "a", "v1.36.0", Scaleway),
            ("linode://1", "a", "v1.36.0", Linode),
            ("civo://1", "a", "v1.36.0+k3s1", Civo),
            ("ocid1.instance.oc1", "a", "v1.36.0", Oci),
            ("openstack:///1", "node.k8s.ovh/type", "v1.36.0", Ovhcloud),
            ("openstack:///1", "node.stackit.cloud/x", "v1.36.0", Stackit),
            ("vultr://1", "a", "v1.36.0", Vultr),
            ("k3s://n", "a", "v1.36.0+k3s1", K3s),
            ("", "a", "v1.36.0+k3s1", K3s),
            ("kind://docker/kind/n", "a", "v1.36.0", Unknown),
            ("openstack:///1", "a", "v1.36.0", Unknown),
        ] {
            assert_eq!(detect(&[node(provider, label)], version), expected, "{provider} {label}");
        }
        assert_eq!(detect([], "v1.36.3"), Unknown);
        assert_eq!(detect(&[node("", "a"), node("aws://x", "a")], "v1.36.3"), Aws);
    }
}
