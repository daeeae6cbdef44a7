//! Who asks: nobody, a user name and a password, or an identity token; often out of a
//! `kubernetes.io/dockerconfigjson` secret.

use std::collections::BTreeMap;

use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use base64::{Engine as _, alphabet, engine::general_purpose::GeneralPurpose};
use serde::Deserialize;

use crate::secret::Secret;

/// How a [`crate::Client`] signs in. They are sent when a registry asks for them: as they are
/// (Basic), or to the token service that the registry names (Bearer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    Anonymous,
    Basic {
        username: String,
        password: Secret,
    },
    /// A refresh token, as `docker login` gets it from some clouds: it is sent to the token
    /// service only, which changes it for a short-lived one.
    IdentityToken(Secret),
}

/// Why a dockerconfigjson gives no credentials. The text never holds a part of the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    #[error("the dockerconfigjson is not a JSON document with an \"auths\" object")]
    Malformed,
    #[error("the dockerconfigjson is longer than {LONGEST} bytes")]
    TooLong,
    #[error("the entry for {host} has an \"auth\" that is not base64 of user:password")]
    MalformedAuth { host: String },
    #[error("the entry for {host} has neither user name and password nor an identity token")]
    Incomplete { host: String },
    #[error("there is no entry for {host}: the document has {present}")]
    NoEntry { host: String, present: String },
}

/// Kubernetes allows no larger secrets.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// Some tools write the `auth` member without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, rename = "identitytoken")]
    identity_token: String,
}

impl Credentials {
    /// A user name and a password.
    pub fn basic(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::Basic { username: username.into(), password: password.into() }
    }

    /// The entry for `host` (with its port, if it has one) in a dockerconfigjson document.
    ///
    /// Keys are compared without scheme and path, so `https://index.docker.io/v1/` is the entry of
    /// docker.io; an entry without a port serves every port, an exact one wins.
    pub fn from_docker_config(json: &[u8], host: &str) -> Result<Self, CredentialsError> {
        if json.len() > LONGEST {
            return Err(CredentialsError::TooLong);
        }
        let document: Document =
            serde_json::from_slice(json).map_err(|_| CredentialsError::Malformed)?;
        let (_, entry) = document
            .auths
            .iter()
            .filter_map(|(key, entry)| Some((closeness(key, host)?, entry)))
            .max_by_key(|(closeness, _)| *closeness)
            .ok_or_else(|| no_entry(&document, host))?;
        entry.credentials(host)
    }
}

impl Entry {
    fn credentials(&self, host: &str) -> Result<Credentials, CredentialsError> {
        if !self.identity_token.is_empty() {
            return Ok(Credentials::IdentityToken(self.identity_token.as_str().into()));
        }
        if !self.auth.is_empty() {
            let malformed = || CredentialsError::MalformedAuth { host: host.to_owned() };
            let decoded = BASE64.decode(self.auth.trim()).map_err(|_| malformed())?;
            let text = String::from_utf8(decoded).map_err(|_| malformed())?;
            let (username, password) = text.split_once(':').ok_or_else(malformed)?;
            // Docker itself pads the password with zero bytes in old files.
            return Ok(Credentials::basic(username, password.trim_end_matches('\0')));
        }
        if self.username.is_empty() {
            return Err(CredentialsError::Incomplete { host: host.to_owned() });
        }
        Ok(Credentials::basic(self.username.as_str(), self.password.as_str()))
    }
}

fn no_entry(document: &Document, host: &str) -> CredentialsError {
    let mut present: Vec<_> = document.auths.keys().take(5).map(|key| bare(key)).collect();
    if document.auths.len() > present.len() {
        present.push("…");
    }
    let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
    CredentialsError::NoEntry { host: host.to_owned(), present }
}

/// How well a key fits a host; higher is better, `None` is not at all.
fn closeness(key: &str, host: &str) -> Option<u8> {
    let (key, host) = (bare(key).to_ascii_lowercase(), host.to_ascii_lowercase());
    let canonical = |name: &str| match name {
        "index.docker.io" | "registry-1.docker.io" | "docker.io" => "docker.io".to_owned(),
        other => other.trim_end_matches(":443").to_owned(),
    };
    let (key, host) = (canonical(&key), canonical(&host));
    if key == host {
        Some(2)
    } else {
        let (name, port) = host.rsplit_once(':')?;
        (port.bytes().all(|b| b.is_ascii_digit()) && key == name).then_some(1)
    }
}

/// A key without scheme and path.
fn bare(key: &str) -> &str {
    let key = key.strip_prefix("https://").or(key.strip_prefix("http://")).unwrap_or(key);
    key.split_once('/').map_or(key, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(auths: serde_json::Value, host: &str) -> Result<Credentials, CredentialsError> {
        let document = json!({ "auths": auths }).to_string();
        Credentials::from_docker_config(document.as_bytes(), host)
    }

    #[test]
    fn forms_of_an_entry() {
        let expected = Ok(Credentials::basic("u", "p:w"));
        assert_eq!(find(json!({ "r.test": { "auth": "dTpwOnc=" } }), "r.test"), expected);
        assert_eq!(find(json!({ "r.test": { "auth": "dTpwOnc" } }), "r.test"), expected);
        let plain = json!({ "r.test": { "username": "u", "password": "p:w", "email": "e" } });
        assert_eq!(find(plain, "r.test"), expected);
        let token = json!({ "r.test": { "auth": "dTpwOnc=", "identitytoken": "t" } });
        assert_eq!(find(token, "r.test"), Ok(Credentials::IdentityToken("t".into())));
    }

    #[test]
    fn hosts() {
        let entry = json!({ "auth": "dTpw" });
        for (key, host) in [
            ("r.test:5000", "r.test:5000"),
            ("https://r.test:5000", "r.test:5000"),
            ("https://r.test/v2/", "r.test"),
            ("R.test", "r.test"),
            ("r.test", "r.test:5000"),
            ("r.test", "r.test:443"),
            ("r.test:443", "r.test"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("https://index.docker.io/v1/", "registry-1.docker.io"),
            ("[::1]:5000", "[::1]:5000"),
        ] {
            assert!(find(json!({ key: entry }), host).is_ok(), "{key} for {host}");
        }
        for (key, host) in
            [("r.test:5000", "r.test"), ("r.test:5000", "r.test:5001"), ("test", "r.test")]
        {
            let error = find(json!({ key: entry }), host).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn the_exact_port_wins() {
        let auths = json!({
            "r.test": { "username": "any", "password": "p" },
            "https://r.test:5000/": { "username": "exact", "password": "p" },
        });
        assert_eq!(find(auths, "r.test:5000"), Ok(Credentials::basic("exact", "p")));
    }

    #[test]
    fn refused_without_showing_secrets() {
        for (json, host) in [
            ("{", "r.test"),
            (r#"{"auths":[]}"#, "r.test"),
            (r#"{"auths":{"r.test":{"auth":"hunter2 "}}}"#, "r.test"),
            (r#"{"auths":{"r.test":{"auth":"aHVudGVyMg=="}}}"#, "r.test"),
            (r#"{"auths":{"r.test":{"password":"hunter2"}}}"#, "r.test"),
            (r#"{"auths":{}}"#, "r.test"),
        ] {
            let error = Credentials::from_docker_config(json.as_bytes(), host).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let long = vec![b' '; LONGEST + 1];
        assert_eq!(Credentials::from_docker_config(&long, "h"), Err(CredentialsError::TooLong));
        assert!(!format!("{:?}", Credentials::basic("u", "hunter2")).contains("hunter2"));
    }
}
