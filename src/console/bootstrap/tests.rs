use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use ed25519_dalek::SigningKey;

use super::*;
use crate::{
    console::settings::{RegistryAccess, sample},
    proto::qdrant::cloud::hybrid::v1::HybridCloudEnvironmentConfiguration as Configuration,
};

fn made(settings: Settings, password: &str, c: Configuration) -> Vec<String> {
    let environment = Environment {
        id: "5f7c".into(),
        account_id: "acc".into(),
        configuration: Some(Configuration { namespace: "qdrant".into(), ..c }),
        ..Default::default()
    };
    let account = Account { username: "robot".into(), password: Redacted::new(password.into()) };
    let settings = Settings {
        registry: RegistryAccess::Shared {
            username: account.username.clone(),
            password: account.password.clone(),
        },
        ..settings
    };
    commands(&Inputs {
        settings: &settings,
        public_key: &SigningKey::from_bytes(&[1; 32]).verifying_key(),
        environment: &environment,
        version: &semver::Version::new(1, 2, 3),
        access_key: &Redacted::new("5f7c|key".into()),
        account: Some(&account),
    })
}

#[test]
fn the_shape_that_clients_expect() {
    let expected = [
        "kubectl get namespace qdrant >/dev/null 2>&1 || kubectl create namespace qdrant",
        "kubectl delete secret qdrant-registry-creds --namespace qdrant --ignore-not-found",
        "kubectl create secret docker-registry qdrant-registry-creds --docker-server=registry.vendor.test --docker-username=robot --docker-password=pw --namespace qdrant",
        "kubectl delete secret qdrant-cloud-creds --namespace qdrant --ignore-not-found",
        "kubectl create secret generic qdrant-cloud-creds --from-literal='access-key=5f7c|key' --namespace qdrant",
        "printf '%s' pw | helm registry login registry.vendor.test --username robot --password-stdin",
        r#"helm upgrade --install qdrant-cloud-agent oci://registry.vendor.test/qdrant-charts/qdrant-cloud-agent --version 1.2.3 --namespace qdrant --set podAnnotations.accessKeyHash=12550fa8bf039b9c739feaf2cdd2916eb975dc19fb268da56f012921ca8c169d --set-json 'config={"consolePublicKey":"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=","grpcServerURL":"https://vendor.test","hybridCloud":{"accountId":"acc","id":"5f7c"},"logLevel":"info","serverURL":"https://vendor.test"}' --set-json 'image={"repository":"registry.vendor.test/qdrant/qdrant-cloud-agent"}' --set-json 'imagePullSecrets=[{"name":"qdrant-registry-creds"}]'"#,
    ];
    assert_eq!(made(sample(), "pw", Configuration::default()), expected);
}

/// Runs the lines with stand-ins for kubectl and helm that write down their arguments.
fn run(lines: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["kubectl", "helm"] {
        let path = folder.path().join(name);
        let script = "#!/bin/bash\ncase \"$*\" in 'get namespace'*) exit 1;; esac\n\
                      for a in \"$@\"; do case \"$last\" in --ca-file) a=$(cat \"$a\");; esac; \
                      printf '<%s>' \"$a\" >>\"$LOG\"; last=$a; done; echo >>\"$LOG\"\n";
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let log = folder.path().join("log");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let script = format!("set -euo pipefail\n{}\n", lines.join("\n"));
    for _ in 0..2 {
        let done = Command::new("bash")
            .args(["-c", &script])
            .env("PATH", &path)
            .env("LOG", &log)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn secrets_reach_the_tools_unchanged_whatever_they_hold() {
    let password = r#"a'b"c $(id) `id` \ !x"#;
    let calls = run(&made(sample(), password, Configuration::default()));
    let expected = format!("<--docker-password={password}>");
    assert!(calls.iter().any(|call| call.contains(&expected)), "{calls:#?}");
    assert!(calls.iter().any(|call| call.contains("<--from-literal=access-key=5f7c|key>")));
    let values = "<config={\"consolePublicKey\":\"";
    assert!(calls.iter().any(|call| call.contains(values)), "{calls:#?}");
}

#[test]
fn a_private_ca_is_passed_to_helm_and_a_failure_is_not_lost() {
    let settings = Settings { ca_certificates: Some("-----PEM-----".into()), ..sample() };
    let lines = made(settings, "pw", Configuration::default());
    let calls = run(&lines);
    let with_ca = calls.iter().filter(|call| call.contains("<--ca-file><-----PEM----->"));
    assert_eq!(with_ca.count(), 4, "login and install, twice: {calls:#?}");

    let script = format!("set -euo pipefail; helm() {{ return 3; }}; {}", lines.last().unwrap());
    let failed = Command::new("bash").args(["-c", &script]).status().unwrap();
    assert_eq!(failed.code(), Some(3));
}

#[test]
fn a_customers_mirror_and_secret_are_left_to_the_customer() {
    let lines = made(
        sample(),
        "pw",
        Configuration {
            chart_repository_url: Some("oci://mirror.test/charts".into()),
            registry_secret_name: Some("mine".into()),
            ..Default::default()
        },
    );
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("registry login") || line.contains("docker-registry"))
    );
    assert!(lines.last().unwrap().contains("oci://mirror.test/charts/qdrant-cloud-agent"));
}
