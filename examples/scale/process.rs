//! A controller in a process of its own, and what it has taken so far.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Clock ticks of `/proc` in a second (`USER_HZ`, which is 100 on every architecture that we build for).
const TICKS: f64 = 100.0;

pub struct Controller {
    process: Child,
    id: u32,
    metrics: String,
}

/// What it has taken since it began.
#[derive(Clone, Default)]
pub struct Taken {
    /// Seconds of processor time, of user and system.
    pub cpu: f64,
    /// Requests by verb.
    pub requests: BTreeMap<String, u64>,
    /// How often a release was looked at: nothing is rendered or written without it.
    pub looks: u64,
}

impl Controller {
    /// It ends with this value.
    pub async fn start(namespace: &str, cache: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("controller")
            .arg(namespace)
            .arg(cache)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let id = process.id().context("the controller has ended")?;
        let lines = process.stdout.take().context("no output")?;
        let line = BufReader::new(lines).lines().next_line().await?;
        let metrics = line.context("the controller has not said where its metrics are")?;
        Ok(Self { process, id, metrics })
    }

    pub async fn taken(&self) -> anyhow::Result<Taken> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        // Behind the name, which may hold anything: user and system time are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')').context("no /proc/PID/stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        ensure!(fields.len() > 12, "no times in /proc/PID/stat");
        let cpu = (fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS;
        let text = reqwest::get(&self.metrics).await?.text().await?;
        let mut requests = BTreeMap::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("kubernetes_api_requests_total{") else { continue };
            let verb = rest.split('"').nth(1).unwrap_or_default();
            let count: u64 = rest.rsplit(' ').next().unwrap_or_default().parse()?;
            *requests.entry(verb.to_owned()).or_default() += count;
        }
        let count =
            text.lines().find_map(|l| l.strip_prefix("gotk_reconcile_duration_seconds_count "));
        let looks = count.context("the looks are not counted")?.parse()?;
        Ok(Taken { cpu, requests, looks })
    }

    /// The largest resident set so far, in MiB.
    pub fn peak(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

impl Taken {
    /// What was taken after `before`.
    pub fn since(&self, before: &Self) -> Self {
        let requests = self.requests.iter().filter_map(|(verb, count)| {
            let more = count - before.requests.get(verb).unwrap_or(&0);
            (more > 0).then(|| (verb.clone(), more))
        });
        Self {
            cpu: self.cpu - before.cpu,
            requests: requests.collect(),
            looks: self.looks - before.looks,
        }
    }

    pub fn all(&self) -> u64 {
        self.requests.values().sum()
    }

    /// Requests that change something.
    pub fn writes(&self) -> u64 {
        let reads = ["get", "list", "watch"];
        let writes = self.requests.iter().filter(|(verb, _)| !reads.contains(&verb.as_str()));
        writes.map(|(_, count)| count).sum()
    }

    /// `12 get, 8 patch`.
    pub fn by_verb(&self) -> String {
        let verbs: Vec<String> = self.requests.iter().map(|(v, n)| format!("{n} {v}")).collect();
        if verbs.is_empty() { "none".to_owned() } else { verbs.join(", ") }
    }
}
