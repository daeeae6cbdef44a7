//! Who may read.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::answer::{Code, refused};
use crate::{digest::Digest, secret::Secret};

/// Who may read what a served bundle holds.
#[derive(Debug, Clone)]
pub enum Access {
    Anyone,
    /// Whoever gives this user name and password.
    Basic {
        username: String,
        password: Secret,
    },
}

impl Access {
    pub(super) fn allows(&self, headers: &HeaderMap) -> bool {
        let Self::Basic { username, password } = self else { return true };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let pair = given
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .and_then(|(_, pair)| STANDARD.decode(pair.trim()).ok());
        let wanted = format!("{username}:{}", password.expose());
        // Digests, so that the time it takes tells nothing of the password.
        pair.is_some_and(|pair| Digest::of(&pair) == Digest::of(wanted.as_bytes()))
    }
}

pub(super) fn sign_in() -> Response {
    let why = "a user name and a password are needed";
    let mut response = refused(StatusCode::UNAUTHORIZED, Code::Unauthorized, why);
    let challenge = axum::http::HeaderValue::from_static("Basic realm=\"pinnace bundle\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}
