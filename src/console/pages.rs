//! The pages: server-rendered, one stylesheet, a little script that only adds comfort.
//!
//! They call the same services as the APIs do.

use axum::{
    Router,
    extract::{Form, Path, Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use minijinja::{Value, context};
use serde::Deserialize;
use tonic::Status;

use super::{
    auth::AdminKey,
    desk::{Shared, now},
    hybrid::Hybrid,
    pins,
    rest::{Services, http_status, whole_body},
    versions::Versions,
};
use crate::proto::{
    pinnace::console::v1::{SetVersionsRequest, console_service_server::ConsoleService as _},
    qdrant::cloud::hybrid::v1::{
        CreateHybridCloudEnvironmentRequest, GenerateBootstrapCommandsRequest,
        hybrid_cloud_service_server::HybridCloudService as _,
    },
};

mod form;
mod session;
mod templates;
mod view;

use form::NewEnvironment;
use session::Session;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Clone)]
struct Pages {
    desk: Shared,
    admin: AdminKey,
    hybrid: Hybrid,
    versions: Versions,
}

/// Every path that people see in a browser.
pub fn routes(desk: Shared, admin: AdminKey, services: &Services) -> Router {
    let pages =
        Pages { desk, admin, hybrid: services.hybrid.clone(), versions: services.versions.clone() };
    let inside = Router::new()
        .route("/", get(|| async { Redirect::to("/environments") }))
        .route("/environments", get(list).post(create))
        .route("/environments/new", get(new))
        .route("/environments/{id}", get(environment))
        .route("/environments/{id}/state", get(state))
        .route("/environments/{id}/versions", post(set_versions))
        .route("/charts/{chart}", get(charts))
        .route("/environments/{id}/installation-command", post(installation_command))
        .layer(middleware::from_fn_with_state(pages.clone(), signed_in));
    Router::new()
        .merge(inside)
        .route("/sign-in", get(sign_in_form).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/assets/console.css", get(|| asset("text/css", templates::CSS)))
        .route("/assets/console.js", get(|| asset("text/javascript", templates::SCRIPT)))
        .layer(middleware::from_fn(protected))
        .layer(middleware::from_fn(whole_body))
        .with_state(pages)
}

/// Lets only signed-in people through, and hands their session on.
async fn signed_in(State(pages): State<Pages>, mut request: Request, next: Next) -> Response {
    match session::find(request.headers(), &pages.desk.keys.session, now()) {
        Some(session) => {
            request.extensions_mut().insert(session);
            next.run(request).await
        }
        None => Redirect::to("/sign-in").into_response(),
    }
}

async fn protected(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")];
    (headers, text).into_response()
}

type Signed = axum::Extension<Session>;

fn show(status: StatusCode, template: &str, values: Value) -> Response {
    match templates::render(template, values) {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), template, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be rendered").into_response()
        }
    }
}

fn failed(status: &Status, session: &Session) -> Response {
    let values = context! { title => "Something is wrong", csrf => session.csrf.as_str(), error => status.message() };
    show(http_status(status.code()), "error.html", values)
}

async fn sign_in_form() -> Response {
    show(StatusCode::OK, "sign_in.html", context! { title => "Sign in" })
}

#[derive(Deserialize)]
struct SignIn {
    key: String,
}

async fn sign_in(State(pages): State<Pages>, Form(form): Form<SignIn>) -> Response {
    if !pages.admin.is(form.key.trim()) {
        tracing::warn!("a sign-in was refused: wrong admin key");
        let error = "This is not the admin key. It was printed when the Console first started, and is in the file admin-key of its data folder.";
        let values = context! { title => "Sign in", error => error };
        return show(StatusCode::UNAUTHORIZED, "sign_in.html", values);
    }
    let cookie = session::begin(&pages.desk.keys.session, now());
    ([(header::SET_COOKIE, cookie)], Redirect::to("/environments")).into_response()
}

async fn sign_out() -> Response {
    ([(header::SET_COOKIE, session::end())], Redirect::to("/sign-in")).into_response()
}

async fn list(State(pages): State<Pages>, session: Signed) -> Response {
    match view::list(&pages.desk).await {
        Ok(rows) => {
            let values = context! { title => "Environments", csrf => session.csrf.as_str(), environments => plain(&rows) };
            show(StatusCode::OK, "environments.html", values)
        }
        Err(status) => failed(&status, &session),
    }
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: String,
}

/// The catalogue: versions of one chart with their digests and images.
async fn charts(
    State(pages): State<Pages>,
    session: Signed,
    Path(chart): Path<String>,
    Query(After { after }): Query<After>,
) -> Response {
    match pages.versions.page(&chart, 0, &after).await {
        Ok(page) => {
            let items: Vec<Value> = page
                .items
                .into_iter()
                .map(|item| {
                    context! {
                        version => item.version, digest => item.digest, images => item.images,
                        problem => item.problem,
                    }
                })
                .collect();
            let values = context! {
                title => format!("Versions of {chart}"), csrf => session.csrf.as_str(), chart, items,
                charts => [pins::AGENT, pins::OPERATOR], older => page.next_page_token,
            };
            show(StatusCode::OK, "charts.html", values)
        }
        Err(status) => failed(&status, &session),
    }
}

async fn new(session: Signed) -> Response {
    let form = NewEnvironment::default();
    let values = context! { title => "New environment", csrf => session.csrf.as_str(), form => plain(&form) };
    show(StatusCode::OK, "new.html", values)
}

async fn create(
    State(pages): State<Pages>,
    session: Signed,
    Form(form): Form<NewEnvironment>,
) -> Response {
    if !session.is_own(&form.csrf) {
        return failed(&foreign(), &session);
    }
    let made = match form.environment(&pages.desk.account_id) {
        Err(error) => Err(Status::invalid_argument(error)),
        Ok(environment) => {
            let request =
                CreateHybridCloudEnvironmentRequest { hybrid_cloud_environment: Some(environment) };
            pages.hybrid.create_hybrid_cloud_environment(tonic::Request::new(request)).await
        }
    };
    match made {
        Ok(made) => {
            let id = made.into_inner().hybrid_cloud_environment.unwrap_or_default().id;
            Redirect::to(&format!("/environments/{id}")).into_response()
        }
        Err(status) => {
            let values = context! {
                title => "New environment", csrf => session.csrf.as_str(), form => plain(&form),
                error => status.message(),
            };
            show(http_status(status.code()), "new.html", values)
        }
    }
}

async fn environment(
    State(pages): State<Pages>,
    session: Signed,
    Path(id): Path<String>,
) -> Response {
    page(&pages, &session, &id, StatusCode::OK, context! {}).await
}

/// One environment's page, with what an action adds to it.
async fn page(
    pages: &Pages,
    session: &Session,
    id: &str,
    status: StatusCode,
    extra: Value,
) -> Response {
    match view::environment(&pages.desk, &pages.versions, id).await {
        Ok(environment) => {
            let values = context! {
                title => environment.name.clone(), csrf => session.csrf.as_str(), e => plain(&environment), ..extra
            };
            show(status, "environment.html", values)
        }
        Err(status) => failed(&status, session),
    }
}

/// The part of the page that changes by itself.
async fn state(State(pages): State<Pages>, session: Signed, Path(id): Path<String>) -> Response {
    match view::environment(&pages.desk, &pages.versions, &id).await {
        Ok(environment) => {
            show(StatusCode::OK, "state.html", context! { e => plain(&environment) })
        }
        Err(status) => failed(&status, &session),
    }
}

#[derive(Deserialize)]
struct Versioned {
    csrf: String,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    operator: String,
}

async fn set_versions(
    State(pages): State<Pages>,
    session: Signed,
    Path(id): Path<String>,
    Form(form): Form<Versioned>,
) -> Response {
    if !session.is_own(&form.csrf) {
        return failed(&foreign(), &session);
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    let request = SetVersionsRequest {
        account_id: pages.desk.account_id.clone(),
        environment_id: id.clone(),
        agent_version: given(form.agent),
        operator_version: given(form.operator),
    };
    match pages.versions.set_versions(tonic::Request::new(request)).await {
        Ok(_) => Redirect::to(&format!("/environments/{id}")).into_response(),
        Err(status) => {
            let extra = context! { error => status.message() };
            page(&pages, &session, &id, http_status(status.code()), extra).await
        }
    }
}

#[derive(Deserialize)]
struct Own {
    csrf: String,
}

async fn installation_command(
    State(pages): State<Pages>,
    session: Signed,
    Path(id): Path<String>,
    Form(form): Form<Own>,
) -> Response {
    if !session.is_own(&form.csrf) {
        return failed(&foreign(), &session);
    }
    let request = GenerateBootstrapCommandsRequest {
        account_id: pages.desk.account_id.clone(),
        hybrid_cloud_environment_id: id.clone(),
    };
    match pages.hybrid.generate_bootstrap_commands(tonic::Request::new(request)).await {
        Ok(made) => {
            let command = made.into_inner().commands.join("\n");
            // In a subshell, so that a failure does not close the terminal it was pasted into.
            let command = format!("(set -euo pipefail\n{command}\n)");
            let extra = context! { command => command };
            page(&pages, &session, &id, StatusCode::OK, extra).await
        }
        Err(status) => {
            let extra = context! { error => status.message() };
            page(&pages, &session, &id, http_status(status.code()), extra).await
        }
    }
}

/// Serialises for a template.
fn plain(value: impl serde::Serialize) -> Value {
    Value::from(minijinja::value::Serde(value))
}

fn foreign() -> Status {
    Status::permission_denied(
        "this form is too old or came from another place; go back, reload the page and try again",
    )
}
