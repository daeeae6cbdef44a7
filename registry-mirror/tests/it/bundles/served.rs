use std::{process::Command, sync::Arc};

use pinnace_registry::{
    Client, Credentials, Options, Reference,
    bundle::{Access, Bundle, Compression, Export, Trust, serve},
};
use tempfile::TempDir;

use super::{Source, key, open, signed, written};
use crate::support::{http, image::SBOM, limits, reference, refused, tool};

const USER: &str = "site";
const PASSWORD: &str = "s3cret: colon";

/// A bundle of the source, served without TLS.
struct Served {
    source: Source,
    host: String,
    folder: TempDir,
}

async fn listen(bundle: Arc<Bundle>) -> String {
    let access = Access::Basic { username: USER.to_owned(), password: PASSWORD.into() };
    let routes = serve(bundle, access).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    host
}

impl Served {
    async fn start(compression: Compression) -> Self {
        let source = Source::start().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        let key = key();
        written(&source.items(), &Export { compression, ..signed(&path, &key) }).await;
        let host = listen(open(&path, &Trust::Unsigned).unwrap()).await;
        Self { source, host, folder }
    }

    fn reference(&self, rest: &str) -> Reference {
        reference(format!("oci://{}/{rest}", self.host))
    }

    fn client(&self, credentials: Credentials) -> Client {
        let options = Options { plain_http: true, limits: limits(), ..Options::default() };
        Client::new(Options { credentials, ..options }).unwrap()
    }

    /// Runs a tool with a home of its own; gives what it prints.
    async fn run(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(tool(name));
        let home = self.folder.path().join("home");
        command.args(arguments).env("HOME", &home).env("DOCKER_CONFIG", &home);
        for kind in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
            command.env(kind, &home);
        }
        command.env("HELM_REGISTRY_CONFIG", home.join("config.json")).current_dir(&self.folder);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_our_own_client() {
    for compression in [Compression::None, Compression::Zstd] {
        let served = Served::start(compression).await;
        let client = served.client(Credentials::basic(USER, PASSWORD));
        let chart = served.reference("charts/app:1.1.0+build.5");
        let pulled = client.pull_chart(&chart, None).await.unwrap();
        let original = served.source.reference("charts/app:1.1.0+build.5");
        let original = served.source.client.pull_chart(&original, None).await.unwrap();
        assert_eq!(pulled, original);

        let tags = client.tags(&served.reference("charts/app")).await.unwrap();
        assert_eq!(tags, ["1.0.0", "1.1.0_build.5"]);

        let image = served.reference("images/app");
        let index = &served.source.image.index.digest;
        let sboms = client.referrers(&image, index, Some(SBOM)).await.unwrap();
        assert!(!sboms.by_tag);
        assert_eq!(sboms.manifests[0].digest, served.source.image.sbom.digest);
        assert_eq!(sboms.manifests[0].artifact_type.as_deref(), Some(SBOM));
        let none = client.referrers(&image, index, Some("application/other")).await.unwrap();
        assert!(none.manifests.is_empty());

        let (layer, bytes) = served.source.image.shared();
        let received = client.blob_bytes(&image, layer, 1 << 22).await.unwrap();
        assert!(received == bytes);
        // A blob of one repository is not to be had by way of another.
        assert!(!client.has_blob(&chart, layer).await.unwrap());
        refused(client.resolve(&served.reference("charts/app:9")).await, "NotFound", "app:9");
        refused(client.resolve(&served.reference("other:9")).await, "NotFound", "other:9");
        let nobody = served.client(Credentials::Anonymous);
        refused(nobody.resolve(&chart).await, "Unauthorized", &served.host);
        let wrong = served.client(Credentials::basic(USER, "guess"));
        refused(wrong.resolve(&chart).await, "Unauthorized", &served.host);
        let at = image.with_digest(index.clone());
        assert!(client.put_manifest(&at, &served.source.image.index).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_blobs_and_hosts_of_mirrors() {
    let served = Served::start(Compression::Zstd).await;
    let http = http().build().unwrap();
    let (layer, bytes) = served.source.image.shared();
    let get = |path: String, range: &'static str| {
        let url = format!("http://{}/v2/{path}", served.host);
        http.get(url).basic_auth(USER, Some(PASSWORD)).header("range", range).send()
    };
    let blob = format!("images/app/blobs/{}", layer.digest);
    let part = get(blob.clone(), "bytes=1048570-1048585").await.unwrap();
    assert_eq!(part.status(), 206);
    let told = format!("bytes 1048570-1048585/{}", layer.size);
    assert_eq!(part.headers()["content-range"].to_str().unwrap(), told);
    assert_eq!(part.bytes().await.unwrap(), bytes[1_048_570..1_048_586]);
    assert_eq!(get(blob, "bytes=9999999-").await.unwrap().status(), 416);

    // containerd asks a mirror of several registries with the host's name.
    let host = &served.source.registry.host;
    let status = async |ns: &str| {
        let path = format!("images/app/manifests/1.0.0?ns={ns}");
        get(path, "").await.unwrap().status().as_u16()
    };
    assert_eq!(status(&host.replace(':', "%3A")).await, 200);
    assert_eq!(status("unknown.example").await, 200, "a path alone is enough where it is clear");
    let path = format!("{host}/images/app/manifests/1.0.0");
    assert_eq!(get(path, "").await.unwrap().status(), 200);
    let catalog = get("_catalog?n=1".to_owned(), "").await.unwrap();
    let next = catalog.headers()["link"].to_str().unwrap().to_owned();
    assert_eq!(next, "</v2/_catalog?n=1&last=charts/app>; rel=\"next\"");
    assert_eq!(catalog.text().await.unwrap(), r#"{"repositories":["charts/app"]}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_helm_and_crane_and_oras() {
    let served = Served::start(Compression::None).await;
    let host = served.host.as_str();
    served
        .run("helm", &["registry", "login", host, "-u", USER, "-p", PASSWORD, "--plain-http"])
        .await;
    let chart = format!("oci://{host}/charts/app");
    let shown = served
        .run("helm", &["show", "chart", &chart, "--version", "1.1.0+build.5", "--plain-http"])
        .await;
    assert!(shown.contains("description: second"), "{shown}");
    served.run("helm", &["pull", &chart, "--version", "1.0.0", "--plain-http"]).await;
    assert!(served.folder.path().join("app-1.0.0.tgz").exists());

    served.run("crane", &["auth", "login", host, "-u", USER, "-p", PASSWORD]).await;
    let image = format!("{host}/images/app:1.0.0");
    let digest = served.run("crane", &["digest", &image]).await;
    assert_eq!(digest.trim(), served.source.image.index.digest.as_str());
    assert!(served.run("crane", &["manifest", &image]).await.contains("arm64"));
    let listed = served.run("crane", &["ls", &format!("{host}/charts/app")]).await;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    // oras reads the same login, and asks what is attached.
    let (held, sbom) = (&served.source.image.index.digest, &served.source.image.sbom.digest);
    let attached = served.run("oras", &["discover", &format!("{host}/images/app@{held}")]).await;
    assert_eq!(attached, format!("{SBOM} {sbom}\n"));
    let sbom = served.run("oras", &["pull", &format!("{host}/images/app@{sbom}")]).await;
    assert!(sbom.contains("SPDX-2.3"), "{sbom}");
    // To another registry, which needs every byte.
    let target = crate::support::genuine::Registry::start();
    let login = ["auth", "login", &target.host, "-u"];
    let user = [crate::support::genuine::USER, "-p", crate::support::genuine::PASSWORD];
    served.run("crane", &[&login[..], &user[..]].concat()).await;
    let copy = format!("{}/copied:1", target.host);
    served.run("crane", &["copy", &image, &copy, "--insecure"]).await;
    let there = target.client().resolve(&reference(copy)).await.unwrap();
    assert_eq!(there, served.source.image.index.digest.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_blob_breaks_off() {
    let source = Source::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    written(&source.items(), &signed(&path, &key())).await;
    let mut file = std::fs::read(&path).unwrap();
    let (layer, bytes) = source.image.shared();
    let at = file.windows(4096).position(|part| *part == bytes[..4096]).unwrap();
    file[at + 5] ^= 1;
    std::fs::write(&path, file).unwrap();
    let host = listen(open(&path, &Trust::Unsigned).unwrap()).await;
    let url = format!("http://{host}/v2/images/app/blobs/{}", layer.digest);
    let get = |range: &'static str| {
        let request = http().build().unwrap().get(&url).basic_auth(USER, Some(PASSWORD));
        request.header("range", range).send()
    };
    assert!(get("").await.unwrap().bytes().await.is_err());
    assert_eq!(get("bytes=0-9").await.unwrap().status(), 500);
}
