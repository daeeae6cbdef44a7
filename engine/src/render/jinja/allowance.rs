//! What all Jinja pages of one rendering may use together.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use minijinja::{Error, ErrorKind, Value};

use super::weight::{self, Weight};
use crate::template::Budget;

/// What a list, a mapping or a tuple takes beside its items. It is far more than the allocator's share:
/// so few values can be put into each other that freeing them does not exhaust the stack.
pub(super) const CONTAINER: usize = 1024;
/// What an item of a list takes.
pub(super) const ITEM: usize = size_of::<Value>();
/// What an entry of a mapping takes: B-trees are two thirds full.
pub(super) const ENTRY: usize = 3 * ITEM;

/// The budget of Go templates, counted where MiniJinja lets us: by filters, functions, the formatter
/// and what the rewriter puts in between. MiniJinja's own fuel counts instructions meanwhile.
#[derive(Debug)]
pub(super) struct Allowance {
    budget: Budget,
    started: Instant,
    steps: AtomicU64,
    memory: AtomicUsize,
    output: AtomicUsize,
    /// Set for good by the first refusal, for callers that cannot return it.
    refused: AtomicBool,
}

impl Allowance {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            started: Instant::now(),
            steps: AtomicU64::new(0),
            memory: AtomicUsize::new(0),
            output: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
        }
    }

    /// Counts steps, and looks at the clock.
    pub(super) fn spend(&self, steps: u64) -> Result<(), Error> {
        let before = self.steps.fetch_add(steps, Relaxed);
        if before.saturating_add(steps) > self.budget.steps {
            return self.refuse(self.budget.too_many_steps());
        }
        if self.started.elapsed() > self.budget.time {
            return self.refuse(self.budget.too_slow());
        }
        if self.refused.load(Relaxed) {
            return self.refuse(self.budget.too_much_memory());
        }
        Ok(())
    }

    /// Charges for bytes that stay for a while, freed or not.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), Error> {
        let held = self.memory.fetch_add(bytes, Relaxed).saturating_add(bytes);
        self.check(held)
    }

    /// What one operation takes while it works may come on top of all that is held, up to the same limit.
    pub(super) fn check(&self, bytes: usize) -> Result<(), Error> {
        if bytes > self.budget.memory {
            return self.refuse(self.budget.too_much_memory());
        }
        Ok(())
    }

    /// A text may not be longer than the whole output.
    pub(super) fn check_text(&self, bytes: usize) -> Result<(), Error> {
        if bytes > self.budget.output {
            return self.refuse(self.budget.too_much_output());
        }
        Ok(())
    }

    /// Charges for a text of this length.
    pub(super) fn hold_text(&self, bytes: usize) -> Result<(), Error> {
        self.check_text(bytes)?;
        self.spend(bytes as u64 / 64)?;
        self.hold(bytes)
    }

    /// Charges for what is printed, whether it is captured or written.
    pub(super) fn write(&self, bytes: usize) -> Result<(), Error> {
        self.spend(1 + bytes as u64 / 64)?;
        let written = self.output.fetch_add(bytes, Relaxed).saturating_add(bytes);
        self.check_text(written)
    }

    /// Weighs what an operation is about to walk through, and charges the steps of the walk.
    pub(super) fn weigh<'v>(
        &self,
        values: impl IntoIterator<Item = &'v Value>,
    ) -> Result<Weight, Error> {
        let most = Weight {
            nodes: self.steps_left(),
            bytes: self.budget.memory as u64,
            depth: weight::MAX_DEPTH,
        };
        let mut weight = Weight::default();
        for value in values {
            weight.add(value, &most);
        }
        self.spend(1 + weight.nodes.saturating_add(weight.bytes / 64))?;
        self.check(usize::try_from(weight.bytes).unwrap_or(usize::MAX))?;
        if weight.depth > weight::MAX_DEPTH {
            let why = format!(
                "a value nests deeper than {} levels; does it hold itself?",
                weight::MAX_DEPTH
            );
            return Err(Error::new(ErrorKind::InvalidOperation, why));
        }
        Ok(weight)
    }

    /// Steps that are left, for MiniJinja's fuel and for functions of Go templates.
    pub(super) fn steps_left(&self) -> u64 {
        self.budget.steps.saturating_sub(self.steps.load(Relaxed))
    }

    /// The budget for one call of a function of Go templates.
    pub(super) fn left(&self) -> Budget {
        Budget {
            steps: self.steps_left(),
            memory: self.budget.memory.saturating_sub(self.memory.load(Relaxed)),
            time: self.budget.time.saturating_sub(self.started.elapsed()),
            ..self.budget
        }
    }

    /// The words for MiniJinja's own refusal.
    pub(super) fn out_of_fuel(&self) -> String {
        self.budget.too_many_steps()
    }

    fn refuse(&self, why: String) -> Result<(), Error> {
        self.refused.store(true, Relaxed);
        Err(Error::new(ErrorKind::InvalidOperation, why))
    }
}
