//! A Console whose streams the test speaks itself.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use chrono::Utc;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Identity, Server, ServerTlsConfig},
};

use super::{ACCESS_KEY, PATIENCE};
use crate::proto::pinnace::agent::v1::{
    Accepted, AuthenticateRequest, AuthenticateResponse, Hello, Observed, Seen, SyncRequest,
    SyncResponse, TelemetryRequest, TelemetryResponse,
    agent_link_service_server::{AgentLinkService, AgentLinkServiceServer},
    sync_request, sync_response,
};

pub struct Console {
    pub uri: String,
    pub ca: String,
    shared: Arc<Mutex<Shared>>,
    syncs: mpsc::Receiver<SyncStream>,
    telemetry: mpsc::Receiver<TelemetryStream>,
}

#[derive(Default)]
struct Shared {
    tokens: HashSet<String>,
    logins: usize,
    refused: usize,
    token_life: Duration,
}

impl Console {
    pub async fn start() -> Self {
        let (ca, identity) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let shared = Arc::new(Mutex::new(Shared {
            token_life: Duration::from_secs(3600),
            ..Default::default()
        }));
        let (sync_sender, syncs) = mpsc::channel(8);
        let (telemetry_sender, telemetry) = mpsc::channel(8);
        let service =
            Service { shared: shared.clone(), syncs: sync_sender, telemetry: telemetry_sender };
        let server = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .expect("TLS")
            .add_service(AgentLinkServiceServer::new(service))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        Self { uri: format!("https://localhost:{port}/"), ca, shared, syncs, telemetry }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("lock")
    }

    pub fn logins(&self) -> usize {
        self.lock().logins
    }

    pub fn refused(&self) -> usize {
        self.lock().refused
    }

    pub fn forget_tokens(&self) {
        self.lock().tokens.clear();
    }

    pub fn token_life(&self, life: Duration) {
        self.lock().token_life = life;
    }

    pub async fn sync(&mut self) -> SyncStream {
        timeout(PATIENCE, self.syncs.recv()).await.expect("in time").expect("a stream")
    }

    pub async fn telemetry(&mut self) -> TelemetryStream {
        timeout(PATIENCE, self.telemetry.recv()).await.expect("in time").expect("a stream")
    }
}

pub struct SyncStream {
    requests: Streaming<SyncRequest>,
    responses: mpsc::Sender<Result<SyncResponse, Status>>,
}

impl SyncStream {
    async fn next(&mut self) -> sync_request::Message {
        let next = timeout(PATIENCE, self.requests.message()).await.expect("in time");
        next.expect("a message").expect("an open stream").message.expect("content")
    }

    pub async fn hello(&mut self) -> Hello {
        match self.next().await {
            sync_request::Message::Hello(hello) => hello,
            other => panic!("expected Hello: {other:?}"),
        }
    }

    pub async fn accepted(&mut self) -> Accepted {
        match self.next().await {
            sync_request::Message::Accepted(accepted) => accepted,
            other => panic!("expected Accepted: {other:?}"),
        }
    }

    pub async fn observed(&mut self) -> Observed {
        match self.next().await {
            sync_request::Message::Observed(observed) => observed,
            other => panic!("expected Observed: {other:?}"),
        }
    }

    pub async fn seen(&self, seq: u64) {
        let message = sync_response::Message::Seen(Seen { seq });
        self.send(SyncResponse { message: Some(message) }).await;
    }

    pub async fn send(&self, response: SyncResponse) {
        self.responses.send(Ok(response)).await.expect("an open stream");
    }

    pub fn end(self) {}
}

pub struct TelemetryStream {
    requests: Streaming<TelemetryRequest>,
    responses: mpsc::Sender<Result<TelemetryResponse, Status>>,
}

impl TelemetryStream {
    pub async fn next(&mut self) -> TelemetryRequest {
        let next = timeout(PATIENCE, self.requests.message()).await.expect("in time");
        next.expect("a message").expect("an open stream")
    }

    pub async fn grant(&self, credit_bytes: u64) {
        let grant = TelemetryResponse { credit_bytes };
        self.responses.send(Ok(grant)).await.expect("an open stream");
    }
}

struct Service {
    shared: Arc<Mutex<Shared>>,
    syncs: mpsc::Sender<SyncStream>,
    telemetry: mpsc::Sender<TelemetryStream>,
}

impl Service {
    fn check<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let header = request.metadata().get("authorization").and_then(|v| v.to_str().ok());
        let mut shared = self.shared.lock().expect("lock");
        if header.is_some_and(|header| shared.tokens.contains(header)) {
            return Ok(());
        }
        shared.refused += 1;
        Err(Status::unauthenticated("the token is not valid"))
    }
}

#[tonic::async_trait]
impl AgentLinkService for Service {
    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        if request.get_ref().access_key != ACCESS_KEY {
            return Err(Status::unauthenticated("no such access key"));
        }
        let mut shared = self.shared.lock().expect("lock");
        shared.logins += 1;
        let token = format!("token-{}", shared.logins);
        shared.tokens.insert(format!("Bearer {token}"));
        let expires_at = Some((Utc::now() + shared.token_life).into());
        Ok(Response::new(AuthenticateResponse { token, expires_at }))
    }

    type SyncStream = ReceiverStream<Result<SyncResponse, Status>>;

    async fn sync(
        &self,
        request: Request<Streaming<SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        self.check(&request)?;
        let (responses, stream) = mpsc::channel(8);
        let requests = request.into_inner();
        let _ = self.syncs.send(SyncStream { requests, responses }).await;
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    type TelemetryStream = ReceiverStream<Result<TelemetryResponse, Status>>;

    async fn telemetry(
        &self,
        request: Request<Streaming<TelemetryRequest>>,
    ) -> Result<Response<Self::TelemetryStream>, Status> {
        self.check(&request)?;
        let (responses, stream) = mpsc::channel(8);
        let requests = request.into_inner();
        let _ = self.telemetry.send(TelemetryStream { requests, responses }).await;
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// A new authority (PEM), and a certificate of it for `localhost`.
fn certificates() -> (String, Identity) {
    let ca_key = KeyPair::generate().expect("key");
    let mut ca = CertificateParams::new(Vec::new()).expect("parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).expect("certificate").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = server.signed_by(&key, &issuer).expect("certificate");
    (ca_pem, Identity::from_pem(server.pem(), key.serialize_pem()))
}
