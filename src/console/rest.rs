//! The same calls as JSON over HTTP, by the conventions of gRPC-gateway.
//!
//! Paths, field names, enums as names and the error body `{code, message, details}` are those that
//! clients of the public API expect. Each handler makes the request message and calls the service.

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, Query, Request as HttpRequest, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response as HttpResponse},
    routing::get,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use tonic::{Code, Request, Response, Status};

use super::{auth::AdminKey, clusters::Clusters, hybrid::Hybrid, mask, versions::Versions};
use crate::proto::{
    pinnace::console::v1::{
        ListChartVersionsRequest, ListVersionsRequest, SetVersionsRequest,
        console_service_server::ConsoleService as _,
    },
    qdrant::cloud::{
        cluster::v1::{
            CreateClusterRequest, DeleteClusterRequest, GetClusterRequest, ListClustersRequest,
            cluster_service_server::ClusterService as _,
        },
        hybrid::v1::{
            CreateHybridCloudEnvironmentRequest, DeleteHybridCloudEnvironmentRequest,
            GenerateBootstrapCommandsRequest, GetHybridCloudEnvironmentRequest,
            ListHybridCloudEnvironmentsRequest, UpdateHybridCloudEnvironmentRequest,
            hybrid_cloud_service_server::HybridCloudService as _,
        },
    },
};

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 1 << 20;
const BODY_WITHIN: Duration = Duration::from_secs(30);
const LONGEST_REFUSAL: usize = 4 << 10;

/// The services behind the paths.
#[derive(Clone)]
pub struct Services {
    pub hybrid: Hybrid,
    pub versions: Versions,
    pub clusters: Clusters,
}

type Answer = Result<HttpResponse, Failure>;
type Ids = Path<(String, String)>;
type Parameters = Query<HashMap<String, String>>;

/// All paths below /api, behind the admin key.
pub fn routes(services: Services, admin: AdminKey) -> Router {
    const ENVIRONMENTS: &str = "/api/hybrid/v1/accounts/{account}/hybrid-cloud-environments";
    const CLUSTERS: &str = "/api/cluster/v1/accounts/{account}/clusters";
    const VERSIONS: &str =
        "/api/console/v1/accounts/{account}/hybrid-cloud-environments/{id}/versions";
    let one = format!("{ENVIRONMENTS}/{{id}}");
    let bootstrap = format!("{ENVIRONMENTS}/{{id}}/bootstrap-commands");
    Router::new()
        .route(ENVIRONMENTS, get(list_environments).post(create_environment))
        .route(&one, get(get_environment).put(update_environment).delete(delete_environment))
        .route(&bootstrap, axum::routing::post(generate_bootstrap_commands))
        .route(VERSIONS, get(list_versions).put(set_versions))
        .route(
            "/api/console/v1/accounts/{account}/charts/{chart}/versions",
            get(list_chart_versions),
        )
        .route(CLUSTERS, get(list_clusters).post(create_cluster))
        .route(&format!("{CLUSTERS}/{{id}}"), get(get_cluster).delete(delete_cluster))
        .route("/api/{*rest}", axum::routing::any(nothing))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::map_response(as_failure))
        .layer(middleware::from_fn(whole_body))
        .layer(middleware::from_fn_with_state(admin, authorize))
        .with_state(services)
}

async fn authorize(State(admin): State<AdminKey>, request: HttpRequest, next: Next) -> Answer {
    admin.check_headers(request.headers())?;
    Ok(next.run(request).await)
}

/// Reads the body before anything else is done, so that whoever sends slowly holds nothing.
pub async fn whole_body(request: HttpRequest, next: Next) -> Answer {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(BODY_WITHIN, to_bytes(body, MAX_BODY)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let text = format!("the body could not be read: it may have {MAX_BODY} bytes");
            return Err(Status::invalid_argument(text).into());
        }
        Err(_) => {
            let text = format!("the body did not come within {} s", BODY_WITHIN.as_secs());
            return Err(Status::deadline_exceeded(text).into());
        }
    };
    Ok(next.run(HttpRequest::from_parts(parts, Body::from(bytes))).await)
}

/// Refusals of the framework (a path or query that cannot be decoded) in the shape of all others.
async fn as_failure(response: HttpResponse) -> HttpResponse {
    let json = response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if json || !response.status().is_client_error() {
        return response;
    }
    let text = to_bytes(response.into_body(), LONGEST_REFUSAL).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Failure::from(Status::invalid_argument(text)).into_response()
}

async fn nothing() -> Failure {
    Status::not_found("there is nothing at this path").into()
}

async fn wrong_method() -> Failure {
    Status::unimplemented("this path does not take that method").into()
}

async fn list_environments(State(s): State<Services>, Path(account_id): Path<String>) -> Answer {
    let request = ListHybridCloudEnvironmentsRequest { account_id };
    answer(s.hybrid.list_hybrid_cloud_environments(Request::new(request)).await)
}

async fn get_environment(State(s): State<Services>, Path((account_id, id)): Ids) -> Answer {
    let request = GetHybridCloudEnvironmentRequest { account_id, hybrid_cloud_environment_id: id };
    answer(s.hybrid.get_hybrid_cloud_environment(Request::new(request)).await)
}

async fn create_environment(
    State(s): State<Services>,
    Path(account_id): Path<String>,
    body: Bytes,
) -> Answer {
    let mut request: CreateHybridCloudEnvironmentRequest = read(&body)?;
    request.hybrid_cloud_environment.get_or_insert_default().account_id = account_id;
    answer(s.hybrid.create_hybrid_cloud_environment(Request::new(request)).await)
}

async fn update_environment(
    State(s): State<Services>,
    Path((account_id, id)): Ids,
    body: Bytes,
) -> Answer {
    let mut request: UpdateHybridCloudEnvironmentRequest = read(&body)?;
    let environment = request.hybrid_cloud_environment.get_or_insert_default();
    environment.account_id = account_id;
    environment.id = id;
    answer(s.hybrid.update_hybrid_cloud_environment(Request::new(request)).await)
}

async fn delete_environment(State(s): State<Services>, Path((account_id, id)): Ids) -> Answer {
    let request =
        DeleteHybridCloudEnvironmentRequest { account_id, hybrid_cloud_environment_id: id };
    answer(s.hybrid.delete_hybrid_cloud_environment(Request::new(request)).await)
}

async fn generate_bootstrap_commands(
    State(s): State<Services>,
    Path((account_id, id)): Ids,
) -> Answer {
    let request = GenerateBootstrapCommandsRequest { account_id, hybrid_cloud_environment_id: id };
    answer(s.hybrid.generate_bootstrap_commands(Request::new(request)).await)
}

async fn list_versions(State(s): State<Services>, Path((account_id, id)): Ids) -> Answer {
    let request = ListVersionsRequest { account_id, environment_id: id };
    answer(s.versions.list_versions(Request::new(request)).await)
}

async fn list_chart_versions(
    State(s): State<Services>,
    Path((account_id, chart)): Ids,
    Query(query): Parameters,
) -> Answer {
    let request: ListChartVersionsRequest = from_query(query, &["pageSize"], &[])?;
    let request = ListChartVersionsRequest { account_id, chart, ..request };
    answer(s.versions.list_chart_versions(Request::new(request)).await)
}

async fn set_versions(
    State(s): State<Services>,
    Path((account_id, environment_id)): Ids,
    body: Bytes,
) -> Answer {
    let request: SetVersionsRequest = read(&body)?;
    let request = SetVersionsRequest { account_id, environment_id, ..request };
    answer(s.versions.set_versions(Request::new(request)).await)
}

async fn list_clusters(
    State(s): State<Services>,
    Path(account_id): Path<String>,
    Query(query): Parameters,
) -> Answer {
    let request: ListClustersRequest = from_query(query, &["pageSize"], &[])?;
    let request = ListClustersRequest { account_id, ..request };
    answer(s.clusters.list_clusters(Request::new(request)).await)
}

async fn get_cluster(State(s): State<Services>, Path((account_id, cluster_id)): Ids) -> Answer {
    let request = GetClusterRequest { account_id, cluster_id };
    answer(s.clusters.get_cluster(Request::new(request)).await)
}

async fn create_cluster(
    State(s): State<Services>,
    Path(account_id): Path<String>,
    body: Bytes,
) -> Answer {
    let mut request: CreateClusterRequest = read(&body)?;
    request.cluster.get_or_insert_default().account_id = account_id;
    answer(s.clusters.create_cluster(Request::new(request)).await)
}

async fn delete_cluster(
    State(s): State<Services>,
    Path((account_id, cluster_id)): Ids,
    Query(query): Parameters,
) -> Answer {
    let request: DeleteClusterRequest = from_query(query, &[], &["force", "deleteBackups"])?;
    let request = DeleteClusterRequest { account_id, cluster_id, ..request };
    answer(s.clusters.delete_cluster(Request::new(request)).await)
}

fn answer<T: Serialize>(result: Result<Response<T>, Status>) -> Answer {
    Ok(Json(result?.into_inner()).into_response())
}

/// Reads a body; a field mask is one string of paths with commas, as protobuf's JSON has it.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Status> {
    let malformed = |error| {
        Status::invalid_argument(format!("the body is not the JSON that was expected: {error}"))
    };
    let mut value: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body).map_err(malformed)?
    };
    for name in ["updateMask", "update_mask"] {
        if let Some(Value::String(paths)) = value.get(name) {
            let paths: Vec<String> = paths
                .split(',')
                .map(str::trim)
                .filter(|p| !p.is_empty())
                .map(mask::snake)
                .collect();
            value[name] = json!({"paths": paths});
        }
    }
    serde_json::from_value(value).map_err(malformed)
}

/// Query parameters by either name of a field; `numbers` and `bools` by their JSON names.
fn from_query<T: DeserializeOwned>(
    query: HashMap<String, String>,
    numbers: &[&str],
    bools: &[&str],
) -> Result<T, Status> {
    let mut fields = serde_json::Map::new();
    for (name, text) in query {
        let name = mask::camel(&name);
        let wrong = |what| Status::invalid_argument(format!("{name}: {text:?} is not {what}"));
        let value = if numbers.contains(&name.as_str()) {
            json!(text.parse::<i32>().map_err(|_| wrong("a number"))?)
        } else if bools.contains(&name.as_str()) {
            json!(text.parse::<bool>().map_err(|_| wrong("true or false"))?)
        } else {
            json!(text)
        };
        fields.insert(name, value);
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| {
        Status::invalid_argument(format!("the query is not what was expected: {error}"))
    })
}

/// A status as gRPC-gateway writes it.
#[derive(Debug)]
pub struct Failure(Status);

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> HttpResponse {
        let code = self.0.code();
        let body = json!({"code": code as i32, "message": self.0.message(), "details": []});
        (http_status(code), Json(body)).into_response()
    }
}

/// gRPC-gateway's table.
pub fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
