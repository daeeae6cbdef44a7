use axum::response::{IntoResponse as _, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use pinnace_registry::{Client, Credentials, Options};

use crate::support::{
    fake::{Asked, Fake, Parts, status, with_header},
    limits, refused,
};

const TOKENS: &str = "GET /token?service=s&scope=repository%3Aapp%3Apull";

fn client(credentials: Credentials) -> Client {
    let options = Options { credentials, plain_http: true, limits: limits(), ..Options::default() };
    Client::new(options).unwrap()
}

/// A token service, and a registry that asks for its tokens and takes what `accepts` takes.
async fn start(
    token: fn(&Asked) -> Response,
    accepts: impl Fn(&Asked, &str) -> bool + Send + Sync + 'static,
) -> (Fake, Fake) {
    let service = Fake::start(Parts::new("x"), move |asked| Some(token(asked))).await;
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", service.host);
    let registry = Fake::start(Parts::new("archive"), move |asked| {
        let header = asked.authorization.as_deref().unwrap_or_default();
        let good = header.strip_prefix("Bearer ").is_some_and(|token| accepts(asked, token));
        (!good).then(|| with_header(401, "www-authenticate", &challenge))
    })
    .await;
    (service, registry)
}

fn for_users(asked: &Asked) -> Response {
    let user = format!("Basic {}", STANDARD.encode("u:p"));
    if asked.authorization == Some(user) {
        format!("{{\"token\":\"t{}\",\"expires_in\":300}}", asked.before).into_response()
    } else {
        status(401)
    }
}

#[tokio::test]
async fn one_token_serves_a_repository() {
    let (service, registry) = start(for_users, |_, token| token == "t0").await;
    let client = client(Credentials::basic("u", "p"));
    client.pull_chart(&registry.chart(), None).await.unwrap();
    client.resolve(&registry.chart()).await.unwrap();
    assert_eq!(service.count(TOKENS), 1);
    assert_eq!(registry.count("GET"), 4, "one without a token, three with it");
}

#[tokio::test]
async fn a_token_that_has_lost_its_worth_is_renewed() {
    let accepts = |asked: &Asked, token: &str| token == "t1" || asked.method == "GET";
    let (service, registry) = start(for_users, accepts).await;
    let client = client(Credentials::basic("u", "p"));
    client.pull_chart(&registry.chart(), None).await.unwrap();
    client.resolve(&registry.chart()).await.unwrap();
    assert_eq!(service.count(TOKENS), 2);
}

#[tokio::test]
async fn anonymous_tokens() {
    let token = |asked: &Asked| match asked.authorization {
        None => "{\"access_token\":\"free\"}".into_response(),
        Some(_) => status(401),
    };
    let (_service, registry) = start(token, |_, token| token == "free").await;
    client(Credentials::Anonymous).pull_chart(&registry.chart(), None).await.unwrap();
}

#[tokio::test]
async fn refused_by_the_token_service_or_the_registry() {
    let (_service, registry) = start(for_users, |_, _| true).await;
    let wrong = client(Credentials::basic("u", "hunter2"));
    let error = refused(wrong.resolve(&registry.chart()).await, "Unauthorized", &registry.host);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert_eq!(registry.count("HEAD"), 1);

    let (_service, registry) = start(for_users, |_, _| false).await;
    let right = client(Credentials::basic("u", "p"));
    refused(right.resolve(&registry.chart()).await, "Unauthorized", &registry.host);
    assert_eq!(registry.count("HEAD"), 2);
}

#[tokio::test]
async fn token_services_that_make_no_sense() {
    let answers: [fn(&Asked) -> Response; 3] = [
        |_| "<html>".into_response(),
        |_| "{\"token\":\"\"}".into_response(),
        |_| "{\"token\":\"a b\\n\"}".into_response(),
    ];
    for answer in answers {
        let (_service, registry) = start(answer, |_, _| true).await;
        let resolved = client(Credentials::Anonymous).resolve(&registry.chart()).await;
        refused(resolved, "Malformed", "token");
    }
    let (_service, registry) = start(|_| "x".repeat(100_000).into_response(), |_, _| true).await;
    let resolved = client(Credentials::Anonymous).resolve(&registry.chart()).await;
    refused(resolved, "TooLarge", "the token");
    for realm in ["ftp://a.test/t", "nonsense"] {
        let registry = Fake::start(Parts::new("x"), move |_| {
            Some(with_header(401, "www-authenticate", format!("Bearer realm=\"{realm}\"")))
        })
        .await;
        let resolved = client(Credentials::Anonymous).resolve(&registry.chart()).await;
        refused(resolved, "Malformed", "token service");
    }
}
