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
        desk::{MAX_CLUSTERS, Shared, now},
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
/// An agent that takes nothing for this long is as good as gone.
const SENT_WITHIN: Duration = Duration::from_secs(30);
/// Generations above this cannot have come from a Console.
const HIGHEST_GENERATION: u64 = 1 << 53;
const MAX_COMPONENTS: usize = 64;
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
        let _ = tokio::time::timeout(SENT_WITHIN, self.send.send(last)).await;
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
        self.outrun(&hello).await?;
        Ok(hello)
    }

    /// An agent that accepted a document which this Console does not know (its database came back
    /// from a backup) would refuse all that is not newer: go on above what it has.
    async fn outrun(&self, hello: &Hello) -> Result<(), Status> {
        let environment = &self.claims.environment;
        let applied = hello.applied.clone().unwrap_or_default();
        let Some(row) = self.desk.store.desired(environment).await? else { return Ok(()) };
        if applied.generation < row.generation || applied.digest == row.digest {
            return Ok(());
        }
        if applied.generation > HIGHEST_GENERATION {
            return Err(Status::invalid_argument(format!(
                "Hello names generation {}, which no Console has made",
                applied.generation
            )));
        }
        let text = format!(
            "the agent has generation {}, which is not this Console's (it is at {}): was its database restored? The next generation is above that",
            applied.generation, row.generation
        );
        tracing::warn!(environment, "{text}");
        self.desk.note(environment, "outrun", &text).await;
        Ok(self.desk.settle_above(environment, applied.generation).await?)
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
                () = shutdown.cancelled() => return restarting(),
                _ = stream.cut.changed() => return cut(stream),
                () = &mut age => {
                    return End::Retry { after: 0, reason: "the stream has reached its age" };
                }
                _ = stream.wake.changed() => self.offer(stream).await,
                message = incoming.message() => match message {
                    Ok(Some(message)) => self.hear(message, stream).await,
                    Ok(None) | Err(_) => return End::Gone,
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Sends the desired state if it is not what the agent has.
    async fn offer(&mut self, stream: &mut Stream<'_>) -> Result<(), End> {
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
        self.say(sync_response::Message::Desired(desired), stream).await
    }

    async fn hear(&self, message: SyncRequest, stream: &mut Stream<'_>) -> Result<(), End> {
        // What an older stream still had to say is not newer than what the present one says.
        if !stream.is_current() {
            return Err(cut(stream));
        }
        let done = match message.message {
            Some(sync_request::Message::Accepted(accepted)) => self.accepted(accepted).await,
            Some(sync_request::Message::Observed(observed)) => {
                let seq = observed.seq;
                match self.observed(observed).await {
                    Ok(()) => {
                        return self.say(sync_response::Message::Seen(Seen { seq }), stream).await;
                    }
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
        let current =
            self.desk.store.set_accepted(environment, accepted.generation, &refusal).await?;
        if current && !refusal.is_empty() {
            let text = format!("the agent refused generation {}: {refusal}", accepted.generation);
            tracing::warn!(environment, "{text}");
            self.desk.note(environment, "refused", &text).await;
        }
        Ok(())
    }

    async fn observed(&self, mut observed: Observed) -> Result<(), Status> {
        let environment = &self.claims.environment;
        let store = &self.desk.store;
        let before = store.observation(environment).await?.map(|row| row.observed);
        let known = store.clusters(Some(environment)).await?;
        let dropped = bound(&mut observed, |id| known.iter().any(|row| row.document.id == id));
        let first = before.as_ref().is_none_or(|before| {
            before.components.len() < MAX_COMPONENTS && before.clusters.len() < MAX_CLUSTERS
        });
        if dropped > 0 && first {
            let text = format!(
                "the agent reported {dropped} more components or clusters than the {MAX_COMPONENTS} and {MAX_CLUSTERS} that are kept"
            );
            self.desk.note(environment, "truncated", &text).await;
        }
        store.set_observation(environment, &observed, now()).await?;
        for (kind, message) in transitions::between(before.as_ref(), &observed) {
            self.desk.note(environment, kind, &message).await;
        }
        let mut gone = false;
        for row in known {
            if clusters::is_gone(&row, &observed) {
                gone |= store.remove_cluster(&row.document.id).await?;
                let text = format!("cluster {} is deleted", row.document.name);
                self.desk.note(environment, "cluster-deleted", &text).await;
            }
        }
        if gone {
            self.desk.refresh(environment).await?;
        }
        Ok(())
    }

    /// Sends, unless the stream has to end or the agent takes nothing meanwhile.
    async fn say(
        &self,
        message: sync_response::Message,
        stream: &mut Stream<'_>,
    ) -> Result<(), End> {
        tokio::select! {
            biased;
            sent = self.send.send(Ok(response(message))) => sent.map_err(|_| End::Gone),
            () = self.shutdown.cancelled() => Err(restarting()),
            _ = stream.cut.changed() => Err(cut(stream)),
            () = tokio::time::sleep(SENT_WITHIN) => Err(End::Gone),
        }
    }
}

/// Keeps what the limits allow, clusters that this Console knows first; says how many had to go.
fn bound(observed: &mut Observed, known: impl Fn(&str) -> bool) -> usize {
    let before = observed.components.len() + observed.clusters.len();
    let mut names: Vec<String> = observed.components.keys().cloned().collect();
    names.sort();
    for name in names.iter().skip(MAX_COMPONENTS) {
        observed.components.remove(name);
    }
    let mut ids: Vec<(bool, String)> =
        observed.clusters.keys().map(|id| (!known(id), id.clone())).collect();
    ids.sort();
    for (_, id) in ids.iter().skip(MAX_CLUSTERS) {
        observed.clusters.remove(id);
    }
    before - observed.components.len() - observed.clusters.len()
}

fn restarting() -> End {
    End::Retry { after: rand::rng().random_range(DRAIN), reason: "the Console is restarting" }
}

fn cut(stream: &Stream<'_>) -> End {
    match *stream.cut.borrow() {
        Some(Cut::Superseded) => {
            End::Retry { after: 30, reason: "a newer stream of this environment has taken over" }
        }
        _ => End::Error(Status::unauthenticated(REPLACED)),
    }
}

fn response(message: sync_response::Message) -> SyncResponse {
    SyncResponse { message: Some(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_cut_to_the_limits_and_known_clusters_stay() {
        let mut observed = Observed::default();
        for at in 0..=MAX_COMPONENTS {
            observed.components.insert(format!("c{at:04}"), Default::default());
        }
        for at in 0..MAX_CLUSTERS {
            observed.clusters.insert(format!("c{at:04}"), Default::default());
        }
        assert_eq!(bound(&mut observed, |_| false), 1);
        assert!(!observed.components.contains_key("c0064"));
        observed.clusters.insert("known".into(), Default::default());
        assert_eq!(bound(&mut observed, |id| id == "known"), 1);
        assert!(observed.clusters.contains_key("known"));
        assert_eq!(bound(&mut observed, |_| false), 0);
    }
}
