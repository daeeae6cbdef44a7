//! What a template may ask of the world, and how much it may use.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::parsed::ParsedTexts;
use super::{Str, Value, weight};
use crate::render::Lookup;

/// Time and randomness: with the same, a rendering gives the same.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// For `now` and its kin, and the dates of certificates.
    pub now: DateTime<Utc>,
    /// Fills the buffer with random bytes, for passwords and keys.
    pub random: &'a (dyn Fn(&mut [u8]) + Sync),
}

impl World<'_> {
    /// The clock and the randomness of the operating system.
    pub fn system() -> Self {
        World { now: Utc::now(), random: &system_random }
    }
}

/// Where a run gets the things that are not in its input.
pub struct Environment<'a> {
    /// None: `lookup` finds nothing.
    pub lookup: Option<&'a dyn Lookup>,
    /// For `now` and its kin.
    pub now: DateTime<Utc>,
    /// Fills the buffer with random bytes, for passwords and keys.
    pub random: &'a dyn Fn(&mut [u8]),
    pub budget: Budget,
    /// `required` and `fail` let the run go on: a chart is looked at without its values.
    pub is_lint: bool,
}

impl Environment<'_> {
    /// No cluster; the clock and the randomness of the operating system.
    pub fn system() -> Self {
        Environment {
            lookup: None,
            now: Utc::now(),
            random: &system_random,
            budget: Budget::default(),
            is_lint: false,
        }
    }
}

fn system_random(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the operating system has randomness");
}

/// What one run may use: all templates of a chart together. Charts are not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Nodes walked and functions called, and the work of expensive functions.
    pub steps: u64,
    /// Nested blocks, pipelines and templates.
    pub depth: usize,
    /// Bytes written by all templates together, each `include` counted as well; also the longest string.
    pub output: usize,
    /// Bytes of the strings, lists and maps that functions make, freed or not. What one function
    /// takes while it works may come on top, up to the same limit.
    pub memory: usize,
    /// By the wall clock, from the start of the run; looked at every few thousand steps.
    pub time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            steps: 50_000_000,
            depth: 12_000,
            output: 64 << 20,
            memory: 512 << 20,
            time: Duration::from_secs(60),
        }
    }
}

/// The words of each refusal.
impl Budget {
    pub(crate) fn too_many_steps(&self) -> String {
        format!(
            "the templates take more than {} steps; is a loop too long, or does a value hold itself \
             many times?",
            self.steps
        )
    }

    pub(crate) fn too_slow(&self) -> String {
        format!("the templates take longer than {:?}", self.time)
    }

    pub(crate) fn too_much_memory(&self) -> String {
        format!(
            "the templates take more than {} bytes of memory; is a list too long, or a loop?",
            self.memory
        )
    }

    pub(crate) fn too_much_output(&self) -> String {
        format!("the templates write more than {} bytes", self.output)
    }
}

/// Runs `work` on a thread whose stack holds the deepest nesting that [`Budget::default`] allows.
/// A template must be executed inside of it.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    const STACK: usize = 512 << 20;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match thread.expect("a thread can be started").join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Steps between two looks at the clock: about a tenth of a millisecond.
const STEPS_PER_LOOK: u64 = 2048;

/// The state that all templates of one run share.
pub(crate) struct Run<'a> {
    pub environment: &'a Environment<'a>,
    started: Instant,
    steps: Cell<u64>,
    /// The clock is looked at when so many steps are spent.
    next_look: Cell<u64>,
    memory: Cell<usize>,
    depth: Cell<usize>,
    output: Cell<usize>,
    refusal: OnceCell<String>,
    /// How often each template is being included right now.
    pub includes: RefCell<HashMap<Str, u32>>,
    /// What `tpl` has run.
    pub texts: RefCell<ParsedTexts>,
}

impl<'a> Run<'a> {
    pub fn new(environment: &'a Environment<'a>) -> Self {
        Run {
            environment,
            started: Instant::now(),
            steps: Cell::new(0),
            next_look: Cell::new(STEPS_PER_LOOK),
            memory: Cell::new(0),
            depth: Cell::new(0),
            output: Cell::new(0),
            refusal: OnceCell::new(),
            includes: RefCell::default(),
            texts: RefCell::default(),
        }
    }

    /// The steps taken and the bytes held so far.
    pub fn spent(&self) -> (u64, usize) {
        (self.steps.get(), self.memory.get())
    }

    /// Err, from now on, once anything went over the budget. A walk that returns no error of its own
    /// stops early, and the evaluator asks here before it uses what the walk gave.
    pub fn check(&self) -> Result<(), String> {
        self.refusal.get().map_or(Ok(()), |message| Err(message.clone()))
    }

    /// The run ends with this error, whatever becomes of the Err here.
    pub fn refuse(&self, message: String) -> Result<(), String> {
        Err(self.refusal.get_or_init(|| message).clone())
    }

    pub fn spend(&self, steps: u64) -> Result<(), String> {
        let spent = self.steps.get().saturating_add(steps);
        self.steps.set(spent);
        let budget = &self.environment.budget;
        if spent > budget.steps {
            return self.refuse(budget.too_many_steps());
        }
        if spent >= self.next_look.get() {
            self.next_look.set(spent.saturating_add(STEPS_PER_LOOK));
            self.look_at_the_clock()?;
        }
        self.check()
    }

    /// For functions that may take long between two steps.
    pub fn look_at_the_clock(&self) -> Result<(), String> {
        let budget = &self.environment.budget;
        if self.started.elapsed() > budget.time {
            return self.refuse(budget.too_slow());
        }
        Ok(())
    }

    /// Charges for what a function or a method returned.
    pub fn charge(&self, value: &Value) -> Result<(), String> {
        if let Value::String(text) | Value::Bytes(text) = value {
            self.check_size(text.len())?;
            self.spend(text.len() as u64 / 64)?;
        }
        let new = weight::fresh(value);
        if new.bytes > 0 {
            self.spend(new.nodes / 8)?;
            self.hold(new.bytes)?;
        }
        Ok(())
    }

    /// Charges for bytes that stay for a while.
    pub fn hold(&self, bytes: usize) -> Result<(), String> {
        let held = self.memory.get().saturating_add(bytes);
        self.memory.set(held);
        self.check_memory(held)
    }

    /// What a function takes for itself while it works may not be more than all values together.
    pub fn check_memory(&self, bytes: usize) -> Result<(), String> {
        let budget = &self.environment.budget;
        if bytes > budget.memory {
            return self.refuse(budget.too_much_memory());
        }
        Ok(())
    }

    pub fn write(&self, bytes: usize) -> Result<(), String> {
        let written = self.output.get().saturating_add(bytes);
        self.output.set(written);
        self.check_size(written)
    }

    /// A string may not be longer than the whole output.
    pub fn check_size(&self, bytes: usize) -> Result<(), String> {
        let budget = &self.environment.budget;
        if bytes > budget.output {
            return self.refuse(budget.too_much_output());
        }
        Ok(())
    }

    pub fn descend(&self) -> Result<(), String> {
        let limit = self.environment.budget.depth;
        if self.depth.get() >= limit {
            return Err(format!("templates nest deeper than {limit}; does one include itself?"));
        }
        self.depth.set(self.depth.get() + 1);
        Ok(())
    }

    pub fn ascend(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }
}
