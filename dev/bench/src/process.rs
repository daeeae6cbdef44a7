//! What a process takes.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};

/// Of one run.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Usage {
    /// User and system time.
    pub cpu_us: f64,
    /// The largest resident set.
    pub memory_kib: f64,
}

/// CPU time that this process and its threads have taken so far, in microseconds.
pub fn own_cpu_us() -> anyhow::Result<f64> {
    cpu_us(UsageWho::RUSAGE_SELF)
}

fn cpu_us(who: UsageWho) -> anyhow::Result<f64> {
    let usage = getrusage(who)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64)
}

/// Runs a command. To be called once per process: the peak is that of the largest child so far.
pub fn usage_of(command: &[&str]) -> anyhow::Result<Usage> {
    let [program, arguments @ ..] = command else { bail!("there is no command") };
    let ended = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        bail!("{} ended with {}: {}", command.join(" "), ended.status, said.trim_end());
    }
    Ok(Usage {
        cpu_us: cpu_us(UsageWho::RUSAGE_CHILDREN)?,
        memory_kib: getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() as f64,
    })
}

/// The median of several runs, each measured by a small process of its own: the kernel counts the
/// parent's memory at the time of the fork as the child's.
pub fn median(command: &[&str], runs: usize) -> anyhow::Result<Usage> {
    let own = std::env::current_exe()?;
    let mut usages = Vec::with_capacity(runs);
    for _ in 0..runs {
        let arguments: Vec<&str> = ["usage"].iter().chain(command).copied().collect();
        usages.push(answer::<Usage>(&own, &arguments)?);
    }
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok(Usage {
        cpu_us: middle(usages.iter().map(|usage| usage.cpu_us).collect()),
        memory_kib: middle(usages.iter().map(|usage| usage.memory_kib).collect()),
    })
}

/// The JSON that a command prints.
pub fn answer<T: serde::de::DeserializeOwned>(
    program: &Path,
    arguments: &[&str],
) -> anyhow::Result<T> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("{} {} ended with {}", program.display(), arguments.join(" "), output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
