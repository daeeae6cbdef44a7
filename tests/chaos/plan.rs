//! What is to go wrong, and when: decided for one call after the other, the same for the same seed.

use std::collections::BTreeMap;

use http::Method;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// What can go wrong between a client and the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// 409 in answer to a write that was not made.
    Conflict,
    /// 410 in answer to a list or watch that goes on from somewhere; of a watch, also as its first event.
    Gone,
    /// 429 with `Retry-After`.
    Throttled,
    /// 500, 502, 503 or 504; nothing was done.
    ServerError,
    /// An answer that comes late.
    Latency,
    /// A watch that ends in the middle.
    DroppedWatch,
    /// An answer that ends in the middle: the other side has closed its half of the connection.
    HalfClosed,
    /// No answer, and no end of the connection, though the call was carried out.
    Silence,
    /// The connection ends after the write was made, and before its answer.
    LostReply,
}

impl Fault {
    pub const ALL: [Self; 9] = [
        Self::Conflict,
        Self::Gone,
        Self::Throttled,
        Self::ServerError,
        Self::Latency,
        Self::DroppedWatch,
        Self::HalfClosed,
        Self::Silence,
        Self::LostReply,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Conflict => "409",
            Self::Gone => "410",
            Self::Throttled => "429",
            Self::ServerError => "5xx",
            Self::Latency => "latency",
            Self::DroppedWatch => "dropped watch",
            Self::HalfClosed => "half-closed",
            Self::Silence => "silence",
            Self::LostReply => "lost reply",
        }
    }

    /// Whether it can happen to this call.
    fn fits(self, call: &Call) -> bool {
        match self {
            Self::Conflict | Self::LostReply => call.writes(),
            Self::Gone => call.continues(),
            Self::DroppedWatch => call.is_watch(),
            Self::HalfClosed => !call.is_watch(),
            Self::Throttled | Self::ServerError | Self::Latency | Self::Silence => true,
        }
    }
}

/// A call to the API server.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub query: String,
}

impl Call {
    pub fn writes(&self) -> bool {
        self.method != Method::GET
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.split('&').filter_map(|pair| pair.split_once('='))
    }

    pub fn is_watch(&self) -> bool {
        self.pairs().any(|pair| matches!(pair, ("watch", "true" | "1")))
    }

    /// Whether it asks for what follows something that was read before.
    fn continues(&self) -> bool {
        let from = |(key, value): (&str, &str)| {
            key == "continue" || (key == "resourceVersion" && !matches!(value, "" | "0"))
        };
        !self.writes() && self.pairs().any(from)
    }

    /// Whether it is about who leads, or what is told to people.
    pub fn is_aside(&self) -> bool {
        self.path.contains("/coordination.k8s.io/") || self.path.contains("/events")
    }
}

type Which = Box<dyn Fn(&Call) -> bool + Send>;

/// Which calls go wrong, and how.
pub struct Plan {
    random: StdRng,
    faults: Vec<Fault>,
    /// How likely each call is hit.
    chance: f64,
    /// Faults that are still to come.
    left: usize,
    which: Which,
}

impl Plan {
    pub fn nothing() -> Self {
        Self::random(0, &[], 0.0, 0)
    }

    /// Each call is hit with this chance by one of the faults that fit it, until so many were.
    pub fn random(seed: u64, faults: &[Fault], chance: f64, at_most: usize) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            faults: faults.to_vec(),
            chance,
            left: at_most,
            which: Box::new(|_| true),
        }
    }

    #[allow(dead_code, reason = "the tests of the controller use it")]
    /// The first `times` calls for which `which` is true are hit.
    pub fn hit(fault: Fault, times: usize, which: impl Fn(&Call) -> bool + Send + 'static) -> Self {
        Self { which: Box::new(which), ..Self::random(0, &[fault], 1.0, times) }
    }

    /// What happens to this call.
    pub fn next(&mut self, call: &Call) -> Option<Fault> {
        if self.left == 0 || !(self.which)(call) {
            return None;
        }
        let fitting: Vec<Fault> = self.faults.iter().copied().filter(|f| f.fits(call)).collect();
        let fault = *fitting.choose(&mut self.random)?;
        if !self.random.random_bool(self.chance) {
            return None;
        }
        self.left -= 1;
        Some(fault)
    }

    /// One of several ways of a fault.
    pub fn pick(&mut self, ways: u32) -> u32 {
        self.random.random_range(0..ways)
    }
}

/// How many faults of each kind there were.
pub type Counts = BTreeMap<Fault, usize>;
