//! What the Console wants of an environment: one document, signed, level-triggered.
//!
//! The Console serialises a [`Desired`] to JSON once and signs exactly those bytes; the agent checks the
//! signature before it parses them. Nothing that is absent from a document is deleted because of that:
//! removal is always said ([`ClusterWant::Deleted`]).

use std::collections::BTreeMap;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{digest::Digest, redacted::Redacted, release::ReleaseName};

/// The largest document that an agent accepts, in bytes.
pub const MAX_DOCUMENT: usize = 1 << 20;

/// Everything that one environment should be, as of one generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// The environment's id; an agent refuses a document for another one.
    pub environment: String,
    /// Grows with each change. An agent refuses one that is lower than it has accepted.
    pub generation: u64,
    /// Releases by name.
    pub pins: BTreeMap<ReleaseName, Pin>,
    pub charts: ChartSource,
    /// QdrantCluster objects by cluster id.
    #[serde(default)]
    pub clusters: BTreeMap<String, ClusterWant>,
}

/// One release, pinned to the digest of its chart's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// Chart name within [`ChartSource::url`], such as `qdrant-operator`.
    pub chart: String,
    /// Exact version.
    pub version: semver::Version,
    /// Digest of the chart's OCI manifest: a mirror serves these bytes or is refused.
    pub digest: Digest,
    /// The values that the pin sets. Fields that it does not set are the user's.
    #[serde(default)]
    pub values: Value,
}

/// Where charts come from in this environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartSource {
    /// `oci://host[:port]/path`, the default repository or the customer's mirror.
    pub url: String,
    /// dockerconfigjson Secret in the agent's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// PEM certificates to trust for it and for the Console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    /// The way out, if there is no direct one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySource>,
}

/// A proxy for charts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxySource {
    /// `http://[user:password@]host:port`
    #[serde(serialize_with = "exposed")]
    pub address: Redacted<String>,
    /// Hosts, domains and networks that are reached without it, separated by commas.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub no_proxy: String,
}

fn exposed<S: serde::Serializer>(text: &Redacted<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text.expose())
}

/// What should become of one QdrantCluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "want")]
pub enum ClusterWant {
    /// A QdrantCluster `qdrant-<id>` with this spec and these labels.
    Present {
        spec: Value,
        #[serde(default)]
        labels: BTreeMap<String, String>,
    },
    /// No such QdrantCluster. Kept until the agent reports that it is gone.
    Deleted,
}

/// What was accepted before: a later document must not fall behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Baseline<'a> {
    /// 0 for none.
    pub generation: u64,
    /// Of the document that was accepted with this generation; `None` if that is not known, and then
    /// any document of this generation will do.
    pub digest: Option<&'a str>,
}

impl From<u64> for Baseline<'_> {
    fn from(generation: u64) -> Self {
        Self { generation, digest: None }
    }
}

/// Bytes of a [`Desired`] and the Console's signature over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDesired {
    pub document: Vec<u8>,
    pub signature: [u8; 64],
}

#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    #[error("the desired state is {0} bytes, more than the {MAX_DOCUMENT} that are accepted")]
    TooLarge(usize),
    #[error(
        "the desired state has a signature that the Console's key did not make; if the Console's key was replaced, run the installation command again"
    )]
    Signature,
    #[error("the desired state is signed but cannot be read")]
    Malformed(#[source] serde_json::Error),
    #[error("the desired state is for environment {found}, but this agent belongs to {expected}")]
    Environment { found: String, expected: String },
    #[error(
        "the desired state has generation {found}, but generation {accepted} was already accepted"
    )]
    Stale { found: u64, accepted: u64 },
    #[error(
        "another desired state with generation {generation} was already accepted (then {accepted}, now {found}); any change in the Console makes a higher generation, which is accepted"
    )]
    Ambiguous { generation: u64, accepted: String, found: Digest },
}

impl SignedDesired {
    /// Serialises and signs.
    pub fn sign(desired: &Desired, key: &SigningKey) -> Result<Self, serde_json::Error> {
        let document = serde_json::to_vec(desired)?;
        let signature = key.sign(&document).to_bytes();
        Ok(Self { document, signature })
    }

    /// Identifies the state that the document describes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.document)
    }

    /// The document, if the Console's key signed it, it is for `environment`, and it neither is older
    /// than what was `accepted` last nor says something else with the same generation.
    pub fn verify<'a>(
        &self,
        key: &VerifyingKey,
        environment: &str,
        accepted: impl Into<Baseline<'a>>,
    ) -> Result<Desired, DesiredError> {
        let accepted = accepted.into();
        if self.document.len() > MAX_DOCUMENT {
            return Err(DesiredError::TooLarge(self.document.len()));
        }
        key.verify_strict(&self.document, &Signature::from_bytes(&self.signature))
            .map_err(|_| DesiredError::Signature)?;
        let desired: Desired =
            serde_json::from_slice(&self.document).map_err(DesiredError::Malformed)?;
        if desired.environment != environment {
            return Err(DesiredError::Environment {
                found: desired.environment,
                expected: environment.to_owned(),
            });
        }
        let (found, accepted_generation) = (desired.generation, accepted.generation);
        if found < accepted_generation {
            return Err(DesiredError::Stale { found, accepted: accepted_generation });
        }
        let same = |digest: &str| digest == self.digest().as_str();
        if let Some(accepted) = accepted.digest.filter(|digest| !same(digest))
            && found == accepted_generation
        {
            return Err(DesiredError::Ambiguous {
                generation: found,
                accepted: accepted.to_owned(),
                found: self.digest(),
            });
        }
        Ok(desired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired(generation: u64) -> Desired {
        let pin = Pin {
            chart: "qdrant-operator".into(),
            version: semver::Version::new(1, 2, 3),
            digest: Digest::of(b"manifest"),
            values: serde_json::json!({"settings": {"logLevel": "info"}}),
        };
        Desired {
            environment: "env".into(),
            generation,
            pins: BTreeMap::from([("qdrant-operator-v2".parse().expect("name"), pin)]),
            charts: ChartSource {
                url: "oci://r/c".into(),
                secret: None,
                ca_certificates: None,
                proxy: None,
            },
            clusters: BTreeMap::from([("c1".into(), ClusterWant::Deleted)]),
        }
    }

    fn signed(generation: u64) -> (SignedDesired, VerifyingKey) {
        let key = SigningKey::from_bytes(&[7; 32]);
        (SignedDesired::sign(&desired(generation), &key).expect("sign"), key.verifying_key())
    }

    #[test]
    fn round_trip() {
        let (signed, key) = signed(4);
        assert_eq!(signed.verify(&key, "env", 4).expect("valid"), desired(4));
    }

    #[test]
    fn one_changed_byte_is_refused() {
        let (mut signed, key) = signed(4);
        signed.document[10] ^= 1;
        assert!(matches!(signed.verify(&key, "env", 0), Err(DesiredError::Signature)));
    }

    #[test]
    fn another_key_is_refused() {
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert!(matches!(signed(4).0.verify(&other, "env", 0), Err(DesiredError::Signature)));
    }

    #[test]
    fn another_environment_is_refused() {
        let (signed, key) = signed(4);
        let error = signed.verify(&key, "mine", 0).expect_err("refused");
        assert!(matches!(error, DesiredError::Environment { .. }), "{error}");
    }

    #[test]
    fn an_older_generation_is_refused() {
        let (signed, key) = signed(4);
        assert!(matches!(signed.verify(&key, "env", 5), Err(DesiredError::Stale { .. })));
    }

    #[test]
    fn one_generation_means_one_document() {
        let (signed, key) = signed(4);
        let other = Digest::of(b"other").to_string();
        let verify = |generation, digest: &str| {
            signed.verify(&key, "env", Baseline { generation, digest: Some(digest) })
        };
        let error = verify(4, &other).expect_err("refused");
        assert!(matches!(error, DesiredError::Ambiguous { generation: 4, .. }), "{error}");
        // The same document may come again, and a newer one says something else.
        assert!(verify(4, signed.digest().as_str()).is_ok());
        assert!(verify(3, &other).is_ok());
    }

    #[test]
    fn too_much_is_refused_before_it_is_read() {
        let (mut signed, key) = signed(4);
        signed.document.resize(MAX_DOCUMENT + 1, b' ');
        assert!(matches!(signed.verify(&key, "env", 0), Err(DesiredError::TooLarge(_))));
    }
}
