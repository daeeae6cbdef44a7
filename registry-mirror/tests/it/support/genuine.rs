//! A CNCF distribution registry with TLS and a login, and genuine `helm` beside it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use pinnace_registry::{Client, Credentials, Options};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::{limits, tool};

pub const USER: &str = "pinnace";
pub const PASSWORD: &str = "correct horse: battery";

pub struct Registry {
    pub host: String,
    pub ca: String,
    folder: TempDir,
    process: Child,
    plain: bool,
}

/// Which program, and whom it lets in.
pub enum Kind {
    /// CNCF distribution with TLS and a login.
    Login,
    /// The same with certificates instead of logins: [`Registry::file`] has one, tls.crt and tls.key.
    Certificates,
    /// The same with tokens of this service, whose certificate is in this PEM, without TLS.
    Tokens { realm: String, certificate: String },
    /// The same for everyone, without TLS.
    Plain,
    /// Debian's docker-registry, the predecessor, for everyone, without TLS.
    Old,
}

impl Registry {
    /// Starts a registry with TLS and a login on a free port and signs `helm` in.
    pub fn start() -> Self {
        let registry = Self::of_kind(&Kind::Login);
        let (host, user, password) = (&registry.host, USER, PASSWORD);
        registry.helm(&["registry", "login", host, "-u", user, "-p", password, "--ca-file"]);
        registry
    }

    pub fn of_kind(kind: &Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            fs::write(folder.path().join(name), content).unwrap();
            folder.path().join(name).display().to_string()
        };
        let (ca, certificate, key) = certificates();
        file("ca.crt", &ca);
        let plain = !matches!(kind, Kind::Login | Kind::Certificates);
        let mut config = serde_json::json!({
            "version": "0.1",
            "log": { "formatter": "json", "accesslog": { "disabled": true } },
            "storage": {
                "filesystem": { "rootdirectory": folder.path().join("data") },
                "delete": { "enabled": true },
            },
            "http": { "addr": "127.0.0.1:0" },
        });
        if !plain {
            config["http"]["tls"] = serde_json::json!({
                "certificate": file("tls.crt", &certificate),
                "key": file("tls.key", &key),
            });
        }
        match kind {
            Kind::Login => {
                let hash = bcrypt::hash(PASSWORD, 4).unwrap();
                let path = file("htpasswd", &format!("{USER}:{hash}\n"));
                config["auth"] =
                    serde_json::json!({ "htpasswd": { "realm": "test", "path": path } });
            }
            Kind::Tokens { realm, certificate } => {
                config["auth"] = serde_json::json!({ "token": {
                    "realm": realm,
                    "service": "test",
                    "issuer": "test",
                    "rootcertbundle": file("tokens.crt", certificate),
                } });
            }
            Kind::Certificates => {
                config["http"]["tls"]["clientcas"] =
                    serde_json::json!([folder.path().join("ca.crt")]);
            }
            Kind::Plain | Kind::Old => {}
        }
        let program = match kind {
            Kind::Old => PathBuf::from("docker-registry"),
            _ => tool("registry"),
        };
        let mut process = Command::new(&program)
            .args(["serve", &file("config.yaml", &config.to_string())])
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
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
        Self { host: format!("localhost:{port}"), ca, folder, process, plain }
    }

    /// One of the files that it was started with.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A tag in this registry.
    pub fn at(&self, path: &str) -> pinnace_registry::Reference {
        super::reference(format!("{}/{path}", self.host))
    }

    pub fn options(&self, credentials: Credentials) -> Options {
        let ca_certificates = vec![self.ca.clone()];
        let plain_http = self.plain;
        Options { ca_certificates, credentials, limits: limits(), plain_http, ..Options::default() }
    }

    pub fn client(&self) -> Client {
        let credentials = match self.plain {
            true => Credentials::Anonymous,
            false => Credentials::basic(USER, PASSWORD),
        };
        Client::new(self.options(credentials)).unwrap()
    }

    /// Packages a chart and pushes it to `charts/`; returns the archive.
    pub fn push_chart(&self, name: &str, version: &str, description: &str) -> Vec<u8> {
        let source = self.folder.path().join("source").join(name);
        fs::create_dir_all(source.join("templates")).unwrap();
        let metadata = serde_json::json!({
            "apiVersion": "v2", "name": name, "version": version, "description": description,
        });
        fs::write(source.join("Chart.yaml"), metadata.to_string()).unwrap();
        let source = source.display().to_string();
        let packages = self.folder.path().join("packages").display().to_string();
        self.helm(&["package", &source, "-d", &packages]);
        let package = Path::new(&packages).join(format!("{name}-{version}.tgz"));
        let to = format!("oci://{}/charts", self.host);
        self.helm(&["push", &package.display().to_string(), &to, "--ca-file"]);
        fs::read(package).unwrap()
    }

    /// Runs `crane` against this registry.
    pub fn crane(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(tool("crane"))
            .args(arguments)
            .args(self.plain.then_some("--insecure"))
            .env("HOME", self.folder.path())
            .env("SSL_CERT_FILE", self.folder.path().join("ca.crt"))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "crane {arguments:?}: {error}");
        output.stdout
    }

    /// Runs `helm`; a last `--ca-file` is completed.
    pub fn helm(&self, arguments: &[&str]) {
        let home: PathBuf = self.folder.path().join("helm");
        let mut command = Command::new(tool("helm"));
        command.args(arguments).env("HOME", &home);
        for kind in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
            command.env(kind, home.join(kind));
        }
        command.env("HELM_REGISTRY_CONFIG", home.join("registry.json"));
        if arguments.last() == Some(&"--ca-file") {
            command.arg(self.folder.path().join("ca.crt"));
        }
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "helm {}: {error}", arguments[0]);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A private CA, and a certificate and key for localhost, as PEM.
pub fn certificates() -> (String, String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    (ca, certificate.pem(), key.serialize_pem())
}
