//! The four ways in which charts and images reach a site (registry-mirror/README.md), one after the other at one
//! site: in each the agent and the operator are upgraded, with the commands of the handbook.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pinnace_testbed::{Space, tool};
use serde_json::{Value, json};

use crate::world::{AGENT, OPERATOR, Site, World};

const CHARTS: [&str; 2] = [AGENT, "qdrant-operator"];

#[tokio::test(flavor = "multi_thread")]
async fn both_are_upgraded_in_each_situation() {
    let world = World::apart().await;
    let desk = Desk::new(world);
    let site = world.install("situations").await;
    site.until_running(AGENT, "1.0.0").await;
    site.until_running(OPERATOR, "1.0.0").await;
    desk.keep_values(&site);

    // 1. The vendor's registry.
    upgrade(&site, "1.1.0").await;
    let catalogue = |query: &str| {
        let account = &world.console.account;
        format!("/api/console/v1/accounts/{account}/charts/qdrant-operator/versions?{query}")
    };
    let page = world.console.call("GET", &catalogue("pageSize=2"), None).await.expect("a page");
    let newest = &page["items"][0];
    assert_eq!((&newest["version"], &page["nextPageToken"]), (&json!("1.2.0"), &json!("1.1.0")));
    assert!(newest["digest"].as_str().is_some_and(|d| d.starts_with("sha256:")), "{page:#}");
    assert_eq!(newest["images"], json!(["registry.vendor.test/qdrant/qdrant-operator:1.2.0"]));
    let last =
        world.console.call("GET", &catalogue("pageToken=1.1.0"), None).await.expect("a page");
    assert_eq!(last["items"].as_array().map(Vec::len), Some(1), "{last:#}");

    // 2. A mirror: the registry inside of the customer's network. The vendor's cannot be reached any more.
    world.publish("1.3.0");
    desk.plan(&world.customer, "1.3.0", "mirror.yaml");
    let login = ["--registry-config", "login.json"];
    let copy = [&["mirror", "copy", "mirror.yaml", "--to", MIRROR][..], &login].concat();
    let copied = desk.pinnace(&world.customer, &copy);
    assert!(copied.contains("copied"), "{copied}");
    world.link.close("registry.vendor.test:443");
    desk.pinnace(&world.customer, &["mirror", "check", "mirror.yaml", "--to", MIRROR]);
    account(&site, "mirror-account", "registry.test", "unused");
    let authority = fs::read_to_string(world.customer.ca()).expect("the customer's CA");
    let configuration = json!({
        "chartRepositoryUrl": format!("oci://{MIRROR}/qdrant-charts"),
        "containerRegistryUrl": MIRROR,
        "registrySecretName": "mirror-account",
        "caCertificates": authority,
    });
    world.console.configure(&site.id, configuration).await.expect("configured");
    upgrade(&site, "1.3.0").await;
    until_pods(&site, MIRROR).await;
    let region = format!("qdrantcloudregion/{}", site.id);
    let told =
        site.kubectl(&["get", &region, "-o", "jsonpath={.status.helmRepositories[0].message}"]);
    let shown = format!(
        "charts from oci://{MIRROR}/qdrant-charts with the account in Secret mirror-account, the certificates in \
         Secret qdrant-cloud-ca"
    );
    assert_eq!(told, shown);

    // 3. No network but the Console's port, and no registry: a bundle that was carried in is one, with TLS and a
    //    password. Nodes, the agent and a person's helm pull from it.
    world.publish("1.4.0");
    desk.pinnace(&world.vendor, &["bundle", "key", "bundle.key"]);
    desk.export("1.4.0", "release.bundle", &[]);
    let jump = format!("{}.test:5000", world.customer.name());
    let served = desk.serve("release.bundle", &jump);
    let stranger = desk.helm_pull(&jump, "1.4.0", "guess");
    assert!(stranger.is_err_and(|said| said.contains("401") || said.contains("nauthorized")));
    desk.helm_pull(&jump, "1.4.0", PASSWORD).expect("genuine helm pulls from a bundle");
    account(&site, "jump-account", &jump, PASSWORD);
    let configuration = json!({
        "chartRepositoryUrl": format!("oci://{jump}/qdrant-charts"),
        "containerRegistryUrl": jump,
        "registrySecretName": "jump-account",
    });
    world.console.configure(&site.id, configuration).await.expect("configured");
    upgrade(&site, "1.4.0").await;
    until_pods(&site, &jump).await;
    drop(served);

    // 4. No network whatsoever. Both bundles go into the site's registry, a person pins what the newer one holds,
    //    and the site's table says where charts and images are now.
    world.publish("1.5.0");
    desk.export("1.5.0", "update.bundle", &["--base", "release.bundle"]);
    world.link.cut();
    let key = ["--key", "bundle.key.pub"];
    let carried = [&["update.bundle", "--base", "release.bundle"][..], &key].concat();
    for bundle in [&[&["release.bundle"][..], &key].concat(), &carried] {
        let import = [&["bundle", "import"][..], bundle, &["--to", MIRROR]].concat();
        desk.pinnace(&world.customer, &import);
    }
    let inspect = [&["bundle", "inspect"][..], &carried, &["-o", "json"]].concat();
    let held: Value = serde_json::from_str(&desk.pinnace(&world.customer, &inspect)).expect("JSON");
    for release in [OPERATOR, AGENT] {
        pin_by_hand(&site, release, "1.5.0", &held);
        site.until_condition(release, "Ready", "False", &jump).await;
    }
    let rules = format!(
        "rules: [{{prefix: '{jump}', policy: mirrorOnly, mirrors: [{{location: {MIRROR}}}]}}]"
    );
    site.kubectl(&[
        "create",
        "configmap",
        "qdrant-cloud-registries",
        &format!("--from-literal=rules.yaml={rules}"),
    ]);
    for release in [OPERATOR, AGENT] {
        site.until_condition(release, "Ready", "True", "@1.5.0").await;
    }
    until_pods(&site, MIRROR).await;

    // Back on the network, the Console hears of it.
    world.link.heal();
    site.until("the Console shows what a person did", |versions| {
        versions["connected"] == true
            && ["agent", "operator"].iter().all(|c| versions[c]["running"] == "1.5.0")
    })
    .await;
    let refused = world.report().refused_in;
    assert_eq!(refused, [], "the vendor's side tried to dial in");
    site.done().await;
}

/// The registry inside of the customer's network, and the path below which the mirror lies.
const MIRROR: &str = "registry.test/vendor";

/// Who may read the bundle that is served.
const USER: &str = "site";
const PASSWORD: &str = "carried-by-hand";

/// A pull secret.
fn account(site: &Site, name: &str, registry: &str, password: &str) {
    let server = format!("--docker-server={registry}");
    let who = [format!("--docker-username={USER}"), format!("--docker-password={password}")];
    let who = [who[0].as_str(), who[1].as_str()];
    site.kubectl(&[&["create", "secret", "docker-registry", name, &server][..], &who].concat());
}

async fn upgrade(site: &Site, version: &str) {
    site.pin(json!({"agentVersion": version, "operatorVersion": version})).await;
    site.until_running(OPERATOR, version).await;
    site.until_running(AGENT, version).await;
}

/// All running pods of both components are of images of this place.
async fn until_pods(site: &Site, registry: &str) {
    for (name, deployment) in [("qdrant-cloud-agent", AGENT), ("qdrant-operator", OPERATOR)] {
        site.kubectl(&["rollout", "status", &format!("deployment/{deployment}"), "--timeout=120s"]);
        let image = "jsonpath={.spec.template.spec.containers[*].image}";
        let image = site.kubectl(&["get", "deployment", deployment, "-o", image]);
        assert!(image.starts_with(&format!("{registry}/qdrant/{name}:")), "{image}");
    }
}

/// What a person does without a Console: takes the release over, and names what the bundle holds.
fn pin_by_hand(site: &Site, release: &str, version: &str, held: &Value) {
    let chart = if release == AGENT { AGENT } else { "qdrant-operator" };
    let name = format!("/qdrant-charts/{chart}:{version}");
    let items = held["items"].as_array().expect("items");
    let item = items.iter().find(|item| item["name"].as_str().is_some_and(|n| n.ends_with(&name)));
    let digest = item.unwrap_or_else(|| panic!("no {name} in {held:#}"))["digest"].clone();
    let object = "helmrelease.cd.qdrant.io";
    site.kubectl(&["annotate", object, release, "cd.qdrant.io/pin=detached"]);
    let pin = json!({"spec": {"chart": {"spec": {"version": version, "digest": digest}}}});
    site.kubectl(&["patch", object, release, "--type=merge", "-p", &pin.to_string()]);
}

/// Where a person works: a folder that goes over the gap with them.
struct Desk {
    world: &'static World,
    folder: PathBuf,
}

impl Desk {
    fn new(world: &'static World) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("desk-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self { world, folder }
    }

    fn command(&self, at: &Space) -> Command {
        let mut command = at.enter(env!("CARGO_BIN_EXE_pinnace"));
        command.current_dir(&self.folder);
        command
    }

    /// The program, run in this folder and the network of `at`; what it prints.
    fn pinnace(&self, at: &Space, args: &[&str]) -> String {
        let run = self.command(at).args(args).output().expect("pinnace");
        let (out, err) =
            (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "pinnace {}: {out}{err}", args.join(" "));
        out.into_owned()
    }

    /// The values that the site gives to both charts, and its login to the vendor's registry.
    fn keep_values(&self, site: &Site) {
        let keep = |file: &str, text: &str| {
            fs::write(self.folder.join(file), text).expect("written");
        };
        for (release, chart) in [(AGENT, AGENT), (OPERATOR, "qdrant-operator")] {
            let path = "jsonpath={.spec.values}";
            let values = site.kubectl(&["get", "helmrelease.cd.qdrant.io", release, "-o", path]);
            keep(&format!("{chart}.yaml"), &values);
        }
        let path = r"jsonpath={.data.\.dockerconfigjson}";
        let login = site.kubectl(&["get", "secret", "qdrant-registry-creds", "-o", path]);
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let login = STANDARD.decode(login).expect("base64");
        keep("login.json", &String::from_utf8(login).expect("text"));
    }

    /// One list of both charts and their images.
    fn plan(&self, at: &Space, version: &str, file: &str) {
        let mut lists = Vec::new();
        for chart in CHARTS {
            let name = format!("oci://{}/qdrant-charts/{chart}:{version}", World::REGISTRY);
            let values = format!("{chart}.yaml");
            let login = ["--registry-config", "login.json"];
            let args =
                [&["mirror", "plan", &name, "-f", &values, "-o", "json"][..], &login].concat();
            let plan: Value = serde_json::from_str(&self.pinnace(at, &args)).expect("JSON");
            lists.push(plan);
        }
        let mut whole = lists.remove(0);
        for list in lists {
            for part in ["charts", "images"] {
                let more = list[part].as_array().cloned().unwrap_or_default();
                whole[part].as_array_mut().expect("a list").extend(more);
            }
        }
        fs::write(self.folder.join(file), whole.to_string()).expect("written");
    }

    /// At the vendor's: a signed bundle of this version.
    fn export(&self, version: &str, file: &str, more: &[&str]) {
        self.plan(&self.world.vendor, version, "bundle.yaml");
        let args = ["bundle", "export", "bundle.yaml", "--file", file, "--key", "bundle.key"];
        self.pinnace(&self.world.vendor, &[&args[..], more].concat());
    }

    /// Genuine helm, on a machine of the customer's, with this password.
    fn helm_pull(&self, registry: &str, version: &str, password: &str) -> Result<(), String> {
        let (ca, helm_at) = (self.world.customer.ca().display().to_string(), tool("helm"));
        let helm_at = helm_at.display().to_string();
        let helm = |args: &[&str]| {
            let mut command = self.world.customer.enter(&helm_at);
            command.current_dir(&self.folder).args(args).args(["--ca-file", &ca]);
            for folder in ["HOME", "HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
                command.env(folder, self.folder.join("helm"));
            }
            let run = command.output().expect("helm");
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            if run.status.success() { Ok(()) } else { Err(said) }
        };
        helm(&["registry", "login", registry, "-u", USER, "-p", password])?;
        let chart = format!("oci://{registry}/qdrant-charts/qdrant-operator");
        helm(&["pull", &chart, "--version", version])?;
        let file = self.folder.join(format!("qdrant-operator-{version}.tgz"));
        if file.exists() { Ok(()) } else { Err("helm has pulled nothing".to_owned()) }
    }

    /// On the customer's jump host: the bundle as a registry, until it is dropped.
    fn serve(&self, file: &str, address: &str) -> Served {
        let pki = self.world.customer.ca();
        let pki = pki.parent().expect("a folder");
        fs::write(self.folder.join("password"), PASSWORD).expect("written");
        let mut command = self.command(&self.world.customer);
        command
            .args(["bundle", "serve", file, "--key", "bundle.key.pub", "--listen", "0.0.0.0:5000"])
            .args(["--username", USER, "--password-file", "password"])
            .arg("--tls-cert")
            .arg(pki.join("tls.crt"))
            .arg("--tls-key")
            .arg(pki.join("tls.key"))
            .stdout(Stdio::null());
        let served = Served(command.spawn().expect("pinnace serves"));
        let url = format!("https://{address}/v2/");
        let who = format!("{USER}:{PASSWORD}");
        let wait =
            ["--silent", "--fail", "--retry", "50", "--retry-delay", "0", "--retry-connrefused"];
        self.world
            .customer
            .run("curl", &[&wait[..], &["--retry-max-time", "30", "--user", &who, &url]].concat());
        served
    }
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
