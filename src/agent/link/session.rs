//! One `Sync` stream as a value: what arrived goes in, what must be done comes out. No I/O.

use std::{sync::Arc, time::Duration};

use ed25519_dalek::VerifyingKey;

use crate::{
    model::{
        desired::{Baseline, Desired, DesiredError, SignedDesired},
        digest::Digest,
    },
    proto::pinnace::agent::v1::{
        self as wire, Accepted, Applied, Hello, Observed, SyncRequest, SyncResponse,
    },
};

/// Words for the Console about what this agent understands.
const CAPABILITIES: &[&str] = &["pins", "clusters", "telemetry"];
/// The longest text of the Console that is repeated to people, in characters.
const MAX_TEXT: usize = 500;

/// Who the agent is and what it holds.
#[derive(Clone, Debug)]
pub struct Identity {
    pub environment: String,
    /// Differs after each start of the process.
    pub boot_id: String,
    pub agent_version: String,
    /// Checks signatures.
    pub console_key: VerifyingKey,
}

/// What to do about a message of the Console.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Keep this desired state, then call [`Session::accepted`].
    Keep { signed: SignedDesired, desired: Desired },
    /// Send the refusal, and tell people about it.
    Refuse { answer: SyncRequest, refusal: String },
    /// Send this, if anything.
    Send(Option<SyncRequest>),
    /// The Console ends the stream and asks to come back later.
    ComeBack { after: Duration, reason: String },
}

/// The state of one stream.
#[derive(Debug)]
pub struct Session<'a> {
    identity: &'a Identity,
    applied: Option<Applied>,
    /// Number of the last observation that was sent. It keeps growing over streams.
    seq: u64,
    unseen: bool,
    waiting: Option<Arc<Observed>>,
}

impl<'a> Session<'a> {
    /// A new stream of an agent that holds `applied` and whose last observation was `seq`.
    pub fn new(identity: &'a Identity, applied: Option<Applied>, seq: u64) -> Self {
        Self { identity, applied, seq, unseen: false, waiting: None }
    }

    /// The first message.
    pub fn hello(&self) -> SyncRequest {
        request(wire::sync_request::Message::Hello(Hello {
            environment_id: self.identity.environment.clone(),
            boot_id: self.identity.boot_id.clone(),
            agent_version: self.identity.agent_version.clone(),
            capabilities: CAPABILITIES.iter().map(ToString::to_string).collect(),
            applied: self.applied.clone(),
        }))
    }

    /// The generation and digest of what was accepted last.
    pub fn applied(&self) -> Option<&Applied> {
        self.applied.as_ref()
    }

    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether an observation waits for the Console's word that it is stored.
    pub fn is_unseen(&self) -> bool {
        self.unseen
    }

    /// Reads a message of the Console.
    pub fn received(&mut self, response: SyncResponse) -> Step {
        match response.message {
            Some(wire::sync_response::Message::Desired(desired)) => self.desired(desired),
            Some(wire::sync_response::Message::Seen(seen)) => {
                if self.unseen && seen.seq >= self.seq {
                    self.unseen = false;
                }
                Step::Send(self.next())
            }
            Some(wire::sync_response::Message::Retry(retry)) => Step::ComeBack {
                after: Duration::from_secs(retry.after_seconds.into()),
                reason: retry.reason.chars().take(MAX_TEXT).collect(),
            },
            // A newer Console may say more than this version knows.
            None => Step::Send(None),
        }
    }

    fn desired(&mut self, message: wire::Desired) -> Step {
        let (generation, digest) = (message.generation, message.digest.clone());
        match self.verify(message) {
            Ok((signed, desired)) => Step::Keep { signed, desired },
            Err(error) => {
                let refusal = crate::agent::chain(&error);
                let answer = Accepted { generation, digest, refusal: Some(refusal.clone()) };
                let answer = request(wire::sync_request::Message::Accepted(answer));
                Step::Refuse { answer, refusal }
            }
        }
    }

    fn verify(&self, message: wire::Desired) -> Result<(SignedDesired, Desired), Refusal> {
        let signature: [u8; 64] =
            message.signature.as_slice().try_into().map_err(|_| DesiredError::Signature)?;
        let signed = SignedDesired { document: message.document, signature };
        let accepted = self.applied.as_ref().map_or_else(Baseline::default, |applied| Baseline {
            generation: applied.generation,
            digest: Some(&applied.digest),
        });
        let key = &self.identity.console_key;
        let desired = signed.verify(key, &self.identity.environment, accepted)?;
        // The signed bytes are the truth. An envelope that says otherwise would make the Console
        // believe that something else was accepted.
        if message.generation != desired.generation || message.digest != signed.digest().as_str() {
            return Err(Refusal::Envelope);
        }
        Ok((signed, desired))
    }

    /// After a desired state was kept: the answer to the Console.
    pub fn accepted(&mut self, generation: u64, digest: &Digest) -> SyncRequest {
        let digest = digest.to_string();
        self.applied = Some(Applied { generation, digest: digest.clone() });
        request(wire::sync_request::Message::Accepted(Accepted {
            generation,
            digest,
            refusal: None,
        }))
    }

    /// Takes the newest observation: it is sent now, or replaces the one that waits.
    pub fn observed(&mut self, observed: Arc<Observed>) -> Option<SyncRequest> {
        self.waiting = Some(observed);
        self.next()
    }

    fn next(&mut self) -> Option<SyncRequest> {
        if self.unseen {
            return None;
        }
        let mut observed = Arc::unwrap_or_clone(self.waiting.take()?);
        self.seq += 1;
        self.unseen = true;
        observed.seq = self.seq;
        Some(request(wire::sync_request::Message::Observed(observed)))
    }
}

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Desired(#[from] DesiredError),
    #[error(
        "the desired state differs from the generation and digest that the Console sent with it"
    )]
    Envelope,
}

fn request(message: wire::sync_request::Message) -> SyncRequest {
    SyncRequest { message: Some(message) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::model::desired::{ChartSource, MAX_DOCUMENT};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn identity() -> Identity {
        Identity {
            environment: "env".into(),
            boot_id: "boot".into(),
            agent_version: "1.0.0".into(),
            console_key: key().verifying_key(),
        }
    }

    fn desired(environment: &str, generation: u64, key: &SigningKey) -> wire::Desired {
        let desired = Desired {
            environment: environment.into(),
            generation,
            pins: BTreeMap::new(),
            charts: ChartSource {
                url: "oci://r/c".into(),
                secret: None,
                ca_certificates: None,
                proxy: None,
            },
            clusters: BTreeMap::new(),
        };
        let signed = SignedDesired::sign(&desired, key).expect("sign");
        wire::Desired {
            generation,
            digest: signed.digest().to_string(),
            document: signed.document,
            signature: signed.signature.to_vec(),
        }
    }

    fn message(message: wire::sync_response::Message) -> SyncResponse {
        SyncResponse { message: Some(message) }
    }

    fn refusal(applied: Option<Applied>, desired: wire::Desired) -> String {
        let identity = identity();
        let mut session = Session::new(&identity, applied, 0);
        match session.received(message(wire::sync_response::Message::Desired(desired))) {
            Step::Refuse { refusal, answer } => {
                let Some(wire::sync_request::Message::Accepted(answer)) = answer.message else {
                    panic!("{answer:?}")
                };
                assert_eq!(answer.refusal.as_ref(), Some(&refusal));
                refusal
            }
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_good_state_is_kept_and_then_accepted() {
        let identity = identity();
        let mut session = Session::new(&identity, None, 0);
        let wire = desired("env", 3, &key());
        let step = session.received(message(wire::sync_response::Message::Desired(wire.clone())));
        let Step::Keep { signed, desired } = step else { panic!("{step:?}") };
        assert!(session.applied().is_none(), "not accepted before it is kept");
        let answer = session.accepted(desired.generation, &signed.digest());
        let applied = session.applied().expect("applied");
        assert_eq!((applied.generation, &applied.digest), (3, &wire.digest));
        assert!(matches!(answer.message, Some(wire::sync_request::Message::Accepted(_))));
    }

    #[test]
    fn everything_else_is_refused() {
        let other = SigningKey::from_bytes(&[8; 32]);
        assert!(refusal(None, desired("env", 3, &other)).contains("signature"));
        assert!(refusal(None, desired("theirs", 3, &key())).contains("theirs"));
        let applied = Applied { generation: 4, digest: String::new() };
        assert!(refusal(Some(applied), desired("env", 3, &key())).contains("generation 3"));
        let applied = Applied { generation: 3, digest: Digest::of(b"other").to_string() };
        assert!(
            refusal(Some(applied), desired("env", 3, &key())).contains("another desired state")
        );
        let mut short = desired("env", 3, &key());
        short.signature = short.signature[..10].to_vec();
        assert!(refusal(None, short).contains("signature"));
        let mut renamed = desired("env", 3, &key());
        renamed.generation = 9;
        assert!(refusal(None, renamed).contains("differs"));
        let mut large = desired("env", 3, &key());
        large.document = vec![b' '; MAX_DOCUMENT + 1];
        assert!(refusal(None, large).contains("bytes"));
    }

    #[test]
    fn the_accepted_state_may_come_again() {
        let identity = identity();
        let wire = desired("env", 3, &key());
        let applied = Applied { generation: 3, digest: wire.digest.clone() };
        let mut session = Session::new(&identity, Some(applied), 0);
        let step = session.received(message(wire::sync_response::Message::Desired(wire)));
        assert!(matches!(step, Step::Keep { .. }), "{step:?}");
    }

    #[test]
    fn one_observation_at_a_time_and_the_newest_wins() {
        let identity = identity();
        let mut session = Session::new(&identity, None, 7);
        let observed = |generation| Arc::new(Observed { generation, ..Default::default() });
        let sent = |request: Option<SyncRequest>| match request?.message? {
            wire::sync_request::Message::Observed(observed) => {
                Some((observed.seq, observed.generation))
            }
            _ => None,
        };
        assert_eq!(sent(session.observed(observed(1))), Some((8, 1)));
        assert_eq!(sent(session.observed(observed(2))), None);
        assert_eq!(sent(session.observed(observed(3))), None);
        let mut seen = |seq| {
            let seen = wire::sync_response::Message::Seen(wire::Seen { seq });
            match session.received(message(seen)) {
                Step::Send(request) => sent(request),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(seen(7), None, "an old number does not free the way");
        assert_eq!(seen(8), Some((9, 3)));
        assert_eq!(seen(9), None);
        assert!(!session.is_unseen());
    }

    #[test]
    fn the_console_may_send_the_agent_away() {
        let identity = identity();
        let mut session = Session::new(&identity, None, 0);
        let retry = wire::Retry { after_seconds: 9, reason: "x".repeat(MAX_TEXT + 1) };
        let step = session.received(message(wire::sync_response::Message::Retry(retry)));
        let Step::ComeBack { after, reason } = step else { panic!("{step:?}") };
        assert_eq!((after, reason.len()), (Duration::from_secs(9), MAX_TEXT));
    }
}
