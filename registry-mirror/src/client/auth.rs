//! Signing in as a registry asks for it: Basic, or a token from the service that it names.
//! What a registry asks and answers is read here; the requests are sent by [`super::sign_in`].

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Url, header::HeaderValue};
use serde::Deserialize;

use crate::{credentials::Credentials, secret::Secret};

/// What `WWW-Authenticate` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// A token service's answer. Some say `token`, some `access_token`.
#[derive(Deserialize)]
pub(super) struct Token {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// The Authorization header for a scope, and when it ends.
#[derive(Clone)]
pub(super) struct Grant {
    pub header: HeaderValue,
    until: Option<Instant>,
}

/// Lifetime of a token that does not tell its own, by the token specification.
const DEFAULT_LIFETIME: u64 = 60;
const LONGEST_LIFETIME: u64 = 3600;
/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(10);

impl Challenge {
    /// The first of these header values that is understood. Bearer is preferred to Basic.
    pub(super) fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for value in values.take(8) {
            let (scheme, parameters) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Self::Basic);
            } else if scheme.eq_ignore_ascii_case("bearer") {
                let mut found = parameters_of(parameters);
                if let Some(realm) = found.remove("realm") {
                    let (service, scope) = (found.remove("service"), found.remove("scope"));
                    return Some(Self::Bearer { realm, service, scope });
                }
            }
        }
        basic
    }

    /// The same question for whatever scope comes next.
    pub(super) fn without_scope(&self) -> Self {
        match self {
            Self::Bearer { realm, service, .. } => {
                Self::Bearer { realm: realm.clone(), service: service.clone(), scope: None }
            }
            Self::Basic => Self::Basic,
        }
    }
}

/// `key="value", key=value`; a quoted value may hold commas and escaped characters.
fn parameters_of(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, after) = after.split_once(',').unwrap_or((after, ""));
                (value.trim().to_owned(), after)
            }
        };
        found.insert(key.trim_matches([' ', ',']).to_ascii_lowercase(), value);
        rest = after.trim_start_matches([' ', ',']);
    }
    found
}

fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// Where to ask for a token with these scopes (several are separated by spaces).
pub(super) fn token_url(realm: &str, service: Option<&str>, scopes: &str) -> Option<Url> {
    let mut url = Url::parse(realm).ok()?;
    let mut query = url.query_pairs_mut();
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    for scope in scopes.split(' ') {
        query.append_pair("scope", scope);
    }
    drop(query);
    Some(url)
}

/// The body of an OAuth2 token request (`application/x-www-form-urlencoded`); `None` for an
/// anonymous user, who has nothing to send in it.
pub(super) fn token_form(
    credentials: &Credentials,
    service: Option<&str>,
    scopes: &str,
) -> Option<Secret> {
    let mut url = Url::parse("form:").ok()?;
    let mut form = url.query_pairs_mut();
    match credentials {
        Credentials::Anonymous => return None,
        Credentials::Basic { username, password } => {
            form.append_pair("grant_type", "password");
            form.append_pair("username", username);
            form.append_pair("password", password.expose());
        }
        Credentials::IdentityToken(token) => {
            form.append_pair("grant_type", "refresh_token");
            form.append_pair("refresh_token", token.expose());
        }
    }
    form.append_pair("client_id", "pinnace");
    form.append_pair("scope", scopes);
    if let Some(service) = service {
        form.append_pair("service", service);
    }
    drop(form);
    url.query().map(Secret::new)
}

/// The Basic header; `None` for users who have no password.
pub(super) fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    match credentials {
        Credentials::Anonymous | Credentials::IdentityToken(_) => None,
        Credentials::Basic { username, password } => {
            let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
            sensitive(&format!("Basic {pair}"))
        }
    }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Grant {
    /// Good until the registry refuses it.
    pub(super) fn lasting(header: HeaderValue) -> Self {
        Self { header, until: None }
    }

    pub(super) fn of_token(token: Token, now: Instant) -> Option<Self> {
        let text = token.token.or(token.access_token).filter(|text| !text.is_empty())?;
        let lifetime = token.expires_in.unwrap_or(DEFAULT_LIFETIME).min(LONGEST_LIFETIME);
        let until = now + Duration::from_secs(lifetime);
        Some(Self { header: sensitive(&format!("Bearer {text}"))?, until: Some(until) })
    }

    pub(super) fn is_good(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now + MARGIN < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let parse = |values: &[&'static str]| Challenge::parse(values.iter().copied());
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let own = |text: &str| text.to_owned();
            let (service, scope) = (service.map(own), scope.map(own));
            Some(Challenge::Bearer { realm: own(realm), service, scope })
        };
        assert_eq!(parse(&["Basic realm=\"x\""]), Some(Challenge::Basic));
        assert_eq!(parse(&["basic"]), Some(Challenge::Basic));
        assert_eq!(
            parse(&[r#"Bearer realm="https://a/t",service="a",scope="repository:a/b:pull,push""#]),
            bearer("https://a/t", Some("a"), Some("repository:a/b:pull,push"))
        );
        assert_eq!(
            parse(&["Basic", r#"bearer service=a , realm="https://a/\"t""#]),
            bearer("https://a/\"t", Some("a"), None)
        );
        for nonsense in ["", "Negotiate", "Bearer", "Bearer service=\"a\"", "Bearer realm"] {
            assert_eq!(parse(&[nonsense]), None, "{nonsense}");
        }
    }

    #[test]
    fn token_requests() {
        let scopes = "repository:c/d:pull repository:e:pull";
        let url = token_url("https://a.test/t?x=1", Some("a b"), scopes).unwrap();
        let wanted = "https://a.test/t?x=1&service=a+b&scope=repository%3Ac%2Fd%3Apull\
                      &scope=repository%3Ae%3Apull";
        assert_eq!(url.as_str(), wanted);
        assert!(token_url("not a url", None, "c").is_none());

        let form = |credentials| token_form(&credentials, Some("s"), "x y");
        let wanted = "grant_type=refresh_token&refresh_token=a%26b&client_id=pinnace&scope=x+y\
                      &service=s";
        assert_eq!(form(Credentials::IdentityToken("a&b".into())).unwrap().expose(), wanted);
        let password = form(Credentials::basic("u", "p")).unwrap();
        assert!(password.expose().starts_with("grant_type=password&username=u&password=p&"));
        assert!(form(Credentials::Anonymous).is_none());
    }

    #[test]
    fn tokens_end() {
        let now = Instant::now();
        let token = |json: &str| Grant::of_token(serde_json::from_str(json).unwrap(), now);
        let grant = token(r#"{"access_token":"t","expires_in":30}"#).unwrap();
        assert_eq!(grant.header, "Bearer t");
        assert!(grant.is_good(now + Duration::from_secs(19)));
        assert!(!grant.is_good(now + Duration::from_secs(20)));
        assert!(token(r#"{"token":""}"#).is_none());
        assert!(token("{}").is_none());
        assert!(token(r#"{"token":"a\nb"}"#).is_none());
        let endless = token(&format!(r#"{{"token":"t","expires_in":{}}}"#, u64::MAX)).unwrap();
        assert!(!endless.is_good(now + Duration::from_secs(LONGEST_LIFETIME)));
    }
}
