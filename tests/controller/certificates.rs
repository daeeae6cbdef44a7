//! A mirror that knows nobody without a certificate: the site's table names the Secret that has one.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use pinnace_registry::mirror::{Copier, CopyOptions, Platforms};
use pinnace_registry::{
    ClientCertificate, Endpoint, Keychain, Options, Reference, Registries, Rules,
};
use pinnace_testbed::{Cluster, tool};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;

use crate::bed::{Bed, condition, web};

/// A CA, and a certificate and key of it for this machine, as PEM.
fn certificates() -> [String; 3] {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&ca_key).expect("a CA").pem();
    let key = KeyPair::generate().expect("a key");
    let names = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let own = names.signed_by(&key, &Issuer::new(params, ca_key)).expect("a certificate");
    [ca, own.pem(), key.serialize_pem()]
}

/// A CNCF distribution registry of this machine that asks for certificates of its own CA.
struct Guarded {
    host: String,
    pem: [String; 3],
    process: Child,
}

impl Guarded {
    fn start(bed: &Bed) -> Self {
        let pem = certificates();
        let [ca, certificate, key] =
            [("ca.crt", &pem[0]), ("tls.crt", &pem[1]), ("tls.key", &pem[2])]
                .map(|(name, text)| bed.file(&format!("guarded-{name}"), text));
        let config = json!({
            "version": "0.1",
            "log": {"formatter": "json", "accesslog": {"disabled": true}},
            "storage": {"inmemory": {}},
            "http": {
                "addr": "127.0.0.1:0",
                "tls": {"certificate": certificate, "key": key, "clientcas": [ca]},
            },
        });
        let mut process = Command::new(tool("registry"))
            .args(["serve", &bed.file("guarded.yaml", &config.to_string())])
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a registry");
        let mut lines = BufReader::new(process.stderr.take().expect("its log")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, after) = line.split_once("listening on 127.0.0.1:")?;
            after.split(|c: char| !c.is_ascii_digit()).next().map(str::to_owned)
        });
        let host = format!("127.0.0.1:{}", port.expect("the registry listens"));
        // Somebody must read on, or it would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { host, pem, process }
    }

    /// Brings a chart of the cluster's registry here.
    async fn copy(&self, bed: &Bed, name: &str) {
        let authority = std::fs::read_to_string(Cluster::shared().ca()).expect("the CA");
        let [ca, certificate, key] = self.pem.clone();
        let certificate = Some(ClientCertificate { certificate, key: key.into() });
        let endpoint = Endpoint { client_certificate: certificate, ..Endpoint::at(&self.host) };
        let rules = Rules { registries: vec![endpoint], ..Rules::default() };
        let base = Options { ca_certificates: vec![authority, ca], ..Options::default() };
        let registries = Registries::new(rules, Keychain::default(), base, BTreeMap::new());
        let options = CopyOptions {
            platforms: Platforms::default(),
            attachments: false,
            dry_run: false,
            at_once: 2,
        };
        let copier = Copier::new(registries.clone(), registries, options, Arc::new(()));
        let source = format!("{}/{}/{name}", Cluster::shared().registry(), bed.namespace());
        let [source, target] = [source, format!("{}/charts/{name}", self.host)]
            .map(|name| Reference::parse(&name).expect("a name"));
        copier.copy(&source, &target).await.expect("copied");
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_shown_the_certificate_that_the_sites_table_names() {
    let bed = Bed::new("certificates").await;
    bed.publish(&web("1.0.0"));
    let guarded = Guarded::start(&bed);
    guarded.copy(&bed, "web:1.0.0").await;
    let url = r#"{"spec": {"url": "oci://vendor.invalid/charts"}}"#;
    bed.kubectl(&["patch", "helmrepository/charts", "--type=merge", "-p", url]);
    let secret = async |pem: &[String; 3]| {
        bed.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "guard"},
            "stringData": {"ca.crt": guarded.pem[0], "tls.crt": pem[1], "tls.key": pem[2]},
        }))
        .await;
    };
    let table = async |note: &str| {
        let rules = format!(
            "# {note}\nrules: [{{prefix: vendor.invalid, policy: mirrorOnly, \
             mirrors: [{{location: '{}', certificateSecret: guard}}]}}]",
            guarded.host
        );
        bed.apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "qdrant-cloud-registries"}, "data": {"rules.yaml": rules},
        }))
        .await;
    };
    // First one that the mirror does not know.
    secret(&certificates()).await;
    table("a stranger").await;
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({})).await;
    let status = bed.reason("web", "Ready", "ArtifactFailed").await;
    let message = condition(&status, "Ready").2;
    assert!(
        message.starts_with("ClientCertificate") && message.contains(&guarded.host),
        "{message}"
    );
    secret(&guarded.pem).await;
    table("a friend").await;
    bed.ready("web").await;
    assert_eq!(bed.field("configmap/web-config", "{.data.version}"), "1.0.0");
    controller.stop().await;
}
