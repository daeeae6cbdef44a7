use std::time::Duration;

use pinnace_registry::{Client, Credentials, Limits, Options};

use crate::support::{
    fake::{Fake, Parts, silent, status, with_header},
    limits, plain, refused,
};

#[tokio::test]
async fn statuses() {
    for (code, reason) in [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (418, "ServerError"),
        (429, "RateLimited"),
        (500, "ServerError"),
        (503, "ServerError"),
    ] {
        let fake = Fake::start(Parts::new("x"), move |_| Some(status(code))).await;
        let error =
            refused(plain(limits()).pull_chart(&fake.chart(), None).await, reason, "/app:1");
        let attempts = if error.is_transient() { 3 } else { 1 };
        assert_eq!(fake.count("GET"), attempts, "{code}");
        assert_eq!(error.is_transient(), code == 429 || code >= 500, "{code}");
    }
}

#[tokio::test]
async fn failing_and_limiting_and_then_well() {
    for code in [429, 500, 502, 503, 504] {
        let fake = Fake::start(Parts::new("x"), move |asked| {
            (asked.before < 2).then(|| with_header(code, "retry-after", "0"))
        })
        .await;
        plain(limits()).pull_chart(&fake.chart(), None).await.unwrap();
        plain(limits()).resolve(&fake.chart()).await.unwrap();
        assert_eq!((fake.count("GET manifests"), fake.count("HEAD")), (3, 3), "{code}");
    }
}

#[tokio::test]
async fn a_long_retry_after_is_the_callers() {
    for code in [429, 503] {
        let answer = move |_: &_| Some(with_header(code, "retry-after", "3600"));
        let fake = Fake::start(Parts::new("x"), answer).await;
        let error = plain(limits()).resolve(&fake.chart()).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
        assert_eq!(fake.count("HEAD"), 1);
    }
}

#[tokio::test]
async fn the_registrys_own_words_are_shown_within_bounds() {
    let long = "x".repeat(10_000);
    let body = serde_json::json!({ "errors": [{ "message": format!("disk\nfull {long}") }] });
    let fake = Fake::start(Parts::new("x"), move |_| {
        let mut response = status(500);
        *response.body_mut() = body.to_string().into();
        Some(response)
    })
    .await;
    let error = plain(limits()).pull_chart(&fake.chart(), None).await;
    let error = refused(error, "ServerError", "answered 500 for").to_string();
    assert!(error.contains(": diskfull x") && error.len() < 500, "{error}");
}

#[tokio::test]
async fn silence_ends() {
    let fake = Fake::start(Parts::new("x"), |_| Some(silent())).await;
    let limits = Limits { idle_timeout: Duration::from_millis(50), ..limits() };
    let pulled = plain(limits).pull_chart(&fake.chart(), None).await;
    assert!(refused(pulled, "TimedOut", "/app:1").is_transient());
}

#[tokio::test]
async fn endless_redirects_end() {
    let fake = Fake::start(Parts::new("x"), |asked| {
        Some(with_header(307, "location", format!("/v2/app/again?{}", asked.before)))
    })
    .await;
    refused(plain(limits()).pull_chart(&fake.chart(), None).await, "Redirect", "/app:1");
    assert!(fake.count("GET") <= 6, "{}", fake.count("GET"));
}

#[tokio::test]
async fn a_redirected_blob_is_checked_and_gets_no_credentials() {
    let parts = Parts::new("archive");
    let store = Fake::start(Parts::new("archive"), |asked| {
        asked.authorization.is_some().then(|| status(400))
    })
    .await;
    let elsewhere = store.host.replace("127.0.0.1", "localhost");
    let fake = Fake::start(parts, move |asked| match &asked.authorization {
        None => Some(with_header(401, "www-authenticate", "Basic realm=\"x\"")),
        Some(_) if asked.path.starts_with("blobs/") => {
            let there = format!("http://{elsewhere}/v2/app/{}", asked.path);
            Some(with_header(307, "location", there))
        }
        Some(_) => None,
    })
    .await;
    let credentials = Credentials::basic("u", "p");
    let options = Options { credentials, plain_http: true, limits: limits(), ..Options::default() };
    let chart = Client::new(options).unwrap().pull_chart(&fake.chart(), None).await.unwrap();
    assert_eq!(chart.archive, "archive");
    assert_eq!(store.count("GET blobs/"), 2);
}
