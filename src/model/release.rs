//! Names of Helm releases.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The length that Helm allows: 53 characters (`pkg/chart/common/util/validate_name.go`).
pub const MAX_RELEASE_NAME: usize = 53;

/// A release name that Helm accepts: a DNS-1123 subdomain of at most 53 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseName(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is not a release name: use at most 53 characters of a-z, 0-9, - and ., and begin and end with a letter or digit"
)]
pub struct InvalidReleaseName(String);

impl ReleaseName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Flux's rule for names that are too long: the first 40 characters, `-`, and 12 hex digits of
    /// the SHA-256 of the whole name (`internal/release/name.go`).
    pub fn shortened(name: &str) -> Result<Self, InvalidReleaseName> {
        if name.len() <= MAX_RELEASE_NAME {
            return name.parse();
        }
        let Some(head) = name.get(..40) else {
            return Err(InvalidReleaseName(name.to_owned()));
        };
        let hash = hex::encode(Sha256::digest(name.as_bytes()));
        format!("{head}-{}", &hash[..12]).parse()
    }
}

impl FromStr for ReleaseName {
    type Err = InvalidReleaseName;

    fn from_str(text: &str) -> Result<Self, InvalidReleaseName> {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let label = |label: &str| {
            let bytes = label.as_bytes();
            bytes.first().copied().is_some_and(alphanumeric)
                && bytes.last().copied().is_some_and(alphanumeric)
                && bytes.iter().all(|&b| alphanumeric(b) || b == b'-')
        };
        if text.len() <= MAX_RELEASE_NAME && text.split('.').all(label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidReleaseName(text.chars().take(100).collect()))
        }
    }
}

impl TryFrom<String> for ReleaseName {
    type Error = InvalidReleaseName;

    fn try_from(text: String) -> Result<Self, InvalidReleaseName> {
        text.parse()
    }
}

impl From<ReleaseName> for String {
    fn from(name: ReleaseName) -> Self {
        name.0
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_helm_accepts() {
        for name in ["a", "qdrant-operator-v2", "a.b", &"x".repeat(53)] {
            assert!(name.parse::<ReleaseName>().is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a_b", "a..b", &"x".repeat(54)] {
            assert!(name.parse::<ReleaseName>().is_err(), "{name}");
        }
    }

    #[test]
    fn long_names_are_shortened() {
        let long = "a".repeat(60);
        let name = ReleaseName::shortened(&long).expect("valid");
        assert_eq!(name.as_str().len(), 53);
        assert!(name.as_str().starts_with(&format!("{}-", "a".repeat(40))));
        assert!(ReleaseName::shortened(&"ä".repeat(60)).is_err());
    }
}
