//! What the engine takes in process.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use pinnace_engine::render::Options;
use pinnace_engine::{Chart, render};
use serde::{Deserialize, Serialize};

use crate::process::own_cpu_us;

/// CPU time for all that `render` does: values, templates, and the cutting and sorting of objects.
#[derive(Serialize, Deserialize)]
pub struct Times {
    /// The first rendering of a loaded chart.
    pub first_us: f64,
    /// A later rendering of the same chart.
    pub next_us: f64,
    pub output_bytes: usize,
}

/// Enough turns for the clock's resolution.
const MIN_US: f64 = 500_000.0;

/// Measures the chart of an archive.
pub fn time(path: &Path) -> anyhow::Result<Times> {
    let archive = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let options = Options { keep_integers: true, ..Options::new("demo", "default") };
    let none = serde_json::Value::Null;
    let (mut first, mut next) = (Mean::default(), Mean::default());
    let mut rendered = render(&Chart::from_archive(&archive)?, &none, &options)?;
    while first.total < MIN_US {
        let chart = Chart::from_archive(&archive)?;
        rendered = first.add(|| render(&chart, &none, &options))??;
        for _ in 0..2 {
            next.add(|| render(&chart, &none, &options))??;
        }
    }
    Ok(Times {
        first_us: first.mean(),
        next_us: next.mean(),
        output_bytes: rendered.manifest().len(),
    })
}

#[derive(Default)]
struct Mean {
    total: f64,
    turns: f64,
}

impl Mean {
    fn add<T>(&mut self, work: impl FnOnce() -> T) -> anyhow::Result<T> {
        let before = own_cpu_us()?;
        let result = work();
        self.total += own_cpu_us()? - before;
        self.turns += 1.0;
        Ok(result)
    }

    fn mean(&self) -> f64 {
        self.total / self.turns
    }
}
