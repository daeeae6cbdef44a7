//! Every fault at every place of a registry: each ends within its bounds, says what it is, and leaves nothing in
//! the cache. Afterwards the good chart is had, and kept.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use axum::response::{IntoResponse as _, Response};
use pinnace_registry::{
    Cache, Client, Credentials, Digest, Error, Keychain, Limits, Options, Registries, Rules,
    bundle::{self, Attachments, Compression, Export, Item},
    mirror::{Copier, CopyOptions, Platforms},
};

use crate::support::{
    fake::{Asked, Fake, Parts, broken, drip, endless, silent, status, with_header},
    genuine::{Kind, Registry},
};

/// What is answered instead of what was asked for, and what may be said of it.
type Fault = (&'static str, fn() -> Response, &'static [&'static str]);

const FAULTS: [Fault; 13] = [
    ("truncated", || broken("{"), &["Truncated"]),
    (
        "another content",
        || "other".into_response(),
        &["DigestMismatch", "Truncated", "NotAChart", "Malformed"],
    ),
    ("nothing", || status(200), &["DigestMismatch", "Truncated", "NotAChart", "Malformed"]),
    ("endless", endless, &["TooLarge", "Truncated"]),
    (
        "larger than it may be",
        || vec![b' '; 5 << 20].into_response(),
        &["TooLarge", "Truncated", "Malformed"],
    ),
    ("a slow drip", || drip(Duration::from_millis(20)), &["TimedOut", "Truncated"]),
    ("silence", silent, &["TimedOut"]),
    (
        "401 again and again",
        || with_header(401, "www-authenticate", "Basic realm=\"x\""),
        &["Unauthorized"],
    ),
    ("429 for long", || with_header(429, "retry-after", "3600"), &["RateLimited"]),
    ("429 again and again", || with_header(429, "retry-after", "0"), &["RateLimited"]),
    ("503 again and again", || status(503), &["ServerError"]),
    ("a loop of redirects", || with_header(307, "location", "?again"), &["Redirect"]),
    (
        "a redirect to nobody",
        || with_header(307, "location", "http://127.0.0.1:1/"),
        &["Unreachable"],
    ),
];

const PLACES: [&str; 4] = ["manifests/", "the config", "the archive", "tags/list"];

/// Short times where time is what ends it; elsewhere so much that none ends before it has come to the fault.
fn limits(fault: &str) -> Limits {
    let attempts = Limits { attempts: 2, backoff: Duration::from_millis(2), ..Limits::default() };
    match fault {
        "silence" => Limits { idle_timeout: Duration::from_millis(300), ..attempts },
        "a slow drip" => Limits { request_timeout: Duration::from_millis(900), ..attempts },
        _ => attempts,
    }
}

fn client(fault: &str) -> Client {
    let (credentials, limits) = (Credentials::basic("u", "p"), limits(fault));
    Client::new(Options { credentials, plain_http: true, limits, ..Options::default() }).unwrap()
}

fn is_at(place: &str, asked: &Asked) -> bool {
    match place {
        "the config" => {
            asked.path.starts_with(&format!("blobs/{}", Digest::of(br#"{"name":"app"}"#)))
        }
        "the archive" => asked.path.starts_with(&format!("blobs/{}", Digest::of(b"archive"))),
        _ => asked.path.starts_with(place),
    }
}

/// A registry with this fault until it is well; and how to make it well.
async fn faulty(
    place: &'static str,
    answer: fn() -> Response,
) -> (Fake, Arc<std::sync::atomic::AtomicBool>) {
    let well = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let now = well.clone();
    let fake = Fake::start(Parts::new("archive"), move |asked| {
        let is_well = now.load(std::sync::atomic::Ordering::SeqCst);
        (!is_well && is_at(place, asked)).then(answer)
    })
    .await;
    (fake, well)
}

async fn asked(place: &str, client: &Client, fake: &Fake, cache: &Cache) -> Result<(), Error> {
    if place == "tags/list" {
        return client.tags(&fake.chart()).await.map(drop);
    }
    let chart = client.pull_chart(&fake.chart(), None).await?;
    cache.put(&chart).await.unwrap();
    Ok(())
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// All of it; [`crate::memory`] does it in a process of its own.
pub async fn every_fault_at_every_place() {
    let rows = PLACES.into_iter().flat_map(|place| FAULTS.map(|fault| (place, fault)));
    futures::future::join_all(rows.map(|(place, (name, answer, reasons))| async move {
        let row = format!("{name} for {place}");
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), 1 << 20).unwrap();
        let (fake, well) = faulty(place, answer).await;
        let error = asked(place, &client(name), &fake, &cache).await.expect_err(&row);
        assert!(reasons.contains(&error.reason()), "{row}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(&fake.host) && text.len() < 1000, "{row}: {text}");
        // Two attempts, each with a sign-in and as many redirects as are followed.
        assert!(fake.count("GET") <= 3 + 2 * 2 * 6, "{row}: {} requests", fake.count("GET"));
        assert!(is_empty(folder.path()), "{row}: something was kept");
        well.store(true, std::sync::atomic::Ordering::SeqCst);
        if place != "tags/list" {
            asked(place, &client("none"), &fake, &cache).await.expect(&row);
            let digest = Parts::new("archive").digest().to_string();
            assert_eq!(cache.get(&digest).await.unwrap().unwrap().archive, "archive", "{row}");
        }
    }))
    .await;
}

#[tokio::test]
async fn each_ends_and_is_told_and_leaves_nothing() {
    every_fault_at_every_place().await;
}

/// The same faults in a copy and in an export: no tag appears, and no file.
#[tokio::test]
async fn nothing_of_it_reaches_a_mirror_or_a_bundle() {
    let target = Registry::of_kind(&Kind::Plain);
    let folder = tempfile::tempdir().unwrap();
    for (n, (name, answer, _)) in FAULTS.into_iter().enumerate() {
        for place in ["manifests/", "the archive"] {
            let row = format!("{name} for {place}");
            let (fake, _) = faulty(place, answer).await;
            let base = Options { plain_http: true, limits: limits(name), ..Options::default() };
            let registries =
                Registries::new(Rules::default(), Keychain::default(), base, BTreeMap::new());
            let options = CopyOptions {
                platforms: Platforms::default(),
                attachments: false,
                dry_run: false,
                at_once: 4,
            };
            let copier = Copier::new(registries.clone(), registries, options, Arc::new(()));
            let at = target.at(&format!("app{n}:1.0.0"));
            let source = fake.chart().with_digest(Parts::new("archive").digest());
            copier.copy(&source, &at).await.expect_err(&row);
            assert_eq!(client("none").digest_of(&at).await.unwrap(), None, "{row}");

            let item = Item::new(client(name), source);
            let options = Export {
                to: &folder.path().join("bundle"),
                key: None,
                base: None,
                compression: Compression::None,
                attachments: Attachments::LeftOut,
            };
            bundle::export(&[item], &options, &bundle::Silent).await.expect_err(&row);
            assert!(is_empty(folder.path()), "{row}: a file was left");
        }
    }
}
