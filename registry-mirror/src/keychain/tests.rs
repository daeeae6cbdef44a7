use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

const LOGIN: &str = r#"{"auths":{"r.test":{"auth":"dTpw"}}}"#;
const OTHER: &str =
    r#"{"auths":{"r.test":{"username":"x","password":"y"},"s.test":{"auth":"dTpw"}}}"#;

#[tokio::test]
async fn the_first_file_that_knows_a_host() {
    let folder =
        folder(&[(".docker/config.json", LOGIN), (".config/helm/registry/config.json", OTHER)]);
    let home = folder.path().as_os_str().to_owned();
    let chain = Keychain::standard(|name| (name == "HOME").then(|| home.clone()));
    let of = async |host| chain.credentials(host).await.unwrap();
    assert_eq!(of("r.test").await, Credentials::basic("u", "p"));
    assert_eq!(of("s.test").await, Credentials::basic("u", "p"));
    assert_eq!(of("t.test").await, Credentials::Anonymous);
}

#[tokio::test]
async fn variables_name_other_places() {
    let folder = folder(&[("d/config.json", OTHER), ("h.json", LOGIN), ("p.json", LOGIN)]);
    for (variable, file, user) in [
        ("DOCKER_CONFIG", "d", "x"),
        ("HELM_REGISTRY_CONFIG", "h.json", "u"),
        ("REGISTRY_AUTH_FILE", "p.json", "u"),
    ] {
        let path = folder.path().join(file).into_os_string();
        let chain = Keychain::standard(|name| (name == variable).then(|| path.clone()));
        let found = chain.credentials("r.test").await.unwrap();
        assert!(matches!(found, Credentials::Basic { username, .. } if username == user));
    }
}

#[tokio::test]
async fn a_file_that_was_named_must_be_there_and_make_sense() {
    let folder = folder(&[("bad.json", "{"), ("helper.json", r#"{"credsStore":"../evil"}"#)]);
    let error = async |name: &str| {
        let error = Keychain::file(folder.path().join(name)).credentials("r.test").await;
        error.unwrap_err().to_string()
    };
    assert!(error("missing.json").await.contains("missing.json"));
    assert!(error("bad.json").await.contains("bad.json"));
    assert!(error("helper.json").await.contains("not a name"));
}

#[tokio::test]
async fn a_helper_that_is_not_there_is_named() {
    let name = "pinnace-that-nobody-has";
    let config = format!(r#"{{"credHelpers":{{"r.test":"{name}"}},"auths":{{}}}}"#);
    let folder = folder(&[("config.json", &config)]);
    let chain = Keychain::file(folder.path().join("config.json"));
    let error = chain.credentials("r.test").await.unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    // Other hosts do not need it.
    assert_eq!(chain.credentials("s.test").await.unwrap(), Credentials::Anonymous);
}

#[tokio::test]
async fn a_document_of_somebody_elses_runs_nothing() {
    let config = r#"{"credsStore":"pinnace-that-nobody-has","auths":{"r.test":{"auth":"dTpw"}}}"#;
    let chain = Keychain::document("Secret s", config);
    let found = chain.credentials("r.test").await.unwrap();
    assert_eq!(found, Credentials::basic("u", "p"));
    assert_eq!(chain.credentials("s.test").await.unwrap(), Credentials::Anonymous);
    let error = Keychain::document("Secret s", "{").credentials("r.test").await.unwrap_err();
    assert!(error.to_string().contains("Secret s"), "{error}");
    assert!(!format!("{chain:?}").contains("dTpw"), "{chain:?}");
}

/// Set for the child of the next test, which is this program again with other helpers on its path.
const CHILD: &str = "PINNACE_TEST_HELPERS";

#[tokio::test]
async fn child_with_helpers() {
    let Some(config) = std::env::var_os(CHILD) else { return };
    let chain = Keychain::file(config);
    let of = async |host: &str| chain.credentials(host).await;
    assert_eq!(of("r.test").await.unwrap(), Credentials::basic("u", "of r.test"));
    assert_eq!(of("token.test").await.unwrap(), Credentials::IdentityToken("t".into()));
    assert_eq!(of("unknown.test").await.unwrap(), Credentials::Anonymous);
    for (host, why) in [("broken.test", "ended with"), ("strange.test", "not JSON")] {
        let error = of(host).await.unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(host), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// Programs as docker and the clouds have them, asked for each registry.
#[test]
fn helpers_are_asked_over_stdin() {
    use std::os::unix::fs::PermissionsExt as _;
    let script = r#"#!/bin/sh
read -r host
case $host in
  r.test) echo '{"ServerURL":"r.test","Username":"u","Secret":"of r.test"}' ;;
  token.test) echo '{"Username":"<token>","Secret":"t"}' ;;
  unknown.test) echo 'credentials not found in native keychain'; exit 1 ;;
  strange.test) echo 'hunter2' ;;
  *) echo 'hunter2' >&2; exit 3 ;;
esac
"#;
    let config = r#"{"credsStore":"made-up"}"#;
    let folder = folder(&[("docker-credential-made-up", script), ("config.json", config)]);
    let helper = folder.path().join("docker-credential-made-up");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&others);
    let path = std::env::join_paths([folder.path().to_owned()].into_iter().chain(path)).unwrap();
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "keychain::tests::child_with_helpers"])
        .env(CHILD, folder.path().join("config.json"))
        .env("PATH", path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}
