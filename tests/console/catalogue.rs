//! The versions that the registry has, by the API and on the page: all of them, in pages, and asked for once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use pinnace::console::catalogue::{ChartError, Charts};
use pinnace::model::digest::Digest;
use semver::Version;
use serde_json::json;

use crate::harness::{ACCOUNT, Console};
use crate::pages::Browser;

/// 25 versions of each chart; counts what is asked.
#[derive(Clone, Default)]
struct Shelf(Arc<AtomicUsize>);

#[async_trait]
impl Charts for Shelf {
    async fn versions(&self, _: &str) -> Result<Vec<Version>, ChartError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok((0..25).rev().map(|minor| Version::new(1, minor, 0)).collect())
    }

    async fn resolve(&self, chart: &str, version: &Version) -> Result<Digest, ChartError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Digest::of(format!("{chart} {version}").as_bytes()))
    }

    async fn archive(&self, chart: &str, digest: &Digest) -> Result<Vec<u8>, ChartError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        if *digest == Digest::of(format!("{chart} 1.23.0").as_bytes()) {
            return Err(ChartError { reason: "NotFound", message: "its <archive> is gone".into() });
        }
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n\
                   spec: {containers: [{name: a, image: 'r.test/app:{{ .Chart.Version }}'}]}\n";
        let files = [
            ("app/Chart.yaml", format!("apiVersion: v2\nname: {chart}\nversion: 1.0.0\n")),
            ("app/templates/pod.yaml", pod.to_owned()),
        ];
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        Ok(tar.into_inner().unwrap().finish().unwrap())
    }
}

#[tokio::test]
async fn all_versions_come_in_pages() {
    let shelf = Shelf::default();
    let console = Console::with(Box::new(shelf.clone())).await;
    let path = |query: &str| {
        format!("/api/console/v1/accounts/{ACCOUNT}/charts/qdrant-operator/versions?{query}")
    };
    let mut versions = Vec::new();
    let mut token = String::new();
    loop {
        let query = format!("pageSize=10&pageToken={token}");
        let (status, page) = console.rest("GET", &path(&query), None).await;
        assert_eq!(status, 200, "{page}");
        for item in page["items"].as_array().unwrap() {
            let version = item["version"].as_str().unwrap().to_owned();
            if version == "1.23.0" {
                assert_eq!(item["problem"], "its <archive> is gone");
            } else {
                let digest = Digest::of(format!("qdrant-operator {version}").as_bytes());
                assert_eq!(item["digest"], json!(digest), "{item}");
                assert_eq!(item["images"], json!(["r.test/app:1.0.0"]), "{item}");
            }
            versions.push(version);
        }
        token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    let wanted: Vec<String> = (0..25).rev().map(|minor| format!("1.{minor}.0")).collect();
    assert_eq!(versions, wanted);
    // Whatever is known is not asked for again, by the page either.
    let asked = shelf.0.load(Ordering::SeqCst);
    // The list, and of each version its digest and its archive.
    assert!(asked > 2 * 25, "{asked}");
    let browser = Browser::sign_in(&console).await;
    let page = browser.get("/charts/qdrant-operator").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let digest = Digest::of(b"qdrant-operator 1.24.0").to_string();
    for shown in
        ["<td>1.24.0</td>", &digest, "r.test&#x2f;app:1.0.0", "its &lt;archive&gt; is gone"]
    {
        assert!(page.text.contains(shown), "{shown} is missing: {}", page.text);
    }
    assert!(!page.text.contains("<td>1.14.0</td>"), "ten are on a page");
    let (_, link) = page.text.split_once("href=\"/charts/qdrant-operator?after=").unwrap();
    let (after, _) = link.split_once('"').unwrap();
    let older = browser.get(&format!("/charts/qdrant-operator?after={after}")).await.text;
    assert!(older.contains("<td>1.14.0</td>") && older.contains("<td>1.5.0</td>"), "{older}");
    let last = browser.get("/charts/qdrant-operator?after=1.5.0").await.text;
    assert!(last.contains("<td>1.0.0</td>") && !last.contains("Older versions"), "{last}");
    // What could not be had may be tried again; the list is fresh for some seconds.
    let more = shelf.0.load(Ordering::SeqCst) - asked;
    assert!(more < 2 * 25, "{more} more requests");

    for (query, status) in [("pageToken=nonsense", 400), ("pageSize=-1", 400)] {
        assert_eq!(console.rest("GET", &path(query), None).await.0, status, "{query}");
    }
    let other = path("").replace("qdrant-operator", "other");
    assert_eq!(console.rest("GET", &other, None).await.0, 404);
    assert_eq!(browser.get("/charts/other").await.status, 404);
}
