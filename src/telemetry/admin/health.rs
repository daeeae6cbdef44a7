//! Is this process ready? Each part answers for itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

/// A cheap handle to the process's checks; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, State>>>);

/// One part's own check. It starts as not ready.
#[derive(Debug, Clone)]
pub struct Check {
    health: Health,
    name: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct State {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub ready: bool,
    pub checks: BTreeMap<&'static str, State>,
}

impl Health {
    /// No checks: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, which is not ready ("starting") until its owner says so.
    pub fn register(&self, name: &'static str) -> Check {
        let check = Check { health: self.clone(), name };
        check.not_ready("starting");
        check
    }

    /// True when every check is ready.
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(|state| state.ready)
    }

    pub(super) fn report(&self) -> Report {
        let checks = self.lock().clone();
        Report { ready: checks.values().all(|state| state.ready), checks }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    pub fn ready(&self) {
        self.set(State { ready: true, reason: None });
    }

    /// `reason` is shown to whoever can reach the admin port: no secrets in it.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(State { ready: false, reason: Some(reason.into()) });
    }

    fn set(&self, state: State) {
        self.health.lock().insert(self.name, state);
    }
}
