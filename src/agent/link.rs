//! The one connection out: state both ways on `Sync`, bulk on `Telemetry`.
//!
//! Everything is level-triggered. A connection that breaks costs time and nothing else: the next one
//! begins with what the agent holds ([`session::Session::hello`]) and the newest observation.

pub mod backoff;
pub mod connect;
pub mod ring;
pub mod session;
mod telemetry;
pub mod token;
pub mod way;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, transport::Channel};

use self::{
    backoff::{Backoff, End},
    connect::Connector,
    ring::Ring,
    session::{Identity, Session, Step},
    token::Token,
};
use super::{
    chain,
    config::{self, AccessKeyFile},
};
use crate::{
    model::desired::{Desired, MAX_DOCUMENT, SignedDesired},
    proto::pinnace::agent::v1::{
        Applied, AuthenticateRequest, Observed, SyncRequest,
        agent_link_service_client::AgentLinkServiceClient,
    },
};

/// The time for a call to be answered at all.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The time within which the Console must have stored an observation.
const SEEN_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages that may wait for the connection. More means that the Console does not read.
const SEND_QUEUE: usize = 16;
/// A little over the largest document, so that one that is too large can be refused with a reason.
const MAX_MESSAGE: usize = 2 * MAX_DOCUMENT;

/// How the link is doing, for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    #[default]
    Connecting,
    Connected,
    /// Not connected; tried again at `until`.
    Waiting {
        cause: String,
        wrong_access_key: bool,
        until: DateTime<Utc>,
    },
}

/// What people are told about the link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    pub state: State,
    /// Why the newest desired state was refused.
    pub refusal: Option<String>,
}

/// A desired state that passed every check. The link says `Accepted` once `kept` is answered.
#[derive(Debug)]
pub struct Offer {
    pub signed: SignedDesired,
    pub desired: Desired,
    pub kept: oneshot::Sender<Result<(), String>>,
}

/// What connects the link with the rest of the agent.
#[derive(Debug)]
pub struct Ports {
    /// The way to the Console as the configuration says now.
    pub way: watch::Receiver<Connector>,
    pub offers: mpsc::Sender<Offer>,
    /// The newest observation; `None` until there is one.
    pub observed: watch::Receiver<Option<Arc<Observed>>>,
    pub telemetry: Arc<Ring>,
    pub status: watch::Sender<Status>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Connect(#[from] connect::Error),
    #[error(transparent)]
    AccessKeyFile(#[from] config::Error),
    #[error(
        "the Console refuses this agent's access key ({0}); run the Console's installation command again, which writes a new one"
    )]
    AccessKey(String),
    #[error("the Console no longer takes the token of an earlier login")]
    OldToken,
    #[error("the way to the Console has changed in the agent's configuration")]
    OtherWay,
    #[error("the Console answered {call} with something that is not an answer")]
    Answer { call: &'static str },
    #[error("the Console did not answer {call} within {} seconds", .after.as_secs())]
    Silent { call: &'static str, after: Duration },
    #[error("{call} failed: {message} ({code:?})")]
    Call { call: &'static str, code: Code, message: String },
    #[error("the Console asks to come back in {} seconds: {reason}", .after.as_secs())]
    ComeBack { after: Duration, reason: String },
    #[error("the Console closed the connection")]
    Closed,
    #[error("the Console does not read what the agent sends")]
    Stuck,
    #[error("cannot keep the desired state: {0}")]
    Keep(String),
}

impl Error {
    fn call(call: &'static str, status: &tonic::Status) -> Self {
        let message = status.message().chars().take(500).collect();
        Self::Call { call, code: status.code(), message }
    }

    fn end(&self) -> End {
        match self {
            Self::AccessKey(_) => End::AccessKey,
            Self::OldToken | Self::OtherWay => End::AtOnce,
            Self::ComeBack { after, .. } => End::RetryAfter(*after),
            _ => End::Failed,
        }
    }
}

/// The outgoing connection of one agent.
#[derive(Debug)]
pub struct Link {
    pub identity: Identity,
    pub access_key: AccessKeyFile,
}

/// What outlives a connection.
#[derive(Debug, Default)]
struct Memory {
    /// The last way that led to the Console.
    led: Option<Connector>,
    token: Option<Token>,
    applied: Option<Applied>,
    seq: u64,
}

impl Link {
    /// Keeps a connection until `shutdown`. `applied` is what the agent accepted in an earlier life.
    pub async fn run(
        self,
        applied: Option<Applied>,
        mut ports: Ports,
        shutdown: CancellationToken,
    ) {
        let mut memory = Memory { applied, ..Memory::default() };
        let mut backoff = Backoff::default();
        loop {
            let mut connected = None;
            let error = tokio::select! {
                () = shutdown.cancelled() => return,
                error = self.connection(&mut memory, &mut ports, &mut connected) => error,
            };
            let lived = connected.map_or(Duration::ZERO, |at: Instant| at.elapsed());
            let wait = backoff.wait(error.end(), lived, rand::random());
            let cause = chain(&error);
            let console = ports.way.borrow().host();
            tracing::warn!(console, next_try_in = ?wait, "{cause}");
            let wrong_access_key = matches!(error, Error::AccessKey(_));
            let until = Utc::now() + wait;
            let state = State::Waiting { cause, wrong_access_key, until };
            ports.status.send_modify(|status| status.state = state);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(wait) => {}
                Ok(()) = ports.way.changed() => {}
            }
        }
    }

    async fn connection(
        &self,
        memory: &mut Memory,
        ports: &mut Ports,
        connected: &mut Option<Instant>,
    ) -> Error {
        let channel = match reach(&mut ports.way, &mut memory.led).await {
            Ok(channel) => channel,
            Err(error) => return error.into(),
        };
        let mut client =
            AgentLinkServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
        let (token, is_old) = match memory.token.clone().filter(|t| t.is_good(Utc::now())) {
            Some(token) => (token, true),
            None => match self.authenticate(&mut client).await {
                Ok(token) => (memory.token.insert(token).clone(), false),
                Err(error) => return error,
            },
        };
        let mut bulk = client.clone();
        let telemetry = ports.telemetry.clone();
        let error = tokio::select! {
            error = self.sync(&mut client, &token, memory, ports, connected) => error,
            never = keep_telemetry(&mut bulk, &token, &telemetry) => match never {},
        };
        match error {
            Error::Call { code: Code::Unauthenticated, message, .. } => {
                memory.token = None;
                if is_old { Error::OldToken } else { Error::AccessKey(message) }
            }
            error => error,
        }
    }

    async fn authenticate(
        &self,
        client: &mut AgentLinkServiceClient<Channel>,
    ) -> Result<Token, Error> {
        let call = "Authenticate";
        let access_key = self.access_key.read()?.expose().clone();
        let answer = timeout(CALL_TIMEOUT, client.authenticate(AuthenticateRequest { access_key }));
        let answer = answer.await.map_err(|_| Error::Silent { call, after: CALL_TIMEOUT })?;
        let answer = answer.map_err(|status| match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => {
                Error::AccessKey(status.message().chars().take(500).collect())
            }
            _ => Error::call(call, &status),
        })?;
        Token::new(answer.get_ref(), Utc::now()).ok_or(Error::Answer { call })
    }

    async fn sync(
        &self,
        client: &mut AgentLinkServiceClient<Channel>,
        token: &Token,
        memory: &mut Memory,
        ports: &mut Ports,
        connected: &mut Option<Instant>,
    ) -> Error {
        let call = "Sync";
        let mut session = Session::new(&self.identity, memory.applied.clone(), memory.seq);
        let (sender, receiver) = mpsc::channel(SEND_QUEUE);
        let send = |request: SyncRequest| sender.try_send(request).map_err(|_| Error::Stuck);
        if let Err(error) = send(session.hello()) {
            return error;
        }
        let stream = client.sync(token.request(ReceiverStream::new(receiver)));
        let mut responses = match timeout(CALL_TIMEOUT, stream).await {
            Ok(Ok(responses)) => responses.into_inner(),
            Ok(Err(status)) => return Error::call(call, &status),
            Err(_) => return Error::Silent { call, after: CALL_TIMEOUT },
        };
        *connected = Some(Instant::now());
        tracing::info!(console = ports.way.borrow().host(), "connected to the Console");
        ports.status.send_modify(|status| status.state = State::Connected);
        // A new stream always begins with the newest observation.
        ports.observed.mark_changed();
        let mut seen_by = Instant::now() + SEEN_TIMEOUT;
        loop {
            let answer = tokio::select! {
                response = responses.message() => match response {
                    Ok(Some(response)) => match session.received(response) {
                        Step::Send(answer) => answer,
                        Step::Refuse { answer, refusal } => {
                            tracing::error!("refused a desired state: {refusal}");
                            ports.status.send_modify(|status| status.refusal = Some(refusal));
                            Some(answer)
                        }
                        Step::Keep { signed, desired } => {
                            let (generation, digest) = (desired.generation, signed.digest());
                            if let Err(error) = keep(&ports.offers, signed, desired).await {
                                return error;
                            }
                            tracing::info!(generation, %digest, "accepted a desired state");
                            ports.status.send_modify(|status| status.refusal = None);
                            let answer = session.accepted(generation, &digest);
                            memory.applied = session.applied().cloned();
                            Some(answer)
                        }
                        Step::ComeBack { after, reason } => return Error::ComeBack { after, reason },
                    },
                    Ok(None) => return Error::Closed,
                    Err(status) => return Error::call(call, &status),
                },
                Ok(()) = ports.observed.changed() => {
                    let newest = ports.observed.borrow_and_update().clone();
                    newest.and_then(|newest| session.observed(newest))
                }
                Ok(()) = ports.way.changed() => return Error::OtherWay,
                () = sleep_until(seen_by), if session.is_unseen() => {
                    return Error::Silent { call: "an observation", after: SEEN_TIMEOUT };
                }
            };
            if session.seq() > memory.seq {
                memory.seq = session.seq();
                seen_by = Instant::now() + SEEN_TIMEOUT;
            }
            if let Some(answer) = answer
                && let Err(error) = send(answer)
            {
                return error;
            }
        }
    }
}

/// Connects on the way that is wanted now; if that leads nowhere, on the last one that did. A wrong proxy must
/// not cut the agent off from the Console that can correct it.
async fn reach(
    way: &mut watch::Receiver<Connector>,
    led: &mut Option<Connector>,
) -> Result<Channel, connect::Error> {
    let wanted = way.borrow_and_update().clone();
    let failure = match wanted.connect().await {
        Ok(channel) => {
            *led = Some(wanted);
            return Ok(channel);
        }
        Err(failure) => failure,
    };
    let Some(earlier) = led.as_ref().filter(|earlier| !earlier.is(&wanted)) else {
        return Err(failure);
    };
    tracing::warn!("taking the earlier way, since the configured one fails: {}", chain(&failure));
    earlier.connect().await.map_err(|_| failure)
}

async fn keep(
    offers: &mpsc::Sender<Offer>,
    signed: SignedDesired,
    desired: Desired,
) -> Result<(), Error> {
    let (kept, answer) = oneshot::channel();
    let stopping = || Error::Keep("the agent is stopping".into());
    offers.send(Offer { signed, desired, kept }).await.map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())?.map_err(Error::Keep)
}

/// Telemetry never ends the connection: a stream that fails is opened again after a while.
async fn keep_telemetry(
    client: &mut AgentLinkServiceClient<Channel>,
    token: &Token,
    ring: &Ring,
) -> std::convert::Infallible {
    let mut backoff = Backoff::default();
    loop {
        let start = Instant::now();
        let status = telemetry::run(client, token, ring).await;
        let wait = backoff.wait(End::Failed, start.elapsed(), rand::random());
        tracing::debug!(code = ?status.code(), next_try_in = ?wait, "the telemetry stream ended");
        sleep(wait).await;
    }
}
