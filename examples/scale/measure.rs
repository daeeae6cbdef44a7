//! What is measured, in which order, and how it is told.

use std::path::PathBuf;
use std::time::Duration;

use super::bed::Bed;
use super::process::{Controller, Taken};

/// The charts in the registry, by the number of their objects.
const CHARTS: [&str; 2] = ["eight", "fifty"];

#[derive(clap::Args)]
pub struct Args {
    /// Where the charts are
    #[arg(long, value_name = "HOST/PATH")]
    registry: String,
    /// The authority of the registry
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// How many releases of each chart
    #[arg(long)]
    releases: usize,
    /// How long they are left alone, in seconds
    #[arg(long)]
    idle: u64,
}

/// What one set of releases took.
struct Outcome {
    install: Duration,
    upgrade: Duration,
    /// Of install and upgrade together, in seconds.
    cpu: f64,
    /// In MiB.
    peak: f64,
    idle: Taken,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut outcomes = Vec::new();
    for chart in CHARTS {
        outcomes.push(measure(chart, &args).await?);
    }
    let Some(first) = outcomes.first() else { return Ok(()) };
    println!(
        "scale: {} releases, install {:.1} s, upgrade {:.1} s, cpu {:.1} s, peak {:.0} MiB, idle writes {}, \
         idle cpu {:.2} s/min",
        args.releases,
        first.install.as_secs_f64(),
        first.upgrade.as_secs_f64(),
        first.cpu,
        first.peak,
        first.idle.writes(),
        first.idle.cpu * 60.0 / args.idle.max(1) as f64,
    );
    Ok(())
}

async fn measure(chart: &str, args: &Args) -> anyhow::Result<Outcome> {
    let n = args.releases;
    println!("# {n} releases of {chart} objects");
    let bed = Bed::new(&format!("scale-{chart}"), &args.registry, &args.ca).await?;
    let cache = tempfile::tempdir()?;
    let controller = Controller::start(&bed.namespace, cache.path()).await?;
    // What only the first release of a kind has to ask is not one release's.
    bed.bring(&["first".to_owned()], chart, "1.0.0").await?;
    quiet(&controller).await?;
    let alone = ["alone".to_owned()];
    for (what, version) in [("install", "1.0.0"), ("upgrade", "2.0.0")] {
        let before = controller.taken().await?;
        let took = bed.bring(&alone, chart, version).await?;
        quiet(&controller).await?;
        let taken = controller.taken().await?.since(&before);
        tell(&format!("one release alone, {what}"), took, &taken, 1);
    }
    let names: Vec<String> = (0..n).map(|number| format!("r{number:04}")).collect();
    let mut times = Vec::new();
    let mut cpu = 0.0;
    for (what, version) in [("install", "1.0.0"), ("upgrade", "2.0.0")] {
        let before = controller.taken().await?;
        let took = bed.bring(&names, chart, version).await?;
        quiet(&controller).await?;
        let taken = controller.taken().await?.since(&before);
        tell(&format!("{n} releases, {what}"), took, &taken, n);
        cpu += taken.cpu;
        times.push(took);
    }
    let before = controller.taken().await?;
    let idle = Duration::from_secs(args.idle);
    tokio::time::sleep(idle).await;
    let idle_taken = controller.taken().await?.since(&before);
    tell(&format!("{n} releases, nothing to do"), idle, &idle_taken, n);
    let peak = controller.peak()?;
    println!("peak {peak:.0} MiB");
    controller.stop().await?;
    Ok(Outcome { install: times[0], upgrade: times[1], cpu, peak, idle: idle_taken })
}

/// Waits until the controller asks nothing any more for two seconds.
async fn quiet(controller: &Controller) -> anyhow::Result<()> {
    let mut last = controller.taken().await?.all();
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = controller.taken().await?.all();
        if now == last {
            return Ok(());
        }
        last = now;
    }
}

fn tell(what: &str, took: Duration, taken: &Taken, releases: usize) {
    let each = releases.max(1) as f64;
    println!(
        "{what}: {:.2} s, cpu {:.2} s ({:.1} ms each), {} looks, {:.1} requests each: {}",
        took.as_secs_f64(),
        taken.cpu,
        taken.cpu * 1000.0 / each,
        taken.looks,
        taken.all() as f64 / each,
        taken.by_verb(),
    );
}
