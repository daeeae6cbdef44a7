//! What the engine takes in process.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use pinnace_engine::render::{Options, execute};
use pinnace_engine::template::on_large_stack;
use pinnace_engine::{Chart, values};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::process::own_cpu_us;

/// CPU time of what Helm's `engine.Render` does: the templates of a loaded chart, with values that are computed.
#[derive(Serialize, Deserialize)]
pub struct Times {
    /// The first time, when they have to be parsed.
    pub first_us: f64,
    /// A later time.
    pub next_us: f64,
    pub output_bytes: usize,
}

/// Enough turns for the clock's resolution.
const MIN_US: f64 = 500_000.0;

/// Measures the chart of an archive.
pub fn time(path: &Path) -> anyhow::Result<Times> {
    let archive = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    on_large_stack(|| time_of(&archive))
}

fn time_of(archive: &[u8]) -> anyhow::Result<Times> {
    let options = Options { keep_integers: true, ..Options::new("demo", "default") };
    let (mut first, mut next, mut output_bytes) = (Mean::default(), Mean::default(), 0);
    while first.total < MIN_US {
        let (none, mut warnings) = (Map::new(), Vec::new());
        let chart = Chart::from_archive(archive)?.for_values(&none, &mut warnings)?;
        let values = values::of(&chart, &none, &mut warnings)?;
        first.add(|| execute(&chart, &values, &options))??;
        for _ in 0..2 {
            let texts = next.add(|| execute(&chart, &values, &options))??;
            output_bytes = texts.values().map(String::len).sum();
        }
    }
    Ok(Times { first_us: first.mean(), next_us: next.mean(), output_bytes })
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
