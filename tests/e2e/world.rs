//! One vendor and one customer for all end-to-end tests, and a namespace of the customer's cluster for each test.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use pinnace_testbed::{Cluster, Image, Link, Report, Vendor, dump_namespace, tool};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::console::Console;
use crate::rescue;

pub const AGENT: &str = "qdrant-cloud-agent";
pub const OPERATOR: &str = "qdrant-operator-v2";

/// Longer than anything takes on a busy machine; only a failing test waits for all of it.
const PATIENCE: Duration = Duration::from_secs(180);

/// The vendor with its registry and Console, and a customer who can open nothing but these.
pub struct World {
    pub vendor: Vendor,
    pub customer: Cluster,
    pub link: Link,
    /// The Console's data and log.
    data: PathBuf,
    pub console: Console,
    /// Port of 127.0.0.1 that leads to the Console.
    pub port: u16,
}

static WORLD: OnceCell<World> = OnceCell::const_new();

impl World {
    /// The Console's name, to which its certificate is made out.
    pub const HOST: &str = "vendor.test";
    /// The vendor's registry, as everyone names it.
    pub const REGISTRY: &str = "registry.vendor.test";

    pub async fn get() -> &'static World {
        WORLD
            .get_or_init(|| async {
                let start = || Self::start(["e2e-v", "e2e-c"]);
                tokio::task::spawn_blocking(start).await.expect("the world starts")
            })
            .await
    }

    /// One of its own for a test that changes the network for everybody.
    pub async fn apart() -> &'static World {
        static APART: OnceCell<World> = OnceCell::const_new();
        APART
            .get_or_init(|| async {
                let start = || Self::start(["apart-v", "apart-c"]);
                tokio::task::spawn_blocking(start).await.expect("the world starts")
            })
            .await
    }

    /// Publishes this version of both components: the programs of 1.0.0 under another number.
    pub fn publish(&self, version: &str) {
        for chart in ["qdrant-cloud-agent", "qdrant-operator"] {
            publish(&self.vendor, &["--like", "1.0.0"], chart, version);
        }
    }

    /// 1.0.0 and 1.1.0 of both components work; 1.2.0 of the operator starts and never becomes ready; 1.2.1 and
    /// later of the agent have one of [`rescue::MISTAKES`] each.
    fn start([vendor, customer]: [&str; 2]) -> Self {
        // The one TLS stack; another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (vendor, customer) = (Vendor::start(vendor), Cluster::start(customer));
        let link = Link::new(&customer, &vendor);
        let agent = env!("CARGO_BIN_EXE_qdrant-cloud-agent");
        let operator = env!("CARGO_BIN_EXE_qdrant-operator");
        for (chart, program) in [("qdrant-cloud-agent", agent), ("qdrant-operator", operator)] {
            publish(&vendor, &["--program", program], chart, "1.0.0");
            publish(&vendor, &["--like", "1.0.0"], chart, "1.1.0");
        }
        let pause = tool("pause").display().to_string();
        publish(&vendor, &["--program", &pause], "qdrant-operator", "1.2.0");
        for mistake in rescue::MISTAKES {
            publish_with(&vendor, mistake);
        }
        Image::new(&format!("{}/qdrant/qdrant:v1.16.0", Self::REGISTRY))
            .env("APP_VERSION", "v1.16.0")
            .file(tool("standin"))
            .push(vendor.space());
        let port = vendor.published_address().port();
        let data =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("console-{}", vendor.name()));
        let console = start_console(&vendor, &data, port);
        Self { vendor, customer, link, data, console, port }
    }

    /// What the network between customer and vendor saw.
    pub fn report(&self) -> Report {
        self.link.report()
    }

    /// Each request that the customer's API server logged.
    pub fn audit(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.customer.audit_log()).expect("the audit log");
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// An environment in a namespace of that name, at 1.0.0, installed by the Console's own command.
    pub async fn install(&'static self, name: &str) -> Site {
        let id =
            self.console.create(name, json!({"namespace": name})).await.expect("an environment");
        let site = Site { world: self, id, namespace: name.to_owned() };
        site.pin(json!({"agentVersion": "1.0.0", "operatorVersion": "1.0.0"})).await;
        let lines = self.console.bootstrap(&site.id).await.expect("the installation command");
        let script = format!("set -euo pipefail\n{}\n", lines.join("\n"));
        let run = run(self.customer.enter("bash").args(["-c", &script]), "");
        assert!(run.status.success(), "the installation command failed: {}", said(&run));
        site
    }
}

/// One environment: a namespace of the customer's cluster, and a row of the Console.
pub struct Site {
    world: &'static World,
    pub id: String,
    pub namespace: String,
}

impl Site {
    pub async fn pin(&self, wanted: Value) {
        self.world.console.pin(&self.id, wanted).await.expect("pinned");
    }

    /// Waits until the Console says that `release` runs `version`, and nothing is going on with it.
    pub async fn until_running(&self, release: &str, version: &str) {
        let component = if release == AGENT { "agent" } else { "operator" };
        self.until(&format!("{release} runs {version}"), |versions| {
            let it = &versions[component];
            it["running"] == version
                && it["wanted"] == version
                && it["phase"] == "Ready"
                && versions["connected"] == true
        })
        .await;
    }

    /// Waits for a state of the Console's versions.
    pub async fn until(&self, what: &str, reached: impl Fn(&Value) -> bool) -> Value {
        let console = &self.world.console;
        self.poll(what, || async {
            let versions = console.versions(&self.id).await.expect("versions");
            if reached(&versions) { Ok(versions) } else { Err(format!("{versions:#}")) }
        })
        .await
    }

    /// Waits for an answer of the Console's API.
    pub async fn until_answer(
        &self,
        path: &str,
        what: &str,
        reached: impl Fn(&Value) -> bool,
    ) -> Value {
        let console = &self.world.console;
        self.poll(what, || async {
            let answer = console.call("GET", path, None).await.map_err(|e| format!("{e:?}"))?;
            if reached(&answer) { Ok(answer) } else { Err(format!("{answer:#}")) }
        })
        .await
    }

    /// Has the Console make a database of so many nodes and waits until it is healthy. Returns its id.
    pub async fn database(&self, nodes: u32) -> String {
        let console = &self.world.console;
        let body = json!({"cluster": {
            "accountId": console.account,
            "name": "first",
            "cloudProviderId": "hybrid",
            "cloudProviderRegionId": self.id,
            "configuration": {"numberOfNodes": nodes, "version": "v1.16.0"},
        }});
        let made = console.call("POST", &console.clusters(), Some(body)).await.expect("a cluster");
        let id = made["cluster"]["id"].as_str().expect("an id").to_owned();
        let path = format!("{}/{id}", console.clusters());
        self.until_answer(&path, "the cluster is healthy", |answer| {
            let state = &answer["cluster"]["state"];
            state["phase"] == "CLUSTER_PHASE_HEALTHY"
                && state["nodes"].as_array().is_some_and(|there| there.len() == nodes as usize)
        })
        .await;
        id
    }

    pub async fn until_refused(&self, path: &str, status: u16) {
        let console = &self.world.console;
        self.poll(&format!("{path} answers {status}"), || async {
            match console.call("GET", path, None).await {
                Err(refusal) if refusal.status == status => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Waits for a condition of a HelmRelease whose message has these words; returns the message.
    pub async fn until_condition(
        &self,
        release: &str,
        kind: &str,
        status: &str,
        words: &str,
    ) -> String {
        let what = format!("{release} has {kind}={status} with {words:?}");
        self.poll(&what, || async {
            let object = self.kubectl(&["get", "helmrelease.cd.qdrant.io", release, "-o", "json"]);
            let object: Value = serde_json::from_str(&object).expect("JSON");
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions
                .iter()
                .find(|c| c["type"] == kind && c["status"] == status)
                .and_then(|c| c["message"].as_str())
                .filter(|message| message.contains(words))
                .map(str::to_owned)
                .ok_or_else(|| format!("{conditions:#?}"))
        })
        .await
    }

    /// Waits until the log of a Deployment has these words.
    pub async fn until_log(&self, deployment: &str, words: &str) -> String {
        let what = format!("the log of {deployment} has {words:?}");
        self.poll(&what, || async {
            let log = self.kubectl(&["logs", &format!("deployment/{deployment}"), "--tail=-1"]);
            if log.contains(words) { Ok(log) } else { Err(log) }
        })
        .await
    }

    /// Waits until Helm's record of this revision is there.
    pub async fn until_record(&self, release: &str, revision: u32) {
        self.poll(&format!("{release} has revision {revision}"), || async {
            match self.record_status(release, revision) {
                status if status.is_empty() => Err("no such Secret".into()),
                _ => Ok(()),
            }
        })
        .await;
    }

    /// Waits until an object is gone.
    pub async fn until_gone(&self, object: &str) {
        self.poll(&format!("{object} is gone"), || async {
            match self.kubectl(&["get", object, "--ignore-not-found", "-o", "name"]) {
                name if name.is_empty() => Ok(()),
                name => Err(name),
            }
        })
        .await;
    }

    /// The status label of Helm's record; empty if there is no such revision.
    pub fn record_status(&self, release: &str, revision: u32) -> String {
        let secret = format!("sh.helm.release.v1.{release}.v{revision}");
        self.kubectl(&[
            "get",
            "secret",
            &secret,
            "--ignore-not-found",
            "-o",
            "jsonpath={.metadata.labels.status}",
        ])
    }

    /// `revision status version` of each revision, oldest first, as genuine `helm history` tells them.
    pub fn revisions(&self, release: &str) -> Vec<String> {
        let mut helm = self.world.customer.enter("helm");
        let run = run(helm.args(["history", release, "-n", &self.namespace, "-o", "json"]), "");
        assert!(run.status.success(), "helm history {release}: {}", said(&run));
        let history: Value = serde_json::from_slice(&run.stdout).expect("JSON of helm");
        let rows = history.as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| {
                let chart = row["chart"].as_str().unwrap_or_default();
                let version = chart.rsplit('-').next().unwrap_or_default();
                format!(
                    "{} {} {version}",
                    row["revision"],
                    row["status"].as_str().unwrap_or_default()
                )
            })
            .collect()
    }

    /// Genuine kubectl in this namespace; its output without the last line's end.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl_stdin(arguments, "")
    }

    pub fn kubectl_stdin(&self, arguments: &[&str], stdin: &str) -> String {
        let run = self.run_kubectl(arguments, stdin);
        assert!(
            run.status.success(),
            "kubectl {}: {}\n{}",
            arguments.join(" "),
            said(&run),
            self.dump()
        );
        String::from_utf8_lossy(&run.stdout).trim_end().to_owned()
    }

    /// What kubectl says when the API server refuses.
    pub fn kubectl_refused(&self, arguments: &[&str], stdin: &str) -> String {
        let run = self.run_kubectl(arguments, stdin);
        assert!(!run.status.success(), "kubectl {} was not refused", arguments.join(" "));
        said(&run)
    }

    fn run_kubectl(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut kubectl = self.world.customer.enter("kubectl");
        run(kubectl.args(["-n", &self.namespace]).args(arguments), stdin)
    }

    /// SIGKILL for every process of the agent in this namespace: no warning, no last word.
    pub fn kill_agent(&self) {
        let pods = self.kubectl(&[
            "get",
            "pods",
            "-l",
            "app.kubernetes.io/name=qdrant-cloud-agent",
            "-o",
            "jsonpath={.items[*].metadata.uid}",
        ]);
        let uids: Vec<&str> = pods.split_whitespace().collect();
        let mut killed = 0;
        for process in fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok())
            else {
                continue;
            };
            let read = |file: &str| fs::read(process.path().join(file)).unwrap_or_default();
            let command = read("cmdline");
            let cgroup = String::from_utf8_lossy(&read("cgroup")).into_owned();
            let program = command.split(|b| *b == 0).next().unwrap_or_default();
            let ours = uids
                .iter()
                .any(|uid| cgroup.contains(uid) || cgroup.contains(&uid.replace('-', "_")));
            if ours && program.ends_with(b"/qdrant-cloud-agent") {
                let kill = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
                killed += u32::from(kill.is_ok_and(|status| status.success()));
            }
        }
        assert!(killed > 0, "no process of the agent was found\n{}", self.dump());
    }

    /// Ends what the test used, so that the next one has the machine for itself.
    pub async fn done(self) {
        self.kubectl(&[
            "delete",
            "deployment",
            AGENT,
            OPERATOR,
            "--ignore-not-found",
            "--wait=false",
        ]);
    }

    async fn poll<T, F: Future<Output = Result<T, String>>>(
        &self,
        what: &str,
        mut try_once: impl FnMut() -> F,
    ) -> T {
        let began = Instant::now();
        loop {
            match try_once().await {
                Ok(value) => return value,
                Err(now) if began.elapsed() > PATIENCE => {
                    panic!("waited {PATIENCE:?} until {what}; it is\n{now}\n{}", self.dump())
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    }

    /// Objects, events and logs of the namespace, and the Console's log, for a failing test.
    fn dump(&self) -> String {
        let console = fs::read_to_string(self.world.data.join("log")).unwrap_or_default();
        let lines: Vec<&str> = console.lines().collect();
        let tail = lines[lines.len().saturating_sub(40)..].join("\n");
        format!("{}\n== Console\n{tail}", dump_namespace(&self.world.customer, &self.namespace))
    }
}

/// Runs a command to its end, with this on its standard input.
fn run(command: &mut Command, stdin: &str) -> Output {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let mut input = child.stdin.take().expect("a pipe");
    // A command that does not read its input may have ended.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    child.wait_with_output().expect("its output")
}

fn said(run: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}

/// The chart and the image of a component.
fn publish(vendor: &Vendor, options: &[&str], chart: &str, version: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/publish");
    let mut publish = Command::new(script);
    let run = run(publish.args(options).args([vendor.name(), World::REGISTRY, chart, version]), "");
    assert!(run.status.success(), "dev/publish {chart} {version}: {}", said(&run));
}

/// The agent's chart at a version of its own, with one text of one template replaced.
fn publish_with(vendor: &Vendor, (version, file, text, mistake): (&str, &str, &str, &str)) {
    let folder = tempfile::tempdir().expect("a folder");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts").join(AGENT);
    let copy = run(Command::new("cp").arg("-r").arg(&chart).arg(folder.path()), "");
    assert!(copy.status.success(), "{}", said(&copy));
    let folder = folder.path().join(AGENT);
    let template = folder.join("templates").join(file);
    let before = fs::read_to_string(&template).expect("a template");
    let after = before.replace(text, mistake);
    assert_ne!(before, after, "{file} has no {text:?}: {version} would be no mistake");
    fs::write(&template, after).expect("written");
    let folder = folder.display().to_string();
    publish(vendor, &["--like", "1.0.0", "--folder", &folder], AGENT, version);
}

/// A Console in the vendor's network; it ends with that.
fn start_console(vendor: &Vendor, data: &Path, port: u16) -> Console {
    fs::create_dir_all(data).expect("the Console's folder");
    let log = fs::File::create(data.join("log")).expect("the Console's log");
    let mut command = vendor.enter(env!("CARGO_BIN_EXE_pinnace-console"));
    command
        .args([
            "serve",
            "--listen",
            &vendor.listen_address(),
            "--public-url",
            "https://vendor.test",
        ])
        .args(["--admin-address", "127.0.0.1:9091", "--image-registry", World::REGISTRY])
        .arg(format!("--chart-repository=oci://{}/qdrant-charts", World::REGISTRY))
        .arg(format!("--database-image={}/qdrant/qdrant", World::REGISTRY))
        .arg("--data")
        .arg(data.join("data"))
        .arg("--tls-cert")
        .arg(vendor.certificate())
        .arg("--tls-key")
        .arg(vendor.key())
        .arg("--registry-ca")
        .arg(vendor.ca())
        .arg("--registry-htpasswd")
        .arg(vendor.htpasswd())
        .args(["--registry-username", Vendor::PUBLISHER])
        .arg("--registry-password-file")
        .arg(vendor.publisher_password())
        .stdout(log.try_clone().expect("the log twice"))
        .stderr(log);
    let mut process = command.spawn().expect("the Console starts");
    let ended = std::thread::spawn(move || process.wait());
    let began = Instant::now();
    let read = |file: &str| {
        fs::read_to_string(data.join("data").join(file)).unwrap_or_default().trim().to_owned()
    };
    let ca = fs::read(vendor.ca()).expect("the vendor's CA");
    let runtime = tokio::runtime::Handle::current();
    loop {
        let (account, key) = (read("account-id"), read("admin-key"));
        if !account.is_empty() && !key.is_empty() {
            let console = Console::new(port, &ca, World::HOST, account, key);
            if runtime.block_on(console.answers()) {
                return console;
            }
        }
        let log = || fs::read_to_string(data.join("log")).unwrap_or_default();
        assert!(
            !ended.is_finished() && began.elapsed() < PATIENCE,
            "the Console does not start: {}",
            log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
