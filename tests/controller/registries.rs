//! Where charts come from, and what has to be true of them: signatures, proxies, mirrors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pinnace_registry::{
    Client, Descriptor, Digest, ImageManifest, ManifestBytes, Options, Reference,
};
use pinnace_testbed::Cluster;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::bed::{Bed, chart, condition, web};

/// A key by genuine openssl, and signatures in the form that `cosign sign` gives them by default.
pub struct Signer<'a> {
    bed: &'a Bed,
    name: &'static str,
    key: String,
}

impl<'a> Signer<'a> {
    pub fn new(bed: &'a Bed, name: &'static str) -> Self {
        let key = bed.file(&format!("{name}.key"), "");
        openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key]);
        Self { bed, name, key }
    }

    fn file(&self, ending: &str) -> String {
        self.bed.file(&format!("{}.{ending}", self.name), "")
    }

    pub fn public(&self) -> String {
        let public = self.file("pub");
        openssl(&["ec", "-in", &self.key, "-pubout", "-out", &public]);
        std::fs::read_to_string(public).expect("a key")
    }

    pub async fn sign(&self, client: &Client, chart: &Reference, digest: &Digest) {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": chart.path()},
                "image": {"docker-manifest-digest": digest.as_str()},
                "type": "cosign container image signature",
            },
            "optional": null,
        })
        .to_string();
        let (file, signature) = (self.bed.file("payload", &payload), self.file("sig"));
        openssl(&["dgst", "-sha256", "-sign", &self.key, "-out", &signature, &file]);
        let signature = STANDARD.encode(std::fs::read(signature).expect("a signature"));
        let payload = bytes::Bytes::from(payload);
        let mut layer =
            Descriptor::of("application/vnd.dev.cosign.simplesigning.v1+json", &payload);
        let config = Descriptor::of("application/vnd.oci.image.config.v1+json", b"{}");
        for (blob, bytes) in [(&layer, &payload), (&config, &bytes::Bytes::from_static(b"{}"))] {
            client.push_blob(chart, blob, None, bytes).await.expect("pushed");
        }
        let annotation = ("dev.cosignproject.cosign/signature".to_owned(), signature);
        layer.annotations = Some([annotation].into());
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
            artifact_type: None,
            config,
            layers: vec![layer],
            subject: None,
            annotations: None,
        };
        let manifest = serde_json::to_vec(&manifest).expect("JSON");
        let at = chart.with_tag(&format!("sha256-{}.sig", digest.hex())).expect("a tag");
        let manifest = ManifestBytes::new(manifest.into(), None);
        client.put_manifest(&at, &manifest).await.expect("pushed");
    }
}

fn openssl(args: &[&str]) {
    let run = std::process::Command::new("openssl").args(args).output().expect("openssl");
    assert!(run.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&run.stderr));
}

/// A client of the cluster's registry, as seen from this machine, and a chart's place there.
pub fn registry(bed: &Bed, chart: &str) -> (Client, Reference) {
    let ca = std::fs::read_to_string(Cluster::shared().ca()).expect("the CA");
    let options = Options { ca_certificates: vec![ca], ..Options::default() };
    let name = format!("{}/{}/{chart}", Cluster::shared().registry(), bed.namespace());
    (Client::new(options).expect("a client"), Reference::parse(&name).expect("a name"))
}

pub async fn keys(bed: &Bed, public: &str) {
    bed.apply(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
        "stringData": {"cosign.pub": public},
    }))
    .await;
}

/// A missing signature and one by somebody else keep the release as it is; the right key lets the chart in at
/// once, without an interval that is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_used_if_it_is_signed_as_the_spec_asks() {
    let bed = Bed::new("signed").await;
    for version in ["1.0.0", "1.1.0"] {
        bed.publish(&web(version));
    }
    let (ours, theirs) = (Signer::new(&bed, "ours"), Signer::new(&bed, "theirs"));
    let (client, web) = registry(&bed, "web");
    let digest_of = async |version: &str| -> Digest {
        let tagged = web.with_tag(version).expect("a tag");
        client.resolve(&tagged).await.expect("there").parse().expect("a digest")
    };
    keys(&bed, &theirs.public()).await;
    let controller = bed.start_controller();
    let spec = |version: &str| {
        json!({"interval": "1h", "chart": {"spec": {
            "chart": "web", "version": version,
            "sourceRef": {"kind": "HelmRepository", "name": "charts"},
            "verify": {"provider": "cosign", "secretRef": {"name": "keys"}},
        }}})
    };
    bed.release_with("web", "web", "1.0.0", json!({}), spec("1.0.0")).await;
    let status = bed.reason("web", "Ready", "ArtifactFailed").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("no signature of the kind that is asked for"), "{message}");
    ours.sign(&client, &web, &digest_of("1.0.0").await).await;
    keys(&bed, &ours.public()).await;
    bed.ready("web").await;
    let verified = r#"{.status.conditions[?(@.type=="SourceVerified")].message}"#;
    let chart = format!("helmchart/{}-web", bed.namespace());
    assert!(bed.field(&chart, verified).contains("by a trusted key"));

    theirs.sign(&client, &web, &digest_of("1.1.0").await).await;
    bed.release_with("web", "web", "1.1.0", json!({}), spec("1.1.0")).await;
    let status = bed.reason("web", "Ready", "ArtifactFailed").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("not by any of the trusted keys"), "{message}");
    assert_eq!(bed.field("configmap/web-config", "{.data.version}"), "1.0.0");
    controller.stop().await;
}

/// An HTTP proxy that counts: CONNECT alone.
async fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
                    head.push(client.read_u8().await.expect("a request"));
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
                let mut server = TcpStream::connect(target.expect("CONNECT")).await.expect("there");
                counted.fetch_add(1, Ordering::SeqCst);
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("answered");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (format!("http://{address}"), count)
}

/// Set, changed and taken away while the controller runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_asked_through_the_proxy_of_its_repository() {
    let bed = Bed::new("proxy").await;
    for version in ["1.0.0", "1.1.0"] {
        bed.publish(&web(version));
    }
    let (address, count) = proxy().await;
    let way = async |address: &str| {
        bed.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "proxy"},
            "stringData": {"address": address},
        }))
        .await;
    };
    // Nobody listens there.
    way("http://127.0.0.1:1").await;
    let patch = |spec: &str| {
        bed.kubectl(&["patch", "helmrepository/charts", "--type=merge", "-p", spec]);
    };
    patch(r#"{"spec": {"proxySecretRef": {"name": "proxy"}}}"#);
    let controller = bed.start_controller();
    bed.release("web", "web", "1.0.0", json!({})).await;
    bed.reason("web", "Ready", "ArtifactFailed").await;
    way(&address).await;
    bed.ready("web").await;
    let asked = count.load(Ordering::SeqCst);
    assert!(asked > 0, "the registry was not asked through the proxy");
    patch(r#"{"spec": {"proxySecretRef": null}}"#);
    bed.release("web", "web", "1.1.0", json!({})).await;
    bed.history("web", |history| history[0]["chartVersion"] == "1.1.0").await;
    assert_eq!(count.load(Ordering::SeqCst), asked);
    controller.stop().await;
}

const PAUSE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: pause, image: "vendor.invalid/images/pause:1"}]
"#;

/// The vendor's registry is not there. The site's table says where its charts and images are, and takes effect
/// as it is written.
#[tokio::test(flavor = "multi_thread")]
async fn the_sites_table_leads_charts_and_images_to_its_mirrors() {
    let bed = Bed::new("mirrors").await;
    for version in ["1.0.0", "1.1.0"] {
        bed.publish(&chart("app", version).file("templates/app.yaml", PAUSE));
    }
    let url = r#"{"spec": {"url": "oci://vendor.invalid/charts"}}"#;
    bed.kubectl(&["patch", "helmrepository/charts", "--type=merge", "-p", url]);
    let controller = bed.start_controller();
    bed.release("app", "app", "1.0.0", json!({})).await;
    let status = bed.reason("app", "Ready", "ArtifactFailed").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("vendor.invalid"), "{message}");

    let mirror = format!("{}/{}", Cluster::shared().registry(), bed.namespace());
    let table = async |rules: String| {
        bed.apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "qdrant-cloud-registries"}, "data": {"rules.yaml": rules},
        }))
        .await;
    };
    let rules = |charts: &str| {
        format!(
            "rules:\n\
             - {{prefix: vendor.invalid/charts, policy: mirrorOnly, mirrors: [{{location: '127.0.0.1:1'}}, {{location: '{charts}'}}]}}\n\
             - {{prefix: vendor.invalid/images, mirrors: [{{location: registry.test}}]}}\n"
        )
    };
    table(rules(&mirror)).await;
    bed.ready("app").await;
    let image = "{.spec.template.spec.containers[0].image}";
    assert_eq!(bed.field("deployment/app", image), "registry.test/pause:1");

    // What is wrong with it is told by its name, and what runs goes on running.
    table("rules: [{prefix: vendor.invalid, mirrors: []}]".to_owned()).await;
    let status = bed.reason("app", "Ready", "SourceNotReady").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("ConfigMap qdrant-cloud-registries: rules.yaml"), "{message}");
    // Each dead mirror is named.
    table(rules("127.0.0.1:2")).await;
    bed.release("app", "app", "1.1.0", json!({})).await;
    let status = bed.reason("app", "Ready", "ArtifactFailed").await;
    let message = condition(&status, "Ready").2;
    assert!(message.contains("127.0.0.1:1/") && message.contains("127.0.0.1:2/"), "{message}");
    assert_eq!(bed.field("deployment/app", image), "registry.test/pause:1");
    table(rules(&mirror)).await;
    bed.history("app", |history| history[0]["chartVersion"] == "1.1.0").await;

    // Other ways to the same names, and rules for what the release does not use, make no revision.
    bed.ready("app").await;
    let before = bed.helm_history("app").len();
    table("wrong".to_owned()).await;
    bed.reason("app", "Ready", "SourceNotReady").await;
    let more = "- {prefix: other.invalid, mirrors: [{location: registry.test/other}]}\n";
    let direct = rules(&mirror).replace("{location: '127.0.0.1:1'}, ", "");
    table(direct + more).await;
    bed.ready("app").await;
    assert_eq!(bed.helm_history("app").len(), before);
    assert_eq!(bed.field("deployment/app", image), "registry.test/pause:1");
    controller.stop().await;
}
