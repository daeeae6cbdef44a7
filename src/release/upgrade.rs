//! The next revision of a release.

use chrono::{DateTime, Utc};
use pinnace_engine::Rendered;
use pinnace_registry::RenamedImages;
use serde_json::{Map, Value};

use super::record::{Execution, Hook, Info, Record, Status, apply_method};
use super::storage::Stored;
use super::{Context, Error, Options, deploy};
use crate::cluster::Object;
use crate::cluster::apply::Method;

/// What a revision is to be.
pub struct Wanted<'a> {
    pub release: &'a str,
    pub namespace: &'a str,
    /// The `chart` member of the record.
    pub chart: Value,
    /// Digest of the chart's OCI manifest, where it came from a registry.
    pub chart_digest: Option<&'a str>,
    /// Digest of what was changed of the rendered objects, if anything was.
    pub post_rendering: Option<String>,
    /// What images of the objects were called before they were renamed.
    pub renamed_images: RenamedImages,
    /// The values that the user gave.
    pub config: Map<String, Value>,
    pub rendered: &'a Rendered,
    pub now: DateTime<Utc>,
}

impl Wanted<'_> {
    /// The pending record of revision `version`.
    pub(super) fn record(
        &self,
        version: u32,
        status: Status,
        first_deployed: Option<DateTime<Utc>>,
        description: &str,
        method: Method,
    ) -> Record {
        let hooks = self.rendered.hooks.iter().map(|hook| Hook {
            name: hook.name.clone(),
            kind: hook.kind.clone(),
            path: hook.path.clone(),
            manifest: hook.manifest.clone(),
            events: hook.events.clone(),
            last_run: Execution::default(),
            weight: hook.weight,
            delete_policies: hook.delete_policies.clone(),
            output_log_policies: hook.output_log_policies.clone(),
        });
        Record {
            name: self.release.to_owned(),
            info: Info {
                first_deployed: first_deployed.or(Some(self.now)),
                last_deployed: Some(self.now),
                description: description.to_owned(),
                status,
                notes: self.rendered.notes.clone(),
                ..Info::default()
            },
            chart: self.chart.clone(),
            config: self.config.clone(),
            manifest: self.rendered.manifest(),
            hooks: hooks.collect(),
            version,
            namespace: self.namespace.to_owned(),
            apply_method: apply_method(method),
            labels: Default::default(),
        }
    }

    /// Whether a Secret can hold the record; before anything is written.
    pub fn check_size(&self) -> Result<(), Error> {
        let (version, method) = (u32::MAX, Method::default());
        let record = self.record(version, Status::PendingUpgrade, None, "", method);
        record.encoded_for_storage().map(|_| ())
    }

    /// The pending revision as it is stored.
    pub(super) fn stored(&self, record: Record, owner: &str) -> Stored {
        let chart_digest = self.chart_digest.map(str::to_owned);
        Stored::new(record, owner, chart_digest)
            .changed(self.post_rendering.clone(), self.renamed_images.clone())
    }

    /// The definitions of the chart's crds/ folder.
    pub fn crds(&self) -> Result<Vec<Object>, Error> {
        let mut objects = Vec::new();
        for file in &self.rendered.crds {
            objects.extend(Object::parse_all(&file.content, &file.filename)?);
        }
        Ok(objects)
    }
}

/// Upgrades the release to what is wanted. `latest` is its newest revision, whatever became of it. The chart's
/// definitions are there already ([`deploy::definitions`]).
pub async fn run(
    ctx: &Context<'_>,
    wanted: &Wanted<'_>,
    latest: &Record,
    options: &Options,
) -> Result<Stored, Error> {
    let first = latest.info.first_deployed;
    let method = options.method.unwrap_or(latest.method());
    let (version, status) = (latest.version + 1, Status::PendingUpgrade);
    let mut record = wanted.record(version, status, first, "Preparing upgrade", method);
    record.labels.clone_from(&latest.labels);
    let stored = wanted.stored(record, ctx.identity);
    let stored = ctx.storage.create(stored).await?;
    deploy::run(ctx, stored, options).await
}
