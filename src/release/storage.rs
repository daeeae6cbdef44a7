//! The Secrets that hold a release's revisions, as Helm's secrets driver writes them
//! (`pkg/storage/driver/secrets.go`).
//!
//! Lists read metadata only; a revision is decoded when its content is needed, and read once ([`seen`]). Each write
//! names the version of the Secret that it replaces, so that of two writers one fails; by [`written`] those who watch
//! tell the writes of this process from those of others.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};
use pinnace_registry::RenamedImages;

use super::Error;
use super::record::{MAX_ENCODED, Record, Status};
use crate::cluster::clock;
use crate::cluster::error::{is_code, limited, retried, unconditional};

mod seen;
mod written;

use seen::Seen;
pub use written::Written;

/// The type of Helm's Secrets.
pub const SECRET_TYPE: &str = "helm.sh/release.v1";
/// Who is carrying out a pending revision.
pub const OWNER: &str = "cd.qdrant.io/owner";
/// Hooks that have succeeded in this revision: JSON, event to names. A hook of two events runs twice, and
/// Helm's `last_run` only tells of the last time.
pub const HOOKS_SUCCEEDED: &str = "cd.qdrant.io/hooks-succeeded";
/// Which HelmRelease made the revision: `<name>/<uid>`.
pub const HOLDER: &str = "cd.qdrant.io/release";
/// The digest of the chart's OCI manifest.
pub const CHART_DIGEST: &str = "cd.qdrant.io/chart-digest";
/// The digest of what the HelmRelease changed of the rendered objects.
pub const POST_RENDERING: &str = "cd.qdrant.io/post-rendering";
/// Key of the Secret beside Helm's own: what images were called before the site's mirrors renamed them, as JSON.
const RENAMED_IMAGES: &str = "renamed-images";

const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// What a Secret's metadata tells of a revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub version: u32,
    pub status: Status,
    /// Who is carrying it out; None for genuine Helm.
    pub owner: Option<String>,
    pub chart_digest: Option<String>,
    /// When the record was last written, by its writer's clock.
    pub modified: Option<DateTime<Utc>>,
}

#[cfg(test)]
impl Summary {
    /// A history whose revisions 1, 2, … have these statuses.
    pub fn history(statuses: &[Status]) -> Vec<Self> {
        let revision = |(status, version): (&Status, u32)| Self {
            version,
            status: *status,
            owner: None,
            chart_digest: None,
            modified: None,
        };
        statuses.iter().zip(1..).map(revision).collect()
    }
}

/// A revision as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub record: Record,
    pub owner: Option<String>,
    pub chart_digest: Option<String>,
    /// The digest of what was changed of the rendered objects.
    pub post_rendering: Option<String>,
    /// What images of the objects were called before they were renamed.
    pub renamed_images: RenamedImages,
    /// Which HelmRelease made it, as `<name>/<uid>`; None for genuine Helm.
    pub holder: Option<String>,
    pub hooks_succeeded: BTreeMap<String, Vec<String>>,
    /// When the Secret was made, by the API server's clock.
    pub created: Option<Timestamp>,
    resource_version: Option<String>,
}

impl Stored {
    pub fn new(record: Record, owner: &str, chart_digest: Option<String>) -> Self {
        Self {
            record,
            owner: Some(owner.to_owned()),
            chart_digest,
            post_rendering: None,
            renamed_images: RenamedImages::default(),
            holder: None,
            hooks_succeeded: BTreeMap::new(),
            created: None,
            resource_version: None,
        }
    }

    /// The same, with what was changed of the rendered objects.
    pub fn changed(mut self, post_rendering: Option<String>, renamed: RenamedImages) -> Self {
        self.post_rendering = post_rendering;
        self.renamed_images = renamed;
        self
    }
}

/// The revisions of one release in one namespace, for the length of one look at it: what was read or written once is
/// not read again, and clones share it. Another's write in between makes the next own write a [`Error::Conflict`], after
/// which everything is read anew.
#[derive(Clone)]
pub struct Storage {
    api: Api<Secret>,
    namespace: String,
    release: String,
    holder: Option<String>,
    written: Written,
    seen: Seen,
}

impl Storage {
    pub fn new(client: Client, namespace: &str, release: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.into(),
            release: release.into(),
            holder: None,
            written: Written::default(),
            seen: Seen::default(),
        }
    }

    /// Revisions that are made from now on name this HelmRelease, `<name>/<uid>`, as their maker.
    pub fn held_by(mut self, holder: &str) -> Self {
        self.holder = Some(holder.to_owned());
        self
    }

    /// What is written from now on is noted there.
    pub fn noted_in(mut self, written: &Written) -> Self {
        self.written = written.clone();
        self
    }

    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }

    pub fn release(&self) -> &str {
        &self.release
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn key(&self, version: u32) -> String {
        format!("sh.helm.release.v1.{}.v{version}", self.release)
    }

    fn failed(&self, verb: &'static str, version: u32) -> impl FnOnce(kube::Error) -> Error {
        let release = self.release.clone();
        move |source| {
            if verb == "read" && is_code(&source, 404) {
                Error::Missing { release, version }
            } else if is_code(&source, 409) || (verb == "update" && is_code(&source, 404)) {
                Error::Conflict { release, version }
            } else {
                Error::Storage { verb, release, version, source }
            }
        }
    }

    /// All revisions, oldest first, without their content.
    pub async fn list(&self) -> Result<Vec<Summary>, Error> {
        if let Some(known) = self.seen.revisions() {
            return Ok(known);
        }
        let params = ListParams::default().labels(&format!("owner=helm,name={}", self.release));
        let list = retried(|| self.api.list_metadata(&params))
            .await
            .map_err(|source| Error::List { release: self.release.clone(), source })?;
        let mut revisions: Vec<Summary> =
            list.items.iter().filter_map(|secret| summary(&secret.metadata)).collect();
        revisions.sort_by_key(|r| r.version);
        self.seen.listed(&revisions);
        Ok(revisions)
    }

    /// One revision with its content.
    pub async fn get(&self, version: u32) -> Result<Stored, Error> {
        if let Some(known) = self.seen.content(version) {
            return Ok(known);
        }
        let key = self.key(version);
        let read = retried(|| self.api.get(&key)).await.map_err(self.failed("read", version));
        let secret = read.inspect_err(|_| self.seen.forget())?;
        let stored = self.decode(version, secret)?;
        self.seen.read(&stored);
        Ok(stored)
    }

    fn decode(&self, version: u32, secret: Secret) -> Result<Stored, Error> {
        let malformed =
            |message: String| Error::Malformed { release: self.release.clone(), version, message };
        let data = secret.data.as_ref().and_then(|d| d.get("release"));
        let data = data.ok_or_else(|| malformed("the Secret has no key \"release\"".into()))?;
        let mut record = Record::decode(&data.0).map_err(|e| malformed(e.to_string()))?;
        let renamed = secret.data.as_ref().and_then(|d| d.get(RENAMED_IMAGES));
        let renamed = renamed.and_then(|text| serde_json::from_slice(&text.0).ok());
        let metadata = secret.metadata;
        let annotation = |name| metadata.annotations.as_ref()?.get(name).cloned();
        let hooks = annotation(HOOKS_SUCCEEDED).and_then(|text| serde_json::from_str(&text).ok());
        let (owner, chart_digest) = (annotation(OWNER), annotation(CHART_DIGEST));
        let (holder, post_rendering) = (annotation(HOLDER), annotation(POST_RENDERING));
        record.labels = metadata.labels.unwrap_or_default();
        record.labels.retain(|name, _| !SYSTEM_LABELS.contains(&name.as_str()));
        Ok(Stored {
            record,
            owner,
            chart_digest,
            post_rendering,
            renamed_images: renamed.unwrap_or_default(),
            holder,
            hooks_succeeded: hooks.unwrap_or_default(),
            created: metadata.creation_timestamp.map(|t| t.0),
            resource_version: metadata.resource_version,
        })
    }

    /// Writes a new revision; [`Error::Conflict`] if there is one of this number.
    pub async fn create(&self, stored: Stored) -> Result<Stored, Error> {
        let stored = Stored { holder: self.holder.clone(), ..stored };
        let version = stored.record.version;
        let secret = self.secret(&stored, "createdAt")?;
        let writing = self.written.begin(&self.release);
        // Not tried again: the second answer to a lost first one would be a conflict with ourselves.
        let made = limited(self.api.create(&PostParams::default(), &secret)).await;
        let made =
            made.inspect_err(|_| self.seen.forget()).map_err(self.failed("create", version))?;
        writing.done(made.metadata.resource_version.as_deref());
        let stored = Stored {
            created: made.metadata.creation_timestamp.map(|t| t.0),
            resource_version: made.metadata.resource_version,
            ..stored
        };
        self.seen.wrote(summary(&secret.metadata), &stored);
        Ok(stored)
    }

    /// Writes a revision again; [`Error::Conflict`] if someone else has written it since it was read.
    pub async fn update(&self, stored: &mut Stored) -> Result<(), Error> {
        let version = stored.record.version;
        let (key, secret) = (self.key(version), self.secret(stored, "modifiedAt")?);
        let writing = self.written.begin(&self.release);
        let made = limited(self.api.replace(&key, &PostParams::default(), &secret)).await;
        let made =
            made.inspect_err(|_| self.seen.forget()).map_err(self.failed("update", version))?;
        writing.done(made.metadata.resource_version.as_deref());
        stored.resource_version = made.metadata.resource_version;
        self.seen.wrote(summary(&secret.metadata), stored);
        Ok(())
    }

    pub async fn delete(&self, version: u32) -> Result<(), Error> {
        let (key, params) = (self.key(version), DeleteParams::default());
        match unconditional(|| self.api.delete(&key, &params)).await {
            Err(e) if !is_code(&e, 404) => {
                self.seen.forget();
                Err(self.failed("delete", version)(e))
            }
            _ => {
                self.seen.removed(version);
                Ok(())
            }
        }
    }

    /// Deletes the oldest of these revisions until `max` are left; never the last deployed one. 0 keeps all.
    pub async fn prune(&self, revisions: &[Summary], max: usize) -> Result<(), Error> {
        for version in surplus(revisions, max) {
            self.delete(version).await?;
        }
        Ok(())
    }

    fn secret(&self, stored: &Stored, stamp: &str) -> Result<Secret, Error> {
        let record = &stored.record;
        let mut data = BTreeMap::from([("release".to_owned(), record.encoded_for_storage()?)]);
        if !stored.renamed_images.is_empty() {
            let text = serde_json::json!(stored.renamed_images).to_string();
            data.insert(RENAMED_IMAGES.to_owned(), text.into_bytes());
        }
        let size = data.values().map(Vec::len).sum();
        if size > MAX_ENCODED {
            return Err(Error::TooLarge { size, limit: MAX_ENCODED });
        }
        let mut labels = record.labels.clone();
        labels.extend([
            ("name".into(), self.release.clone()),
            ("owner".into(), "helm".into()),
            ("status".into(), record.info.status.to_string()),
            ("version".into(), record.version.to_string()),
            (stamp.into(), clock::now().timestamp().to_string()),
        ]);
        let mut annotations = BTreeMap::new();
        annotations.extend(stored.owner.clone().map(|o| (OWNER.into(), o)));
        annotations.extend(stored.chart_digest.clone().map(|d| (CHART_DIGEST.into(), d)));
        let post_rendering = stored.post_rendering.clone();
        annotations.extend(post_rendering.map(|d| (POST_RENDERING.into(), d)));
        annotations.extend(stored.holder.clone().map(|h| (HOLDER.into(), h)));
        if !stored.hooks_succeeded.is_empty() {
            let text = serde_json::json!(stored.hooks_succeeded).to_string();
            annotations.insert(HOOKS_SUCCEEDED.into(), text);
        }
        Ok(Secret {
            metadata: ObjectMeta {
                name: Some(self.key(record.version)),
                namespace: Some(self.namespace.clone()),
                labels: Some(labels),
                annotations: (!annotations.is_empty()).then_some(annotations),
                resource_version: stored.resource_version.clone(),
                ..ObjectMeta::default()
            },
            type_: Some(SECRET_TYPE.into()),
            data: Some(data.into_iter().map(|(key, bytes)| (key, ByteString(bytes))).collect()),
            ..Secret::default()
        })
    }
}

fn summary(metadata: &ObjectMeta) -> Option<Summary> {
    let labels = metadata.labels.as_ref()?;
    let annotation = |name| metadata.annotations.as_ref()?.get(name).cloned();
    let stamp = labels.get("modifiedAt").or_else(|| labels.get("createdAt"));
    Some(Summary {
        version: labels.get("version")?.parse().ok()?,
        status: Status::parse(labels.get("status")?),
        owner: annotation(OWNER),
        chart_digest: annotation(CHART_DIGEST),
        modified: stamp.and_then(|s| s.parse().ok()).and_then(|s| DateTime::from_timestamp(s, 0)),
    })
}

/// Which revisions are too many: the oldest, but neither the last deployed nor the newest one.
fn surplus(revisions: &[Summary], max: usize) -> Vec<u32> {
    if max == 0 {
        return Vec::new();
    }
    let deployed = revisions.iter().rev().find(|r| r.status == Status::Deployed).map(|r| r.version);
    let newest = revisions.last().map(|r| r.version);
    revisions
        .iter()
        .map(|r| r.version)
        .filter(|version| Some(*version) != deployed && Some(*version) != newest)
        .take(revisions.len().saturating_sub(max))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_deployed_revision_is_never_pruned() {
        use Status::{Deployed, Failed, Superseded};
        let history = Summary::history(&[Superseded, Deployed, Failed, Failed, Failed]);
        assert_eq!(surplus(&history, 0), [0; 0]);
        assert_eq!(surplus(&history, 5), [0; 0]);
        assert_eq!(surplus(&history, 3), [1, 3]);
        assert_eq!(surplus(&history, 1), [1, 3, 4]);
    }

    #[test]
    fn metadata_of_a_secret() {
        let metadata: ObjectMeta = serde_json::from_value(serde_json::json!({
            "labels": {"version": "7", "status": "pending-upgrade", "createdAt": "1700000000"},
            "annotations": {"cd.qdrant.io/owner": "pod-1"},
        }))
        .expect("metadata");
        let found = summary(&metadata).expect("a revision");
        assert_eq!((found.version, found.status), (7, Status::PendingUpgrade));
        assert_eq!(found.owner.as_deref(), Some("pod-1"));
        assert_eq!(found.modified.map(|t| t.timestamp()), Some(1_700_000_000));
        assert_eq!(summary(&ObjectMeta::default()), None);
    }
}
