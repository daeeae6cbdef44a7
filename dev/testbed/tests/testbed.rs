//! The test bed keeps its promises: clusters run pods, links lead one way only, and
//! nothing is left when a handle is gone or its process was killed.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use std::process::Command;

use pinnace_testbed::{Cluster, Image, Link, Vendor, tool};

/// Whether a TCP connection opens, from within a space.
fn connects(space: &pinnace_testbed::Space, address: &str) -> bool {
    let (host, port) = address.split_once(':').unwrap();
    let script = format!("</dev/tcp/{host}/{port}");
    space.enter("timeout").args(["1", "bash", "-c", &script]).output().unwrap().status.success()
}

#[test]
fn a_pod_runs_an_image_of_the_clusters_own_registry() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("testbed");
    Image::new("registry.test/standin:1")
        .file(tool("standin"))
        .env("APP_VERSION", "1.2.3")
        .push(cluster.space());
    let in_namespace = ["--namespace", namespace.name()];
    let run = ["run", "db", "--image=registry.test/standin:1"];
    cluster.kubectl(&[&in_namespace[..], &run[..]].concat());
    let wait = ["wait", "--for=condition=Ready", "pod/db", "--timeout=90s"];
    cluster.kubectl(&[&in_namespace[..], &wait[..]].concat());
    let path = format!("/api/v1/namespaces/{}/pods/db:6333/proxy/telemetry", namespace.name());
    let telemetry = cluster.kubectl(&["get", "--raw", &path]);
    assert!(telemetry.contains(r#""version":"1.2.3""#), "{telemetry}");
}

/// Of a folder that several kubelets share, each deletes the logs of the others' pods.
#[test]
fn a_kubelet_keeps_its_logs_to_itself() {
    let cluster = Cluster::shared();
    let node = cluster.kubectl(&["get", "nodes", "-o", "name"]);
    let path = format!("/api/v1/nodes/{}/proxy/configz", node.trim().trim_start_matches("node/"));
    let config = cluster.kubectl(&["get", "--raw", &path]);
    let own = format!("/{}/logs\"", cluster.space().name());
    assert!(config.contains(&own), "{config}");
}

#[test]
fn the_kubeconfig_works_on_this_machine() {
    let cluster = Cluster::shared();
    let kubectl = Command::new(tool("kubectl"))
        .args(["get", "--raw", "/version"])
        .env("KUBECONFIG", cluster.kubeconfig())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&kubectl.stdout).contains("v1.36.3"), "{kubectl:?}");
    assert!(std::fs::read_to_string(cluster.audit_log()).unwrap().contains(r#""/version""#));
}

#[test]
fn a_link_leads_one_way_only() {
    let vendor = Vendor::start("vendor");
    let customer = Cluster::start("customer");
    let customer_api = customer.run("hostname", &["-I"]);
    let customer_address = customer_api.split_whitespace().next().unwrap();
    let link = Link::new(&customer, &vendor);

    assert!(connects(&customer, "registry.vendor.test:443"));
    assert!(!connects(&customer, "vendor.test:6443"));
    assert!(!connects(&vendor, &format!("{customer_address}:6443")));
    let report = link.report();
    let ports = |list: &[pinnace_testbed::Connection]| -> Vec<u16> {
        list.iter().map(|connection| connection.to.port()).collect()
    };
    assert_eq!(ports(&report.opened), [443]);
    assert_eq!(ports(&report.refused_out), [6443]);
    assert_eq!(ports(&report.refused_in), [6443]);

    link.close("registry.vendor.test:443");
    assert!(!connects(&customer, "registry.vendor.test:443"));
    link.open("registry.vendor.test:443");
    link.cut();
    assert!(!connects(&customer, "registry.vendor.test:443"));
    link.heal();
    assert!(connects(&customer, "registry.vendor.test:443"));

    link.proxy(true);
    assert!(!connects(&customer, "registry.vendor.test:443"));
    let proxied = ["-sS", "-x", "http://proxy.test:3128", "https://registry.vendor.test/v2/"];
    assert!(customer.run("curl", &proxied).contains("UNAUTHORIZED"));
    link.proxy(false);
    assert!(connects(&customer, "registry.vendor.test:443"));
}

#[test]
fn a_vendor_goes_when_its_owner_is_killed() {
    let mut owner = Command::new("sleep").arg("infinity").spawn().unwrap();
    let network = concat!(env!("CARGO_MANIFEST_DIR"), "/../network");
    let cluster = concat!(env!("CARGO_MANIFEST_DIR"), "/../cluster");
    let name = format!("owned-{}", std::process::id());
    let up = ["up", &name, "--owner", &owner.id().to_string()];
    assert!(Command::new(network).args(up).status().unwrap().success());
    owner.kill().unwrap();
    owner.wait().unwrap();
    let exists = || {
        let list = Command::new(cluster).arg("list").output().unwrap();
        String::from_utf8_lossy(&list.stdout).lines().any(|space| space == name)
    };
    for _ in 0..100 {
        if !exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{name} is still there");
}
