//! What a person wants to see of a namespace when a test in it failed.

use crate::{Cluster, script};

/// Kinds whose objects are shown whole; of the others only the names. No Secrets.
const WHOLE: &str = "pods,deployments,statefulsets,jobs,\
    helmreleases.cd.qdrant.io,helmrepositories.cd.qdrant.io,helmcharts.cd.qdrant.io,\
    ocirepositories.cd.qdrant.io,qdrantclusters.qdrant.io";

/// The most recent lines of each container's log.
const LOG_LINES: &str = "--tail=60";

/// Describes the namespace: its objects, events and logs. Never panics: what cannot
/// be read is told by the error of `kubectl`.
pub fn dump_namespace(cluster: &Cluster, namespace: &str) -> String {
    let kubectl = |args: &[&str]| {
        script::said(cluster.enter("kubectl").args(["--namespace", namespace]).args(args))
    };
    let mut text = format!("=== namespace {namespace}\n");
    let mut section = |title: &str, body: String| {
        text += &format!("--- {title}\n{}\n", body.trim_end());
    };
    section("all", kubectl(&["get", "all,secrets,configmaps,leases,pvc", "--ignore-not-found"]));
    for kind in WHOLE.split(',') {
        let objects = kubectl(&["get", kind, "--output=yaml", "--ignore-not-found"]);
        if !objects.contains("items: []") && !objects.contains("the server doesn't have") {
            section(kind, objects);
        }
    }
    section("events", kubectl(&["get", "events", "--sort-by=.lastTimestamp"]));
    for pod in kubectl(&["get", "pods", "--output=name"]).lines() {
        section(pod, kubectl(&["logs", pod, "--all-containers", "--prefix", LOG_LINES]));
        let previous = kubectl(&["logs", pod, "--all-containers", "--previous", LOG_LINES]);
        if !previous.contains("not found") {
            section(&format!("{pod}, before its last restart"), previous);
        }
    }
    text
}
