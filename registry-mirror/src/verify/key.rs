//! Public keys of signers: ECDSA on P-256 and P-384, RSA, Ed25519.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use x509_parser::{prelude::FromDer as _, x509::SubjectPublicKeyInfo};

const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const RSA: &str = "1.2.840.113549.1.1.1";
const ED25519: &str = "1.3.101.112";

/// A key that signatures are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    kind: Kind,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    P256,
    P384,
    Rsa,
    Ed25519,
}

impl Key {
    pub(super) fn from_pem(pem: &str) -> Result<Self, &'static str> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "it is no PEM of a public key")?;
        Self::from_spki(&der)
    }

    pub(super) fn from_spki(der: &[u8]) -> Result<Self, &'static str> {
        let (rest, info) =
            SubjectPublicKeyInfo::from_der(der).map_err(|_| "it is no public key in DER")?;
        if !rest.is_empty() {
            return Err("there is something after the public key");
        }
        Self::of(&info)
    }

    pub(super) fn of(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, &'static str> {
        let curve = info.algorithm.parameters.as_ref();
        let curve = curve.and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
        let kind = match (info.algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            (EC, Some(P256)) => Kind::P256,
            (EC, Some(P384)) => Kind::P384,
            (RSA, _) => Kind::Rsa,
            (ED25519, _) => Kind::Ed25519,
            _ => return Err("it is neither ECDSA (P-256, P-384), RSA nor Ed25519"),
        };
        Ok(Self { kind, bytes: info.subject_public_key.data.to_vec() })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// As sigstore signs: ECDSA in ASN.1, RSA with either padding.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithms: &[&dyn VerificationAlgorithm] = match self.kind {
            Kind::P256 => &[&signature::ECDSA_P256_SHA256_ASN1],
            // cosign hashes with SHA-256 for every curve, its successors as the curve asks for.
            Kind::P384 => &[&signature::ECDSA_P384_SHA384_ASN1, &signature::ECDSA_P384_SHA256_ASN1],
            Kind::Rsa => {
                &[&signature::RSA_PKCS1_2048_8192_SHA256, &signature::RSA_PSS_2048_8192_SHA256]
            }
            Kind::Ed25519 => &[&signature::ED25519],
        };
        algorithms.iter().any(|algorithm| self.verifies_by(*algorithm, message, signature))
    }

    pub(super) fn verifies_by(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }
}
