//! One release, and the operations that it goes through one after the other.

use std::collections::BTreeMap;
use std::fmt;

use kube::api::DeleteParams;
use pinnace::api::helm_release::HelmRelease;
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::json;

use crate::bed::condition;
use crate::chart::{self, BROKEN, GOOD};
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Install,
    Upgrade,
    /// An upgrade that fails, and the way back.
    Rollback,
    Test,
    Uninstall,
}

impl Operation {
    pub const ALL: [Self; 5] =
        [Self::Install, Self::Upgrade, Self::Rollback, Self::Test, Self::Uninstall];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "failing upgrade, rollback",
            Self::Test => "test",
            Self::Uninstall => "uninstall",
        })
    }
}

/// A release, as it must be once its operation is done.
pub struct Lane {
    pub name: String,
    /// Whether it has pods, and hooks that run in pods.
    pub heavy: bool,
    /// The newest revision; 0: it is not there.
    pub revision: u32,
    /// Which of the good versions is deployed.
    pub version: usize,
    /// Whether the newest revision can be tested: it was not yet, and is what is wanted.
    testable: bool,
    /// Makes each spec another one.
    turn: u32,
    generation: i64,
    /// Of the objects that stay what they are from the installation on.
    pub uids: BTreeMap<String, String>,
}

impl Lane {
    pub fn new(name: String, heavy: bool) -> Self {
        Self {
            name,
            heavy,
            revision: 0,
            version: 0,
            testable: false,
            turn: 0,
            generation: 0,
            uids: BTreeMap::new(),
        }
    }

    /// One of the operations that can follow.
    pub fn choose(&self, random: &mut StdRng) -> Operation {
        if self.revision == 0 {
            return Operation::Install;
        }
        match random.random_range(0..8) {
            0..=2 => Operation::Upgrade,
            3 | 4 => Operation::Rollback,
            5 if self.testable => Operation::Test,
            5 => Operation::Upgrade,
            _ => Operation::Uninstall,
        }
    }

    /// What has to be done first, for the operation to be possible.
    pub fn before(&self, operation: Operation) -> Option<Operation> {
        match operation {
            Operation::Install if self.revision > 0 => Some(Operation::Uninstall),
            Operation::Install => None,
            _ if self.revision == 0 => Some(Operation::Install),
            Operation::Test if !self.testable => Some(Operation::Upgrade),
            _ => None,
        }
    }

    pub fn deployed(&self) -> &'static str {
        GOOD[self.version]
    }

    /// Asks for an operation. From now on the lane is what has to be there at its end.
    pub async fn begin(&mut self, world: &World, operation: Operation) {
        self.turn += u32::from(operation != Operation::Test);
        match operation {
            Operation::Install => (self.revision, self.testable) = (1, true),
            Operation::Upgrade => {
                self.version = 1 - self.version;
                (self.revision, self.testable) = (self.revision + 1, true);
            }
            Operation::Rollback => (self.revision, self.testable) = (self.revision + 2, false),
            Operation::Test => self.testable = false,
            Operation::Uninstall => {
                self.revision = 0;
                let params = DeleteParams::default();
                world.bed.releases().delete(&self.name, &params).await.expect("deleted");
                return;
            }
        }
        let version = if operation == Operation::Rollback { BROKEN } else { self.deployed() };
        let values = json!({
            "turn": self.turn.to_string(), "jobs": self.heavy, "replicas": i32::from(self.heavy),
        });
        let more = json!({
            "test": {"enable": operation == Operation::Test},
            "upgrade": {"remediation": {"remediateLastFailure": true}},
        });
        world.bed.release_with(&self.name, chart::NAME, version, values, more).await;
        let made = world.bed.releases().get(&self.name).await.expect("a release");
        self.generation = made.metadata.generation.unwrap_or(0);
    }

    /// Whether the object says that the operation is done.
    pub fn is_done(&self, operation: Operation, release: Option<&HelmRelease>) -> bool {
        let Some(release) = release else { return operation == Operation::Uninstall };
        if operation == Operation::Uninstall {
            return false;
        }
        let status = release.status.clone().unwrap_or_default();
        let head = status.history.first();
        let newest = head.is_some_and(|head| head.version == i64::from(self.revision));
        let observed = status.observed_generation == Some(self.generation)
            && release.metadata.generation == Some(self.generation);
        let is = |type_: &str| condition(&status, type_).0 == "True";
        let ended = match operation {
            Operation::Rollback => is("Stalled") && is("Remediated"),
            Operation::Test => is("Ready") && head.is_some_and(|head| head.test_hooks.is_some()),
            _ => is("Ready"),
        };
        observed && newest && ended && !is("Reconciling")
    }

    /// The hooks that the operation runs, as run and object, each once.
    pub fn runs(&self, operation: Operation, before: u32) -> Vec<(String, String)> {
        let of = |revision: u32, event: &str| -> Vec<(String, String)> {
            let run = format!("{}.v{revision}/{event}", self.name);
            let hooks = chart::hooks(&self.name, event, self.heavy).into_iter();
            hooks.map(|hook| (run.clone(), hook)).collect()
        };
        match operation {
            Operation::Install => [of(1, "pre-install"), of(1, "post-install")].concat(),
            Operation::Upgrade => {
                [of(before + 1, "pre-upgrade"), of(before + 1, "post-upgrade")].concat()
            }
            Operation::Rollback => [
                of(before + 1, "pre-upgrade"),
                of(before + 2, "pre-rollback"),
                of(before + 2, "post-rollback"),
            ]
            .concat(),
            Operation::Test => of(before, "test"),
            Operation::Uninstall => [of(before, "pre-delete"), of(before, "post-delete")].concat(),
        }
    }
}
