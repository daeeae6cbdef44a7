//! Signatures as Notation makes them: a JWS envelope, attached as a referrer, by a certificate
//! whose authority is in a trust store.
//! <https://github.com/notaryproject/specifications/blob/main/specs/signature-envelope-jws.md>

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::DateTime;
use ring::signature::{self, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    certificate::{Leaf, Purpose},
    key::{Key, Kind},
};
use crate::digest::Digest;

pub(super) const KIND: &str = "application/vnd.cncf.notary.signature";
pub(super) const JWS: &str = "application/jose+json";
const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";
const SCHEME: &str = "io.cncf.notary.signingScheme";
const EXPIRY: &str = "io.cncf.notary.expiry";

/// Who must have signed.
#[derive(Debug, Clone)]
pub(super) struct Store {
    /// DER of trusted authorities.
    pub authorities: Vec<Vec<u8>>,
    /// Parts of the subject's name that must be there, for each one who is trusted.
    pub subjects: Vec<Subject>,
}

/// `x509.subject: C=US, O=Example, CN=build`, or `*` for all that the authorities stand behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Any,
    Parts(Vec<(String, String)>),
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
    protected: String,
    header: Header,
    signature: String,
}

#[derive(Deserialize)]
struct Header {
    x5c: Vec<String>,
}

impl Store {
    /// Who signed, in words; or why the signature does not count. `now` is in seconds since 1970.
    pub(super) fn check(&self, text: &[u8], digest: &Digest, now: i64) -> Result<String, String> {
        let envelope: Envelope =
            serde_json::from_slice(text).map_err(|_| "it is not a JWS envelope".to_owned())?;
        let protected: Map<String, Value> = json(&envelope.protected)?;
        let payload: Value = json(&envelope.payload)?;
        let about = payload.pointer("/targetArtifact/digest").and_then(Value::as_str);
        if about != Some(digest.as_str()) {
            return Err("it is about another digest".to_owned());
        }
        check_header(&protected, now)?;
        let mut certificates = Vec::new();
        for text in &envelope.header.x5c {
            let der = STANDARD.decode(text);
            certificates.push(der.map_err(|_| "its certificate is not base64".to_owned())?);
        }
        let [leaf, between @ ..] = certificates.as_slice() else {
            return Err("it carries no certificate".to_owned());
        };
        let leaf = Leaf::parse(leaf)?;
        let name = protected.get("alg").and_then(Value::as_str).unwrap_or_default();
        let algorithm = algorithm(name, &leaf.key)?;
        let message = format!("{}.{}", envelope.protected, envelope.payload);
        let signature = unpadded(&envelope.signature)?;
        if !leaf.key.verifies_by(algorithm, message.as_bytes(), &signature) {
            return Err("it does not fit its certificate".to_owned());
        }
        leaf.check_chain(&self.authorities, between, now, Purpose::CodeSigningOrAny)?;
        let named = leaf.subject.iter().map(|(name, value)| format!("{name}={value}"));
        let named = named.collect::<Vec<_>>().join(", ");
        if self.subjects.iter().any(|subject| subject.fits(&leaf.subject)) {
            Ok(format!("Notation, by {named}"))
        } else {
            Err(format!("it is by {named}, who is not trusted"))
        }
    }
}

impl Subject {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let name = text.strip_prefix("x509.subject:").unwrap_or(text);
        let mut parts = Vec::new();
        for part in name.split(',') {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("{text:?} is not a name such as C=US, O=Example"))?;
            let (name, value) = (name.trim().to_uppercase(), value.trim().to_owned());
            if value.is_empty() {
                return Err(format!("{text:?} leaves {name} empty"));
            }
            let name = if name == "S" { "ST".to_owned() } else { name };
            parts.push((name, value));
        }
        Ok(Self::Parts(parts))
    }

    fn fits(&self, subject: &[(String, String)]) -> bool {
        match self {
            Self::Any => true,
            Self::Parts(parts) => parts.iter().all(|part| subject.contains(part)),
        }
    }
}

/// What must be understood is, and the signature is still good.
fn check_header(protected: &Map<String, Value>, now: i64) -> Result<(), String> {
    let text = |name: &str| protected.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("cty") != PAYLOAD {
        return Err("its payload is not of the kind that Notation signs".to_owned());
    }
    let critical = protected.get("crit").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let strange = critical
        .iter()
        .find(|name| !matches!(name.as_str(), Some(name) if [SCHEME, EXPIRY].contains(&name)));
    if let Some(strange) = strange {
        return Err(format!("it asks for {strange}, which is not known here"));
    }
    if text(SCHEME) != "notary.x509" {
        return Err("its signing scheme is not notary.x509, the only one known here".to_owned());
    }
    match protected.get(EXPIRY) {
        None => Ok(()),
        Some(expiry) => {
            let expiry = expiry.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            match expiry {
                Some(expiry) if expiry.timestamp() >= now => Ok(()),
                _ => Err("it has expired".to_owned()),
            }
        }
    }
}

/// The algorithm of the header, if it is the one that Notation prescribes for such a key.
fn algorithm(name: &str, key: &Key) -> Result<&'static dyn VerificationAlgorithm, String> {
    Ok(match (name, key.kind()) {
        ("PS256", Kind::Rsa) => &signature::RSA_PSS_2048_8192_SHA256,
        ("PS384", Kind::Rsa) => &signature::RSA_PSS_2048_8192_SHA384,
        ("PS512", Kind::Rsa) => &signature::RSA_PSS_2048_8192_SHA512,
        ("ES256", Kind::P256) => &signature::ECDSA_P256_SHA256_FIXED,
        ("ES384", Kind::P384) => &signature::ECDSA_P384_SHA384_FIXED,
        _ => {
            let name: String = name.chars().take(20).collect();
            return Err(format!("its algorithm {name:?} is not one for its certificate's key"));
        }
    })
}

fn unpadded(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "it holds something that is not base64".to_owned())
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_slice(&unpadded(text)?)
        .map_err(|_| "it holds something that is not JSON".to_owned())
}
