use axum::response::IntoResponse as _;
use pinnace_registry::{Digest, Limits};

use crate::support::{
    fake::{Fake, Parts, broken, endless, manifest, with_header},
    limits, plain, refused,
};

#[tokio::test]
async fn the_good_chart_passes() {
    let parts = Parts::new("archive");
    let digest = parts.digest().to_string();
    let fake = Fake::start(parts, |_| None).await;
    let chart = plain(limits()).pull_chart(&fake.chart(), Some(&digest)).await.unwrap();
    assert_eq!(chart.archive, "archive");
    assert_eq!(plain(limits()).resolve(&fake.chart()).await.unwrap(), digest);
    assert_eq!(fake.count("GET manifests/"), 1, "resolving needs a HEAD alone");
}

#[tokio::test]
async fn a_manifest_that_is_not_its_digest() {
    let wanted = Parts::new("archive").digest();
    let fake = Fake::start(Parts::new("other"), |_| None).await;
    let client = plain(limits());
    refused(
        client.pull_chart(&fake.chart(), Some(wanted.as_str())).await,
        "DigestMismatch",
        wanted.as_str(),
    );
    // Asked for by digest alone, it gives other bytes.
    let by_digest = fake.chart().with_digest(wanted.clone());
    let other = Parts::new("other").manifest;
    let fake = Fake::start(Parts::new("x"), move |_| Some(other.clone().into_response())).await;
    let by_digest = format!("{}/app@{}", fake.host, by_digest.digest().unwrap());
    let by_digest = crate::support::reference(by_digest);
    refused(client.pull_chart(&by_digest, None).await, "DigestMismatch", wanted.as_str());
}

#[tokio::test]
async fn a_head_that_lies_is_caught_by_the_pull() {
    let lie = Digest::of(b"lie");
    let told = lie.to_string();
    let fake = Fake::start(Parts::new("archive"), move |asked| {
        (asked.method == "HEAD").then(|| with_header(200, "docker-content-digest", &told))
    })
    .await;
    let client = plain(limits());
    let resolved = client.resolve(&fake.chart()).await.unwrap();
    assert_eq!(resolved, lie.as_str());
    refused(client.pull_chart(&fake.chart(), Some(&resolved)).await, "DigestMismatch", &resolved);
}

#[tokio::test]
async fn resolve_computes_what_head_does_not_tell() {
    let digest = Parts::new("archive").digest();
    for (code, header) in [(200, "x"), (200, "docker-content-digest"), (405, "x"), (404, "x")] {
        let fake = Fake::start(Parts::new("archive"), move |asked| {
            (asked.method == "HEAD").then(|| with_header(code, header, "sha256:nonsense"))
        })
        .await;
        let resolved = plain(limits()).resolve(&fake.chart()).await.unwrap();
        assert_eq!(resolved, digest.as_str(), "{code} {header}");
    }
}

#[tokio::test]
async fn a_blob_that_is_not_its_digest() {
    let fake = Fake::start(Parts::new("archive"), |asked| {
        (asked.path == format!("blobs/{}", Digest::of(b"archive")))
            .then(|| "ARCHIVE".into_response())
    })
    .await;
    let pulled = plain(limits()).pull_chart(&fake.chart(), None).await;
    refused(pulled, "DigestMismatch", "the chart");
}

#[tokio::test]
async fn truncated_blobs_are_tried_again_and_named() {
    let blob = || format!("blobs/{}", Digest::of(b"archive"));
    let cut: [fn() -> axum::response::Response; 2] = [|| broken("arch"), || "arch".into_response()];
    for answer in cut {
        let fake =
            Fake::start(Parts::new("archive"), move |asked| (asked.path == blob()).then(answer))
                .await;
        let pulled = plain(limits()).pull_chart(&fake.chart(), None).await;
        refused(pulled, "Truncated", "the chart");
        assert_eq!(fake.count(&format!("GET {}", blob())), 3);

        let fake = Fake::start(Parts::new("archive"), move |asked| {
            (asked.path == blob() && asked.before == 0).then(answer)
        })
        .await;
        plain(limits()).pull_chart(&fake.chart(), None).await.unwrap();
    }
}

#[tokio::test]
async fn endless_bodies_end() {
    for (part, what) in [("manifests/", "the manifest"), ("blobs/", "the c")] {
        let fake =
            Fake::start(Parts::new("x"), move |asked| asked.path.starts_with(part).then(endless))
                .await;
        let pulled = plain(limits()).pull_chart(&fake.chart(), None).await;
        let error = pulled.unwrap_err();
        let size = matches!(error.reason(), "TooLarge" | "Truncated");
        assert!(size && error.to_string().contains(what), "{error:?}");
    }
}

#[tokio::test]
async fn charts_on_both_sides_of_the_limit() {
    let fake = Fake::start(Parts::new("archive"), |_| None).await;
    let with = |chart_bytes| plain(Limits { chart_bytes, ..limits() });
    with(7).pull_chart(&fake.chart(), None).await.unwrap();
    let before = fake.count("GET blobs/");
    refused(with(6).pull_chart(&fake.chart(), None).await, "TooLarge", "limit of 6 bytes");
    assert_eq!(fake.count("GET blobs/"), before + 2, "config, then the head of the archive");

    let size = Parts::new("archive").manifest.len() as u64;
    let with = |manifest_bytes| plain(Limits { manifest_bytes, ..limits() });
    with(size).pull_chart(&fake.chart(), None).await.unwrap();
    refused(with(size - 1).pull_chart(&fake.chart(), None).await, "TooLarge", "the manifest");
}

#[tokio::test]
async fn things_that_are_not_charts() {
    let digest = Digest::of(b"[]");
    let list_config = manifest((&digest, 2), (&Digest::of(b"x"), 1));
    let image = String::from_utf8(Parts::new("x").manifest.to_vec())
        .unwrap()
        .replace("vnd.cncf.helm.config", "vnd.oci.image.config");
    for (body, why) in [
        ("<html>".to_owned(), "not an OCI manifest"),
        (image, "instead of"),
        (String::from_utf8(list_config.to_vec()).unwrap(), "not a JSON object"),
    ] {
        let fake = Fake::start(Parts::new("x"), move |asked| match asked.path.as_str() {
            "manifests/1.0.0" => Some(body.clone().into_response()),
            path if path == format!("blobs/{}", Digest::of(b"[]")) => Some("[]".into_response()),
            _ => None,
        })
        .await;
        refused(plain(limits()).pull_chart(&fake.chart(), None).await, "NotAChart", why);
    }
}
