//! Many registries as one: each name is looked for where the rules say, by a client of its own.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    client::{Client, Options, PulledChart},
    digest::Digest,
    error::Error,
    keychain::Keychain,
    reference::Reference,
    rules::{Endpoint, EndpointError, Place, Rules},
    secret::Secret,
    verify::{self, Policies, Verdict, VerifyError},
    versions::newest_first,
};

/// Clients by the rules; clones share them.
#[derive(Debug, Clone)]
pub struct Registries(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Rules,
    keychain: Keychain,
    base: Options,
    secrets: BTreeMap<String, Secret>,
    /// By the host of the name and the location of its settings.
    clients: Mutex<HashMap<(String, Option<String>), Client>>,
}

/// Why something could not be had from any registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistriesError {
    #[error(transparent)]
    Registry(#[from] Error),
    #[error(transparent)]
    Settings(#[from] EndpointError),
    #[error(transparent)]
    Signature(#[from] VerifyError),
    #[error("{reference} cannot be had from any of its {} places: {}", .failures.len(), listed(.failures))]
    Nowhere { reference: Reference, failures: Vec<(Reference, RegistriesError)> },
}

impl Registries {
    /// `base` holds what all registries share; its credentials are not used. `secrets` are
    /// dockerconfigjson documents that the rules may name.
    pub fn new(
        rules: Rules,
        keychain: Keychain,
        base: Options,
        secrets: BTreeMap<String, Secret>,
    ) -> Self {
        let clients = Mutex::default();
        Self(Arc::new(Inner { rules, keychain, base, secrets, clients }))
    }

    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// The client for the registry that a reference names, rules or not.
    pub async fn client(&self, reference: &Reference) -> Result<Client, RegistriesError> {
        self.client_at(reference.host(), self.0.rules.settings(reference)).await
    }

    /// The client for one place of [`Rules::places`].
    pub async fn client_of(&self, place: &Place<'_>) -> Result<Client, RegistriesError> {
        self.client_at(place.reference.host(), place.endpoint).await
    }

    async fn client_at(
        &self,
        host: &str,
        endpoint: Option<&Endpoint>,
    ) -> Result<Client, RegistriesError> {
        let key = (host.to_owned(), endpoint.map(|endpoint| endpoint.location.clone()));
        let known = |key| {
            let clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.get(key).cloned()
        };
        if let Some(client) = known(&key) {
            return Ok(client);
        }
        let nothing_special = Endpoint::at(host);
        let endpoint = endpoint.unwrap_or(&nothing_special);
        let Inner { base, keychain, secrets, .. } = &*self.0;
        let client = Client::new(endpoint.options(host, base, keychain, secrets).await?)?;
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        // Another task may have been first; all must share one, and its connections.
        Ok(clients.entry(key).or_insert(client).clone())
    }

    /// The first place that has this, with its client; the name's own if no rule leads elsewhere,
    /// which is not asked then.
    pub async fn place_of(
        &self,
        reference: &Reference,
    ) -> Result<(Client, Reference), RegistriesError> {
        let places = self.0.rules.places(reference);
        if let [place] = places.as_slice() {
            return Ok((self.client_of(place).await?, place.reference.clone()));
        }
        let mut failures = Vec::new();
        for place in places {
            let found = async {
                let client = self.client_of(&place).await?;
                client.resolve(&place.reference).await?;
                Ok(client)
            };
            match found.await {
                Ok(client) => return Ok((client, place.reference)),
                Err(error) => failures.push((place.reference, error)),
            }
        }
        Err(nowhere(reference, failures))
    }

    /// The digest that a name stands for: as the first place says that has it. A mirror's word is
    /// good for what may come from that mirror alone; pin the digest.
    pub async fn resolve(&self, reference: &Reference) -> Result<Digest, RegistriesError> {
        let mut failures = Vec::new();
        for place in self.0.rules.places(reference) {
            let resolved = async {
                let digest = self.client_of(&place).await?.resolve(&place.reference).await?;
                Ok(digest.parse::<Digest>().map_err(Error::from)?)
            };
            match resolved.await {
                Ok(digest) => return Ok(digest),
                Err(error) => failures.push((place.reference, error)),
            }
        }
        Err(nowhere(reference, failures))
    }

    /// Pulls a chart from the first place that has exactly this digest: a mirror that serves
    /// other bytes is passed over like one that is down.
    pub async fn pull_chart(
        &self,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<PulledChart, RegistriesError> {
        let mut failures = Vec::new();
        for place in self.0.rules.places(reference) {
            let pulled = async {
                let client = self.client_of(&place).await?;
                Ok(client.pull_chart(&place.reference, Some(digest.as_str())).await?)
            };
            match pulled.await {
                Ok(chart) => return Ok(chart),
                Err(error) => {
                    tracing::debug!(place = %place.reference, "a place does not have the chart");
                    failures.push((place.reference, error));
                }
            }
        }
        Err(nowhere(reference, failures))
    }

    /// The versions of a chart, newest first, as the first place says that answers.
    pub async fn chart_versions(
        &self,
        reference: &Reference,
    ) -> Result<Vec<semver::Version>, RegistriesError> {
        Ok(newest_first(self.tags(reference).await?))
    }

    /// All tags of a repository, in its registry's order, as the first place says that answers.
    pub async fn tags(&self, reference: &Reference) -> Result<Vec<String>, RegistriesError> {
        let mut failures = Vec::new();
        for place in self.0.rules.places(reference) {
            let listed = async { Ok(self.client_of(&place).await?.tags(&place.reference).await?) };
            match listed.await {
                Ok(tags) => return Ok(tags),
                Err(error) => failures.push((place.reference, error)),
            }
        }
        Err(nowhere(reference, failures))
    }

    /// Whether a digest is signed as the policy of its name asks. A mirror may have left the
    /// signatures behind: the next place is asked then.
    pub async fn verify(
        &self,
        policies: &Policies,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<Verdict, RegistriesError> {
        let mut failures = Vec::new();
        let mut warned = None;
        for place in self.0.rules.places(reference) {
            let verified = async {
                let client = self.client_of(&place).await?;
                let at = &place.reference;
                Ok(verify::verify(policies, reference, &client, at, digest).await?)
            };
            match verified.await {
                Ok(Verdict::Warned(why)) => warned = warned.or(Some(Verdict::Warned(why))),
                Ok(verdict) => return Ok(verdict),
                Err(error) => failures.push((place.reference, error)),
            }
        }
        warned.map_or_else(|| Err(nowhere(reference, failures)), Ok)
    }
}

/// A single failure speaks for itself.
fn nowhere(
    reference: &Reference,
    mut failures: Vec<(Reference, RegistriesError)>,
) -> RegistriesError {
    if failures.len() == 1
        && let Some((_, error)) = failures.pop()
    {
        return error;
    }
    RegistriesError::Nowhere { reference: reference.clone(), failures }
}

impl RegistriesError {
    /// A short fixed name for condition reasons and metric labels: that of the last place.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Registry(error) => error.reason(),
            Self::Settings(_) => "InvalidMirror",
            Self::Signature(error) => error.reason(),
            Self::Nowhere { failures, .. } => {
                failures.last().map_or("NotFound", |(_, error)| error.reason())
            }
        }
    }

    /// True when the same request may succeed later with nothing changed by a person.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_transient(),
            Self::Settings(_) => false,
            Self::Signature(VerifyError::NotSigned { .. }) => false,
            Self::Signature(VerifyError::Registry { source, .. }) => source.is_transient(),
            Self::Nowhere { failures, .. } => {
                failures.iter().any(|(_, error)| error.is_transient())
            }
        }
    }

    /// How long to wait before any of the places should be asked again, if each has said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Registry(error) => error.retry_after(),
            Self::Signature(VerifyError::Registry { source, .. }) => source.retry_after(),
            Self::Settings(_) | Self::Signature(VerifyError::NotSigned { .. }) => None,
            Self::Nowhere { failures, .. } => {
                let waits: Option<Vec<_>> = failures.iter().map(|(_, e)| e.retry_after()).collect();
                waits?.into_iter().min()
            }
        }
    }

    /// True if every place answered that it does not have it.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Registry(error) => matches!(error, Error::NotFound { .. }),
            Self::Settings(_) | Self::Signature(_) => false,
            Self::Nowhere { failures, .. } => failures.iter().all(|(_, e)| e.is_not_found()),
        }
    }
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", told(cause))).unwrap_or_default();
    format!("{error}{cause}")
}

/// Each place with its error, in one line.
fn listed(failures: &[(Reference, RegistriesError)]) -> String {
    let texts: Vec<String> = failures
        .iter()
        .map(|(place, error)| format!("{} ({})", place.path(), told(error)))
        .collect();
    texts.join("; ")
}
