//! A database cluster from creation to its end.

use pinnace::{
    model::desired::{ClusterWant, Desired},
    proto::{
        pinnace::agent::v1::{Cluster as Seen, Hello, Observed},
        qdrant::cloud::cluster::v1::*,
    },
};
use serde_json::json;
use tonic::Code;

use crate::harness::{ACCOUNT, Console};

#[tokio::test]
async fn from_creation_to_its_end() {
    let console = Console::start().await;
    let (environment, key) = console.environment("e").await;
    let token = console.token(&key).await.unwrap();
    let mut agent = console.agent(&environment, &token, Hello::default()).await.unwrap();
    agent.desired().await;

    let base = format!("/api/cluster/v1/accounts/{ACCOUNT}/clusters");
    let body = json!({"cluster": {
        "name": "db", "cloudProviderId": "hybrid", "cloudProviderRegionId": environment,
        "configuration": {"numberOfNodes": 1, "version": "v1.2.3"},
    }});
    let (status, made) = console.rest("POST", &base, Some(body.clone())).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["cluster"]["state"]["phase"], "CLUSTER_PHASE_CREATING");
    let id = made["cluster"]["id"].as_str().unwrap().to_owned();
    let (status, _) = console.rest("POST", &base, Some(body)).await;
    assert_eq!(status, 409);

    let sent = agent.desired().await;
    let desired: Desired = serde_json::from_slice(&sent.document).unwrap();
    let ClusterWant::Present { spec, labels } = &desired.clusters[&id] else { panic!("present") };
    assert_eq!((&spec["id"], &spec["version"]), (&json!(id), &json!("v1.2.3")));
    assert_eq!(labels["cluster-id"], id);

    let seen = |present: bool, phase: &str| {
        let status = present.then(|| json!({"phase": phase, "availableNodes": 1}));
        let status = status.map(|status| serde_json::from_value(status).unwrap());
        [(id.clone(), Seen { present, status, ..Default::default() })].into()
    };
    let observed = Observed {
        seq: 1,
        generation: sent.generation,
        clusters: seen(true, "Healthy"),
        ..Default::default()
    };
    agent.observe(observed).await;
    let path = format!("{base}/{id}");
    let (_, got) = console.rest("GET", &path, None).await;
    assert_eq!(got["cluster"]["state"]["phase"], "CLUSTER_PHASE_HEALTHY");
    let list =
        format!("{base}?cloud_provider_id=hybrid&cloudProviderRegionId={environment}&pageSize=1");
    let (_, list) = console.rest("GET", &list, None).await;
    assert_eq!(list["totalSize"], 1);

    let environments = "/api/hybrid/v1/accounts";
    let home = format!("{environments}/{ACCOUNT}/hybrid-cloud-environments/{environment}");
    let (status, refused) = console.rest("DELETE", &home, None).await;
    assert_eq!(status, 400);
    assert!(refused["message"].as_str().unwrap().contains("(db)"), "{refused}");

    let (status, _) = console.rest("DELETE", &path, None).await;
    assert_eq!(status, 200);
    let sent = agent.desired().await;
    let desired: Desired = serde_json::from_slice(&sent.document).unwrap();
    assert_eq!(desired.clusters[&id], ClusterWant::Deleted);
    let (_, got) = console.rest("GET", &path, None).await;
    assert_eq!(got["cluster"]["state"]["phase"], "CLUSTER_PHASE_DELETING");

    // An answer to the generation before says nothing about the deletion.
    let early = Observed {
        seq: 2,
        generation: sent.generation - 1,
        clusters: seen(false, ""),
        ..Default::default()
    };
    agent.observe(early).await;
    assert_eq!(console.rest("GET", &path, None).await.0, 200);
    let gone = Observed {
        seq: 3,
        generation: sent.generation,
        clusters: seen(false, ""),
        ..Default::default()
    };
    agent.observe(gone).await;
    assert_eq!(console.rest("GET", &path, None).await.0, 404);
    let desired: Desired = serde_json::from_slice(&agent.desired().await.document).unwrap();
    assert!(desired.clusters.is_empty());
}

#[tokio::test]
async fn what_is_not_done_yet_says_so() {
    let console = Console::start().await;
    let request = SuggestClusterNameRequest { account_id: ACCOUNT.into() };
    let refused = console.clusters().await.suggest_cluster_name(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(refused.message().contains("SuggestClusterName"), "{refused}");
}
