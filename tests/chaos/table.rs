//! What came of it all, row by row.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::lane::Operation;

#[derive(Default)]
struct Row {
    kills: usize,
    done: usize,
    longest: Duration,
}

/// What was done to each operation, and how it took it.
#[derive(Default)]
pub struct Outcome {
    rows: BTreeMap<(Operation, String), Row>,
    kills: usize,
    faults: usize,
    stuck: Vec<String>,
    wrong: Vec<String>,
}

impl Outcome {
    fn row(&mut self, operation: Operation, fault: &str) -> &mut Row {
        self.rows.entry((operation, fault.to_owned())).or_default()
    }

    /// The process was killed; whatever it was at.
    pub fn killed(&mut self) {
        self.kills += 1;
    }

    pub fn kills(&self) -> usize {
        self.kills
    }

    /// An operation that was disturbed has ended, `beyond` later than it would have without.
    pub fn recovered(&mut self, operation: Operation, fault: &str, beyond: Duration) {
        let row = self.row(operation, fault);
        row.done += 1;
        row.longest = row.longest.max(beyond);
    }

    /// A kill hit an operation.
    pub fn hit(&mut self, operation: Operation, fault: &str) {
        self.row(operation, fault).kills += 1;
    }

    /// So many faults were injected.
    pub fn disturbed(&mut self, times: usize) {
        self.faults += times;
    }

    pub fn stuck(&mut self, what: String) {
        eprintln!("STUCK: {what}");
        self.stuck.push(what);
    }

    pub fn wrong(&mut self, what: String) {
        eprintln!("LOST OR DOUBLED: {what}");
        self.wrong.push(what);
    }

    pub fn is_good(&self) -> bool {
        self.stuck.is_empty() && self.wrong.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.keys().map(|(_, fault)| fault.len()).max().unwrap_or(0).max(5);
        writeln!(
            f,
            "{:25}  {:width$}  {:>5}  {:>5}  {:>18}",
            "operation", "fault", "times", "kills", "beyond the rest, s"
        )?;
        for ((operation, fault), row) in &self.rows {
            let operation = operation.to_string();
            writeln!(
                f,
                "{operation:25}  {fault:width$}  {:5}  {:5}  {:18.1}",
                row.done,
                row.kills,
                row.longest.as_secs_f64()
            )?;
        }
        for what in self.stuck.iter().chain(&self.wrong) {
            writeln!(f, "{what}")?;
        }
        writeln!(
            f,
            "chaos: {} kills, {} faults, {} stuck, {} lost or doubled",
            self.kills,
            self.faults,
            self.stuck.len(),
            self.wrong.len()
        )
    }
}
