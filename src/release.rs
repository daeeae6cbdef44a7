//! Helm's release records, and the actions that make them.
//!
//! A release is a row of revisions, each a Secret that genuine Helm reads and writes too. An action writes its
//! revision as *pending* before it changes anything; whoever finds a pending revision whose owner is gone
//! carries it to its end ([`resume`]). Every step of an action may be done twice.
//!
//! * [`record`] — one revision and its JSON; [`storage`] — the Secrets
//! * [`install`], [`upgrade`], [`rollback`] — how each begins a revision; [`deploy`] — the steps they share
//! * [`hooks`] — what runs before and after; [`test`] — what runs when it is asked for; [`uninstall`] — the way back; [`resume`] — after a crash

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use crate::cluster::apply::{Adoption, Method, UnknownFields};
use crate::cluster::object::Owner;
use crate::cluster::wait::Rules;
use crate::cluster::{self, Cluster, crd};

pub mod deploy;
pub mod hooks;
pub mod install;
pub mod record;
pub mod resume;
pub mod rollback;
pub mod storage;
pub mod test;
pub mod uninstall;
pub mod upgrade;

pub use record::{Record, Status};
pub use storage::{Storage, Stored};

/// What every action works with.
pub struct Context<'a> {
    pub cluster: &'a Cluster,
    pub storage: &'a Storage,
    /// Who is at work: written to the pending record.
    pub identity: &'a str,
    /// Stops the action wherever it is and leaves its record pending, for a successor to resume.
    pub stop: CancellationToken,
    /// Ends a wait for readiness: the revision then counts as failed.
    pub preempt: CancellationToken,
    /// Tells onlookers what is being waited for.
    pub progress: Option<&'a watch::Sender<String>>,
    /// The place among those that work at the same time.
    pub turn: Option<&'a Turn>,
}

/// A place among those that work at the same time, which bounds the memory that they take together. Whoever waits
/// gives it up for good: what is done after a wait is little.
#[derive(Default)]
pub struct Turn(Mutex<Option<OwnedSemaphorePermit>>);

impl Turn {
    pub fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Mutex::new(Some(permit)))
    }

    pub fn end(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Context<'_> {
    /// Lets others work before something is waited for.
    fn before_wait(&self) {
        if let Some(turn) = self.turn {
            turn.end();
        }
    }

    /// Who the objects of a revision belong to. Its namespace need not be that of the records.
    fn owner(&self, record: &Record) -> Owner {
        Owner { release: self.storage.release().to_owned(), namespace: record.namespace.clone() }
    }
}

/// How an action is carried out (`spec.install`, `spec.upgrade`, `spec.rollback`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// For the wait, and for each hook.
    pub timeout: Duration,
    pub wait: bool,
    pub wait_for_jobs: bool,
    pub hooks: bool,
    pub adoption: Adoption,
    pub crds: crd::Policy,
    /// How objects are applied; as in the revision before if nothing is said.
    pub method: Option<Method>,
    pub fields: UnknownFields,
    /// Make objects anew that cannot become what is wanted otherwise, as far as that loses nothing.
    pub force: bool,
    /// Remove what a failed action has made.
    pub cleanup: bool,
    /// Make the namespace of the release if it is missing.
    pub create_namespace: bool,
    /// By which rules objects are ready.
    pub rules: Rules,
    /// Revisions that are kept; 0 keeps all.
    pub max_history: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            wait: true,
            wait_for_jobs: true,
            hooks: true,
            adoption: Adoption::Adopt,
            crds: crd::Policy::Create,
            method: None,
            fields: UnknownFields::Refused,
            force: false,
            cleanup: false,
            create_namespace: false,
            rules: Rules::default(),
            max_history: 5,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    #[error(
        "cannot {verb} revision {version} of release {release}: {}",
        cluster::error::explain(source)
    )]
    Storage { verb: &'static str, release: String, version: u32, source: kube::Error },
    #[error("cannot list the revisions of release {release}: {}", cluster::error::explain(source))]
    List { release: String, source: kube::Error },
    #[error(
        "revision {version} of release {release} was changed by someone else at the same time: looking again"
    )]
    Conflict { release: String, version: u32 },
    #[error("revision {version} of release {release} is not there any more")]
    Missing { release: String, version: u32 },
    #[error("revision {version} of release {release} cannot be read: {message}")]
    Malformed { release: String, version: u32, message: String },
    #[error(
        "the release record would take {size} bytes, and a Secret holds at most {limit}: annotate the \
         HelmRelease with cd.qdrant.io/record: lean, which leaves out of it the files that only templates read, or \
         make the chart smaller"
    )]
    TooLarge { size: usize, limit: usize },
    #[error("given up after {} minutes: {reason}", after.as_secs() / 60)]
    GaveUp { after: Duration, reason: String },
    #[error("{event} hook {name} failed: {reason}")]
    Hook { event: &'static str, name: String, reason: String },
}

impl Error {
    /// Whether the action was told to stop, or could not reach the cluster: its record stays pending.
    pub fn leaves_pending(&self) -> bool {
        match self {
            Self::Cluster(error) => {
                matches!(error, cluster::Error::Interrupted) || error.transient()
            }
            Self::Storage { source, .. } | Self::List { source, .. } => {
                cluster::error::transient(source)
            }
            Self::Conflict { .. } | Self::Missing { .. } => true,
            Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::GaveUp { .. }
            | Self::Hook { .. } => false,
        }
    }

    /// Whether the cluster was out of reach or busy, or one of its webhooks was.
    fn transient(&self) -> bool {
        match self {
            Self::Cluster(error) => error.transient(),
            Self::Storage { source, .. } | Self::List { source, .. } => {
                cluster::error::transient(source)
            }
            _ => false,
        }
    }
}
