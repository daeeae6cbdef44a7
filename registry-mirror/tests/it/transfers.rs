//! Blobs that break off, in both directions, and registries that lie about them.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use pinnace_registry::{
    Client, Credentials, Descriptor, Digest, Error, Limits, Options, Uploaded, collect,
};

use crate::support::{
    counted::Counted,
    fake::{Fake, Parts, broken, drip, status, with_header},
    genuine::{Kind, Registry},
    limits, plain, reference, refused,
};

const BLOB: &str = "0123456789abcdef";

fn blob() -> Descriptor {
    Descriptor::of("application/octet-stream", BLOB.as_bytes())
}

async fn download(client: &Client, fake: &Fake) -> Result<Bytes, Error> {
    collect(client.blob(&fake.chart(), &blob()).await?).await
}

fn partial(from: usize, range: &str) -> Response {
    Response::builder()
        .status(206)
        .header("content-range", range)
        .body(Body::from(&BLOB[from..]))
        .unwrap()
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let knows_range = |asked: &crate::support::fake::Asked| match asked.range.as_deref() {
        None => Some(broken("01234")),
        Some("bytes=5-") => Some(partial(5, "bytes 5-15/16")),
        Some(_) => Some(status(416)),
    };
    let fake = Fake::start(Parts::new("x"), knows_range).await;
    assert_eq!(download(&plain(limits()), &fake).await.unwrap(), BLOB);
    assert_eq!(fake.count("GET"), 2);

    // One that does not know Range sends all of it again.
    let fake = Fake::start(Parts::new("x"), |asked| {
        Some(if asked.before == 0 { broken("01234") } else { BLOB.into_response() })
    })
    .await;
    assert_eq!(download(&plain(limits()), &fake).await.unwrap(), BLOB);
}

#[tokio::test]
async fn a_download_that_goes_on_elsewhere_is_refused() {
    let other = |asked: &crate::support::fake::Asked| {
        Some(match asked.range.as_deref() {
            None => broken("01234"),
            Some(_) => partial(3, "bytes 3-15/16"),
        })
    };
    let fake = Fake::start(Parts::new("x"), other).await;
    refused(download(&plain(limits()), &fake).await, "Malformed", "from 5 on");

    // It says that it goes on rightly, and sends other bytes.
    let lies = |asked: &crate::support::fake::Asked| {
        Some(match asked.range.as_deref() {
            None => broken("XXXXX"),
            Some(_) => partial(5, "bytes 5-15/16"),
        })
    };
    let fake = Fake::start(Parts::new("x"), lies).await;
    refused(download(&plain(limits()), &fake).await, "DigestMismatch", "a blob");
}

#[tokio::test]
async fn endless_and_slow_and_short_downloads_end() {
    let fake = Fake::start(Parts::new("x"), |_| Some(crate::support::fake::endless())).await;
    refused(download(&plain(limits()), &fake).await, "Truncated", "of 16");

    let fake = Fake::start(Parts::new("x"), |_| Some(broken("0"))).await;
    refused(download(&plain(limits()), &fake).await, "Truncated", "a blob");
    assert_eq!(fake.count("GET"), 3, "attempts are bounded");

    let slow = Limits { request_timeout: Duration::from_millis(300), attempts: 1, ..limits() };
    let fake = Fake::start(Parts::new("x"), |_| Some(drip(Duration::from_millis(60)))).await;
    refused(download(&plain(slow), &fake).await, "TimedOut", "/app");

    let small = plain(Limits { blob_bytes: 15, ..limits() });
    refused(download(&small, &fake).await, "TooLarge", "15 bytes");
}

/// Bytes that need several parts of 64 KiB.
fn large() -> (Descriptor, Bytes) {
    let bytes: Bytes = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    (Descriptor::of("application/octet-stream", &bytes), bytes)
}

fn in_parts() -> Limits {
    Limits { single_upload_bytes: 1000, upload_chunk_bytes: Some(64 * 1024), ..limits() }
}

#[tokio::test]
async fn uploads_in_parts_go_on_where_they_broke_off() {
    for kind in [Kind::Plain, Kind::Old] {
        let registry = Registry::of_kind(&kind);
        let (descriptor, bytes) = large();
        let client = plain(in_parts());
        let at = registry.at("app");
        let pushed = client.push_blob(&at, &descriptor, None, &bytes).await.unwrap();
        assert_eq!(pushed, Uploaded::Sent);
        assert!(client.has_blob(&at, &descriptor).await.unwrap());
        assert_eq!(client.blob_bytes(&at, &descriptor, 2 << 20).await.unwrap(), bytes);
        // Known already, here and beside it.
        let again = client.push_blob(&at, &descriptor, Some("app"), &bytes).await.unwrap();
        assert_eq!(again, Uploaded::Mounted);
        let beside = client.push_blob(&registry.at("b"), &descriptor, Some("app"), &bytes).await;
        assert_eq!(beside.unwrap(), Uploaded::Mounted);

        // The fourth part fails: the rest is sent from there on.
        let count = std::sync::atomic::AtomicUsize::new(0);
        let counted = Counted::failing(&registry, move |line| {
            let part = line.starts_with("PATCH");
            let n = if part { count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) } else { 0 };
            (n == 3).then(|| status(502))
        })
        .await;
        let at = reference(format!("{}/c", counted.host));
        client.push_blob(&at, &descriptor, None, &bytes).await.unwrap();
        let asked = counted.take();
        let of = |method: &str| asked.iter().filter(|line| line.starts_with(method)).count();
        let parts = bytes.len().div_ceil(64 * 1024);
        assert_eq!((of("POST"), of("GET"), of("PATCH")), (1, 1, parts + 1), "{asked:#?}");
        assert!(client.has_blob(&registry.at("c"), &descriptor).await.unwrap());
    }
}

#[tokio::test]
async fn what_does_not_fit_its_digest_never_appears() {
    let registry = Registry::of_kind(&Kind::Plain);
    let (descriptor, bytes) = large();
    let other = bytes.slice(..bytes.len() - 1).into_iter().chain([1]).collect::<Bytes>();
    let at = registry.at("app");
    for limits in [Limits { single_upload_bytes: 4 << 20, ..limits() }, in_parts()] {
        let client = plain(limits);
        client.push_blob(&at, &descriptor, None, &other).await.unwrap_err();
        assert!(!client.has_blob(&at, &descriptor).await.unwrap());
    }
    // A source that lies is noticed before the target is.
    let lies = Fake::start(Parts::new("x"), |_| Some("0123456789abcdeX".into_response())).await;
    let source = (plain(limits()), lies.chart(), blob());
    let pushed = plain(limits()).push_blob(&at, &blob(), None, &source).await;
    refused(pushed, "DigestMismatch", &lies.host);
    assert!(!plain(limits()).has_blob(&at, &blob()).await.unwrap());
}

#[tokio::test]
async fn an_upload_that_goes_on_at_another_host_takes_no_credentials_there() {
    let store = Fake::start(Parts::new("x"), |asked| {
        Some(status(if asked.authorization.is_some() { 400 } else { 201 }))
    })
    .await;
    let elsewhere = store.host.clone();
    let fake = Fake::start(Parts::new("x"), move |asked| match &asked.authorization {
        None => Some(with_header(401, "www-authenticate", "Basic realm=\"x\"")),
        Some(_) => Some(with_header(202, "location", format!("http://{elsewhere}/upload"))),
    })
    .await;
    let credentials = Credentials::basic("u", "p");
    let options = Options { credentials, plain_http: true, limits: limits(), ..Options::default() };
    let client = Client::new(options).unwrap();
    let bytes = Bytes::from_static(BLOB.as_bytes());
    client.push_blob(&fake.chart(), &blob(), None, &bytes).await.unwrap();
    assert_eq!(store.count("PUT"), 1);
}

#[tokio::test]
async fn a_registry_that_says_no() {
    let bytes = Bytes::from_static(BLOB.as_bytes());
    for (code, reason, about) in
        [(403, "Forbidden", "write"), (401, "Unauthorized", "app"), (202, "Malformed", "goes on")]
    {
        let fake = Fake::start(Parts::new("x"), move |_| Some(status(code))).await;
        let pushed = plain(limits()).push_blob(&fake.chart(), &blob(), None, &bytes).await;
        refused(pushed, reason, about);
    }
    let fake = Fake::start(Parts::new("x"), |_| Some(status(405))).await;
    let deleted = plain(limits()).delete_manifest(&fake.chart()).await;
    refused(deleted, "Unsupported", "switch deletion on");
}

#[tokio::test]
async fn a_manifest_that_was_not_kept_as_it_is() {
    let other = Digest::of(b"other").to_string();
    let fake = Fake::start(Parts::new("x"), move |asked| {
        (asked.method == "PUT").then(|| with_header(201, "docker-content-digest", &other))
    })
    .await;
    let manifest = pinnace_registry::ManifestBytes::new(Parts::new("x").manifest, None);
    let put = plain(limits()).put_manifest(&fake.chart(), &manifest).await;
    refused(put, "DigestMismatch", "as written");
}
