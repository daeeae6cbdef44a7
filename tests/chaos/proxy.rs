//! A proxy in front of the API server, with an authority of its own, that lets things go wrong by a [`Plan`].
//!
//! It calls the API server as administrator and asks nobody who connects who they are.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::plan::{Call, Counts, Fault, Plan};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, Failure>>;

/// How late a late answer is.
const LATE: Duration = Duration::from_millis(700);
/// How long a watch goes on before it is dropped.
const DROPPED_AFTER: Duration = Duration::from_millis(300);

/// A proxy at work until this is dropped.
pub struct Proxy {
    address: SocketAddr,
    ca: String,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    upstream: Client,
    plan: Mutex<Plan>,
    counts: Mutex<Counts>,
    /// Writes that may still pass; None: all.
    left: Mutex<Option<usize>>,
    /// Writes that have passed.
    passed: AtomicUsize,
    /// Whether something is held back.
    holding: watch::Sender<bool>,
    /// All watches are dropped when it changes.
    drops: watch::Sender<()>,
}

impl Proxy {
    pub async fn start(mut config: kube::Config) -> Self {
        // What the API server says is passed on as it is.
        config.default_retry = false;
        let upstream = Client::try_from(config).expect("a client");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (ca, acceptor) = identity();
        let shared = Arc::new(Shared {
            upstream,
            plan: Mutex::new(Plan::nothing()),
            counts: Mutex::default(),
            left: Mutex::new(None),
            passed: AtomicUsize::new(0),
            holding: watch::channel(false).0,
            drops: watch::channel(()).0,
        });
        let mut serving = JoinSet::new();
        serving.spawn(listen(listener, acceptor, shared.clone()));
        Self { address, ca, shared, _serving: serving }
    }

    /// How a client reaches the API server by way of this proxy.
    pub fn kubeconfig(&self) -> String {
        use base64::Engine as _;
        let ca = base64::engine::general_purpose::STANDARD.encode(&self.ca);
        let cluster = json!({"server": format!("https://{}", self.address), "certificate-authority-data": ca});
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": cluster}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        })
        .to_string()
    }

    /// What goes wrong from now on.
    pub fn follow(&self, plan: Plan) {
        *lock(&self.shared.plan) = plan;
    }

    /// Ends every watch that is under way in the middle.
    pub fn drop_watches(&self) {
        self.shared.drops.send_replace(());
    }

    /// What has gone wrong since the last time.
    pub fn take_counts(&self) -> Counts {
        std::mem::take(&mut *lock(&self.shared.counts))
    }

    /// Writes so far, leases and events aside.
    pub fn writes(&self) -> usize {
        self.shared.passed.load(Ordering::SeqCst)
    }

    /// Lets so many more writes through, leases and events aside, and holds back everything after the last one.
    /// Returns once something is held back.
    pub async fn hold_after(&self, writes: usize) {
        let mut holding = self.shared.holding.subscribe();
        *lock(&self.shared.left) = Some(writes);
        holding.wait_for(|holding| *holding).await.expect("the proxy lives");
    }

    /// Lets everything through again.
    pub fn open(&self) {
        *lock(&self.shared.left) = None;
        self.shared.holding.send_replace(false);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An authority as PEM, and a server that it vouches for.
fn identity() -> (String, TlsAcceptor) {
    let ca_key = rcgen::KeyPair::generate().expect("a key");
    let mut ca = rcgen::CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "chaos");
    let ca_pem = ca.self_signed(&ca_key).expect("a certificate").pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = vec!["127.0.0.1".to_owned()];
    let params = rcgen::CertificateParams::new(names).expect("names");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a server");
    (ca_pem, TlsAcceptor::from(Arc::new(config)))
}

async fn listen(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(serve(stream, acceptor.clone(), shared.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| answer(request, shared.clone()));
    // A client that goes away is no news, and neither is a connection that is to end.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Answer, Failure> {
    let call = Call {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
    };
    shared.pass(&call).await;
    let (fault, way) = {
        let mut plan = lock(&shared.plan);
        let fault = plan.next(&call);
        (fault, plan.pick(4))
    };
    if let Some(fault) = fault {
        *lock(&shared.counts).entry(fault).or_default() += 1;
    }
    match fault {
        None if call.is_watch() => {
            let mut drops = shared.drops.subscribe();
            let end = async move { drops.changed().await.unwrap_or_default() };
            Ok(shared.forward(request).await?.map(|body| until(end, body)))
        }
        None => shared.forward(request).await,
        Some(Fault::Conflict) => Ok(refusal(409, "Conflict")),
        Some(Fault::Gone) if call.is_watch() && way % 2 == 0 => Ok(expired_watch()),
        Some(Fault::Gone) => Ok(refusal(410, "Expired")),
        Some(Fault::Throttled) => Ok(refusal(429, "TooManyRequests")),
        Some(Fault::ServerError) => {
            let (code, reason) = [
                (500, "InternalError"),
                (502, "BadGateway"),
                (503, "ServiceUnavailable"),
                (504, "Timeout"),
            ][way as usize];
            Ok(refusal(code, reason))
        }
        Some(Fault::Latency) => {
            tokio::time::sleep(LATE).await;
            shared.forward(request).await
        }
        Some(Fault::DroppedWatch) => {
            let end = tokio::time::sleep(DROPPED_AFTER);
            Ok(shared.forward(request).await?.map(|body| until(end, body)))
        }
        Some(Fault::HalfClosed) => halved(shared.forward(request).await?).await,
        Some(Fault::Silence) if call.is_watch() => Ok(shared.forward(request).await?.map(|_| {
            StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Failure>>())
                .boxed_unsync()
        })),
        Some(Fault::Silence) => {
            shared.carried_out(request).await;
            std::future::pending().await
        }
        Some(Fault::LostReply) => {
            shared.carried_out(request).await;
            Err("the reply is lost".into())
        }
    }
}

impl Shared {
    /// Waits as long as calls are held back.
    async fn pass(&self, call: &Call) {
        if call.is_aside() {
            return;
        }
        let passes = || match &mut *lock(&self.left) {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= usize::from(call.writes());
                true
            }
        };
        if !passes() {
            self.holding.send_replace(true);
            // Whoever waits here is to be killed.
            std::future::pending::<()>().await;
        }
        self.passed.fetch_add(usize::from(call.writes()), Ordering::SeqCst);
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Answer, Failure> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(parts.method).uri(path);
        for name in [header::ACCEPT, header::CONTENT_TYPE, header::USER_AGENT] {
            if let Some(value) = parts.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answer = self.upstream.send(request.body(Body::from(body.to_vec()))?).await?;
        let (mut parts, body) = answer.into_parts();
        parts.headers.remove(header::TRANSFER_ENCODING);
        parts.headers.remove(header::CONNECTION);
        Ok(Response::from_parts(parts, body.map_err(Into::into).boxed_unsync()))
    }

    /// Forwards a call to its end, whatever becomes of whoever made it.
    async fn carried_out(self: &Arc<Self>, request: Request<Incoming>) {
        let shared = self.clone();
        let done = tokio::spawn(async move {
            let answer = shared.forward(request).await?;
            answer.into_body().collect().await.map(|_| ())
        });
        let _ = done.await;
    }
}

fn full(body: Bytes) -> UnsyncBoxBody<Bytes, Failure> {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn status(code: u16, reason: &str) -> serde_json::Value {
    let message = match code {
        // A quota says so at which several writes met.
        409 => {
            "Operation cannot be fulfilled on resourcequotas \"chaos\": the object has been modified; please apply \
             your changes to the latest version and try again"
        }
        410 => "The provided resource version is too old",
        _ => "chaos",
    };
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

fn refusal(code: u16, reason: &str) -> Answer {
    let mut answer = Response::new(full(status(code, reason).to_string().into()));
    *answer.status_mut() = StatusCode::from_u16(code).expect("a code");
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().expect("a type"));
    if code == 429 {
        headers.insert(header::RETRY_AFTER, "1".parse().expect("seconds"));
    }
    answer
}

/// A watch whose first word is that it cannot go on from there.
fn expired_watch() -> Answer {
    let event = json!({"type": "ERROR", "object": status(410, "Expired")});
    let mut answer = Response::new(full(format!("{event}\n").into()));
    let json = "application/json".parse().expect("a type");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

fn broken() -> Failure {
    "the connection is to end here".into()
}

type Content = UnsyncBoxBody<Bytes, Failure>;

/// Ends with an error at this moment.
fn until(end: impl Future<Output = ()> + Send + 'static, body: Content) -> Content {
    let frames = futures::stream::unfold(Some((body, end.boxed())), |state| async move {
        let (mut body, mut end) = state?;
        tokio::select! {
            () = &mut end => Some((Err(broken()), None)),
            frame = body.frame() => frame.map(|frame| (frame, Some((body, end)))),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

/// Half of the answer, though its head promises all of it.
async fn halved(answer: Answer) -> Result<Answer, Failure> {
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    let half = Ok(Frame::data(body.slice(..body.len() / 2)));
    let frames = futures::stream::iter([half]).chain(futures::stream::once(async {
        // So that the first half is on its way before the end.
        tokio::task::yield_now().await;
        Err(broken())
    }));
    Ok(Response::from_parts(parts, StreamBody::new(frames).boxed_unsync()))
}
