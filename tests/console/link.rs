//! What an agent sees.

use pinnace::{
    model::desired::{Desired, SignedDesired},
    proto::{
        pinnace::agent::v1::{
            Accepted, Applied, Component, Hello, Observed, Phase, Region, sync_request,
            sync_response,
        },
        qdrant::cloud::hybrid::v1::*,
    },
};
use serde_json::json;
use tonic::Code;

use crate::harness::{ACCOUNT, Agent, Console};

fn verified(
    console: &Console,
    id: &str,
    sent: &pinnace::proto::pinnace::agent::v1::Desired,
) -> Desired {
    let signed = SignedDesired {
        document: sent.document.to_vec(),
        signature: sent.signature.to_vec().try_into().unwrap(),
    };
    assert_eq!(sent.digest, signed.digest().to_string());
    signed.verify(&console.desk.keys.desired.verifying_key(), id, 0).unwrap()
}

async fn set_operator(console: &Console, id: &str, version: &str) {
    let path =
        format!("/api/console/v1/accounts/{ACCOUNT}/hybrid-cloud-environments/{id}/versions");
    let (status, body) =
        console.rest("PUT", &path, Some(json!({"operatorVersion": version}))).await;
    assert_eq!(status, 200, "{body}");
}

fn observed(seq: u64, generation: u64, operator: Component) -> Observed {
    let agent = Component {
        namespace: "e".into(),
        running_version: "1.1.0".into(),
        attempted_version: "1.1.0".into(),
        wanted_version: "1.1.0".into(),
        phase: Phase::Ready as i32,
        ..Default::default()
    };
    let components =
        [("qdrant-cloud-agent".to_owned(), agent), ("qdrant-operator-v2".to_owned(), operator)];
    let region = Region { phase: "Ready".into(), number_of_nodes: 3, ..Default::default() };
    Observed {
        seq,
        generation,
        components: components.into(),
        region: Some(region),
        ..Default::default()
    }
}

async fn status(console: &Console, id: &str) -> HybridCloudEnvironmentStatus {
    let request = GetHybridCloudEnvironmentRequest {
        account_id: ACCOUNT.into(),
        hybrid_cloud_environment_id: id.into(),
    };
    let got = console.hybrid().await.get_hybrid_cloud_environment(request).await.unwrap();
    got.into_inner().hybrid_cloud_environment.unwrap().status.unwrap()
}

async fn connect(console: &Console, id: &str, key: &str) -> Agent {
    let token = console.token(key).await.unwrap();
    console.agent(id, &token, Hello::default()).await.unwrap()
}

#[tokio::test]
async fn a_pin_reaches_the_agent_and_its_answer_is_shown() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    let mut agent = connect(&console, &id, &key).await;
    let first = agent.desired().await;
    let document = verified(&console, &id, &first);
    let pins: Vec<_> = document.pins.iter().map(|(n, p)| format!("{n} {}", p.version)).collect();
    assert_eq!(pins, ["qdrant-cloud-agent 1.1.0", "qdrant-operator-v2 1.1.0"]);

    set_operator(&console, &id, "1.0.0").await;
    let second = agent.desired().await;
    assert_eq!(second.generation, first.generation + 1);
    let accepted = Accepted { generation: second.generation, digest: second.digest, refusal: None };
    agent.send.send(sync_request::Message::Accepted(accepted)).await.unwrap();
    let failed = Component {
        namespace: "e".into(),
        running_version: "1.1.0".into(),
        attempted_version: "1.0.0".into(),
        wanted_version: "1.0.0".into(),
        phase: Phase::Ready as i32,
        reason: "RollbackSucceeded".into(),
        message: "Deployment qdrant-operator was never available".into(),
        ..Default::default()
    };
    agent.observe(observed(1, second.generation, failed)).await;

    let status = status(&console, &id).await;
    assert_eq!(status.phase(), HybridCloudEnvironmentStatusPhase::Ready);
    assert_eq!(status.number_of_nodes, 3);
    let operator = &status.component_statuses[1];
    assert_eq!(operator.version, "1.1.0");
    let expected =
        "running 1.1.0, upgrade to 1.0.0 failed: Deployment qdrant-operator was never available";
    assert_eq!(operator.message, expected);
}

#[tokio::test]
async fn a_reconnect_without_changes_sends_nothing() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    let mut agent = connect(&console, &id, &key).await;
    let desired = agent.desired().await;
    drop(agent);
    let token = console.token(&key).await.unwrap();
    let applied = Applied { generation: desired.generation, digest: desired.digest };
    let hello = Hello { applied: Some(applied), ..Default::default() };
    let mut agent = console.agent(&id, &token, hello).await.unwrap();
    // The first answer is to the observation: nothing came before it.
    agent.observe(observed(1, desired.generation, Component::default())).await;
    set_operator(&console, &id, "1.0.0").await;
    assert_eq!(agent.desired().await.generation, desired.generation + 1);
    // Setting what is set already is no change.
    set_operator(&console, &id, "1.0.0").await;
    agent.observe(observed(2, desired.generation + 1, Component::default())).await;
}

#[tokio::test]
async fn a_refusal_is_recorded() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    let mut agent = connect(&console, &id, &key).await;
    let desired = agent.desired().await;
    let accepted = Accepted {
        generation: desired.generation,
        digest: desired.digest,
        refusal: Some("the signature is not the Console's".into()),
    };
    agent.send.send(sync_request::Message::Accepted(accepted)).await.unwrap();
    agent.observe(observed(1, 0, Component::default())).await;
    let path =
        format!("/api/console/v1/accounts/{ACCOUNT}/hybrid-cloud-environments/{id}/versions");
    let (_, versions) = console.rest("GET", &path, None).await;
    assert_eq!(versions["refusal"], "the signature is not the Console's");
    assert_eq!(versions["connected"], true);
    let events = console.desk.store.events(&id, 10).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "refused"), "{events:?}");
}

#[tokio::test]
async fn a_wrong_access_key_is_refused() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    for wrong in ["", "nonsense", &format!("{id}|wrong"), &format!("{key}x"), &"x".repeat(9999)] {
        let refused = console.token(wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{wrong}");
    }
    let refused = console.agent(&id, "made.up", Hello::default()).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn rotation_bites_at_once() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    let token = console.token(&key).await.unwrap();
    let mut agent = console.agent(&id, &token, Hello::default()).await.unwrap();
    let before = verified(&console, &id, &agent.desired().await);
    let newer = console.rotate(&id).await;
    let cut = agent.next().await.unwrap_err();
    assert_eq!(cut.code(), Code::Unauthenticated);
    assert!(cut.message().contains("replaced"), "{cut}");
    let stale = console.agent(&id, &token, Hello::default()).await.err().unwrap();
    assert_eq!(stale.code(), Code::Unauthenticated);
    assert_eq!(console.token(&key).await.unwrap_err().code(), Code::Unauthenticated);
    // With the new key the pin of the agent carries the new key's hash, as the command did.
    let mut agent = connect(&console, &id, &newer).await;
    let after = verified(&console, &id, &agent.desired().await);
    let name = "qdrant-cloud-agent".parse().unwrap();
    let hash = |desired: &Desired| desired.pins[&name].values["podAnnotations"].clone();
    assert_ne!(hash(&before), hash(&after));
}

#[tokio::test]
async fn the_newest_stream_wins_and_a_stop_says_when_to_come_back() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    let mut older = connect(&console, &id, &key).await;
    older.desired().await;
    let mut newer = connect(&console, &id, &key).await;
    newer.desired().await;
    let Ok(Some(sync_response::Message::Retry(retry))) = older.next().await else {
        panic!("the older stream should be told to retry");
    };
    assert!(retry.reason.contains("newer stream"), "{}", retry.reason);
    console.shutdown.cancel();
    let Ok(Some(sync_response::Message::Retry(retry))) = newer.next().await else {
        panic!("the stream should be told to retry");
    };
    assert!((1..6).contains(&retry.after_seconds));
    assert!(matches!(newer.next().await, Ok(None)));
}

#[tokio::test]
async fn another_environments_token_is_refused() {
    let console = Console::start().await;
    let (_, key) = console.environment("one").await;
    let (two, _) = console.environment("two").await;
    let token = console.token(&key).await.unwrap();
    let mut agent = console.agent(&two, &token, Hello::default()).await.unwrap();
    assert_eq!(agent.next().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn of_two_commands_at_once_the_newer_works_and_a_choice_is_kept() {
    let console = Console::start().await;
    let (id, _) = console.environment("e").await;
    set_operator(&console, &id, "1.0.0").await;
    let (one, two) = tokio::join!(console.rotate(&id), console.rotate(&id));
    let works = [console.token(&one).await.is_ok(), console.token(&two).await.is_ok()];
    assert!(works == [true, false] || works == [false, true], "{works:?}");
    let key = if works[0] { one } else { two };
    let mut agent = connect(&console, &id, &key).await;
    let document = verified(&console, &id, &agent.desired().await);
    let operator = &document.pins[&"qdrant-operator-v2".parse().unwrap()];
    assert_eq!(operator.version.to_string(), "1.0.0");
}

#[tokio::test]
async fn a_console_from_a_backup_goes_on_above_what_the_agent_has() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    let token = console.token(&key).await.unwrap();
    let present = console.desk.store.desired(&id).await.unwrap().unwrap().generation;
    for ahead in [present, present + 40] {
        let row = console.desk.store.desired(&id).await.unwrap().unwrap();
        let generation = ahead.max(row.generation);
        let applied = Applied { generation, digest: "sha256:lost".into() };
        let hello = Hello { applied: Some(applied), ..Default::default() };
        let mut agent = console.agent(&id, &token, hello).await.unwrap();
        assert_eq!(agent.desired().await.generation, generation + 1);
    }
    let applied = Applied { generation: u64::MAX, digest: "sha256:lost".into() };
    let hello = Hello { applied: Some(applied), ..Default::default() };
    let mut agent = console.agent(&id, &token, hello).await.unwrap();
    assert_eq!(agent.next().await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_new_generation_clears_the_refusal_and_an_old_answer_changes_nothing() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    let mut agent = connect(&console, &id, &key).await;
    let first = agent.desired().await;
    let refusal =
        |generation| Accepted { generation, digest: String::new(), refusal: Some("no".into()) };
    let send = |generation| sync_request::Message::Accepted(refusal(generation));
    agent.send.send(send(first.generation)).await.unwrap();
    agent.observe(observed(1, 0, Component::default())).await;
    assert_eq!(console.desk.store.desired(&id).await.unwrap().unwrap().refusal, "no");
    set_operator(&console, &id, "1.0.0").await;
    assert_eq!(console.desk.store.desired(&id).await.unwrap().unwrap().refusal, "");
    agent.desired().await;
    agent.send.send(send(first.generation)).await.unwrap();
    agent.observe(observed(2, 0, Component::default())).await;
    assert_eq!(console.desk.store.desired(&id).await.unwrap().unwrap().refusal, "");
}
