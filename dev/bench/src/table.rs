//! Measures every chart and prints what came of it.

use std::path::Path;

use anyhow::bail;
use serde::Deserialize;

use crate::charts::Chart;
use crate::engine::Times;
use crate::process::{Usage, answer, median};

pub struct Programs<'a> {
    pub pinnace: &'a str,
    pub helm: &'a str,
    /// The Go program of dev/tools/helm-bench.
    pub go_bench: &'a str,
}

/// What the Go program says.
#[derive(Deserialize)]
struct GoTimes {
    render_us: f64,
    templates: usize,
}

struct Row {
    pinnace: Usage,
    helm: Usage,
    ours: Times,
    theirs: GoTimes,
}

/// How often each process runs; the median counts.
const RUNS: usize = 5;

pub fn print(charts: &[Chart], programs: &Programs<'_>) -> anyhow::Result<()> {
    println!(
        "| chart | templates | output KiB | helm ms | pinnace ms | cpu 1/X | helm MiB | pinnace MiB | memory 1/Y | \
         Helm's engine ms | parse+render ms | 1/P | render ms | 1/R |"
    );
    println!("| --- |{}", " --: |".repeat(13));
    let mut rows = Vec::new();
    for chart in charts {
        let row = Row::measure(chart, programs)?;
        row.print(&chart.name);
        rows.push(row);
    }
    let mean = |ratio: fn(&Row) -> f64| {
        let logs: f64 = rows.iter().map(|row| ratio(row).ln()).sum();
        (logs / rows.len() as f64).exp()
    };
    println!(
        "engine: cpu 1/{:.1}, memory 1/{:.1} of helm template (geometric mean of {} charts); \
         in process parse+render 1/{:.1}, render 1/{:.1} of Helm's engine",
        mean(Row::cpu),
        mean(Row::memory),
        rows.len(),
        mean(Row::first),
        mean(Row::next)
    );
    Ok(())
}

impl Row {
    fn measure(chart: &Chart, programs: &Programs<'_>) -> anyhow::Result<Self> {
        let (Some(folder), Some(archive)) = (chart.folder.to_str(), chart.archive.to_str()) else {
            bail!("the path of {} is not UTF-8", chart.name);
        };
        let own = std::env::current_exe()?;
        Ok(Self {
            pinnace: median(&[programs.pinnace, "template", "demo", folder], RUNS)?,
            helm: median(&[programs.helm, "template", "demo", folder], RUNS)?,
            ours: answer(&own, &["engine", archive])?,
            theirs: answer(Path::new(programs.go_bench), &[archive])?,
        })
    }

    fn cpu(&self) -> f64 {
        self.helm.cpu_us / self.pinnace.cpu_us
    }

    fn memory(&self) -> f64 {
        self.helm.memory_kib / self.pinnace.memory_kib
    }

    fn first(&self) -> f64 {
        self.theirs.render_us / self.ours.first_us
    }

    fn next(&self) -> f64 {
        self.theirs.render_us / self.ours.next_us
    }

    fn print(&self, name: &str) {
        println!(
            "| {name} | {} | {:.1} | {:.1} | {:.2} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} | {:.3} | {:.1} | {:.3} | {:.1} |",
            self.theirs.templates,
            self.ours.output_bytes as f64 / 1024.0,
            self.helm.cpu_us / 1000.0,
            self.pinnace.cpu_us / 1000.0,
            self.cpu(),
            self.helm.memory_kib / 1024.0,
            self.pinnace.memory_kib / 1024.0,
            self.memory(),
            self.theirs.render_us / 1000.0,
            self.ours.first_us / 1000.0,
            self.first(),
            self.ours.next_us / 1000.0,
            self.next()
        );
    }
}
