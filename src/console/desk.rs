//! Where everything of the Console meets: what is stored, what is live, and the keys.

use std::{collections::BTreeMap, sync::Arc};

use chrono::Utc;
use tonic::Status;

use super::{
    accounts::Accounts,
    catalogue::{Catalogue, CatalogueError},
    clusters,
    keys::Keys,
    live::{Freshness, Live},
    pins,
    settings::Settings,
    store::{Chosen, EnvironmentRow, Store, StoreError},
    turns::Turns,
};
use crate::{
    model::{
        desired::{ClusterWant, MAX_DOCUMENT, SignedDesired},
        digest::Digest,
    },
    proto::qdrant::cloud::hybrid::v1::HybridCloudEnvironment as Environment,
};

/// Clusters that one environment may have.
pub const MAX_CLUSTERS: usize = 1000;
/// Kept free in a desired state for the versions and keys of later generations, in bytes.
const SPARE: usize = 16 << 10;

/// The Console, shared by both APIs, the agent link and the pages.
pub struct Desk {
    pub settings: Settings,
    pub account_id: String,
    pub keys: Keys,
    pub store: Store,
    pub live: Live,
    pub catalogue: Catalogue,
    pub accounts: Accounts,
    pub turns: Turns,
}

/// How all of the Console's tasks hold it.
pub type Shared = Arc<Desk>;

impl Desk {
    /// Loads what lives in memory, and brings each desired state up to the present settings.
    pub async fn start(self) -> Result<Shared, StoreError> {
        for (environment, epoch) in self.store.epochs().await? {
            self.live.set_epoch(&environment, epoch);
        }
        for row in self.store.environments().await? {
            self.refresh(&row.document.id).await?;
        }
        Ok(Arc::new(self))
    }

    /// Signs a new generation if what the environment should be has changed, and wakes its stream.
    pub async fn settle(&self, environment: &str) -> Result<(), StoreError> {
        self.settle_above(environment, 0).await
    }

    /// As [`Desk::settle`] where nobody could correct a state that has become too large: the present
    /// one stays, and the log says so.
    pub async fn refresh(&self, environment: &str) -> Result<(), StoreError> {
        match self.settle(environment).await {
            Err(error @ StoreError::TooLarge(_)) => {
                tracing::error!(%error, environment, "the desired state stays as it was");
                Ok(())
            }
            other => other,
        }
    }

    /// Refuses an environment with these clusters if an agent would refuse the document of it.
    pub fn check_size(
        &self,
        environment: &Environment,
        clusters: BTreeMap<String, ClusterWant>,
    ) -> Result<(), Status> {
        let chosen = Chosen { version: semver::Version::new(0, 0, 0), digest: Digest::of(b"") };
        let inputs = pins::Inputs {
            settings: &self.settings,
            public_key: &self.keys.desired.verifying_key(),
            environment,
            agent: Some(&chosen),
            operator: Some(&chosen),
            access_key_hash: "",
            clusters,
        };
        let size = serde_json::to_vec(&pins::desired(&inputs, 0)).map_or(usize::MAX, |d| d.len());
        if size + SPARE > MAX_DOCUMENT {
            return Err(StoreError::TooLarge(size).into());
        }
        Ok(())
    }

    /// As [`Desk::settle`], and the generation ends above `floor`: the agent has one of that number
    /// which this Console does not know, and would refuse anything lower.
    pub async fn settle_above(&self, environment: &str, floor: u64) -> Result<(), StoreError> {
        loop {
            // The document is read first: whoever changes something after that writes a newer
            // generation, and this one is then refused and made again.
            let current = self.store.desired(environment).await?;
            let Some(row) = self.store.environment(environment).await? else { return Ok(()) };
            let Some(hash) = self.store.shown_access_key(environment).await? else {
                return Ok(());
            };
            let clusters = self.cluster_wants(environment).await?;
            let inputs = pins::Inputs {
                settings: &self.settings,
                public_key: &self.keys.desired.verifying_key(),
                environment: &row.document,
                agent: row.agent.as_ref(),
                operator: row.operator.as_ref(),
                access_key_hash: &hash,
                clusters,
            };
            let (generation, before) = match &current {
                Some(current) => (current.generation, Some(current.parse()?)),
                None => (0, None),
            };
            let mut desired = pins::desired(&inputs, generation);
            if before.as_ref() == Some(&desired) && generation > floor {
                return Ok(());
            }
            desired.generation = generation.max(floor) + 1;
            let signed = SignedDesired::sign(&desired, &self.keys.desired)
                .map_err(|e| StoreError::Corrupt { what: "desired state", source: e.into() })?;
            if signed.document.len() > MAX_DOCUMENT {
                return Err(StoreError::TooLarge(signed.document.len()));
            }
            if self.store.set_desired(&desired, &signed).await? {
                self.live.wake(environment);
                return Ok(());
            }
        }
    }

    /// What is wanted of each of the environment's clusters.
    pub async fn cluster_wants(
        &self,
        environment: &str,
    ) -> Result<BTreeMap<String, ClusterWant>, StoreError> {
        let clusters = self.store.clusters(Some(environment)).await?;
        Ok(clusters
            .into_iter()
            .map(|row| (row.document.id.clone(), clusters::want(&row)))
            .collect())
    }

    /// How fresh the state of this environment is.
    pub fn freshness(&self, row: &EnvironmentRow, now: i64) -> Freshness {
        self.live.freshness(&row.document.id, row.last_seen, now)
    }

    /// Adds a line to the environment's timeline; a failure is logged and does not stop the call.
    pub async fn note(&self, environment: &str, kind: &'static str, message: &str) {
        if let Err(error) = self.store.add_event(environment, now(), kind, message).await {
            tracing::error!(%error, environment, kind, "could not keep an event");
        }
    }

    /// Refuses requests for an account that is not this Console's.
    pub fn check_account(&self, account: &str) -> Result<(), Status> {
        if account == self.account_id {
            return Ok(());
        }
        let account: String = account.chars().take(80).collect();
        Err(Status::not_found(format!(
            "there is no account {account:?} here; this Console's account is {}",
            self.account_id
        )))
    }

    /// The environment, or the NOT_FOUND that says so.
    pub async fn environment(&self, id: &str) -> Result<EnvironmentRow, Status> {
        self.store.environment(id).await?.ok_or_else(|| {
            let id: String = id.chars().take(80).collect();
            Status::not_found(format!("there is no environment {id:?} in this account"))
        })
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    Utc::now().timestamp()
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::TooLarge(_)) {
            return Self::invalid_argument(error.to_string());
        }
        internal("the Console's database failed; its log says why", error)
    }
}

impl From<CatalogueError> for Status {
    fn from(error: CatalogueError) -> Self {
        let text = error.to_string();
        match error {
            CatalogueError::UnknownVersion { .. } | CatalogueError::Malformed { .. } => {
                Self::invalid_argument(text)
            }
            CatalogueError::Empty { .. } => Self::failed_precondition(text),
            CatalogueError::Registry { source, .. } => match source.reason {
                "Unreachable" | "TimedOut" | "RateLimited" | "ServerError" => {
                    Self::unavailable(text)
                }
                _ => Self::failed_precondition(text),
            },
        }
    }
}

/// Logs an error with its causes, and returns the sentence that callers may see.
pub fn internal(sentence: &str, error: impl Into<anyhow::Error>) -> Status {
    let error: anyhow::Error = error.into();
    tracing::error!(error = format!("{error:#}"), "{sentence}");
    Status::internal(sentence)
}
