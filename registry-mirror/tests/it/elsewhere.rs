//! Mirror rules at work: one place is down, one lies, and one has it.

use std::collections::BTreeMap;

use axum::response::IntoResponse as _;
use pinnace_registry::{Keychain, Options, Registries, RegistriesError, Rules};

use crate::support::{
    fake::{Fake, Parts, status},
    limits, reference,
};

fn registries(rules: &str) -> Registries {
    let base = Options { plain_http: true, limits: limits(), ..Options::default() };
    Registries::new(Rules::from_yaml(rules).unwrap(), Keychain::default(), base, BTreeMap::new())
}

#[tokio::test]
async fn the_next_place_is_asked_and_each_failure_is_told() {
    let digest = Parts::new("archive").digest();
    let vendor = Fake::start(Parts::new("archive"), |_| None).await;
    let down = Fake::start(Parts::new("x"), |_| Some(status(503))).await;
    let lies = Fake::start(Parts::new("x"), |asked| {
        asked.path.starts_with("manifests/").then(|| Parts::new("other").manifest.into_response())
    })
    .await;
    let table = |policy: &str| {
        format!(
            "rules: [{{prefix: '{}', policy: {policy}, mirrors: \
             [{{location: '{}'}}, {{location: '{}'}}]}}]",
            vendor.host, down.host, lies.host
        )
    };
    let chart = reference(format!("{}/app:1.0.0", vendor.host));
    let first = registries(&table("mirrorFirst"));
    assert_eq!(first.pull_chart(&chart, &digest).await.unwrap().archive, "archive");
    assert!(down.count("GET") > 0 && lies.count("GET") > 0);

    let asked = (down.count(""), lies.count(""));
    let last = registries(&table("defaultFirst"));
    last.pull_chart(&chart, &digest).await.unwrap();
    assert_eq!((down.count(""), lies.count("")), asked);

    let served = vendor.count("");
    let only = registries(&table("mirrorOnly"));
    let error = only.pull_chart(&chart, &digest).await.unwrap_err();
    assert_eq!(vendor.count(""), served, "the vendor is never asked");
    let text = error.to_string();
    assert!(text.contains(&down.host) && text.contains(&lies.host), "{text}");
    assert!(error.is_transient(), "the one that is down may come back");
    let RegistriesError::Nowhere { failures, .. } = error else { panic!("{error:?}") };
    assert_eq!(failures[1].1.reason(), "DigestMismatch");
}

#[tokio::test]
async fn each_place_gets_its_own_credentials() {
    let needs = |user: &'static str| {
        move |asked: &crate::support::fake::Asked| {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:p")));
            match asked.authorization.as_deref() {
                None => Some(crate::support::fake::with_header(
                    401,
                    "www-authenticate",
                    "Basic realm=\"x\"",
                )),
                Some(header) if header == wanted => None,
                Some(_) => Some(status(400)),
            }
        }
    };
    let digest = Parts::new("archive").digest();
    let missing = Fake::start(Parts::new("x"), needs("mirror")).await;
    let vendor = Fake::start(Parts::new("archive"), needs("vendor")).await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "p\n").unwrap();
    let login = |user: &str| format!("username: {user}, passwordFile: '{}'", password.display());
    let rules = format!(
        "rules: [{{prefix: '{0}', mirrors: [{{location: '{1}', {2}}}]}}]\n\
         registries: [{{location: '{0}', {3}}}]",
        vendor.host,
        missing.host,
        login("mirror"),
        login("vendor"),
    );
    let chart = reference(format!("{}/app:1.0.0", vendor.host));
    registries(&rules).pull_chart(&chart, &digest).await.unwrap();
}
