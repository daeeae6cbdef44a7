//! A Console with a fixed catalogue, and clients of both transports.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use pinnace::{
    console::{
        accounts::Accounts,
        auth::AdminKey,
        catalogue::{Catalogue, ChartError, Charts},
        desk::{Desk, Shared},
        keys::{self, Keys},
        live::Live,
        serve::{self, Port},
        settings::{RegistryAccess, Settings},
        store::Store,
        turns::Turns,
    },
    model::{digest::Digest, redacted::Redacted},
    proto::{
        pinnace::{
            agent::v1::{
                AuthenticateRequest, Hello, SyncRequest, SyncResponse,
                agent_link_service_client::AgentLinkServiceClient, sync_request, sync_response,
            },
            console::v1::console_service_client::ConsoleServiceClient,
        },
        qdrant::cloud::{
            cluster::v1::cluster_service_client::ClusterServiceClient,
            hybrid::v1::{
                CreateHybridCloudEnvironmentRequest, GenerateBootstrapCommandsRequest,
                HybridCloudEnvironment, HybridCloudEnvironmentConfiguration,
                hybrid_cloud_service_client::HybridCloudServiceClient,
            },
        },
    },
};
use semver::Version;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status, Streaming,
    service::interceptor::InterceptedService,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

/// Longer than anything takes that works.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const ADMIN_KEY: &str = "admin-key-of-this-test";
pub const ACCOUNT: &str = "7b1d8a52-77a5-4ecf-9d33-0b5c3f4e2a10";

/// Two versions of each chart.
struct Fixed;

#[async_trait]
impl Charts for Fixed {
    async fn versions(&self, _: &str) -> Result<Vec<Version>, ChartError> {
        Ok(vec![Version::new(1, 1, 0), Version::new(1, 0, 0)])
    }

    async fn resolve(&self, chart: &str, version: &Version) -> Result<Digest, ChartError> {
        Ok(Digest::of(format!("{chart} {version}").as_bytes()))
    }

    async fn archive(&self, chart: &str, _: &Digest) -> Result<Vec<u8>, ChartError> {
        let message = format!("{chart} cannot be looked into here");
        Err(ChartError { reason: "NotFound", message })
    }
}

/// A registry that is not there.
pub struct Down;

#[async_trait]
impl Charts for Down {
    async fn versions(&self, _: &str) -> Result<Vec<Version>, ChartError> {
        Err(ChartError { reason: "Unreachable", message: "registry.test did not answer".into() })
    }

    async fn resolve(&self, _: &str, _: &Version) -> Result<Digest, ChartError> {
        Err(ChartError { reason: "Unreachable", message: "registry.test did not answer".into() })
    }

    async fn archive(&self, _: &str, _: &Digest) -> Result<Vec<u8>, ChartError> {
        Err(ChartError { reason: "Unreachable", message: "registry.test did not answer".into() })
    }
}

/// A running Console. Dropping it stops it.
pub struct Console {
    pub desk: Shared,
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    ca: String,
    _data: tempfile::TempDir,
}

impl Drop for Console {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub type Hybrid = HybridCloudServiceClient<InterceptedService<Channel, Key>>;

/// Adds `authorization: apikey <key>`.
#[derive(Clone)]
pub struct Key(pub &'static str);

impl tonic::service::Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = format!("apikey {}", self.0).parse().expect("header");
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

impl Console {
    pub async fn start() -> Self {
        Self::with(Box::new(Fixed)).await
    }

    pub async fn with(charts: Box<dyn Charts>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let data = tempfile::tempdir().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (cert, key) = (data.path().join("tls.crt"), data.path().join("tls.key"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();

        let port = Port::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = port.address();
        let url = format!("https://127.0.0.1:{}", address.port());
        let settings = Settings {
            public_url: url.clone(),
            grpc_url: url,
            chart_repository: "oci://registry.test/qdrant-charts".into(),
            image_registry: "registry.test".into(),
            ca_certificates: None,
            database_image: None,
            registry: RegistryAccess::Shared {
                username: "robot".into(),
                password: Redacted::new("pw".to_owned()),
            },
        };
        let desk = Desk {
            settings: settings.checked().unwrap(),
            account_id: ACCOUNT.into(),
            keys: Keys::open(data.path()).unwrap(),
            store: Store::open(&data.path().join("console.db")).await.unwrap(),
            live: Live::default(),
            catalogue: Catalogue::new(charts),
            accounts: Accounts::default(),
            turns: Turns::default(),
        };
        let desk = desk.start().await.unwrap();
        let admin = AdminKey::new(keys::hash(ADMIN_KEY));
        let shutdown = CancellationToken::new();
        let tls = serve::tls(&cert, &key).unwrap();
        tokio::spawn(port.serve(tls, desk.clone(), admin, shutdown.clone()));
        Self { desk, address, shutdown, ca: made.cert.pem(), _data: data }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.address.port())
    }

    async fn channel(&self) -> Channel {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.ca))
            .domain_name("localhost");
        let endpoint = Endpoint::from_shared(self.url("")).unwrap().tls_config(tls).unwrap();
        endpoint.connect().await.unwrap()
    }

    pub async fn hybrid(&self) -> Hybrid {
        self.hybrid_with(ADMIN_KEY).await
    }

    pub async fn hybrid_with(&self, key: &'static str) -> Hybrid {
        HybridCloudServiceClient::with_interceptor(self.channel().await, Key(key))
    }

    pub async fn versions(&self) -> ConsoleServiceClient<InterceptedService<Channel, Key>> {
        ConsoleServiceClient::with_interceptor(self.channel().await, Key(ADMIN_KEY))
    }

    pub async fn clusters(&self) -> ClusterServiceClient<InterceptedService<Channel, Key>> {
        ClusterServiceClient::with_interceptor(self.channel().await, Key(ADMIN_KEY))
    }

    pub async fn link(&self) -> AgentLinkServiceClient<Channel> {
        AgentLinkServiceClient::new(self.channel().await)
    }

    /// A client that trusts the Console, keeps cookies out and follows no redirects.
    pub fn http(&self) -> reqwest::Client {
        let ca = reqwest::Certificate::from_pem(self.ca.as_bytes()).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([ca])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap()
    }

    /// One REST call with the admin key: status and JSON body.
    pub async fn rest(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.rest_with(&format!("apikey {ADMIN_KEY}"), method, path, body).await
    }

    pub async fn rest_with(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self
            .http()
            .request(method.parse().unwrap(), self.url(path))
            .header("authorization", authorization);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// An environment, and the access key of its first installation command.
    pub async fn environment(&self, name: &str) -> (String, String) {
        let mut hybrid = self.hybrid().await;
        let made = hybrid.create_hybrid_cloud_environment(create(name, name)).await.unwrap();
        let id = made.into_inner().hybrid_cloud_environment.unwrap().id;
        let key = self.rotate(&id).await;
        (id, key)
    }

    pub async fn rotate(&self, id: &str) -> String {
        let request = GenerateBootstrapCommandsRequest {
            account_id: ACCOUNT.into(),
            hybrid_cloud_environment_id: id.into(),
        };
        let mut hybrid = self.hybrid().await;
        hybrid.generate_bootstrap_commands(request).await.unwrap().into_inner().access_key
    }

    pub async fn token(&self, access_key: &str) -> Result<String, Status> {
        let request = AuthenticateRequest { access_key: access_key.into() };
        Ok(self.link().await.authenticate(request).await?.into_inner().token)
    }

    /// A stream as an agent opens it, Hello sent.
    pub async fn agent(&self, id: &str, token: &str, hello: Hello) -> Result<Agent, Status> {
        let (send, receive) = mpsc::channel(4);
        let agent = Hello { environment_id: id.into(), ..hello };
        send.send(sync_request::Message::Hello(agent)).await.unwrap();
        let outgoing = futures::StreamExt::map(ReceiverStream::new(receive), |message| {
            SyncRequest { message: Some(message) }
        });
        let mut request = Request::new(outgoing);
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        let incoming = self.link().await.sync(request).await?.into_inner();
        Ok(Agent { send, incoming })
    }
}

/// The agent's end of a stream.
pub struct Agent {
    pub send: mpsc::Sender<sync_request::Message>,
    incoming: Streaming<SyncResponse>,
}

impl Agent {
    /// The next message; None at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<sync_response::Message>, Status> {
        let next = tokio::time::timeout(PATIENCE, self.incoming.message()).await;
        Ok(next.expect("a message in time")?.and_then(|response| response.message))
    }

    pub async fn desired(&mut self) -> pinnace::proto::pinnace::agent::v1::Desired {
        match self.next().await {
            Ok(Some(sync_response::Message::Desired(desired))) => desired,
            other => panic!("expected Desired, got {other:?}"),
        }
    }

    /// Sends an observation and waits until it is stored. Nothing else may come before that.
    pub async fn observe(&mut self, observed: pinnace::proto::pinnace::agent::v1::Observed) {
        let seq = observed.seq;
        self.send.send(sync_request::Message::Observed(observed)).await.unwrap();
        match self.next().await {
            Ok(Some(sync_response::Message::Seen(seen))) => assert_eq!(seen.seq, seq),
            other => panic!("expected Seen, got {other:?}"),
        }
    }
}

pub fn create(name: &str, namespace: &str) -> CreateHybridCloudEnvironmentRequest {
    CreateHybridCloudEnvironmentRequest {
        hybrid_cloud_environment: Some(HybridCloudEnvironment {
            account_id: ACCOUNT.into(),
            name: name.into(),
            configuration: Some(HybridCloudEnvironmentConfiguration {
                namespace: namespace.into(),
                ..Default::default()
            }),
            ..Default::default()
        }),
    }
}
