//! Who a keyless signer must be.

use serde::Deserialize;

/// A name and who vouches for it, both exact, or a pattern each. One of each pair must be given:
/// a policy that left one empty would trust anybody with a token.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileIdentity {
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    issuer_pattern: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    subject_pattern: String,
}

#[derive(Debug, Clone)]
pub(super) struct Identity {
    issuer: Match,
    subject: Match,
}

#[derive(Debug, Clone)]
enum Match {
    Exact(String),
    Pattern(regex::Regex),
}

impl Identity {
    pub(super) fn of(file: &FileIdentity) -> Result<Self, String> {
        Ok(Self {
            issuer: Match::of("issuer", &file.issuer, &file.issuer_pattern)?,
            subject: Match::of("subject", &file.subject, &file.subject_pattern)?,
        })
    }

    pub(super) fn fits(&self, issuer: &str, subject: &str) -> bool {
        self.issuer.fits(issuer) && self.subject.fits(subject)
    }
}

impl Match {
    fn of(what: &str, exact: &str, pattern: &str) -> Result<Self, String> {
        match (exact, pattern) {
            ("", "") => Err(format!("an identity has no {what}: anybody could sign")),
            (exact, "") => Ok(Self::Exact(exact.to_owned())),
            ("", pattern) => {
                // All of the text, never a part of it.
                let whole = regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
                    .size_limit(1 << 20)
                    .build()
                    .map_err(|error| format!("the {what}'s pattern cannot be read: {error}"))?;
                if whole.is_match("") {
                    return Err(format!(
                        "the {what}'s pattern fits nothing at all: anybody could sign"
                    ));
                }
                Ok(Self::Pattern(whole))
            }
            _ => Err(format!("an identity has both a {what} and a pattern for it")),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            _ if text.is_empty() => false,
            Self::Exact(exact) => exact == text,
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}
