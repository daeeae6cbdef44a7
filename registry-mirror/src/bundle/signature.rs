//! Who vouches for a bundle: an Ed25519 signature over the digest of its index, which names the
//! digest of everything else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use super::error::BundleError;
use crate::{digest::Digest, secret::Secret};

/// So that a signature for a bundle cannot be taken for one of something else.
const PURPOSE: &str = "pinnace bundle v1";
/// SubjectPublicKeyInfo of an Ed25519 key, up to its 32 bytes (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];
/// PKCS #8, version 1, of an Ed25519 key, up to its 32 bytes (RFC 8410).
const PKCS8: [u8; 16] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Most signatures of one bundle.
const MOST: usize = 16;

/// A private key. `openssl genpkey -algorithm ed25519` makes such files, too.
pub struct SigningKey(Ed25519KeyPair);

/// A public key; printed as its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// Whose bundles are used.
#[derive(Debug, Clone)]
pub enum Trust {
    /// One of these keys must have signed.
    Keys(Vec<PublicKey>),
    /// Signed or not: the file came by a way that is trusted.
    Unsigned,
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signature {
    key_id: String,
    algorithm: String,
    signature: String,
}

fn message(index: &Digest) -> String {
    format!("{PURPOSE}\n{index}\n")
}

fn key_error(what: &str, why: &'static str) -> BundleError {
    BundleError::Key { what: what.to_owned(), why }
}

impl SigningKey {
    /// Reads PKCS #8 as PEM; `what` names the file for messages.
    pub fn from_pem(what: &str, pem: &str) -> Result<Self, BundleError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| key_error(what, "it is no PEM of a private key (PKCS #8)"))?;
        // OpenSSL writes version 1, which leaves the public half out.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|_| key_error(what, "it is not an Ed25519 key"))?;
        Ok(Self(pair))
    }

    /// A new private key as PKCS #8 PEM.
    pub fn generate() -> Result<Secret, BundleError> {
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| key_error("a new key", "the system gives no random numbers"))?;
        // Version 1, which OpenSSL reads, too; ring's own is version 2.
        Ok(Secret::new(pem("PRIVATE KEY", &[PKCS8.as_slice(), &seed].concat())))
    }

    pub fn public(&self) -> PublicKey {
        let bytes = self.0.public_key().as_ref();
        PublicKey(bytes.try_into().expect("an Ed25519 key has 32 bytes"))
    }

    /// The text of a signature file.
    pub(super) fn sign(&self, index: &Digest) -> Vec<u8> {
        let signature = STANDARD.encode(self.0.sign(message(index).as_bytes()));
        let algorithm = "ed25519".to_owned();
        let signatures = vec![Signature { key_id: self.public().id(), algorithm, signature }];
        serde_json::to_vec(&File { signatures }).expect("a signature is JSON")
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

impl PublicKey {
    /// Reads a `PUBLIC KEY` as PEM; `what` names the file for messages.
    pub fn from_pem(what: &str, pem: &str) -> Result<Self, BundleError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| key_error(what, "it is no PEM of a public key"))?;
        let bytes = der.strip_prefix(&SPKI).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| key_error(what, "it is not an Ed25519 key"))
    }

    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &self.der())
    }

    /// First 16 hex digits of the sha256 of the key's DER.
    pub fn id(&self) -> String {
        Digest::of(&self.der()).hex()[..16].to_owned()
    }

    fn der(&self) -> Vec<u8> {
        [SPKI.as_slice(), &self.0].concat()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// What is wrong with the signatures of an index.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed,
    /// Signed by these keys alone.
    NotTrusted(Vec<String>),
    /// By this trusted key, but over something else.
    Bad(String),
}

/// The id of the trusted key that signed this index.
pub(super) fn check(file: &[u8], index: &Digest, keys: &[PublicKey]) -> Result<String, Refused> {
    let file: File = serde_json::from_slice(file).map_err(|_| Refused::Malformed)?;
    if file.signatures.len() > MOST {
        return Err(Refused::Malformed);
    }
    let mut bad = None;
    for signature in &file.signatures {
        let Some(key) = keys.iter().find(|key| key.id() == signature.key_id) else { continue };
        let bytes = STANDARD.decode(&signature.signature).unwrap_or_default();
        let verified = UnparsedPublicKey::new(&ED25519, key.0)
            .verify(message(index).as_bytes(), &bytes)
            .is_ok();
        if verified && signature.algorithm == "ed25519" {
            return Ok(key.id());
        }
        bad = Some(key.id());
    }
    let by = |signature: &Signature| signature.key_id.chars().take(64).collect();
    Err(match bad {
        Some(key) => Refused::Bad(key),
        None => Refused::NotTrusted(file.signatures.iter().map(by).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_pem("key", SigningKey::generate().unwrap().expose()).unwrap()
    }

    #[test]
    fn signed_by_a_trusted_key_or_not_at_all() {
        let (key, other) = (key(), key());
        let index = Digest::of(b"index");
        let file = key.sign(&index);
        let keys = [other.public(), key.public()];
        assert_eq!(check(&file, &index, &keys), Ok(key.public().id()));
        let foreign = check(&file, &index, &[other.public()]);
        assert_eq!(foreign, Err(Refused::NotTrusted(vec![key.public().id()])));
        let bad = check(&file, &Digest::of(b"other"), &keys);
        assert_eq!(bad, Err(Refused::Bad(key.public().id())));
        assert_eq!(check(b"{}", &index, &keys), Err(Refused::Malformed));
    }

    #[test]
    fn a_foreign_signature_under_a_trusted_name() {
        let (key, other) = (key(), key());
        let index = Digest::of(b"index");
        let file = String::from_utf8(other.sign(&index)).unwrap();
        let file = file.replace(&other.public().id(), &key.public().id());
        let bad = check(file.as_bytes(), &index, &[key.public()]);
        assert_eq!(bad, Err(Refused::Bad(key.public().id())));
    }

    #[test]
    fn keys_as_pem() {
        let key = key();
        let public = PublicKey::from_pem("pub", &key.public().to_pem()).unwrap();
        assert_eq!(public, key.public());
        // Made by `openssl genpkey -algorithm ed25519`, and its public half by `openssl pkey`.
        let private = "-----BEGIN PRIVATE KEY-----\n\
             MC4CAQAwBQYDK2VwBCIEIF9Kru2c9Qi1rpvzt5BwONmgJ1VqztnhcDvrU9E2OsQw\n\
             -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
             MCowBQYDK2VwAyEAv/Dc/k0xXnOFeJaQN5n8jOghA5H3EvkAp6TdahgxouU=\n\
             -----END PUBLIC KEY-----\n";
        let key = SigningKey::from_pem("openssl.key", private).unwrap();
        assert_eq!(key.public().to_pem(), public);
        for (text, why) in [("", "no PEM"), (public, "no PEM")] {
            let error = SigningKey::from_pem("a.key", text).unwrap_err().to_string();
            assert!(error.contains("a.key") && error.contains(why), "{error}");
        }
        let cut = public.replace("MCowBQYDK2Vw", "MCowBQYDK2Vx");
        let error = PublicKey::from_pem("a.pub", &cut).unwrap_err().to_string();
        assert!(error.contains("not an Ed25519 key"), "{error}");
    }
}
