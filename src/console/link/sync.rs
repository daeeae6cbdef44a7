//! One `Sync` stream, from Hello to its end.

use std::time::Duration;

use rand::Rng as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{REPLACED, token::Claims};
use crate::{
    console::{
        clusters,
        desk::{Shared, now},
        live::{Cut, Stream},
        transitions,
    },
    proto::pinnace::agent::v1::{
        Accepted, Desired, Hello, Observed, Retry, Seen, SyncRequest, SyncResponse, sync_request,
        sync_response,
    },
};

const HELLO_WITHIN: Duration = Duration::from_secs(20);
/// Streams end after 24 to 36 minutes, so that load spreads again after an outage.
const AGE: std::ops::Range<u64> = 24 * 60..36 * 60;
/// When the Console stops, agents come back over this many seconds.
const DRAIN: std::ops::Range<u32> = 1..6;
const MAX_COMPONENTS: usize = 64;
const MAX_CLUSTERS: usize = 1000;
const MAX_REFUSAL: usize = 2000;

/// How a session ends.
enum End {
    /// The agent hung up.
    Gone,
    /// Told to come back.
    Retry { after: u32, reason: &'static str },
    /// Refused.
    Error(Status),
}

pub struct Session {
    desk: Shared,
    claims: Claims,
    shutdown: CancellationToken,
    send: mpsc::Sender<Result<SyncResponse, Status>>,
    /// Digest of what the agent has, as far as is known here.
    known: String,
}

impl Session {
    pub fn new(
        desk: Shared,
        claims: Claims,
        shutdown: CancellationToken,
        send: mpsc::Sender<Result<SyncResponse, Status>>,
    ) -> Self {
        Self { desk, claims, shutdown, send, known: String::new() }
    }

    /// Runs until either side ends the stream.
    pub async fn run(mut self, mut incoming: Streaming<SyncRequest>) {
        let desk = self.desk.clone();
        let end = match self.greet(&mut incoming).await {
            Err(status) => End::Error(status),
            Ok(hello) => {
                self.known = hello.applied.unwrap_or_default().digest;
                let environment = self.claims.environment.clone();
                match desk.live.open(&environment, self.claims.epoch, now()) {
                    None => End::Error(Status::unauthenticated(REPLACED)),
                    Some(mut stream) => {
                        tracing::info!(
                            environment,
                            version = hello.agent_version,
                            "an agent connected"
                        );
                        let end = self.converse(&mut incoming, &mut stream).await;
                        stream.close(now());
                        if let Err(error) = desk.store.set_last_seen(&environment, now()).await {
                            tracing::error!(%error, environment, "could not keep when the agent was last seen");
                        }
                        tracing::info!(environment, "an agent's stream ended");
                        end
                    }
                }
            }
        };
        let last = match end {
            End::Gone => return,
            End::Retry { after, reason } => Ok(response(sync_response::Message::Retry(Retry {
                after_seconds: after,
                reason: reason.into(),
            }))),
            End::Error(status) => Err(status),
        };
        // The agent may be gone already; then there is nobody to tell.
        let _ = self.send.send(last).await;
    }

    async fn greet(&self, incoming: &mut Streaming<SyncRequest>) -> Result<Hello, Status> {
        let first =
            tokio::time::timeout(HELLO_WITHIN, incoming.message()).await.map_err(|_| {
                Status::deadline_exceeded("no Hello came within 20 s of opening the stream")
            })??;
        let Some(SyncRequest { message: Some(sync_request::Message::Hello(hello)) }) = first else {
            return Err(Status::failed_precondition("the first message of a stream must be Hello"));
        };
        if hello.environment_id != self.claims.environment {
            return Err(Status::permission_denied(format!(
                "the token is for environment {}, but Hello names another",
                self.claims.environment
            )));
        }
        Ok(hello)
    }

    async fn converse(
        &mut self,
        incoming: &mut Streaming<SyncRequest>,
        stream: &mut Stream<'_>,
    ) -> End {
        let age = tokio::time::sleep(Duration::from_secs(rand::rng().random_range(AGE)));
        tokio::pin!(age);
        let shutdown = self.shutdown.clone();
        loop {
            let step = tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    let after = rand::rng().random_range(DRAIN);
                    return End::Retry { after, reason: "the Console is restarting" };
                }
                _ = stream.cut.changed() => {
                    let cut = *stream.cut.borrow();
                    return match cut {
                        Some(Cut::Superseded) => End::Retry {
                            after: 30,
                            reason: "a newer stream of this environment has taken over",
                        },
                        _ => End::Error(Status::unauthenticated(REPLACED)),
                    };
                }
                () = &mut age => {
                    return End::Retry { after: 0, reason: "the stream has reached its age" };
                }
                _ = stream.wake.changed() => self.offer().await,
                message = incoming.message() => match message {
                    Ok(Some(message)) => self.hear(message).await,
                    Ok(None) | Err(_) => return End::Gone,
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Sends the desired state if it is not what the agent has.
    async fn offer(&mut self) -> Result<(), End> {
        let row = self.desk.store.desired(&self.claims.environment).await;
        let Some(row) = row.map_err(|error| End::Error(error.into()))? else { return Ok(()) };
        if row.digest == self.known {
            return Ok(());
        }
        self.known.clone_from(&row.digest);
        let desired = Desired {
            generation: row.generation,
            digest: row.digest,
            document: row.signed.document,
            signature: row.signed.signature.to_vec(),
        };
        self.say(sync_response::Message::Desired(desired)).await
    }

    async fn hear(&mut self, message: SyncRequest) -> Result<(), End> {
        let done = match message.message {
            Some(sync_request::Message::Accepted(accepted)) => self.accepted(accepted).await,
            Some(sync_request::Message::Observed(observed)) => {
                let seq = observed.seq;
                match self.observed(observed).await {
                    Ok(()) => return self.say(sync_response::Message::Seen(Seen { seq })).await,
                    Err(status) => Err(status),
                }
            }
            Some(sync_request::Message::Hello(_)) => {
                Err(Status::failed_precondition("Hello was sent twice"))
            }
            // A message of a newer agent.
            None => Ok(()),
        };
        done.map_err(End::Error)
    }

    async fn accepted(&self, accepted: Accepted) -> Result<(), Status> {
        let environment = &self.claims.environment;
        let refusal: String =
            accepted.refusal.unwrap_or_default().chars().take(MAX_REFUSAL).collect();
        self.desk.store.set_accepted(environment, accepted.generation, &refusal).await?;
        if !refusal.is_empty() {
            let text = format!("the agent refused generation {}: {refusal}", accepted.generation);
            tracing::warn!(environment, "{text}");
            self.desk.note(environment, "refused", &text).await;
        }
        Ok(())
    }

    async fn observed(&self, observed: Observed) -> Result<(), Status> {
        if observed.components.len() > MAX_COMPONENTS || observed.clusters.len() > MAX_CLUSTERS {
            return Err(Status::invalid_argument(format!(
                "an observation may hold {MAX_COMPONENTS} components and {MAX_CLUSTERS} clusters"
            )));
        }
        let environment = &self.claims.environment;
        let store = &self.desk.store;
        let before = store.observation(environment).await?.map(|row| row.observed);
        store.set_observation(environment, &observed, now()).await?;
        for (kind, message) in transitions::between(before.as_ref(), &observed) {
            self.desk.note(environment, kind, &message).await;
        }
        let mut gone = false;
        for row in store.clusters(Some(environment)).await? {
            if clusters::is_gone(&row, &observed) {
                gone |= store.remove_cluster(&row.document.id).await?;
                let text = format!("cluster {} is deleted", row.document.name);
                self.desk.note(environment, "cluster-deleted", &text).await;
            }
        }
        if gone {
            self.desk.settle(environment).await?;
        }
        Ok(())
    }

    async fn say(&self, message: sync_response::Message) -> Result<(), End> {
        self.send.send(Ok(response(message))).await.map_err(|_| End::Gone)
    }
}

fn response(message: sync_response::Message) -> SyncResponse {
    SyncResponse { message: Some(message) }
}
