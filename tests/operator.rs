//! The operator as it is delivered: its chart, installed by genuine Helm under the account of the agent,
//! with its own image, account and Role, and databases of a stand-in image.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use std::path::Path;

use pinnace_testbed::{Cluster, Image, Namespace, tool};

struct Installed {
    cluster: &'static Cluster,
    namespace: Namespace<'static>,
}

impl Installed {
    fn new() -> Self {
        let cluster = Cluster::shared();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = |path: &str| root.join(path).display().to_string();
        Image::new("registry.test/qdrant/qdrant-operator:test")
            .file(env!("CARGO_BIN_EXE_qdrant-operator"))
            .push(cluster.space());
        for version in ["v1.0.0", "v1.1.0"] {
            Image::new(&format!("registry.test/qdrant/qdrant:{version}"))
                .file(tool("standin"))
                .env("APP_VERSION", version)
                .push(cluster.space());
        }
        cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &file("crds")]);
        cluster.kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=30s",
            "-f",
            &file("crds"),
        ]);
        let namespace = cluster.namespace("operator");
        let agent = format!("system:serviceaccount:{}:qdrant-cloud-agent", namespace.name());
        let helm = |arguments: &[&str]| {
            cluster.run("helm", &[arguments, &["--namespace", namespace.name()]].concat())
        };
        // No agent runs here, but its account is what installs the operator, with its rights.
        helm(&[
            "install",
            "qdrant-cloud-agent",
            &file("charts/qdrant-cloud-agent"),
            "--skip-crds",
            "--set=replicaCount=0,config.serverURL=https://vendor.test,config.hybridCloud.id=e1",
        ]);
        helm(&[
            "install",
            "qdrant-operator-v2",
            &file("charts/qdrant-operator"),
            "--skip-crds",
            "--kube-as-user",
            &agent,
            "--set=image.repository=registry.test/qdrant/qdrant-operator,image.tag=test",
            "--set=settings.features.clusterManagement.qdrant.image.repository=registry.test/qdrant/qdrant",
        ]);
        let installed = Self { cluster, namespace };
        // Helm's own wait asks for more than the account has.
        let deployment = "deployment/qdrant-operator-v2";
        installed.kubectl(&["rollout", "status", deployment, "--timeout=90s"]);
        installed
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(&[&["--namespace", self.namespace.name()], arguments].concat())
    }

    fn create(&self, id: &str, labels: &str, spec: &str) {
        let object = format!(
            r#"{{"apiVersion":"qdrant.io/v1","kind":"QdrantCluster","metadata":{{"name":"qdrant-{id}","labels":{labels}}},"spec":{spec}}}"#
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cluster.json");
        std::fs::write(&file, object).unwrap();
        self.kubectl(&["create", "-f", &file.display().to_string()]);
    }

    fn wait(&self, id: &str, phase: &str) {
        let condition = format!("--for=jsonpath={{.status.phase}}={phase}");
        self.kubectl(&["wait", &format!("qc/qdrant-{id}"), &condition, "--timeout=90s"]);
    }

    fn patch(&self, id: &str, patch: &str) {
        self.kubectl(&["patch", &format!("qc/qdrant-{id}"), "--type=merge", "-p", patch]);
    }

    fn status(&self, id: &str, field: &str) -> String {
        let output = format!("jsonpath={{.status.{field}}}");
        self.kubectl(&["get", &format!("qc/qdrant-{id}"), "-o", &output])
    }

    /// The site says that its mirror has the image, first in words that nobody understands.
    fn moves(&self, id: &str, version: &str) {
        Image::new(&format!("registry.test/mirror/qdrant:{version}"))
            .file(tool("standin"))
            .env("APP_VERSION", version)
            .push(self.cluster.space());
        let table = "qdrant-cloud-registries";
        let wrong =
            "--from-literal=rules.yaml=rules: [{prefix: registry.test/qdrant, mirrors: []}]";
        self.kubectl(&["create", "configmap", table, wrong]);
        self.wait(id, "FailedToUpdate");
        let said = self.status(id, "reason");
        assert!(said.contains("qdrant-cloud-registries: rules.yaml"), "{said}");
        let set = format!("statefulset/qdrant-{id}");
        let image = "{.spec.template.spec.containers[0].image}";
        let said = self.kubectl(&["get", &set, "-o", &format!("jsonpath={image}")]);
        assert_eq!(said, format!("registry.test/qdrant/qdrant:{version}"), "it runs on as it is");

        let rules = r#"{"data":{"rules.yaml":"rules: [{prefix: registry.test/qdrant, mirrors: [{location: registry.test/mirror}]}]"}}"#;
        self.kubectl(&["patch", "configmap", table, "--type=merge", "-p", rules]);
        let moved = format!("--for=jsonpath={image}=registry.test/mirror/qdrant:{version}");
        self.kubectl(&["wait", &set, &moved, "--timeout=90s"]);
        self.kubectl(&["rollout", "status", &set, "--timeout=90s"]);
        self.wait(id, "Healthy");
    }

    /// Reasons of the Events about a database.
    fn events(&self, id: &str) -> String {
        let about = format!("--field-selector=regarding.name=qdrant-{id}");
        let output = "jsonpath={.items[*].reason}";
        self.kubectl(&["get", "events.v1.events.k8s.io", &about, "-o", output])
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        // Its two cluster-wide objects would outlive the namespace.
        let mut helm = self.cluster.enter("helm");
        helm.args(["uninstall", "qdrant-cloud-agent", "--namespace", self.namespace.name()]);
        if let Err(error) = helm.output() {
            eprintln!("cannot uninstall the agent's chart: {error}");
        }
    }
}

#[test]
fn a_database_lives_grows_shrinks_pauses_and_goes() {
    let operator = Installed::new();
    operator.cluster.add_volumes(2);
    operator.create(
        "c1",
        r#"{"cluster-id":"c1","customer-id":"a1"}"#,
        r#"{"id":"c1","version":"v1.0.0","size":1,"resources":{"cpu":"50m","memory":"64Mi","storage":"1Gi"}}"#,
    );
    operator.wait("c1", "Healthy");
    assert_eq!(operator.status("c1", "nodes.qdrant-c1-0.version"), "v1.0.0");

    operator.kubectl(&["scale", "qc/qdrant-c1", "--replicas=2"]);
    operator.kubectl(&[
        "wait",
        "qc/qdrant-c1",
        "--for=jsonpath={.status.availableNodes}=2",
        "--timeout=90s",
    ]);
    operator.wait("c1", "Healthy");
    operator.kubectl(&["get", "service", "qdrant-c1-0", "qdrant-c1-1"]);

    operator.patch("c1", r#"{"spec":{"version":"v1.1.0","size":1}}"#);
    operator.kubectl(&["wait", "service/qdrant-c1-1", "--for=delete", "--timeout=90s"]);
    let upgraded = "--for=jsonpath={.status.version}=v1.1.0";
    operator.kubectl(&["wait", "qc/qdrant-c1", upgraded, "--timeout=90s"]);
    assert_eq!(operator.status("c1", "currentNodes"), "1");

    let told = operator.events("c1");
    for phase in ["Creating", "Healthy", "Scaling"] {
        assert!(told.split_whitespace().any(|reason| reason == phase), "{phase} in {told:?}");
    }

    operator.patch("c1", r#"{"spec":{"suspend":true}}"#);
    operator.wait("c1", "Suspended");
    operator.patch("c1", r#"{"spec":{"suspend":false}}"#);
    operator.wait("c1", "Healthy");

    operator.moves("c1", "v1.1.0");

    operator.kubectl(&["delete", "qc/qdrant-c1", "--timeout=30s"]);
    for kind in ["statefulset", "service", "configmap", "secret", "poddisruptionbudget", "pod"] {
        let labels = "--selector=app=qdrant,cluster-id=c1";
        operator.kubectl(&["wait", kind, labels, "--for=delete", "--timeout=90s"]);
    }
    let claims = operator.kubectl(&["get", "pvc", "-o", "name"]);
    assert_eq!(claims.lines().count(), 2, "claims outlive their database: {claims}");
    operator.kubectl(&["delete", "pvc", "--all", "--wait=false"]);

    let log = std::fs::read_to_string(operator.cluster.audit_log()).unwrap();
    let account = format!("{}:qdrant-operator-v2\"", operator.namespace.name());
    let refused: Vec<_> =
        log.lines().filter(|l| l.contains(&account) && l.contains(r#""code":403"#)).collect();
    assert!(refused.is_empty(), "the operator asked for more than its Role gives: {refused:?}");
    assert!(log.contains(&account), "the audit log names the operator");
}

#[test]
fn what_cannot_be_made_says_why() {
    let operator = Installed::new();
    let labels = |id: &str| format!(r#"{{"cluster-id":"{id}","customer-id":"a1"}}"#);
    let spec =
        |id: &str, more: &str| format!(r#"{{"id":"{id}","version":"v1.0.0","size":1{more}}}"#);
    operator.create("b1", r#"{"cluster-id":"other"}"#, &spec("b1", ""));
    operator.create("b2", &labels("b2"), &spec("b2", r#","resources":{"cpu":"lots"}"#));
    operator.create("b3", &labels("b3"), &spec("b3", r#","tolerations":[{"key":7}]"#));
    operator.create("b4", &labels("b4"), &spec("b4", r#","nodeSelector":{"bad key!":"x"}"#));
    operator.create("b5", &labels("b5"), &spec("b5", r#","gpu":{"gpuType":"nvidia"}"#));
    operator.create("b6", &labels("b6"), &spec("b6", r#","image":{"tag":"x"}"#));
    // Beside the malformed ones, a sound one is made.
    operator.create("c1", &labels("c1"), &spec("c1", ""));
    for (id, reason) in [
        ("b1", "the label cluster-id is \"other\""),
        ("b2", "spec.resources.cpu is \"lots\""),
        ("b3", "spec.tolerations cannot be read"),
        ("b4", "cannot apply StatefulSet qdrant-b4"),
        ("b5", "spec.gpu is not done"),
        ("b6", "spec.image.tag is not done"),
    ] {
        operator.wait(id, "FailedToCreate");
        let said = operator.status(id, "reason");
        assert!(said.contains(reason), "{said:?} should contain {reason:?}");
    }
    assert_eq!(operator.events("b5"), "FailedToCreate");
    operator.wait("c1", "Healthy");
    // A correction is picked up.
    operator.patch("b2", r#"{"spec":{"resources":{"cpu":"50m"}}}"#);
    operator.wait("b2", "Healthy");
}
