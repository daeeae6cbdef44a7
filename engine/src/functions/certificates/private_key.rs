//! Private keys: RSA, ECDSA, Ed25519, and DSA, which Go only makes and reads.

use std::convert::Infallible;

use dsa::Generate as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use rand_core::{TryCryptoRng, TryRng};
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer};
use sha2::Sha256;

use super::der::{NULL, bit_string, element, explicit, integer, octet_string, oid, sequence};
use super::pem;
use crate::functions::Call;

pub(super) enum PrivateKey {
    Rsa(Box<rsa::RsaPrivateKey>),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// As DER: it cannot sign a certificate.
    Dsa(Vec<u8>),
}

const EC_PUBLIC_KEY: &[u32] = &[1, 2, 840, 10045, 2, 1];
const CURVE_P256: &[u32] = &[1, 2, 840, 10045, 3, 1, 7];
const CURVE_P384: &[u32] = &[1, 3, 132, 0, 34];
const ED25519: &[u32] = &[1, 3, 101, 112];

/// What making a key costs in steps, so that a loop of them ends in time.
const COST: u64 = 500_000;

/// The caller's randomness, in the form that the cryptography wants.
struct Random<'a>(&'a dyn Fn(&mut [u8]));

impl TryRng for Random<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut buffer = [0; 4];
        self.0(&mut buffer);
        Ok(u32::from_le_bytes(buffer))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut buffer = [0; 8];
        self.0(&mut buffer);
        Ok(u64::from_le_bytes(buffer))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        self.0(buffer);
        Ok(())
    }
}

impl TryCryptoRng for Random<'_> {}

fn random<'a>(call: &'a Call<'_>, cost: u64) -> Result<Random<'a>, String> {
    call.run.spend(cost)?;
    Ok(Random(call.run.environment.random))
}

impl PrivateKey {
    pub fn rsa(call: &Call<'_>, bits: usize) -> Result<Self, String> {
        let key = rsa::RsaPrivateKey::new(&mut random(call, COST)?, bits);
        let key = key.map_err(|error| format!("error generating rsa key: {error}"))?;
        Ok(PrivateKey::Rsa(Box::new(key)))
    }

    pub fn ecdsa(call: &Call<'_>) -> Result<Self, String> {
        Ok(PrivateKey::P256(p256::SecretKey::generate_from_rng(&mut random(call, COST / 100)?)))
    }

    pub fn ed25519(call: &Call<'_>) -> Result<Self, String> {
        let mut seed = [0; 32];
        random(call, COST / 100)?.0(&mut seed);
        Ok(PrivateKey::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed))))
    }

    pub fn dsa(call: &Call<'_>) -> Result<Self, String> {
        let mut random = random(call, COST)?;
        let Ok(parameters) = dsa::Components::try_generate_from_rng_with_key_size(
            &mut random,
            dsa::KeySize::DSA_2048_256,
        );
        let Ok(key) =
            dsa::SigningKey::try_generate_from_rng_with_components(&mut random, parameters);
        let public = key.verifying_key();
        let parameters = public.components();
        let numbers = [
            parameters.p().to_be_bytes(),
            parameters.q().to_be_bytes(),
            parameters.g().to_be_bytes(),
            public.y().to_be_bytes(),
            key.x().to_be_bytes(),
        ];
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| integer(number)).collect();
        Ok(PrivateKey::Dsa(sequence(&[&integer(&[]), &numbers])))
    }

    /// The key of the first block of a PEM text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let block = pem::decode(text).ok_or("no PEM data in input")?;
        let content = &block.content;
        if block.kind == "PRIVATE KEY" {
            return Self::pkcs8(content)
                .ok_or_else(|| "decoding PEM as PKCS#8: the key cannot be read".into());
        }
        let Some(kind) = block.kind.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {}", block.kind));
        };
        let unreadable = |_| format!("parsing {kind} private key from PEM: the key cannot be read");
        match kind {
            "RSA" => {
                let key = rsa::RsaPrivateKey::from_pkcs1_der(content);
                key.map(|key| PrivateKey::Rsa(Box::new(key))).map_err(|_| unreadable(()))
            }
            "EC" => p256::SecretKey::from_sec1_der(content)
                .map(PrivateKey::P256)
                .or_else(|_| p384::SecretKey::from_sec1_der(content).map(PrivateKey::P384))
                .map_err(|_| unreadable(())),
            "DSA" if content.first() == Some(&0x30) => Ok(PrivateKey::Dsa(content.clone())),
            "DSA" => Err(unreadable(())),
            kind => Err(format!("invalid private key type {kind}")),
        }
    }

    fn pkcs8(content: &[u8]) -> Option<Self> {
        if let Ok(key) = rsa::RsaPrivateKey::from_pkcs8_der(content) {
            return Some(PrivateKey::Rsa(Box::new(key)));
        }
        if let Ok(key) = p256::SecretKey::from_pkcs8_der(content) {
            return Some(PrivateKey::P256(key));
        }
        if let Ok(key) = p384::SecretKey::from_pkcs8_der(content) {
            return Some(PrivateKey::P384(key));
        }
        let key = ed25519_dalek::SigningKey::from_pkcs8_der(content).ok()?;
        Some(PrivateKey::Ed25519(Box::new(key)))
    }

    pub fn to_pem(&self) -> String {
        match self {
            PrivateKey::Rsa(key) => match key.to_pkcs1_der() {
                Ok(document) => pem::encode("RSA PRIVATE KEY", document.as_bytes()),
                Err(_) => String::new(),
            },
            PrivateKey::P256(key) => {
                pem::encode("EC PRIVATE KEY", &self.sec1(&key.to_bytes(), CURVE_P256))
            }
            PrivateKey::P384(key) => {
                pem::encode("EC PRIVATE KEY", &self.sec1(&key.to_bytes(), CURVE_P384))
            }
            PrivateKey::Ed25519(key) => {
                let algorithm = sequence(&[&oid(ED25519)]);
                let seed = octet_string(&octet_string(key.as_bytes()));
                pem::encode("PRIVATE KEY", &sequence(&[&integer(&[]), &algorithm, &seed]))
            }
            PrivateKey::Dsa(content) => pem::encode("DSA PRIVATE KEY", content),
        }
    }

    fn sec1(&self, scalar: &[u8], curve: &[u32]) -> Vec<u8> {
        sequence(&[
            &integer(&[1]),
            &octet_string(scalar),
            &explicit(0, &oid(curve)),
            &explicit(1, &bit_string(&self.public_bits())),
        ])
    }

    /// What stands in the bit string of a public key.
    pub fn public_bits(&self) -> Vec<u8> {
        match self {
            PrivateKey::Rsa(key) => key
                .to_public_key()
                .to_pkcs1_der()
                .map(|document| document.as_bytes().to_vec())
                .unwrap_or_default(),
            PrivateKey::P256(key) => {
                key.public_key().as_affine().to_sec1_point(false).as_bytes().to_vec()
            }
            PrivateKey::P384(key) => {
                key.public_key().as_affine().to_sec1_point(false).as_bytes().to_vec()
            }
            PrivateKey::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            PrivateKey::Dsa(_) => Vec::new(),
        }
    }

    /// SubjectPublicKeyInfo.
    pub fn public_info(&self) -> Vec<u8> {
        let algorithm = match self {
            PrivateKey::Rsa(_) => sequence(&[&oid(&[1, 2, 840, 113_549, 1, 1, 1]), NULL]),
            PrivateKey::P256(_) => sequence(&[&oid(EC_PUBLIC_KEY), &oid(CURVE_P256)]),
            PrivateKey::P384(_) => sequence(&[&oid(EC_PUBLIC_KEY), &oid(CURVE_P384)]),
            PrivateKey::Ed25519(_) | PrivateKey::Dsa(_) => sequence(&[&oid(ED25519)]),
        };
        sequence(&[&algorithm, &bit_string(&self.public_bits())])
    }

    /// The AlgorithmIdentifier of its signatures.
    pub fn signature_algorithm(&self) -> Vec<u8> {
        match self {
            PrivateKey::Rsa(_) => sequence(&[&oid(&[1, 2, 840, 113_549, 1, 1, 11]), NULL]),
            PrivateKey::P256(_) => sequence(&[&oid(&[1, 2, 840, 10045, 4, 3, 2])]),
            PrivateKey::P384(_) => sequence(&[&oid(&[1, 2, 840, 10045, 4, 3, 3])]),
            PrivateKey::Ed25519(_) | PrivateKey::Dsa(_) => sequence(&[&oid(ED25519)]),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let failed = |error: rsa::signature::Error| format!("error creating certificate: {error}");
        match self {
            PrivateKey::Rsa(key) => {
                let signer = rsa::pkcs1v15::SigningKey::<Sha256>::new((**key).clone());
                Ok(signer.try_sign(message).map_err(failed)?.to_vec())
            }
            PrivateKey::P256(key) => {
                let signer = p256::ecdsa::SigningKey::from(key);
                let signature: p256::ecdsa::DerSignature =
                    signer.try_sign(message).map_err(failed)?;
                Ok(signature.as_bytes().to_vec())
            }
            PrivateKey::P384(key) => {
                let signer = p384::ecdsa::SigningKey::from(key);
                let signature: p384::ecdsa::DerSignature =
                    signer.try_sign(message).map_err(failed)?;
                Ok(signature.as_bytes().to_vec())
            }
            PrivateKey::Ed25519(key) => Ok(key.try_sign(message).map_err(failed)?.to_vec()),
            PrivateKey::Dsa(_) => Err("error creating certificate: x509: certificate private key \
                                       does not implement crypto.Signer"
                .into()),
        }
    }
}

/// A certificate's signature over its contents.
pub(super) fn signed(content: &[u8], key: &PrivateKey) -> Result<Vec<u8>, String> {
    let signature = key.sign(content)?;
    let body = [content, &key.signature_algorithm(), &bit_string(&signature)].concat();
    Ok(element(0x30, &body))
}
