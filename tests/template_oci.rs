//! `pinnace template oci://…` beside genuine Helm, both against a CNCF distribution registry with TLS
//! and a login.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use pinnace_testbed::tool;
use tempfile::TempDir;

const USER: &str = "pinnace";
const PASSWORD: &str = "correct horse: battery";

#[test]
fn charts_come_from_a_registry_as_they_do_for_helm() {
    let registry = Registry::start();
    for version in ["0.1.0", "0.2.0", "0.2.1-rc.1", "0.2.0+build.5", "1.0.0"] {
        registry.push(version);
    }
    let chart = format!("oci://{}/charts/hooks", registry.host);
    let digest = {
        let output = registry.run("pinnace", &["template", "demo", &chart, "--version", "0.1.0"]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        words.lines().find_map(|line| line.strip_prefix("Digest: ")).expect(&words).to_owned()
    };
    let tagged = format!("{chart}:0.2.0");
    let pinned = format!("{chart}@{digest}");
    let missing = format!("{chart}-not");
    for arguments in [
        &[chart.as_str()][..],
        &[&chart, "--version", "^0.1"],
        &[&chart, "--version", "0.2.x"],
        &[&chart, "--version", ">=0.2.1-0 <1"],
        &[&chart, "--version", "0.2.0+build.5"],
        &[&chart, "--version", "9.9.9"],
        &[&chart, "--version", ">9"],
        &[&chart, "--devel"],
        &[&tagged],
        &[&tagged, "--version", "0.1.0"],
        &[&pinned],
        &[&missing],
    ] {
        let mut all = vec!["template", "demo"];
        all.extend(arguments);
        let theirs = registry.run("helm", &all);
        let ours = registry.run("pinnace", &all);
        let words = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            theirs.status.code() == ours.status.code() && theirs.stdout == ours.stdout,
            "{arguments:?}\nHelm: {}\nwe: {}",
            words(&theirs),
            words(&ours)
        );
    }
}

#[test]
fn logins_are_taken_from_flags_and_files() {
    let registry = Registry::start();
    registry.push("0.1.0");
    let chart = format!("oci://{}/charts/hooks", registry.host);
    let anonymous = registry.folder.path().join("nothing.json");
    fs::write(&anonymous, "{\"auths\":{}}").unwrap();
    let config = anonymous.to_str().unwrap();
    let with = |arguments: &[&str]| {
        let mut all = vec!["template", "demo", &chart];
        all.extend(arguments);
        registry.run("pinnace", &all)
    };
    assert!(with(&[]).status.success(), "Helm's own login file");
    let refused = with(&["--registry-config", config]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains(&registry.host), "{words}");
    assert!(
        with(&["--registry-config", config, "--username", USER, "--password", PASSWORD])
            .status
            .success()
    );
    let wrong = with(&["--username", USER, "--password", "hunter2"]);
    let words = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && !words.contains("hunter2"), "{words}");
}

struct Registry {
    host: String,
    folder: TempDir,
    process: Child,
}

impl Registry {
    /// Starts a registry on a free port and signs `helm` in.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            fs::write(folder.path().join(name), content).unwrap();
            folder.path().join(name).display().to_string()
        };
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let hash = bcrypt::hash(PASSWORD, 4).unwrap();
        let config = serde_json::json!({
            "version": "0.1",
            "log": { "formatter": "json", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": folder.path().join("data") } },
            "http": {
                "addr": "127.0.0.1:0",
                "tls": {
                    "certificate": file("tls.crt", &identity.cert.pem()),
                    "key": file("tls.key", &identity.signing_key.serialize_pem()),
                },
            },
            "auth": {
                "htpasswd": { "realm": "test", "path": file("htpasswd", &format!("{USER}:{hash}\n")) },
            },
        });
        let mut process = Command::new(tool("registry"))
            .args(["serve", &file("config.yaml", &config.to_string())])
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let port = loop {
            let Some(line) = lines.next() else { panic!("the registry ended:\n{said}") };
            let line = line.unwrap();
            if let Some((_, after)) = line.split_once("listening on 127.0.0.1:") {
                break after.split(|c: char| !c.is_ascii_digit()).next().unwrap().to_owned();
            }
            said += &(line + "\n");
        };
        // Somebody must read on, or the registry would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let registry = Self { host: format!("localhost:{port}"), folder, process };
        let login = ["registry", "login", &registry.host, "-u", USER, "-p", PASSWORD];
        registry.must("helm", &login);
        registry
    }

    /// Packs the chart `tests/charts/hooks` as this version and pushes it to `charts/`.
    fn push(&self, version: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/hooks/chart");
        let packages = self.folder.path().display().to_string();
        let source = source.display().to_string();
        let package = ["package", &source, "-d", &packages, "--version", version];
        let output = self.helm().args(package).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let archive = format!("{packages}/hooks-{version}.tgz");
        self.must("helm", &["push", &archive, &format!("oci://{}/charts", self.host)]);
    }

    fn helm(&self) -> Command {
        let mut command = Command::new(tool("helm"));
        self.homes(&mut command);
        command
    }

    fn homes(&self, command: &mut Command) {
        let home: PathBuf = self.folder.path().join("home");
        command.env("HOME", &home);
        for kind in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
            command.env(kind, home.join(kind));
        }
        command.env_remove("HELM_REGISTRY_CONFIG").env_remove("DOCKER_CONFIG");
    }

    /// Runs `helm` or `pinnace` with the registry's CA.
    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = match program {
            "helm" => self.helm(),
            _ => Command::new(env!("CARGO_BIN_EXE_pinnace")),
        };
        self.homes(&mut command);
        command.args(arguments).arg("--ca-file").arg(self.folder.path().join("tls.crt"));
        command.output().unwrap()
    }

    fn must(&self, program: &str, arguments: &[&str]) {
        let output = self.run(program, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
