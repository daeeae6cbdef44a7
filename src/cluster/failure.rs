//! What the pods of a failed release had to say: the end of their logs and their last warnings.

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, DynamicObject, ListParams, LogParams};

use super::error::limited;
use super::events::shortened;
use super::{Cluster, Key, ready};

/// Pods that are asked.
const MAX_PODS: usize = 3;
/// Lines of log per container.
const LINES: i64 = 5;
/// Bytes of text in all.
const MAX_TEXT: usize = 1500;

/// Logs and warnings of the pods of these objects that are not ready; empty if there are none or they may
/// not be read. Never fails: it only adds to an error that is there already.
pub async fn report(cluster: &Cluster, objects: &[Key]) -> String {
    let mut lines = Vec::new();
    let workloads = objects.iter().filter(|k| ready::runs_pods(k) || k.kind == "Pod");
    for key in workloads {
        let Some(namespace) = key.namespace.as_deref() else { continue };
        let Ok(Some(object)) = cluster.get(key).await else { continue };
        if ready::readiness(&object) == ready::Readiness::Ready {
            continue;
        }
        for pod in pods(cluster, namespace, key, &object).await {
            if lines.len() >= MAX_PODS {
                break;
            }
            lines.push(pod_report(cluster, namespace, &pod).await);
        }
    }
    lines.retain(|line| !line.is_empty());
    shortened(&lines.join("; "), MAX_TEXT)
}

async fn pods(cluster: &Cluster, namespace: &str, key: &Key, object: &DynamicObject) -> Vec<Pod> {
    let api: Api<Pod> = Api::namespaced(cluster.client().clone(), namespace);
    if key.kind == "Pod" {
        return limited(api.get_opt(&key.name)).await.ok().flatten().into_iter().collect();
    }
    let Ok(list) = limited(api.list(&ListParams::default().limit(500))).await else {
        return Vec::new();
    };
    let selector = ready::Selector::of(object);
    let selected = |pod: &Pod| selector.selects(pod.metadata.labels.as_ref());
    let ready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
        conditions.is_some_and(|c| c.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
    };
    let mut pods: Vec<Pod> = list.items.into_iter().filter(|p| selected(p) && !ready(p)).collect();
    pods.sort_by_key(|p| std::cmp::Reverse(p.metadata.creation_timestamp.as_ref().map(|t| t.0)));
    pods
}

async fn pod_report(cluster: &Cluster, namespace: &str, pod: &Pod) -> String {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let mut said = Vec::new();
    if let Some(warning) = last_warning(cluster, namespace, name).await {
        said.push(warning);
    }
    let containers = pod.spec.iter().flat_map(|s| &s.containers).take(3);
    for container in containers {
        said.extend(log(cluster, namespace, name, &container.name).await);
    }
    if said.is_empty() { String::new() } else { format!("pod {name}: {}", said.join("; ")) }
}

async fn last_warning(cluster: &Cluster, namespace: &str, pod: &str) -> Option<String> {
    let api: Api<Event> = Api::namespaced(cluster.client().clone(), namespace);
    let selector = format!("involvedObject.kind=Pod,involvedObject.name={pod},type=Warning");
    let params = ListParams::default().fields(&selector).limit(50);
    let events = limited(api.list(&params)).await.ok()?;
    let latest = events.items.into_iter().max_by_key(|e| e.last_timestamp.as_ref().map(|t| t.0))?;
    Some(format!("{}: {}", latest.reason?, latest.message?))
}

async fn log(cluster: &Cluster, namespace: &str, pod: &str, container: &str) -> Option<String> {
    let api: Api<Pod> = Api::namespaced(cluster.client().clone(), namespace);
    for previous in [true, false] {
        let params = LogParams {
            container: Some(container.into()),
            tail_lines: Some(LINES),
            limit_bytes: Some(2048),
            previous,
            ..LogParams::default()
        };
        if let Ok(text) = limited(api.logs(pod, &params)).await
            && !text.trim().is_empty()
        {
            let text: Vec<&str> = text.trim().lines().collect();
            return Some(format!("last log of {container}: {}", text.join(" | ")));
        }
    }
    None
}
