use serde_json::{Value, json};

use super::*;

fn database(spec: Value) -> Database {
    let mut whole = json!({ "id": "c1", "version": "v2", "size": 2 });
    whole.as_object_mut().expect("object").extend(spec.as_object().expect("object").clone());
    let object = json!({
        "apiVersion": "qdrant.io/v1",
        "kind": "QdrantCluster",
        "metadata": {
            "name": "qdrant-c1",
            "namespace": "n",
            "labels": { "cluster-id": "c1", "customer-id": "a" },
        },
        "spec": whole,
    });
    Database::read(&serde_json::from_value(object).expect("object")).expect("sound")
}

fn pod(index: usize, ready: bool) -> Pod {
    serde_json::from_value(json!({
        "metadata": { "name": format!("qdrant-c1-{index}") },
        "spec": { "containers": [{ "name": "qdrant", "image": "host:5000/qdrant:v2" }] },
        "status": {
            "phase": "Running",
            "startTime": "2026-01-02T03:04:05Z",
            "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }],
            "containerStatuses": [{
                "name": "qdrant", "image": "i", "imageID": "i", "ready": ready, "started": true,
                "restartCount": 3, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            }],
        },
    }))
    .expect("pod")
}

fn set(rolled_out: bool) -> StatefulSet {
    serde_json::from_value(json!({
        "metadata": { "generation": 1 },
        "status": {
            "observedGeneration": 1, "replicas": 2, "updatedReplicas": if rolled_out { 2 } else { 1 },
            "currentRevision": "a", "updateRevision": if rolled_out { "a" } else { "b" },
        },
    }))
    .expect("StatefulSet")
}

fn was(phase: ClusterPhase, version: Option<&str>) -> QdrantClusterStatus {
    QdrantClusterStatus {
        phase: Some(phase),
        version: version.map(str::to_owned),
        current_nodes: Some(2),
        ..QdrantClusterStatus::default()
    }
}

#[test]
fn phases() {
    use ClusterPhase::*;
    let (up, down) = (|i| pod(i, true), |i| pod(i, false));
    let none = QdrantClusterStatus::default;
    let of_one = || QdrantClusterStatus { current_nodes: Some(1), ..was(Healthy, Some("v2")) };
    let run = || json!({});
    let suspend = || json!({ "suspend": true });
    for (case, spec, was, rolled_out, pods, expected) in [
        ("nothing yet", run(), none(), true, vec![], Creating),
        ("one of two is up", run(), was(Creating, None), true, vec![up(0)], Creating),
        ("all are up", run(), was(Creating, None), true, vec![up(0), up(1)], Healthy),
        ("one fell", run(), was(Healthy, Some("v2")), true, vec![up(0), down(1)], NotReady),
        ("one vanished", run(), was(Healthy, Some("v2")), true, vec![up(0)], NotReady),
        ("one is new", run(), of_one(), true, vec![up(0)], Scaling),
        ("it came at once", run(), of_one(), true, vec![up(0), down(1)], Scaling),
        ("it starts", run(), was(Scaling, Some("v2")), true, vec![up(0), down(1)], Scaling),
        ("one too many", run(), was(Healthy, Some("v2")), true, vec![up(0), up(1), up(2)], Scaling),
        ("other version", run(), was(Healthy, Some("v1")), false, vec![up(0), down(1)], Upgrading),
        ("other settings", run(), was(Healthy, Some("v2")), false, vec![up(0), down(1)], Updating),
        ("going", suspend(), was(Healthy, Some("v2")), true, vec![up(0)], Suspending),
        ("gone", suspend(), was(Suspending, Some("v2")), true, vec![], Suspended),
        ("back", run(), was(Suspended, Some("v2")), true, vec![up(0)], Resuming),
        ("well again", run(), was(FailedToUpdate, Some("v2")), true, vec![up(0), up(1)], Healthy),
    ] {
        let set = set(rolled_out);
        let seen = Observation {
            stateful_set: Some(&set),
            pods: &pods,
            failure: None,
            generation: Some(1),
            now: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(of(&database(spec), &was, &seen).phase, Some(expected), "{case}");
    }
}

#[test]
fn nodes_and_conditions() {
    let pods = [pod(0, true), pod(1, false)];
    let now = Timestamp::UNIX_EPOCH;
    let seen =
        Observation { stateful_set: None, pods: &pods, failure: None, generation: Some(4), now };
    let status = of(&database(json!({})), &QdrantClusterStatus::default(), &seen);
    assert_eq!((status.available_nodes, status.current_nodes), (Some(1), Some(2)));
    assert_eq!(status.available_node_indexes, [0]);
    assert_eq!(status.selector.as_deref(), Some("app=qdrant,cluster-id=c1"));
    let fallen = &status.nodes["qdrant-c1-1"];
    assert_eq!(fallen.version.as_deref(), Some("v2"));
    assert_eq!(fallen.pod_reason.as_deref(), Some("CrashLoopBackOff"));
    assert_eq!(fallen.started_at.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(fallen.restart_count, Some(3));

    let later = Observation { now: now + std::time::Duration::from_secs(9), ..seen };
    let again = of(&database(json!({})), &status, &later);
    assert_eq!(again, status, "nothing changed, so nothing is written");
}

#[test]
fn what_is_refused_keeps_what_was_seen() {
    let first = refused(&QdrantClusterStatus::default(), "no", Some(1));
    assert_eq!(first.phase, Some(ClusterPhase::FailedToCreate));
    let mut running = was(ClusterPhase::Healthy, Some("v1"));
    running.current_nodes = Some(3);
    let later = refused(&running, &"x".repeat(5000), Some(2));
    assert_eq!(later.phase, Some(ClusterPhase::FailedToUpdate));
    assert_eq!(later.current_nodes, Some(3));
    assert!(later.reason.is_some_and(|reason| reason.len() <= MAX_REASON));
}

#[test]
fn new_phases_and_new_failures_are_told_once() {
    use ClusterPhase::*;
    let with = |phase, reason: &str| QdrantClusterStatus {
        reason: Some(reason.into()),
        ..was(phase, Some("v1"))
    };
    let told = |was, now| change(&was, &now).map(|told| (told.good, told.note));
    let none = QdrantClusterStatus::default();
    assert_eq!(told(none, with(Creating, "x")), Some((true, "Creating: x".into())));
    assert_eq!(told(with(Creating, "0 of 2"), with(Creating, "1 of 2")), None);
    let fell = told(was(Healthy, None), with(NotReady, "1 of 2"));
    assert_eq!(fell, Some((false, "NotReady after Healthy: 1 of 2".into())));
    let refused = told(with(FailedToUpdate, "a"), with(FailedToUpdate, "b"));
    assert_eq!(refused, Some((false, "FailedToUpdate after FailedToUpdate: b".into())));
    assert_eq!(told(with(FailedToUpdate, "a"), with(FailedToUpdate, "a")), None);
}
