use super::*;

const TABLE: &str = "
rules:
- prefix: registry.vendor.test
  mirrors:
  - location: harbor.test/vendor
    secret: harbor
    proxy: http://proxy.test:3128
  - location: backup.test:5000
    plainHttp: true
- prefix: registry.vendor.test/internal
  policy: mirrorOnly
  mirrors: [{location: harbor.test/internal}]
- prefix: docker.io/qdrant/qdrant
  policy: defaultFirst
  mirrors: [{location: harbor.test/db}]
registries:
- location: registry.vendor.test
  username: u
  passwordFile: /run/password
";

fn places(rules: &Rules, text: &str) -> Vec<String> {
    let reference = Reference::parse(text).unwrap();
    rules.places(&reference).iter().map(|place| place.reference.image()).collect()
}

#[test]
fn places_in_order() {
    let rules = Rules::from_yaml(TABLE).unwrap();
    assert_eq!(
        places(&rules, "registry.vendor.test/charts/app:1"),
        [
            "harbor.test/vendor/charts/app:1",
            "backup.test:5000/charts/app:1",
            "registry.vendor.test/charts/app:1"
        ]
    );
    assert_eq!(places(&rules, "registry.vendor.test/internal/a:1"), ["harbor.test/internal/a:1"]);
    // Whole components only, and without regard to the host's case.
    assert_eq!(places(&rules, "registry.vendor.test/internals/a:1").len(), 3);
    assert_eq!(places(&rules, "REGISTRY.vendor.test/a:1").len(), 3);
    let database = ["docker.io/qdrant/qdrant:v1", "harbor.test/db:v1"];
    assert_eq!(places(&rules, "docker.io/qdrant/qdrant:v1"), database);
    assert_eq!(places(&rules, "other.test/a:1"), ["other.test/a:1"]);
    let own = Reference::parse("registry.vendor.test/a:1").unwrap();
    let last = rules.places(&own).pop().unwrap();
    assert_eq!(last.endpoint.unwrap().username.as_deref(), Some("u"));
    let mirrored = Reference::parse("harbor.test/vendor/a:1").unwrap();
    assert_eq!(rules.settings(&mirrored).unwrap().secret.as_deref(), Some("harbor"));
}

#[test]
fn a_digest_goes_along() {
    let rules = Rules::from_yaml(TABLE).unwrap();
    let digest = crate::Digest::of(b"");
    let places = places(&rules, &format!("registry.vendor.test/a:1@{digest}"));
    assert_eq!(places[0], format!("harbor.test/vendor/a:1@{digest}"));
}

#[test]
fn names_in_manifests() {
    let rules = Rules::from_yaml(TABLE).unwrap();
    let image = |text| rules.rewrite_image(text);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(image("registry.vendor.test/a:1"), some("harbor.test/vendor/a:1"));
    assert_eq!(image("registry.vendor.test/internal/a"), some("harbor.test/internal/a:latest"));
    assert_eq!(image("qdrant/qdrant:v1"), None, "the registry itself is asked first");
    assert_eq!(image("nginx"), None);
    assert_eq!(image("not an image"), None);
    let all = Rules::all_to("m.test/x").unwrap();
    assert_eq!(all.rewrite_image("nginx:1"), some("m.test/x/library/nginx:1"));
    assert_eq!(all.rewrite_image("r.test/a/b:1"), some("m.test/x/a/b:1"));
}

#[test]
fn refused() {
    let error = |text: &str| Rules::from_yaml(text).unwrap_err().to_string();
    assert!(error("rules: [{prefix: 'a b', mirrors: [{location: m.test}]}]").contains("a b"));
    assert!(error("rules: [{prefix: r.test, mirrors: []}]").contains("no mirror"));
    assert!(
        error("rules: [{prefix: r.test, mirrors: [{location: 'm.test/a:1'}]}]").contains("a:1")
    );
    assert!(error("rules: [{prefix: r.test, mirors: []}]").contains("mirors"));
    let twice = "{prefix: r.test, mirrors: [{location: m.test}]}";
    assert!(error(&format!("rules: [{twice}, {twice}]")).contains("two"));
    assert!(error(&" ".repeat(LONGEST + 1)).contains("longer"));
    assert_eq!(Rules::from_yaml("").unwrap(), Rules::default());
}

#[tokio::test]
async fn settings_of_an_endpoint() {
    use crate::{Credentials, Keychain, Options};
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        Some(folder.path().join(name))
    };
    let endpoint = Endpoint {
        username: Some("u".to_owned()),
        password_file: file("password", "p\n"),
        ca_file: file("ca.pem", "CA"),
        proxy: Some(String::new()),
        ..Endpoint::at("m.test")
    };
    let base = Options { https_proxy: Some("http://p.test:1".into()), ..Options::default() };
    let none = std::collections::BTreeMap::new();
    let chain = Keychain::default();
    let options = endpoint.options("m.test", &base, &chain, &none).await.unwrap();
    assert_eq!(options.credentials, Credentials::basic("u", "p"));
    assert_eq!((options.ca_certificates, options.https_proxy), (vec!["CA".to_owned()], None));

    let half = Endpoint { password_file: None, ..endpoint.clone() };
    let error = half.options("m.test", &base, &chain, &none).await.unwrap_err();
    assert!(error.to_string().contains("passwordFile"), "{error}");
    let secret = Endpoint { secret: Some("s".to_owned()), ..Endpoint::at("m.test") };
    assert!(secret.options("m.test", &base, &chain, &none).await.is_err());
    let document = r#"{"auths":{"m.test":{"auth":"dTpw"}}}"#;
    let secrets = [("s".to_owned(), document.into())].into();
    let options = secret.options("m.test", &base, &chain, &secrets).await.unwrap();
    assert_eq!(options.credentials, Credentials::basic("u", "p"));
    // Who reads Secrets has put what is in this one elsewhere.
    let certificate =
        Endpoint { certificate_secret: Some("t".to_owned()), ..Endpoint::at("m.test") };
    let error = certificate.options("m.test", &base, &chain, &secrets).await.unwrap_err();
    assert!(error.to_string().contains("the Secret t"), "{error}");
}

#[test]
fn a_table_of_somebody_elses_names_no_files() {
    for field in
        ["dockerConfigFile", "passwordFile", "caFile", "clientCertificateFile", "clientKeyFile"]
    {
        let mirror =
            format!("rules: [{{prefix: r.test, mirrors: [{{location: m.test, {field}: /x}}]}}]");
        let registry = format!("registries: [{{location: r.test, {field}: /x}}]");
        for table in [mirror, format!("rules: []\n{registry}")] {
            let rules = Rules::from_yaml(&table).unwrap();
            let error = rules.without_files().unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
    let rules = "rules: [{prefix: r.test, mirrors: [{location: m.test, secret: s}]}]";
    assert!(Rules::from_yaml(rules).unwrap().without_files().is_ok());
}
