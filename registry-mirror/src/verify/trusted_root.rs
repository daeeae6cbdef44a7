//! A trusted root in a file: which authorities and logs are believed, and when they were.
//! As `cosign trusted-root create` and sigstore's own TUF repository write it
//! (`application/vnd.dev.sigstore.trustedroot+json`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::DateTime;
use serde::Deserialize;

use super::key::Key;

#[derive(Debug, Clone)]
pub(super) struct TrustedRoot {
    pub authorities: Vec<Authority>,
    pub logs: Vec<Log>,
    /// Who says when a signature was seen; the certificate that signs comes first.
    pub stampers: Vec<Authority>,
}

/// A certificate authority: its root last, what is between before it.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    pub chain: Vec<Vec<u8>>,
    pub valid: Period,
}

/// A transparency log.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub id: Vec<u8>,
    pub key: Key,
    pub valid: Period,
}

/// Seconds since 1970; open ends reach for ever.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    start: i64,
    end: i64,
}

impl Period {
    pub(super) fn holds(self, at: i64) -> bool {
        (self.start..=self.end).contains(&at)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    tlogs: Vec<FileLog>,
    #[serde(default)]
    certificate_authorities: Vec<FileAuthority>,
    #[serde(default)]
    timestamp_authorities: Vec<FileAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileLog {
    public_key: FileKey,
    log_id: KeyId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyId {
    pub key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileKey {
    raw_bytes: String,
    valid_for: Option<FilePeriod>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileAuthority {
    cert_chain: Chain,
    valid_for: Option<FilePeriod>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Raw {
    pub raw_bytes: String,
}

#[derive(Deserialize)]
struct FilePeriod {
    start: Option<String>,
    end: Option<String>,
}

impl TrustedRoot {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text)
            .map_err(|error| format!("it is not a trusted root of sigstore: {error}"))?;
        let mut logs = Vec::new();
        for log in file.tlogs {
            // Logs with keys of kinds that we do not know cannot vouch for anything.
            let Ok(key) = Key::from_spki(&decode(&log.public_key.raw_bytes)?) else { continue };
            let (id, valid) = (decode(&log.log_id.key_id)?, period(log.public_key.valid_for)?);
            logs.push(Log { id, key, valid });
        }
        let authorities = authorities(file.certificate_authorities)?;
        if authorities.is_empty() || logs.is_empty() {
            return Err("it names no certificate authority, or no log with a usable key".to_owned());
        }
        Ok(Self { authorities, logs, stampers: self::authorities(file.timestamp_authorities)? })
    }

    pub(super) fn log(&self, id: &[u8]) -> Option<&Log> {
        self.logs.iter().find(|log| log.id == id)
    }
}

/// Those that have a certificate.
fn authorities(files: Vec<FileAuthority>) -> Result<Vec<Authority>, String> {
    let mut authorities = Vec::new();
    for file in files {
        let chain = file.cert_chain.certificates.iter();
        let chain = chain.map(|raw| decode(&raw.raw_bytes)).collect::<Result<Vec<_>, _>>()?;
        if !chain.is_empty() {
            authorities.push(Authority { chain, valid: period(file.valid_for)? });
        }
    }
    Ok(authorities)
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|_| "it holds something that is not base64".to_owned())
}

fn period(period: Option<FilePeriod>) -> Result<Period, String> {
    let (start, end) = period.map_or((None, None), |period| (period.start, period.end));
    let at = |text: Option<String>, open: i64| match text {
        None => Ok(open),
        Some(text) => DateTime::parse_from_rfc3339(&text)
            .map(|time| time.timestamp())
            .map_err(|_| format!("{text:?} is not a time")),
    };
    Ok(Period { start: at(start, i64::MIN)?, end: at(end, i64::MAX)? })
}
