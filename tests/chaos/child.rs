//! A controller in a process of its own, started again when it ends, as a kubelet does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child as Process, Command};

/// What a controller is told when it starts.
#[derive(Clone)]
pub struct Settings {
    pub namespace: String,
    pub identity: String,
    pub kubeconfig: PathBuf,
    /// For its cache and its log.
    pub folder: PathBuf,
    /// Seconds by which its clock is ahead.
    pub ahead: i64,
}

pub struct Child {
    settings: Settings,
    process: Process,
}

impl Child {
    /// It ends with this value.
    pub fn start(settings: Settings) -> Self {
        let process = spawn(&settings);
        Self { settings, process }
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.process.kill().await.expect("killed");
    }

    pub fn identity(&self) -> &str {
        &self.settings.identity
    }

    /// SIGSTOP: it stands still, and its connections stay open.
    pub async fn pause(&self) {
        self.signal("-STOP").await;
    }

    /// SIGCONT.
    pub async fn resume(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.expect("kill runs");
        assert!(sent.success(), "kill {signal} {id}: {sent}");
    }

    /// Starts it again after it was killed.
    pub fn restart(&mut self) {
        self.process = spawn(&self.settings);
    }

    /// Starts it again if it has ended by itself. True: it had.
    pub fn revive(&mut self) -> bool {
        let ended = self.process.try_wait().expect("a process").is_some();
        if ended {
            self.restart();
        }
        ended
    }

    /// The last lines of what it said.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(log(&self.settings)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

fn log(settings: &Settings) -> PathBuf {
    settings.folder.join(format!("{}.log", settings.identity))
}

fn cache(folder: &Path, identity: &str) -> PathBuf {
    folder.join(format!("cache-{identity}"))
}

fn spawn(settings: &Settings) -> Process {
    let log = File::options().append(true).create(true).open(log(settings)).expect("a log");
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--controller", &settings.namespace, "--identity", &settings.identity, "--cache"])
        .arg(cache(&settings.folder, &settings.identity))
        .arg(format!("--ahead={}", settings.ahead))
        .env("KUBECONFIG", &settings.kubeconfig)
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a process")
}
