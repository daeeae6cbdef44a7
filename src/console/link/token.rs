//! The short-lived tokens of agents: signed, and checked without a database read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use tonic::{Status, metadata::MetadataMap};

/// About an hour, spread by a fifth so that agents do not come back together.
const LIFETIME: std::ops::Range<i64> = 2880..4320;
const LONGEST: usize = 1024;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub environment: String,
    /// Epoch of the access key that the token was made for.
    pub epoch: u64,
    /// Seconds since 1970.
    pub expires: i64,
}

impl Claims {
    /// Claims that begin at `now` and last for about an hour.
    pub fn new(environment: String, epoch: u64, now: i64) -> Self {
        Self { environment, epoch, expires: now + rand::rng().random_range(LIFETIME) }
    }

    /// `<claims>.<signature>`, both in base64url.
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = serde_json::to_vec(self).expect("strings and numbers serialise");
        let claims = URL_SAFE_NO_PAD.encode(text);
        let signature = key.sign(claims.as_bytes()).to_bytes();
        format!("{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Reads a token that this key signed and that has not expired.
    pub fn verify(token: &str, key: &SigningKey, now: i64) -> Option<Self> {
        let (claims, signature) = token.split_once('.').filter(|_| token.len() <= LONGEST)?;
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        key.verifying_key().verify_strict(claims.as_bytes(), &signature).ok()?;
        let claims: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        (now < claims.expires).then_some(claims)
    }
}

/// The claims of `authorization: Bearer <token>`; whether their epoch is still valid is not checked.
pub fn bearer(metadata: &MetadataMap, key: &SigningKey, now: i64) -> Result<Claims, Status> {
    let header = metadata.get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer "));
    token.and_then(|token| Claims::verify(token, key, now)).ok_or_else(|| {
        Status::unauthenticated("the token is missing, wrong or expired: call Authenticate again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_and_short_lived() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let claims = Claims::new("e".into(), 4, 1000);
        let token = claims.sign(&key);
        assert_eq!(Claims::verify(&token, &key, 1000), Some(claims.clone()));
        assert_eq!(Claims::verify(&token, &key, claims.expires), None);
        assert!((LIFETIME.start..LIFETIME.end).contains(&(claims.expires - 1000)));
        let other = SigningKey::from_bytes(&[4; 32]);
        assert_eq!(Claims::verify(&token, &other, 1000), None);
        for forged in ["", ".", "a.b", &token[1..], &format!("{token}x")] {
            assert_eq!(Claims::verify(forged, &key, 1000), None, "{forged}");
        }
    }
}
