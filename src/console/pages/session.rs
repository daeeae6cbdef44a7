//! Who is signed in to the pages: a signed cookie, and a token that forms carry. No state is kept.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use crate::console::keys;

/// Seconds until people have to sign in again.
const LIFETIME: i64 = 12 * 3600;
/// The prefix makes browsers refuse the cookie without Secure, Path=/ and the exact host.
const COOKIE: &str = "__Host-pinnace-session";

/// A valid session.
#[derive(Clone, Debug)]
pub struct Session {
    /// What each form of this session must carry as `csrf`.
    pub csrf: String,
}

/// The `Set-Cookie` of a new session.
pub fn begin(key: &SigningKey, now: i64) -> String {
    let nonce = URL_SAFE_NO_PAD.encode(keys::random::<16>());
    let claims = format!("{}.{nonce}", now + LIFETIME);
    let signature = URL_SAFE_NO_PAD.encode(key.sign(claims.as_bytes()).to_bytes());
    format!(
        "{COOKIE}={claims}.{signature}; Path=/; Max-Age={LIFETIME}; HttpOnly; Secure; SameSite=Strict"
    )
}

/// The `Set-Cookie` that ends a session.
pub fn end() -> String {
    format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict")
}

/// The session of a request, if its cookie is signed and has not expired.
pub fn find(headers: &HeaderMap, key: &SigningKey, now: i64) -> Option<Session> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|line| line.split(';')).map(str::trim);
    let cookie = cookies.find_map(|pair| pair.strip_prefix(COOKIE)?.strip_prefix('='))?;
    let (claims, signature) = cookie.rsplit_once('.')?;
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    key.verifying_key().verify_strict(claims.as_bytes(), &signature).ok()?;
    let expires: i64 = claims.split_once('.')?.0.parse().ok()?;
    let csrf = key.sign(format!("csrf {claims}").as_bytes()).to_bytes();
    (now < expires).then(|| Session { csrf: URL_SAFE_NO_PAD.encode(csrf) })
}

impl Session {
    /// Whether a form came from one of this session's pages.
    pub fn is_own(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, format!("a=b; {pair}").parse().unwrap())])
    }

    #[test]
    fn signed_and_limited_in_time() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let cookie = begin(&key, 100);
        for attribute in ["HttpOnly", "Secure", "SameSite=Strict"] {
            assert!(cookie.contains(attribute));
        }
        let session = find(&with(&cookie), &key, 100).unwrap();
        assert!(session.is_own(&session.csrf) && !session.is_own(""));
        assert!(find(&with(&cookie), &key, 100 + LIFETIME).is_none());
        assert!(find(&with(&cookie.replace("=1", "=9")), &key, 100).is_none());
        assert!(find(&with(&end()), &key, 100).is_none());
        let other = begin(&key, 100);
        assert_ne!(find(&with(&other), &key, 100).unwrap().csrf, session.csrf);
    }
}
