//! The link against a Console in this process: real TCP, real TLS, real HTTP/2.

mod console;
mod proxy;

use std::{sync::Arc, time::Duration};

use ed25519_dalek::SigningKey;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::{console::Console, proxy::TestProxy};
use super::*;
use crate::{
    agent::config::Proxy,
    model::{
        desired::{ChartSource, ClusterWant},
        redacted::Redacted,
    },
    proto::pinnace::agent::v1::{
        self as wire, KubernetesEvent, SyncResponse, sync_response, telemetry_request,
    },
};

const ENVIRONMENT: &str = "env-1";
const ACCESS_KEY: &str = "env-1|secret";
/// What a test waits for happens much sooner; this ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(20);

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn connector(console: &Console, ca: &str, proxy: &Proxy) -> Connector {
    Connector::new(console.uri.parse().expect("uri"), Some(ca), proxy).expect("connector")
}

/// A running link and everything that it is connected with.
struct Agent {
    offers: mpsc::Receiver<Offer>,
    observed: watch::Sender<Option<Arc<Observed>>>,
    telemetry: Arc<Ring>,
    status: watch::Receiver<Status>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    way: watch::Sender<Connector>,
    folder: tempfile::TempDir,
}

impl Agent {
    fn start(console: &Console) -> Self {
        Self::start_with(console, &Proxy::default(), ACCESS_KEY, None)
    }

    fn start_with(
        console: &Console,
        proxy: &Proxy,
        access_key: &str,
        applied: Option<Applied>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("access-key"), access_key).expect("write");
        let (way, ways) = watch::channel(connector(console, &console.ca, proxy));
        let link = Link {
            identity: Identity {
                environment: ENVIRONMENT.into(),
                boot_id: "boot".into(),
                agent_version: "1.0.0".into(),
                console_key: signing_key().verifying_key(),
            },
            access_key: AccessKeyFile::new(folder.path().join("access-key")),
        };
        let (offers, offered) = mpsc::channel(1);
        let (observed, observations) = watch::channel(None);
        let (statuses, status) = watch::channel(Status::default());
        let telemetry = Arc::new(Ring::default());
        let ports = Ports {
            way: ways,
            offers,
            observed: observations,
            telemetry: telemetry.clone(),
            status: statuses,
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(link.run(applied, ports, shutdown.clone()));
        Self { offers: offered, observed, telemetry, status, shutdown, task, way, folder }
    }

    async fn status(&mut self, is: impl Fn(&Status) -> bool) -> Status {
        let status = timeout(PATIENCE, self.status.wait_for(is)).await.expect("in time");
        status.expect("the link runs").clone()
    }

    async fn offer(&mut self) -> Offer {
        timeout(PATIENCE, self.offers.recv()).await.expect("in time").expect("an offer")
    }
}

fn desired(environment: &str, generation: u64, key: &SigningKey) -> SyncResponse {
    let desired = Desired {
        environment: environment.into(),
        generation,
        pins: Default::default(),
        charts: ChartSource {
            url: "oci://r/c".into(),
            secret: None,
            ca_certificates: None,
            proxy: None,
        },
        clusters: [("c".to_owned(), ClusterWant::Deleted)].into(),
    };
    let signed = SignedDesired::sign(&desired, key).expect("sign");
    SyncResponse {
        message: Some(sync_response::Message::Desired(wire::Desired {
            generation,
            digest: signed.digest().to_string(),
            document: signed.document,
            signature: signed.signature.to_vec(),
        })),
    }
}

#[tokio::test]
async fn a_desired_state_is_kept_before_it_is_accepted() {
    let mut console = Console::start().await;
    let mut agent = Agent::start(&console);
    let mut stream = console.sync().await;
    let hello = stream.hello().await;
    assert_eq!((hello.environment_id.as_str(), hello.boot_id.as_str()), (ENVIRONMENT, "boot"));
    assert!(hello.applied.is_none());
    agent.status(|status| status.state == State::Connected).await;

    stream.send(desired(ENVIRONMENT, 3, &signing_key())).await;
    let offer = agent.offer().await;
    assert_eq!(offer.desired.generation, 3);
    let digest = offer.signed.digest().to_string();
    offer.kept.send(Ok(())).expect("the link waits");
    let accepted = stream.accepted().await;
    assert_eq!((accepted.generation, accepted.digest, accepted.refusal), (3, digest.clone(), None));

    // The next connection says what the agent holds.
    stream.end();
    let mut stream = console.sync().await;
    let applied = stream.hello().await.applied.expect("applied");
    assert_eq!((applied.generation, applied.digest), (3, digest));
    assert_eq!(console.logins(), 1, "the token serves again");
}

#[tokio::test]
async fn a_state_that_cannot_be_kept_is_not_accepted() {
    let mut console = Console::start().await;
    let mut agent = Agent::start(&console);
    let mut stream = console.sync().await;
    stream.hello().await;
    stream.send(desired(ENVIRONMENT, 3, &signing_key())).await;
    let kept = agent.offer().await.kept;
    kept.send(Err("no API server".into())).expect("the link waits");
    let status = agent.status(|status| matches!(status.state, State::Waiting { .. })).await;
    assert!(format!("{status:?}").contains("no API server"));
    assert!(console.sync().await.hello().await.applied.is_none());
}

#[tokio::test]
async fn refusals_name_the_reason_and_hand_nothing_on() {
    let mut console = Console::start().await;
    let applied = Applied { generation: 5, digest: String::new() };
    let mut agent = Agent::start_with(&console, &Proxy::default(), ACCESS_KEY, Some(applied));
    let mut stream = console.sync().await;
    assert_eq!(stream.hello().await.applied.map(|applied| applied.generation), Some(5));
    let forger = SigningKey::from_bytes(&[9; 32]);
    for (message, reason) in [
        (desired(ENVIRONMENT, 6, &forger), "signature"),
        (desired("env-2", 6, &signing_key()), "env-2"),
        (desired(ENVIRONMENT, 4, &signing_key()), "generation 4"),
    ] {
        stream.send(message).await;
        let refusal = stream.accepted().await.refusal.expect("refused");
        assert!(refusal.contains(reason), "{refusal}");
        let status = agent.status(|status| status.refusal.is_some()).await;
        assert_eq!(status.refusal, Some(refusal));
    }
    assert!(agent.offers.try_recv().is_err());

    stream.send(desired(ENVIRONMENT, 6, &signing_key())).await;
    agent.offer().await.kept.send(Ok(())).expect("the link waits");
    assert_eq!(stream.accepted().await.refusal, None);
    agent.status(|status| status.refusal.is_none()).await;
}

#[tokio::test]
async fn observations_go_one_at_a_time_and_again_on_a_new_stream() {
    let mut console = Console::start().await;
    let agent = Agent::start(&console);
    let observe = |generation| {
        agent.observed.send_replace(Some(Arc::new(Observed { generation, ..Default::default() })));
    };
    let mut stream = console.sync().await;
    stream.hello().await;
    observe(1);
    let first = stream.observed().await;
    assert_eq!((first.seq, first.generation), (1, 1));
    observe(2);
    observe(3);
    stream.seen(1).await;
    let newest = stream.observed().await;
    assert_eq!((newest.seq, newest.generation), (2, 3));

    stream.end();
    let mut stream = console.sync().await;
    stream.hello().await;
    let again = stream.observed().await;
    assert_eq!((again.seq, again.generation), (3, 3));
}

#[tokio::test]
async fn a_wrong_access_key_is_told_and_tried_slowly() {
    let console = Console::start().await;
    let mut agent = Agent::start_with(&console, &Proxy::default(), "env-1|guess", None);
    let status = agent.status(|status| matches!(status.state, State::Waiting { .. })).await;
    let State::Waiting { cause, wrong_access_key, until } = status.state else { panic!() };
    assert!(wrong_access_key && cause.contains("installation command"), "{cause}");
    assert!(!cause.contains("guess"), "{cause}");
    assert!(until > Utc::now() + Duration::from_secs(60));
    assert_eq!(console.logins(), 0);
}

#[tokio::test]
async fn a_missing_access_key_file_is_told() {
    let console = Console::start().await;
    let mut agent = Agent::start_with(&console, &Proxy::default(), "", None);
    let status = agent.status(|status| matches!(status.state, State::Waiting { .. })).await;
    assert!(format!("{status:?}").contains("qdrant-cloud-creds"), "{status:?}");
    assert!(agent.folder.path().exists());
}

#[tokio::test]
async fn a_refused_token_is_renewed_at_once() {
    let mut console = Console::start().await;
    let _agent = Agent::start(&console);
    let mut stream = console.sync().await;
    stream.hello().await;
    console.forget_tokens();
    stream.end();
    console.sync().await.hello().await;
    assert_eq!(console.logins(), 2);
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_before_use() {
    let mut console = Console::start().await;
    console.token_life(Duration::ZERO);
    let _agent = Agent::start(&console);
    let mut stream = console.sync().await;
    stream.hello().await;
    stream.end();
    console.sync().await.hello().await;
    assert_eq!((console.logins(), console.refused()), (2, 0));
}

#[tokio::test]
async fn the_console_may_send_an_agent_away() {
    let mut console = Console::start().await;
    let mut agent = Agent::start(&console);
    let mut stream = console.sync().await;
    stream.hello().await;
    let retry = wire::Retry { after_seconds: 600, reason: "draining".into() };
    stream.send(SyncResponse { message: Some(sync_response::Message::Retry(retry)) }).await;
    let status = agent.status(|status| matches!(status.state, State::Waiting { .. })).await;
    let State::Waiting { cause, until, .. } = status.state else { panic!() };
    assert!(cause.contains("draining"));
    assert!(until > Utc::now() + Duration::from_secs(500));
}

#[tokio::test]
async fn telemetry_stays_within_its_credit() {
    let mut console = Console::start().await;
    let agent = Agent::start(&console);
    let mut sync = console.sync().await;
    sync.hello().await;
    let mut stream = console.telemetry().await;
    let event = |message: &str| {
        let event = KubernetesEvent { message: message.into(), ..Default::default() };
        telemetry_request::Message::Event(event)
    };
    for message in ["one", "two", "three"] {
        agent.telemetry.push(event(message));
    }
    stream.grant(18).await; // "one" and "two" are 7 bytes each on the wire, "three" is 9
    assert_eq!(stream.next().await.message, Some(event("one")));
    assert_eq!(stream.next().await.message, Some(event("two")));
    stream.grant(5).await;
    assert_eq!(stream.next().await.message, Some(event("three")));

    // A telemetry stream that fails does not touch the state.
    drop(stream);
    sync.send(desired(ENVIRONMENT, 1, &signing_key())).await;
    console.telemetry().await;
    assert_eq!(agent.shutdown.is_cancelled(), agent.task.is_finished());
}

#[tokio::test]
async fn through_a_proxy_with_a_password() {
    let mut console = Console::start().await;
    let proxy = TestProxy::start(Some("Basic dTpw")).await;
    let url = |credentials: &str| Proxy {
        https: Some(Redacted::new(format!("http://{credentials}127.0.0.1:{}", proxy.port))),
        ..Default::default()
    };
    let _agent = Agent::start_with(&console, &url("u:p@"), ACCESS_KEY, None);
    console.sync().await.hello().await;
    assert_eq!(proxy.tunnels(), 1);

    let mut refused = Agent::start_with(&console, &url(""), ACCESS_KEY, None);
    let status = refused.status(|status| matches!(status.state, State::Waiting { .. })).await;
    let text = format!("{status:?}");
    assert!(text.contains("407") && text.contains("httpsProxy"), "{text}");

    let around = Proxy { exceptions: "localhost".into(), ..url("") };
    let _direct = Agent::start_with(&console, &around, ACCESS_KEY, None);
    console.sync().await.hello().await;
    assert_eq!(proxy.tunnels(), 1);
}

#[tokio::test]
async fn another_way_is_taken_at_once_and_a_wrong_one_cuts_nobody_off() {
    let mut console = Console::start().await;
    let agent = Agent::start(&console);
    // Each stream is held until the link itself leaves it.
    let mut direct = console.sync().await;
    direct.hello().await;
    let by = |port: u16| Proxy {
        https: Some(Redacted::new(format!("http://127.0.0.1:{port}"))),
        ..Default::default()
    };
    let proxy = TestProxy::start(None).await;
    agent.way.send_replace(connector(&console, &console.ca, &by(proxy.port)));
    let mut second = console.sync().await;
    second.hello().await;
    assert_eq!(proxy.tunnels(), 1);
    // Nobody listens there; the next one leads to the Console, which is not trusted by it.
    agent.way.send_replace(connector(&console, &console.ca, &by(1)));
    let mut third = console.sync().await;
    third.hello().await;
    assert_eq!(proxy.tunnels(), 2, "the way that led there before");
    let other = Console::start().await.ca;
    agent.way.send_replace(connector(&console, &other, &Proxy::default()));
    let mut fourth = console.sync().await;
    fourth.hello().await;
    assert_eq!((proxy.tunnels(), console.logins()), (3, 1));
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let mut console = Console::start().await;
    console.ca = Console::start().await.ca;
    let mut agent = Agent::start(&console);
    let status = agent.status(|status| matches!(status.state, State::Waiting { .. })).await;
    assert!(format!("{status:?}").contains("caCertificates"), "{status:?}");
}

#[tokio::test]
async fn shutdown_ends_the_link() {
    let mut console = Console::start().await;
    let agent = Agent::start(&console);
    console.sync().await.hello().await;
    agent.shutdown.cancel();
    timeout(PATIENCE, agent.task).await.expect("in time").expect("no panic");
}
