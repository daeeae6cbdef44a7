//! One revision of a release, in Helm's JSON (`pkg/release/v1`).

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Error;
use crate::cluster::apply::Method;

/// The data that a Secret holds at most, in bytes (Kubernetes' `MaxSecretSize`).
pub const MAX_ENCODED: usize = 1 << 20;
/// The JSON that is read at most, in bytes.
const MAX_DECODED: u64 = 64 << 20;

/// Helm's statuses (`pkg/release/common/status.go`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    #[default]
    Unknown,
    Deployed,
    Uninstalled,
    Superseded,
    Failed,
    Uninstalling,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }

    /// Any text that is not a status is [`Status::Unknown`].
    pub fn parse(text: &str) -> Self {
        serde_json::from_value(Value::String(text.to_owned())).unwrap_or_default()
    }

    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One revision. What Helm stores and this type does not name is lost when the record is written again:
/// only `info.resources`, which Helm fills for display and never stores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    #[serde(default)]
    pub info: Info,
    /// Metadata, lock, templates, values, schema and files, as Helm serialises a chart. The largest part by far: clones share
    /// it.
    #[serde(default)]
    pub chart: Arc<Value>,
    /// The values that the user gave.
    #[serde(default, skip_serializing_if = "Map::is_empty", deserialize_with = "null_is_default")]
    pub config: Map<String, Value>,
    #[serde(default)]
    pub manifest: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub hooks: Vec<Hook>,
    pub version: u32,
    #[serde(default)]
    pub namespace: String,
    /// `ssa` or `csa`; empty in records of Helm 3.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub apply_method: String,
    /// The user's labels on the Secret.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Info {
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub first_deployed: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub last_deployed: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub deleted: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default)]
    pub status: Status,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rollback_revision: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub path: String,
    #[serde(default)]
    pub manifest: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub events: Vec<String>,
    #[serde(default)]
    pub last_run: Execution,
    #[serde(default, skip_serializing_if = "is_zero_weight")]
    pub weight: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub delete_policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub output_log_policies: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub completed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Helm writes the empty string before the first run.
    #[default]
    #[serde(rename = "")]
    NotRun,
    Unknown,
    Running,
    Succeeded,
    Failed,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_zero_weight(weight: &i64) -> bool {
    *weight == 0
}

/// Helm 3 wrote an empty string for a time that is not set; Go's zero time means the same.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    if text.is_empty() || text.starts_with("0001-01-01") {
        return Ok(None);
    }
    let time = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
    Ok(Some(time.with_timezone(&Utc)))
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Helm's word for a method.
pub fn apply_method(method: Method) -> String {
    match method {
        Method::ServerSide => "ssa".to_owned(),
        Method::ClientSide => "csa".to_owned(),
    }
}

/// Leaves out of a record's `chart` the files that only templates read. Helm needs them for nothing but showing them.
pub fn make_lean(chart: &mut Value) {
    if let Some(files) = chart.get_mut("files") {
        *files = Value::Null;
    }
}

impl Record {
    /// The record as a Secret holds it, if it is not too large for one.
    pub fn encoded_for_storage(&self) -> Result<Vec<u8>, Error> {
        let malformed = |e: std::io::Error| Error::Malformed {
            release: self.name.clone(),
            version: self.version,
            message: e.to_string(),
        };
        let data = self.encode().map_err(malformed)?;
        if data.len() > MAX_ENCODED {
            return Err(Error::TooLarge { size: data.len(), limit: MAX_ENCODED });
        }
        Ok(data)
    }

    /// What goes into the Secret's `release` key: base64(gzip(JSON)).
    pub fn encode(&self) -> std::io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&json)?;
        Ok(BASE64_STANDARD.encode(gzip.finish()?).into_bytes())
    }

    /// Reads what [`Record::encode`] or Helm wrote; JSON that is not compressed is accepted, as Helm does.
    pub fn decode(data: &[u8]) -> std::io::Result<Self> {
        let invalid = |e| std::io::Error::new(std::io::ErrorKind::InvalidData, e);
        let bytes = BASE64_STANDARD.decode(data).map_err(|e| invalid(e.to_string()))?;
        let mut json = Vec::new();
        if bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
            GzDecoder::new(&bytes[..]).take(MAX_DECODED + 1).read_to_end(&mut json)?;
        } else {
            json = bytes;
        }
        if json.len() as u64 > MAX_DECODED {
            return Err(invalid(format!("it is larger than {MAX_DECODED} bytes")));
        }
        Ok(serde_json::from_slice(&json)?)
    }

    fn metadata(&self, field: &str) -> &str {
        self.chart["metadata"][field].as_str().unwrap_or_default()
    }

    pub fn chart_name(&self) -> &str {
        self.metadata("name")
    }

    pub fn chart_version(&self) -> &str {
        self.metadata("version")
    }

    pub fn app_version(&self) -> &str {
        self.metadata("appVersion")
    }

    /// Identifies what this revision is: it changes when anyone rewrites the record. Times, status and the
    /// runs of hooks are left out, or every step of an action would change it; `rollback` is what tells a
    /// restored revision from the original.
    pub fn digest(&self) -> String {
        let hooks: Vec<_> = self
            .hooks
            .iter()
            .filter(|h| h.events.iter().any(|e| e != "test" && e != "test-success"))
            .map(|h| (&h.path, &h.name, &h.manifest))
            .collect();
        let identity = serde_json::json!({
            "name": self.name,
            "namespace": self.namespace,
            "version": self.version,
            "firstDeployed": self.info.first_deployed,
            "lastDeployed": self.info.last_deployed,
            "rollback": self.info.rollback_revision,
            "chart": self.chart["metadata"],
            "config": self.config,
            "manifest": self.manifest,
            "hooks": hooks,
        });
        digest(&identity)
    }

    /// How the revision's objects are applied. A record without a word is one of Helm 3, whose objects are taken over.
    pub fn method(&self) -> Method {
        match self.apply_method.as_str() {
            "csa" => Method::ClientSide,
            _ => Method::ServerSide,
        }
    }

    pub fn set_status(&mut self, status: Status, description: impl Into<String>) {
        self.info.status = status;
        self.info.description = description.into();
    }
}

/// Identifies the values of a release; no values at all have the digest of nothing, as in Flux.
pub fn config_digest(config: &Map<String, Value>) -> String {
    if config.is_empty() {
        return format!("sha256:{}", hex::encode(Sha256::digest([])));
    }
    digest(&Value::Object(config.clone()))
}

/// SHA-256 of the value as JSON with sorted keys.
fn digest(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

fn canonical(value: &Value, into: &mut String) {
    match value {
        Value::Object(entries) => {
            let sorted: BTreeMap<&String, &Value> = entries.iter().collect();
            into.push('{');
            for (name, value) in sorted {
                into.push_str(&Value::String(name.clone()).to_string());
                into.push(':');
                canonical(value, into);
                into.push(',');
            }
            into.push('}');
        }
        Value::Array(items) => {
            into.push('[');
            for item in items {
                canonical(item, into);
                into.push(',');
            }
            into.push(']');
        }
        other => into.push_str(&other.to_string()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn record(version: u32, status: Status) -> Record {
        serde_json::from_value(json!({
            "name": "r", "namespace": "n", "version": version,
            "info": {"status": status, "first_deployed": "2026-01-02T03:04:05.123456789Z"},
            "chart": {"metadata": {"name": "c", "version": "1.2.3", "appVersion": "4"}},
            "config": {"a": 1},
            "manifest": "---\n# Source: c/templates/x.yaml\n",
        }))
        .expect("record")
    }

    #[test]
    fn round_trip() {
        let record = record(3, Status::PendingUpgrade);
        assert_eq!(Record::decode(&record.encode().expect("encoded")).expect("decoded"), record);
    }

    #[test]
    fn plain_json_is_read() {
        let json = serde_json::to_vec(&record(1, Status::Deployed)).expect("json");
        let data = BASE64_STANDARD.encode(json).into_bytes();
        assert_eq!(Record::decode(&data).expect("decoded").version, 1);
    }

    #[test]
    fn what_helm_3_wrote() {
        let record: Record = serde_json::from_value(json!({
            "name": "r", "version": 1,
            "info": {"status": "deployed", "deleted": "", "first_deployed": "2026-01-02T03:04:05+01:00"},
            "hooks": [{"name": "h", "events": ["test"], "last_run": {"started_at": "", "phase": ""}}],
            "config": null,
        }))
        .expect("record");
        assert_eq!(record.info.deleted, None);
        assert_eq!(record.hooks[0].last_run.phase, Phase::NotRun);
    }

    #[test]
    fn statuses_are_helms_words() {
        for status in [
            Status::Unknown,
            Status::Deployed,
            Status::Uninstalled,
            Status::Superseded,
            Status::Failed,
            Status::Uninstalling,
            Status::PendingInstall,
            Status::PendingUpgrade,
            Status::PendingRollback,
        ] {
            assert_eq!(serde_json::to_value(status).expect("text"), status.as_str());
            assert_eq!(Status::parse(status.as_str()), status);
        }
        assert_eq!(Status::parse("bogus"), Status::Unknown);
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let block = vec![b' '; 1 << 20];
        for _ in 0..65 {
            gzip.write_all(&block).expect("written");
        }
        let data = BASE64_STANDARD.encode(gzip.finish().expect("gzip")).into_bytes();
        let error = Record::decode(&data).expect_err("too large").to_string();
        assert!(error.contains("larger than"), "{error}");
    }

    #[test]
    fn digest_is_the_revisions_identity() {
        let one = record(1, Status::Deployed);
        let mut other = one.clone();
        other.set_status(Status::Superseded, "x");
        assert_eq!(one.digest(), other.digest());
        other.config.insert("a".into(), json!(2));
        assert_ne!(one.digest(), other.digest());
    }
}
