//! What a template may ask of the world, and how much it may use.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::render::Lookup;

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

/// What one run may use. Charts are not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Nodes walked and functions called, and the work of expensive functions.
    pub steps: u64,
    /// Nested blocks, pipelines and templates.
    pub depth: usize,
    /// Bytes written by all templates of the run together; also the longest string.
    pub output: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { steps: 50_000_000, depth: 12_000, output: 64 << 20 }
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

/// The state that all templates of one run share.
pub(crate) struct Run<'a> {
    pub environment: &'a Environment<'a>,
    steps: Cell<u64>,
    depth: Cell<usize>,
    output: Cell<usize>,
    refusal: OnceCell<String>,
    /// How often each template is being included right now.
    pub includes: RefCell<HashMap<String, u32>>,
}

impl<'a> Run<'a> {
    pub fn new(environment: &'a Environment<'a>) -> Self {
        Run {
            environment,
            steps: Cell::new(0),
            depth: Cell::new(0),
            output: Cell::new(0),
            refusal: OnceCell::new(),
            includes: RefCell::default(),
        }
    }

    /// Err, from now on, once anything went over the budget. A walk that returns no error of its own
    /// stops early, and the evaluator asks here before it uses what the walk gave.
    pub fn check(&self) -> Result<(), String> {
        self.refusal.get().map_or(Ok(()), |message| Err(message.clone()))
    }

    fn refuse(&self, message: String) -> Result<(), String> {
        Err(self.refusal.get_or_init(|| message).clone())
    }

    pub fn spend(&self, steps: u64) -> Result<(), String> {
        let spent = self.steps.get().saturating_add(steps);
        self.steps.set(spent);
        let limit = self.environment.budget.steps;
        if spent > limit {
            return self.refuse(format!(
                "the templates take more than {limit} steps; is a loop too long, or does a value \
                 hold itself many times?"
            ));
        }
        self.check()
    }

    pub fn write(&self, bytes: usize) -> Result<(), String> {
        let written = self.output.get().saturating_add(bytes);
        self.output.set(written);
        self.check_size(written)
    }

    /// A string may not be longer than the whole output.
    pub fn check_size(&self, bytes: usize) -> Result<(), String> {
        let limit = self.environment.budget.output;
        if bytes > limit {
            return self.refuse(format!("the templates write more than {limit} bytes"));
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
