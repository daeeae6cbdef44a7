//! The short-lived token that stands for the access key.

use chrono::{DateTime, TimeDelta, Utc};
use tonic::metadata::{Ascii, MetadataValue};

use crate::{model::redacted::Redacted, proto::pinnace::agent::v1::AuthenticateResponse};

/// A token is not used in the last part of its life: this long, or a tenth of it if that is shorter.
const MARGIN: TimeDelta = TimeDelta::seconds(120);

/// A token and the time until which it is used.
#[derive(Clone, Debug)]
pub struct Token {
    header: Redacted<MetadataValue<Ascii>>,
    good_until: DateTime<Utc>,
}

impl Token {
    /// From the Console's answer at `now`; `None` if it cannot be a token.
    pub fn new(response: &AuthenticateResponse, now: DateTime<Utc>) -> Option<Self> {
        if response.token.is_empty() {
            return None;
        }
        let mut header: MetadataValue<Ascii> = format!("Bearer {}", response.token).parse().ok()?;
        header.set_sensitive(true);
        // Without an expiry the token serves one connection.
        let expiry = response.expires_at.and_then(|at| DateTime::try_from(at).ok()).unwrap_or(now);
        let life = (expiry - now).max(TimeDelta::zero());
        Some(Self { header: Redacted::new(header), good_until: expiry - MARGIN.min(life / 10) })
    }

    /// Whether a new stream may still be opened with it.
    pub fn is_good(&self, now: DateTime<Utc>) -> bool {
        now < self.good_until
    }

    /// A request that carries the token.
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", self.header.expose().clone());
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(life: i64, now: DateTime<Utc>) -> Token {
        let expires_at = Some((now + TimeDelta::seconds(life)).into());
        Token::new(&AuthenticateResponse { token: "t".into(), expires_at }, now).expect("token")
    }

    #[test]
    fn renewed_shortly_before_it_ends() {
        let now = Utc::now();
        let at = |seconds| now + TimeDelta::seconds(seconds);
        let hour = token(3600, now);
        assert!(hour.is_good(at(3600 - 121)) && !hour.is_good(at(3600 - 119)));
        let minute = token(60, now);
        assert!(minute.is_good(at(53)) && !minute.is_good(at(55)));
        assert!(!token(0, now).is_good(now));
    }

    #[test]
    fn goes_into_the_header_and_nowhere_else() {
        let token = token(60, Utc::now());
        let request = token.request(());
        let header = request.metadata().get("authorization").expect("header");
        assert_eq!(header.to_str().expect("text"), "Bearer t");
        assert!(!format!("{token:?} {request:?}").contains("Bearer"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let now = Utc::now();
        for token in ["", "a\nb"] {
            let response = AuthenticateResponse { token: token.into(), expires_at: None };
            assert!(Token::new(&response, now).is_none());
        }
    }
}
