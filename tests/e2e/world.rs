//! One vendor and one customer for all end-to-end tests, and a namespace of the customer's cluster for each test.

use std::time::{Duration, Instant};

use pinnace_testbed::{Cluster, Link, Vendor};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::console::Console;

pub const AGENT: &str = "qdrant-cloud-agent";
pub const OPERATOR: &str = "qdrant-operator-v2";

/// Longer than anything takes on a busy machine; only a failing test waits for all of it.
const PATIENCE: Duration = Duration::from_secs(180);

/// The vendor with its registry and Console, and a customer who can open nothing but these.
pub struct World {
    vendor: Vendor,
    customer: Cluster,
    link: Link,
    pub console: Console,
    /// Port of 127.0.0.1 that leads to the Console.
    pub port: u16,
    /// The vendor's registry, as the customer names it.
    pub registry: String,
}

static WORLD: OnceCell<World> = OnceCell::const_new();

impl World {
    /// The Console's name, to which its certificate is made out.
    pub const HOST: &str = "vendor.test";

    pub async fn get() -> &'static World {
        WORLD.get_or_init(|| async { tokio::task::spawn_blocking(Self::start).await.expect("a world") }).await
    }

    /// 1.0.0 and 1.1.0 of both components work; 1.2.0 of the operator starts and never becomes ready.
    fn start() -> Self {
        let vendor = Vendor::start("e2e-vendor");
        let customer = Cluster::start("e2e-customer");
        let link = Link::between(&customer, &vendor);
        for version in ["1.0.0", "1.1.0"] {
            vendor.publish(&["--version", version]);
        }
        vendor.publish(&["--version", "1.2.0", "--only", "qdrant-operator", "--never-ready"]);
        vendor.publish(&["--database", "v1.16.0"]);
        let started = vendor.start_console();
        let console = Console::new(
            format!("https://127.0.0.1:{}", vendor.port()),
            &vendor.ca(),
            Self::HOST,
            started.account,
            started.admin_key,
        );
        let registry = vendor.registry().to_owned();
        Self { port: vendor.port(), vendor, customer, link, console, registry }
    }

    /// What the network between customer and vendor saw.
    pub fn report(&self) -> String {
        self.link.report()
    }

    /// Each request that the customer's API server logged.
    pub fn audit(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.customer.audit_log()).expect("the audit log");
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// An environment in a namespace of that name, at 1.0.0, installed by the Console's own command.
    pub async fn install(&'static self, name: &str) -> Site {
        let ca = String::from_utf8(self.vendor.ca()).expect("PEM");
        let configuration = json!({"namespace": name, "caCertificates": ca});
        let id = self.console.create(name, configuration).await.expect("an environment");
        let site = Site { world: self, id, namespace: name.to_owned() };
        site.pin(json!({"agentVersion": "1.0.0", "operatorVersion": "1.0.0"})).await;
        let lines = self.console.bootstrap(&site.id).await.expect("the installation command");
        let script = format!("set -euo pipefail\n{}\n", lines.join("\n"));
        let run = self.customer.enter(&["bash", "-c", &script]);
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
            it["running"] == version && it["wanted"] == version && it["phase"] == "Ready" && versions["connected"] == true
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
    pub async fn until_answer(&self, path: &str, what: &str, reached: impl Fn(&Value) -> bool) -> Value {
        let console = &self.world.console;
        self.poll(what, || async {
            let answer = console.call("GET", path, None).await.map_err(|e| format!("{e:?}"))?;
            if reached(&answer) { Ok(answer) } else { Err(format!("{answer:#}")) }
        })
        .await
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
    pub async fn until_condition(&self, release: &str, kind: &str, status: &str, words: &str) -> String {
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

    /// The status label of Helm's record; empty if there is no such revision.
    pub fn record_status(&self, release: &str, revision: u32) -> String {
        let secret = format!("sh.helm.release.v1.{release}.v{revision}");
        self.kubectl(&["get", "secret", &secret, "--ignore-not-found", "-o", "jsonpath={.metadata.labels.status}"])
    }

    /// `revision status version` of each revision, oldest first, as genuine `helm history` tells them.
    pub fn revisions(&self, release: &str) -> Vec<String> {
        let run = self.world.customer.enter(&["helm", "history", release, "-n", &self.namespace, "-o", "json"]);
        assert!(run.status.success(), "helm history {release}: {}", said(&run));
        let history: Value = serde_json::from_slice(&run.stdout).expect("JSON of helm");
        let rows = history.as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| {
                let chart = row["chart"].as_str().unwrap_or_default();
                let version = chart.rsplit('-').next().unwrap_or_default();
                format!("{} {} {version}", row["revision"], row["status"].as_str().unwrap_or_default())
            })
            .collect()
    }

    /// Genuine kubectl in this namespace; its output without the last line's end.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl_stdin(arguments, "")
    }

    pub fn kubectl_stdin(&self, arguments: &[&str], stdin: &str) -> String {
        let run = self.run_kubectl(arguments, stdin);
        assert!(run.status.success(), "kubectl {}: {}\n{}", arguments.join(" "), said(&run), self.dump());
        String::from_utf8_lossy(&run.stdout).trim_end().to_owned()
    }

    /// What kubectl says when the API server refuses.
    pub fn kubectl_refused(&self, arguments: &[&str], stdin: &str) -> String {
        let run = self.run_kubectl(arguments, stdin);
        assert!(!run.status.success(), "kubectl {} was not refused", arguments.join(" "));
        said(&run)
    }

    fn run_kubectl(&self, arguments: &[&str], stdin: &str) -> std::process::Output {
        let command = [&["kubectl", "-n", &self.namespace], arguments].concat();
        self.world.customer.enter_with_input(&command, stdin.as_bytes())
    }

    /// SIGKILL for every process of the agent in this namespace: no warning, no last word.
    pub fn kill_agent(&self) {
        let pods = self.kubectl(&[
            "get", "pods", "-l", "app.kubernetes.io/name=qdrant-cloud-agent", "-o", "jsonpath={.items[*].metadata.uid}",
        ]);
        let uids: Vec<&str> = pods.split_whitespace().collect();
        let mut killed = 0;
        for process in std::fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let read = |file: &str| std::fs::read(process.path().join(file)).unwrap_or_default();
            let command = read("cmdline");
            let cgroup = String::from_utf8_lossy(&read("cgroup")).into_owned();
            let program = command.split(|b| *b == 0).next().unwrap_or_default();
            let ours = uids.iter().any(|uid| cgroup.contains(uid) || cgroup.contains(&uid.replace('-', "_")));
            if ours && program.ends_with(b"/qdrant-cloud-agent") {
                let kill = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
                killed += u32::from(kill.is_ok_and(|status| status.success()));
            }
        }
        assert!(killed > 0, "no process of the agent was found\n{}", self.dump());
    }

    /// Ends what the test used, so that the next one has the machine for itself.
    pub async fn done(self) {
        self.kubectl(&["delete", "deployment", AGENT, OPERATOR, "--ignore-not-found", "--wait=false"]);
    }

    async fn poll<T, F: Future<Output = Result<T, String>>>(&self, what: &str, mut try_once: impl FnMut() -> F) -> T {
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
        let console = std::fs::read_to_string(self.world.vendor.console_log()).unwrap_or_default();
        let tail: Vec<&str> = console.lines().rev().take(40).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        format!("{}\n== Console\n{}", self.world.customer.dump_namespace(&self.namespace), tail.join("\n"))
    }
}

fn said(run: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}
