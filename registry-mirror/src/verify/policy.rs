//! Which signatures are asked for, by the beginning of a name.

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::Deserialize;

use super::{
    cosign::Signer,
    identity::{FileIdentity, Identity},
    key::Key,
    notation::{Store, Subject},
    trusted_root::TrustedRoot,
};
use crate::reference::Reference;

/// What is done about a signature that is missing or not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is used without it.
    Require,
    /// It is told, and used.
    Warn,
    /// Nobody looks.
    Off,
}

/// Policies by prefix; the longest prefix that fits counts.
#[derive(Debug, Clone, Default)]
pub struct Policies(Vec<Policy>);

#[derive(Debug, Clone)]
pub(super) struct Policy {
    prefix: String,
    pub mode: Mode,
    /// One of them must have signed.
    pub signers: Vec<AnySigner>,
}

#[derive(Debug, Clone)]
pub(super) enum AnySigner {
    Cosign(Signer),
    Notation(Store),
}

/// Why a table of policies cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature policies cannot be used: {0}")]
pub struct PolicyError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    policies: Vec<FilePolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FilePolicy {
    prefix: String,
    mode: Mode,
    #[serde(default)]
    cosign: Option<FileCosign>,
    #[serde(default)]
    keyless: Option<FileKeyless>,
    #[serde(default)]
    notation: Option<FileNotation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCosign {
    /// PEM.
    keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileKeyless {
    /// The text of a trusted_root.json.
    trusted_root: String,
    identities: Vec<FileIdentity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileNotation {
    /// PEM; each text may hold several.
    authorities: Vec<String>,
    trusted_identities: Vec<String>,
}

/// Largest table: 4 MiB.
const LONGEST: usize = 4 * 1024 * 1024;

impl Policies {
    /// Reads YAML or JSON. A policy that would trust nobody or anybody is refused.
    pub fn from_yaml(text: &str) -> Result<Self, PolicyError> {
        if text.len() > LONGEST {
            return Err(PolicyError(format!("they are longer than {LONGEST} bytes")));
        }
        let file: File =
            serde_saphyr::from_str(text).map_err(|error| PolicyError(error.to_string()))?;
        let policy = |file: FilePolicy| {
            let prefix = file.prefix.clone();
            policy(file).map_err(|why| PolicyError(format!("{prefix}: {why}")))
        };
        Ok(Self(file.policies.into_iter().map(policy).collect::<Result<_, _>>()?))
    }

    /// Whether anything is asked for under this name.
    pub fn asks(&self, reference: &Reference) -> bool {
        self.of(reference).is_some_and(|policy| policy.mode != Mode::Off)
    }

    /// Prefixes end at `/`, or at the name's end.
    pub(super) fn of(&self, reference: &Reference) -> Option<&Policy> {
        let path = reference.path();
        let fits = |policy: &&Policy| {
            path.strip_prefix(policy.prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0.iter().filter(fits).max_by_key(|policy| policy.prefix.len())
    }
}

fn policy(file: FilePolicy) -> Result<Policy, String> {
    let mut signers = Vec::new();
    if let Some(cosign) = file.cosign {
        let keys = cosign.keys.iter().map(|pem| Key::from_pem(pem));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err("cosign has no keys: nobody could sign".to_owned());
        }
        signers.push(AnySigner::Cosign(Signer::Keys(keys)));
    }
    if let Some(keyless) = file.keyless {
        let identities = keyless.identities.iter().map(Identity::of);
        let identities = identities.collect::<Result<Vec<_>, _>>()?;
        if identities.is_empty() {
            return Err("keyless has no identities: anybody could sign".to_owned());
        }
        let root = Box::new(TrustedRoot::parse(&keyless.trusted_root)?);
        signers.push(AnySigner::Cosign(Signer::Keyless { root, identities }));
    }
    if let Some(notation) = file.notation {
        signers.push(AnySigner::Notation(store(&notation)?));
    }
    if signers.is_empty() && file.mode != Mode::Off {
        return Err("it names no signer: give cosign, keyless or notation".to_owned());
    }
    let prefix = file.prefix.trim_start_matches("oci://").trim_end_matches('/').to_owned();
    if prefix.is_empty() {
        return Err("its prefix is empty: write a host, or host/path".to_owned());
    }
    Ok(Policy { prefix, mode: file.mode, signers })
}

fn store(file: &FileNotation) -> Result<Store, String> {
    let mut authorities = Vec::new();
    for pem in &file.authorities {
        for der in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let der = der.map_err(|_| "an authority is no PEM of a certificate".to_owned())?;
            authorities.push(der.to_vec());
        }
    }
    let subjects = file.trusted_identities.iter().map(|text| Subject::parse(text));
    let subjects = subjects.collect::<Result<Vec<_>, _>>()?;
    if authorities.is_empty() || subjects.is_empty() {
        return Err("notation has no authorities, or no trusted identities".to_owned());
    }
    Ok(Store { authorities, subjects })
}
