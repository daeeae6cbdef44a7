//! The same story by gRPC and by REST, and what is refused.

use pinnace::proto::{
    pinnace::console::v1::{ListVersionsRequest, SetVersionsRequest},
    qdrant::cloud::hybrid::v1::*,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::harness::{ACCOUNT, Console, Down, create};

const P: &str =
    "/api/hybrid/v1/accounts/7b1d8a52-77a5-4ecf-9d33-0b5c3f4e2a10/hybrid-cloud-environments";

fn versions_path(id: &str) -> String {
    format!("/api/console/v1/accounts/{ACCOUNT}/hybrid-cloud-environments/{id}/versions")
}

#[tokio::test]
async fn the_story_by_grpc() {
    let console = Console::start().await;
    let mut hybrid = console.hybrid().await;
    let made = hybrid.create_hybrid_cloud_environment(create("prod", "qdrant")).await.unwrap();
    let made = made.into_inner().hybrid_cloud_environment.unwrap();
    assert!(made.created_at.is_some() && made.status.is_none());

    let request = GenerateBootstrapCommandsRequest {
        account_id: ACCOUNT.into(),
        hybrid_cloud_environment_id: made.id.clone(),
    };
    let first = hybrid.generate_bootstrap_commands(request.clone()).await.unwrap().into_inner();
    let second = hybrid.generate_bootstrap_commands(request).await.unwrap().into_inner();
    assert_ne!(first.access_key, second.access_key);
    assert!(first.access_key.starts_with(&format!("{}|", made.id)));
    assert_eq!(
        (first.registry_username.as_str(), first.registry_password.as_str()),
        ("robot", "pw")
    );
    assert!(first.commands.last().unwrap().contains("--version 1.1.0 --namespace qdrant"));

    let mut versions = console.versions().await;
    let set = SetVersionsRequest {
        account_id: ACCOUNT.into(),
        environment_id: made.id.clone(),
        agent_version: None,
        operator_version: Some("1.0.0".into()),
    };
    let set = versions.set_versions(set).await.unwrap().into_inner().versions.unwrap();
    let operator = set.operator.unwrap();
    assert_eq!(operator.available, ["1.1.0", "1.0.0"]);
    assert_eq!((operator.wanted.as_str(), operator.running.as_str()), ("1.0.0", ""));
    assert_eq!(set.agent.unwrap().wanted, "1.1.0");
    // One for each command, since each has another access key, and one for the version.
    assert_eq!(set.generation, 3);

    let mut update = made.clone();
    update.name = "renamed".into();
    update.configuration.as_mut().unwrap().namespace = "elsewhere".into();
    let mask = |paths: &[&str]| {
        Some(pbjson_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
    };
    let request = UpdateHybridCloudEnvironmentRequest {
        hybrid_cloud_environment: Some(update.clone()),
        update_mask: mask(&["name"]),
    };
    let updated = hybrid.update_hybrid_cloud_environment(request).await.unwrap().into_inner();
    let updated = updated.hybrid_cloud_environment.unwrap();
    assert_eq!(updated.name, "renamed");
    assert_eq!(updated.configuration.unwrap().namespace, "qdrant");
    let request = UpdateHybridCloudEnvironmentRequest {
        hybrid_cloud_environment: Some(update),
        update_mask: mask(&["configuration.namespace"]),
    };
    let refused = hybrid.update_hybrid_cloud_environment(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("cannot change from qdrant"), "{refused}");

    let request = DeleteHybridCloudEnvironmentRequest {
        account_id: ACCOUNT.into(),
        hybrid_cloud_environment_id: made.id,
    };
    hybrid.delete_hybrid_cloud_environment(request).await.unwrap();
    let list = ListHybridCloudEnvironmentsRequest { account_id: ACCOUNT.into() };
    let list = hybrid.list_hybrid_cloud_environments(list).await.unwrap().into_inner();
    assert!(list.items.is_empty());
}

#[tokio::test]
async fn the_story_by_rest() {
    let console = Console::start().await;
    let body = json!({"hybridCloudEnvironment": {
        "accountId": ACCOUNT, "name": "prod",
        "configuration": {"namespace": "qdrant", "logLevel": "HYBRID_CLOUD_ENVIRONMENT_CONFIGURATION_LOG_LEVEL_DEBUG"},
    }});
    let (status, made) = console.rest("POST", P, Some(body)).await;
    assert_eq!(status, 200, "{made}");
    let environment = &made["hybridCloudEnvironment"];
    let id = environment["id"].as_str().unwrap();
    assert!(environment["createdAt"].as_str().unwrap().ends_with(['Z', '0']));
    let level = &environment["configuration"]["logLevel"];
    assert_eq!(level, "HYBRID_CLOUD_ENVIRONMENT_CONFIGURATION_LOG_LEVEL_DEBUG");

    let (_, list) = console.rest("GET", P, None).await;
    assert_eq!(list["items"][0]["id"], json!(id));
    let path = format!("{P}/{id}/bootstrap-commands");
    let (status, commands) = console.rest("POST", &path, Some(json!({}))).await;
    assert_eq!(status, 200, "{commands}");
    assert!(commands["accessKey"].as_str().unwrap().starts_with(id));

    let (status, set) =
        console.rest("PUT", &versions_path(id), Some(json!({"agent_version": "1.0.0"}))).await;
    assert_eq!(status, 200, "{set}");
    assert_eq!(set["versions"]["agent"]["wanted"], "1.0.0");
    let (_, listed) = console.rest("GET", &versions_path(id), None).await;
    assert_eq!(listed["operator"]["available"], json!(["1.1.0", "1.0.0"]));

    let update = json!({
        "hybridCloudEnvironment": {"configuration": {"databaseStorageClass": "fast", "namespace": "x"}},
        "updateMask": "configuration.databaseStorageClass",
    });
    let (status, updated) = console.rest("PUT", &format!("{P}/{id}"), Some(update)).await;
    assert_eq!(status, 200, "{updated}");
    let configuration = &updated["hybridCloudEnvironment"]["configuration"];
    assert_eq!(configuration["databaseStorageClass"], "fast");
    assert_eq!(configuration["namespace"], "qdrant");

    let (status, _) = console.rest("DELETE", &format!("{P}/{id}"), None).await;
    assert_eq!(status, 200);
    let (status, gone) = console.rest("GET", &format!("{P}/{id}"), None).await;
    assert_eq!(status, 404);
    assert_eq!(gone["code"], 5);
    assert_eq!(gone["details"], json!([]));
}

#[tokio::test]
async fn without_the_key_nothing_is_told() {
    let console = Console::start().await;
    let mut stranger = console.hybrid_with("wrong").await;
    let list = ListHybridCloudEnvironmentsRequest { account_id: ACCOUNT.into() };
    let refused = stranger.list_hybrid_cloud_environments(list).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    for authorization in ["apikey wrong", "Bearer x", ""] {
        let (status, body) = console.rest_with(authorization, "GET", P, None).await;
        assert_eq!((status, &body["code"]), (401, &json!(16)), "{authorization}");
    }
    let (status, _) = console.rest_with("apikey wrong", "GET", "/api/nowhere", None).await;
    assert_eq!(status, 401);
    let (status, body) = console.rest("GET", "/api/nowhere", None).await;
    assert_eq!((status, &body["code"]), (404, &json!(5)));
}

#[tokio::test]
async fn bad_input_is_refused_with_the_reason() {
    let console = Console::start().await;
    let (id, _) = console.environment("first").await;
    let refused = |answer: (u16, Value), status: u16, text: &str| {
        assert_eq!(answer.0, status, "{}", answer.1);
        let message = answer.1["message"].as_str().unwrap();
        assert!(message.contains(text), "{message}");
    };
    let make = |name: &str, namespace: &str| {
        Some(
            json!({"hybridCloudEnvironment": {"name": name, "configuration": {"namespace": namespace}}}),
        )
    };
    refused(console.rest("POST", P, make("a b", "x")).await, 400, "name: must be");
    refused(console.rest("POST", P, make("x", "Not")).await, 400, "configuration.namespace");
    refused(console.rest("POST", P, make("first", "x")).await, 409, "name first exists");
    let taken = "the namespace first is taken by environment first";
    refused(console.rest("POST", P, make("x", "first")).await, 409, taken);
    let with_id = json!({"hybridCloudEnvironment": {"id": "x"}});
    refused(console.rest("POST", P, Some(with_id)).await, 400, "id: is set by the Console");
    let mask = json!({"hybridCloudEnvironment": {}, "updateMask": "id"});
    refused(console.rest("PUT", &format!("{P}/{id}"), Some(mask)).await, 400, "update_mask");
    refused(console.rest("POST", P, Some(json!([1]))).await, 400, "the body is not the JSON");

    let set = |version: &str| Some(json!({"operatorVersion": version}));
    let path = versions_path(&id);
    let unknown = "chart qdrant-operator has no version 9.9.9; there are 1.1.0, 1.0.0";
    refused(console.rest("PUT", &path, set("9.9.9")).await, 400, unknown);
    refused(console.rest("PUT", &path, set("newest")).await, 400, "is not a version");
    refused(console.rest("PUT", &path, Some(json!({}))).await, 400, "nothing was asked for");
    let other = P.replace(ACCOUNT, "11111111-1111-4111-8111-111111111111");
    refused(console.rest("GET", &other, None).await, 404, "this Console's account is");
}

#[tokio::test]
async fn a_silent_registry_is_named() {
    let console = Console::with(Box::new(Down)).await;
    let made = console.hybrid().await.create_hybrid_cloud_environment(create("e", "e")).await;
    let id = made.unwrap().into_inner().hybrid_cloud_environment.unwrap().id;
    let request = ListVersionsRequest { account_id: ACCOUNT.into(), environment_id: id };
    let refused = console.versions().await.list_versions(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("registry.test did not answer"), "{refused}");
}

#[tokio::test]
async fn rest_refuses_in_one_shape_and_shows_empty_fields() {
    let console = Console::start().await;
    let (status, list) = console.rest("GET", P, None).await;
    assert_eq!((status, list), (200, json!({"items": []})));
    let (status, refused) = console.rest("GET", &format!("{P}/%ff"), None).await;
    assert_eq!((status, &refused["code"]), (400, &json!(3)), "{refused}");
    let long = json!({"name": "x".repeat(1 << 20)});
    let (status, refused) = console.rest("POST", P, Some(long)).await;
    assert_eq!((status, &refused["code"]), (400, &json!(3)), "{refused}");
}

#[tokio::test]
async fn what_no_agent_would_take_is_refused() {
    let console = Console::start().await;
    let (environment, _) = console.environment("e").await;
    let base = format!("/api/cluster/v1/accounts/{ACCOUNT}/clusters");
    let annotation = json!({"key": "a", "value": "x".repeat(400 << 10)});
    let mut last = (200, Value::Null);
    for at in 0..4 {
        let body = json!({"cluster": {
            "name": format!("db{at}"), "cloudProviderId": "hybrid", "cloudProviderRegionId": environment,
            "configuration": {"numberOfNodes": 1, "version": "v1.2.3", "annotations": [annotation]},
        }});
        last = console.rest("POST", &base, Some(body)).await;
        if last.0 != 200 {
            break;
        }
    }
    assert_eq!(last.0, 400, "{}", last.1);
    let said = last.1["message"].as_str().unwrap();
    assert!(said.contains("1048576 are accepted"), "{said}");
    let stored = console.desk.store.desired(&environment).await.unwrap().unwrap();
    assert!(stored.signed.document.len() <= 1 << 20);
}
