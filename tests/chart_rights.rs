//! The agent's rights, as its chart gives them on a real API server.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use std::path::Path;

use pinnace_testbed::Cluster;

#[test]
fn the_agent_may_write_its_own_region_and_no_other() {
    let cluster = Cluster::shared();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |path: &str| root.join(path).display().to_string();
    cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &file("crds")]);
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "-f", &file("crds")]);
    let namespace = cluster.namespace("rights");
    let region = format!("region-{}", namespace.name());
    let settings = format!(
        "--set=replicaCount=0,config.serverURL=https://vendor.test,config.hybridCloud.id={region}"
    );
    let chart = file("charts/qdrant-cloud-agent");
    let in_namespace = ["--namespace", namespace.name(), "--skip-crds", &settings];
    let install = ["install", "qdrant-cloud-agent", &chart];
    cluster.run("helm", &[&install[..], &in_namespace[..]].concat());
    let account = format!("--as=system:serviceaccount:{}:qdrant-cloud-agent", namespace.name());

    let folder = tempfile::tempdir().unwrap();
    let apply = |name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        let object = format!(
            r#"{{"apiVersion":"qdrant.io/v1","kind":"QdrantCloudRegion","metadata":{{"name":"{name}"}},"spec":{{"id":"{name}"}},"status":{{"phase":"Ready"}}}}"#
        );
        std::fs::write(&path, object).unwrap();
        let mut kubectl = cluster.enter("kubectl");
        kubectl.args([&account, "apply", "--server-side", "-f"]).arg(&path).args(more);
        kubectl.output().unwrap()
    };
    let made = apply(&region, &[]);
    assert!(made.status.success(), "{made:?}");
    let reported = apply(&region, &["--subresource=status"]);
    assert!(reported.status.success(), "{reported:?}");
    assert!(!apply(&format!("{region}-2"), &[]).status.success(), "another region");
    cluster.kubectl(&["delete", "qdrantcloudregion", &region]);

    let may = |arguments: &[&str]| {
        let mut kubectl = cluster.enter("kubectl");
        kubectl.args([&account, "auth", "can-i"]).args(arguments);
        kubectl.output().unwrap().status.success()
    };
    let own_role = format!("clusterroles/{}-qdrant-cloud-agent", namespace.name());
    for allowed in [
        &["list", "nodes"][..],
        &["watch", "storageclasses.storage.k8s.io"],
        &["get", "customresourcedefinitions"],
        &["get", &own_role],
        &["create", "secrets", "-n", namespace.name()],
    ] {
        assert!(may(allowed), "{allowed:?} should be allowed");
    }
    for refused in [
        &["get", "secrets", "-n", "default"][..],
        &["list", "pods", "-A"],
        &["create", "customresourcedefinitions"],
        &["patch", &own_role],
        &["create", "clusterrolebindings"],
        &["list", "namespaces"],
        &["*", "*", "-n", namespace.name()],
    ] {
        assert!(!may(refused), "{refused:?} should be refused");
    }
    cluster.run("helm", &["uninstall", "qdrant-cloud-agent", "--namespace", namespace.name()]);
}
