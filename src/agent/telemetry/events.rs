//! Kubernetes events of the agent's namespace: warnings, and what happens to managed objects.

use std::sync::Arc;

use futures::TryStreamExt as _;
use k8s_openapi::{api::core::v1::Event, jiff};
use kube::{
    Api, Client,
    runtime::{WatchStreamExt as _, watcher},
};

use crate::{
    agent::{chain, link::ring::Ring},
    cluster::{events::shortened, pages},
    proto::pinnace::agent::v1::{KubernetesEvent, telemetry_request::Message},
};

/// Kinds whose normal events are of interest too.
const MANAGED: &[&str] = &["HelmRelease", "HelmChart", "HelmRepository", "QdrantCluster"];
/// The longest message that is sent, in bytes.
const MAX_MESSAGE: usize = 1024;
/// The longest name, reason or kind that is sent, in bytes.
const MAX_WORD: usize = 253;

/// Puts events into the ring. Those that are there at the start are old news and are left out.
pub async fn forward(client: Client, namespace: String, ring: Arc<Ring>) {
    let api: Api<Event> = Api::namespaced(client, &namespace);
    // One malformed or forbidden answer ends neither the watch nor the agent.
    let events = watcher(api, pages::config()).default_backoff();
    let mut events = std::pin::pin!(events);
    loop {
        match events.try_next().await {
            Ok(Some(watcher::Event::Apply(event))) => {
                if let Some(event) = interesting(&event) {
                    ring.push(Message::Event(event));
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => tracing::debug!("watch of events: {}", chain(&error)),
        }
    }
}

/// The event as it is sent, if it is.
fn interesting(event: &Event) -> Option<KubernetesEvent> {
    let about = &event.involved_object;
    let kind = about.kind.clone().unwrap_or_default();
    let type_ = event.type_.clone().unwrap_or_default();
    if type_ != "Warning" && !MANAGED.contains(&kind.as_str()) {
        return None;
    }
    let series = event.series.as_ref();
    let count = series.and_then(|s| s.count).or(event.count).unwrap_or(1);
    let seen = series
        .and_then(|s| s.last_observed_time.as_ref().map(|time| time.0))
        .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0));
    let word = |text: Option<&str>| shortened(text.unwrap_or_default(), MAX_WORD);
    Some(KubernetesEvent {
        namespace: word(about.namespace.as_deref()),
        kind: word(Some(&kind)),
        name: word(about.name.as_deref()),
        r#type: word(Some(&type_)),
        reason: word(event.reason.as_deref()),
        message: shortened(event.message.as_deref().unwrap_or_default(), MAX_MESSAGE),
        count: u32::try_from(count).unwrap_or(1),
        last_seen: seen.map(timestamp),
    })
}

fn timestamp(time: jiff::Timestamp) -> pbjson_types::Timestamp {
    pbjson_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, type_: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": { "name": "e" }, "type": type_, "reason": "Failed", "count": 3,
            "message": "x".repeat(MAX_MESSAGE + 1), "lastTimestamp": "2026-01-01T00:00:00Z",
            "involvedObject": { "kind": kind, "name": "n", "namespace": "q" },
        }))
        .expect("an event")
    }

    #[test]
    fn warnings_and_managed_objects_only() {
        let sent = interesting(&event("Pod", "Warning")).expect("sent");
        assert_eq!((sent.kind.as_str(), sent.count, sent.message.len()), ("Pod", 3, MAX_MESSAGE));
        assert!(sent.last_seen.is_some());
        assert!(interesting(&event("Pod", "Normal")).is_none());
        assert!(interesting(&event("HelmRelease", "Normal")).is_some());
    }
}
