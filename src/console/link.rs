//! The agent link, Console's side: `pinnace.agent.v1` over connections that only agents open.

use std::{pin::Pin, time::Duration};

use futures::Stream;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use self::token::Claims;
use super::{
    desk::{Shared, now},
    keys, status,
};
use crate::proto::pinnace::agent::v1::{
    AuthenticateRequest, AuthenticateResponse, SyncRequest, SyncResponse, TelemetryRequest,
    TelemetryResponse, agent_link_service_server::AgentLinkService,
};

mod sync;
mod telemetry;
pub mod token;

/// The largest message that an agent may send, in bytes.
pub const MAX_MESSAGE: usize = 4 << 20;
/// Calls of Authenticate that are worked on at a time; anybody may make them.
const AUTHENTICATING: usize = 32;
/// Others wait this long for their turn.
const ADMITTED_WITHIN: Duration = Duration::from_secs(3);
const LONGEST_ACCESS_KEY: usize = 256;
const REPLACED: &str =
    "the access key of this environment was replaced: run the new installation command";

/// The service that agents call.
pub struct Link {
    desk: Shared,
    shutdown: CancellationToken,
    authenticating: Semaphore,
}

impl Link {
    /// `shutdown` ends each stream with a Retry that is spread over a few seconds.
    pub fn new(desk: Shared, shutdown: CancellationToken) -> Self {
        Self { desk, shutdown, authenticating: Semaphore::new(AUTHENTICATING) }
    }

    /// The claims of a call's token, if its epoch is still the environment's.
    fn claims<T>(&self, request: &Request<T>) -> Result<Claims, Status> {
        let claims = token::bearer(request.metadata(), &self.desk.keys.token, now())?;
        if self.desk.live.epoch(&claims.environment) != Some(claims.epoch) {
            return Err(Status::unauthenticated(REPLACED));
        }
        Ok(claims)
    }
}

type Outgoing<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AgentLinkService for Link {
    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        let key = request.into_inner().access_key;
        let key = key.trim();
        let environment = key
            .split_once('|')
            .map(|(id, _)| id)
            .filter(|id| key.len() <= LONGEST_ACCESS_KEY && uuid::Uuid::try_parse(id).is_ok());
        let Some(environment) = environment else {
            return Err(Status::unauthenticated(
                "the access key has the wrong form: it is <environment id>|<secret>, as the installation command sets it",
            ));
        };
        let admitted = tokio::time::timeout(ADMITTED_WITHIN, self.authenticating.acquire()).await;
        let Ok(Ok(_admitted)) = admitted else {
            return Err(Status::resource_exhausted(
                "too many agents are authenticating at once: try again in a moment",
            ));
        };
        let before = self.desk.store.shown_access_key(environment).await?;
        let hash = keys::hash(key);
        let Some(epoch) = self.desk.store.use_access_key(environment, &hash, now()).await? else {
            tracing::warn!(environment, "an agent was refused: wrong access key");
            return Err(Status::unauthenticated(format!(
                "the access key of environment {environment} is wrong or was replaced: run the newest installation command"
            )));
        };
        if before.as_deref() != Some(&hash) {
            self.desk.refresh(environment).await?;
        }
        let claims = Claims::new(environment.to_owned(), epoch, now());
        Ok(Response::new(AuthenticateResponse {
            token: claims.sign(&self.desk.keys.token),
            expires_at: Some(status::timestamp(claims.expires)),
        }))
    }

    type SyncStream = Outgoing<SyncResponse>;

    async fn sync(
        &self,
        request: Request<Streaming<SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let claims = self.claims(&request)?;
        let (send, receive) = tokio::sync::mpsc::channel(4);
        let session = sync::Session::new(self.desk.clone(), claims, self.shutdown.clone(), send);
        tokio::spawn(session.run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
    }

    type TelemetryStream = Outgoing<TelemetryResponse>;

    async fn telemetry(
        &self,
        request: Request<Streaming<TelemetryRequest>>,
    ) -> Result<Response<Self::TelemetryStream>, Status> {
        let claims = self.claims(&request)?;
        let (send, receive) = tokio::sync::mpsc::channel(4);
        let desk = self.desk.clone();
        let shutdown = self.shutdown.clone();
        tokio::spawn(telemetry::run(desk, claims, request.into_inner(), send, shutdown));
        Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
    }
}
