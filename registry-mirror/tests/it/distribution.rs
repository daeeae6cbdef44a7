use pinnace_registry::{Cache, Client, Credentials, Error};

use crate::support::{
    genuine::{PASSWORD, Registry, USER, certificates},
    limits, reference, refused,
};

#[tokio::test]
async fn charts_pushed_by_helm() {
    let registry = Registry::start();
    registry.push_chart("app", "1.9.0", "old");
    registry.push_chart("app", "1.10.0+build.1", "built");
    let archive = registry.push_chart("app", "1.10.0", "new");
    let client = registry.client();
    let app = reference(format!("oci://{}/charts/app", registry.host));

    let versions = client.chart_versions(&app).await.unwrap();
    let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
    assert_eq!(versions, ["1.10.0+build.1", "1.10.0", "1.9.0"]);

    let tagged = app.with_tag("1.10.0").unwrap();
    let digest = client.resolve(&tagged).await.unwrap();
    let chart = client.pull_chart(&tagged, Some(&digest)).await.unwrap();
    assert_eq!(chart.digest, digest);
    assert_eq!(chart.archive, archive);
    assert_eq!(chart.config["name"], "app");
    assert_eq!(chart.config["version"], "1.10.0");
    assert_eq!(client.pull_chart(&tagged, None).await.unwrap(), chart);

    let bound = app.with_digest(digest.parse().unwrap());
    assert_eq!(client.pull_chart(&bound, None).await.unwrap(), chart);
    assert_eq!(client.resolve(&bound).await.unwrap(), digest);

    let built = app.with_tag("1.10.0+build.1").unwrap();
    assert_eq!(client.pull_chart(&built, None).await.unwrap().config["version"], "1.10.0+build.1");

    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path(), 1 << 20).unwrap();
    cache.put(&chart).await.unwrap();
    assert_eq!(cache.get(&digest).await.unwrap(), Some(chart));
}

#[tokio::test]
async fn a_moved_tag_is_noticed() {
    let registry = Registry::start();
    registry.push_chart("app", "1.0.0", "first");
    let client = registry.client();
    let tagged = reference(format!("oci://{}/charts/app:1.0.0", registry.host));
    let first = client.pull_chart(&tagged, None).await.unwrap();
    let pinned = tagged.with_digest(first.digest.parse().unwrap());
    assert_eq!(client.pull_chart(&pinned, None).await.unwrap(), first);

    registry.push_chart("app", "1.0.0", "second");
    refused(client.pull_chart(&pinned, None).await, "DigestMismatch", &first.digest);
    refused(client.resolve(&pinned).await, "DigestMismatch", &first.digest);
    let error = client.pull_chart(&tagged, Some(&first.digest)).await.unwrap_err();
    let Error::DigestMismatch { expected, actual, .. } = error else { panic!("{error:?}") };
    assert_eq!(expected.as_str(), first.digest);
    assert_eq!(client.resolve(&tagged).await.unwrap(), actual.as_str());

    // The bytes that were pinned are still there under their digest.
    let by_digest = reference(format!("oci://{}/charts/app@{}", registry.host, first.digest));
    assert_eq!(client.pull_chart(&by_digest, None).await.unwrap(), first);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let registry = Registry::start();
    registry.push_chart("app", "1.0.0", "");
    let client = registry.client();
    let at = |rest: &str| reference(format!("oci://{}/charts/{rest}", registry.host));
    refused(client.pull_chart(&at("app:2.0.0"), None).await, "NotFound", "charts/app:2.0.0");
    refused(client.resolve(&at("app:2.0.0")).await, "NotFound", "charts/app:2.0.0");
    refused(client.chart_versions(&at("other")).await, "NotFound", "charts/other");
    refused(client.pull_chart(&at("app"), None).await, "InvalidReference", "names no version");
    let other = pinnace_registry::Digest::of(b"").to_string();
    refused(client.pull_chart(&at(&format!("app@{other}")), None).await, "NotFound", &other);
    refused(client.pull_chart(&at("app:1.0.0"), Some("latest")).await, "InvalidDigest", "latest");
}

#[tokio::test]
async fn credentials() {
    let registry = Registry::start();
    registry.push_chart("app", "1.0.0", "");
    let app = reference(format!("oci://{}/charts/app:1.0.0", registry.host));
    let resolve =
        async |credentials| Client::new(registry.options(credentials)).unwrap().resolve(&app).await;
    let error = refused(resolve(Credentials::Anonymous).await, "Unauthorized", &registry.host);
    assert!(error.to_string().contains("no credentials were given"), "{error}");

    let wrong = refused(resolve(Credentials::basic(USER, "hunter2")).await, "Unauthorized", "app");
    assert!(wrong.to_string().contains("refused the user name and password"), "{wrong}");
    assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");

    let auths = serde_json::json!({
        "auths": { &registry.host: { "username": USER, "password": PASSWORD } },
    });
    let json = auths.to_string();
    let found = Credentials::from_docker_config(json.as_bytes(), app.host()).unwrap();
    resolve(found).await.unwrap();
}

#[tokio::test]
async fn certificates_are_checked() {
    let registry = Registry::start();
    let app = reference(format!("oci://{}/charts/app:1.0.0", registry.host));
    let credentials = Credentials::basic(USER, PASSWORD);
    for ca_certificates in [vec![], vec![certificates().0]] {
        let options =
            pinnace_registry::Options { ca_certificates, ..registry.options(credentials.clone()) };
        let client = Client::new(options).unwrap();
        refused(client.resolve(&app).await, "Tls", &registry.host);
    }
    // Whoever is told to take any certificate takes this one; what it says is still checked against digests.
    registry.push_chart("app", "1.0.0", "");
    let options = pinnace_registry::Options {
        ca_certificates: Vec::new(),
        accept_any_certificate: true,
        ..registry.options(credentials.clone())
    };
    Client::new(options).unwrap().resolve(&app).await.unwrap();
    for pem in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let ca_certificates = vec![pem.to_owned()];
        let options =
            pinnace_registry::Options { ca_certificates, ..registry.options(credentials.clone()) };
        assert_eq!(Client::new(options).unwrap_err().reason(), "InvalidCa", "{pem}");
    }
}

#[tokio::test]
async fn pages_of_tags() {
    let registry = Registry::start();
    for patch in 0..5 {
        registry.push_chart("app", &format!("1.0.{patch}"), "");
    }
    let app = reference(format!("oci://{}/charts/app", registry.host));
    let with = |limits| {
        let options = registry.options(Credentials::basic(USER, PASSWORD));
        Client::new(pinnace_registry::Options { limits, ..options }).unwrap()
    };
    let paged = with(pinnace_registry::Limits { tags_page: 2, ..limits() });
    assert_eq!(paged.tags(&app).await.unwrap().len(), 5);
    let few = with(pinnace_registry::Limits { tags_page: 2, tags_pages: 2, ..limits() });
    refused(few.tags(&app).await, "TooLarge", "2 pages");
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let client = crate::support::plain(limits());
    let error = client.resolve(&reference(format!("{host}/a:1"))).await;
    assert!(refused(error, "Unreachable", &host).is_transient());
}
