//! The next revision of a release.

use std::sync::Arc;

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
#[derive(Clone)]
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
    pub rendered: Rendered,
    pub now: DateTime<Utc>,
}

/// What the record of a pending revision says besides what is wanted.
pub(super) struct Pending<'a> {
    pub version: u32,
    pub status: Status,
    /// None: now.
    pub first_deployed: Option<DateTime<Utc>>,
    pub description: &'a str,
    pub method: Method,
}

impl Wanted<'_> {
    /// The pending revision as it is stored. It takes what is wanted with it: a chart may be large, and the release
    /// may wait for long.
    pub(super) fn stored(self, pending: Pending<'_>, owner: &str) -> Stored {
        let manifest = self.rendered.manifest();
        let hooks = self.rendered.hooks.into_iter().map(|hook| Hook {
            name: hook.name,
            kind: hook.kind,
            path: hook.path,
            manifest: hook.manifest,
            events: hook.events,
            last_run: Execution::default(),
            weight: hook.weight,
            delete_policies: hook.delete_policies,
            output_log_policies: hook.output_log_policies,
        });
        let record = Record {
            name: self.release.to_owned(),
            info: Info {
                first_deployed: pending.first_deployed.or(Some(self.now)),
                last_deployed: Some(self.now),
                description: pending.description.to_owned(),
                status: pending.status,
                notes: self.rendered.notes,
                ..Info::default()
            },
            chart: Arc::new(self.chart),
            config: self.config,
            manifest,
            hooks: hooks.collect(),
            version: pending.version,
            namespace: self.namespace.to_owned(),
            apply_method: apply_method(pending.method),
            labels: Default::default(),
        };
        Stored::new(record, owner, self.chart_digest.map(str::to_owned))
            .changed(self.post_rendering, self.renamed_images)
    }

    /// Whether a Secret can hold the record; before anything is written.
    pub fn check_size(&self) -> Result<(), Error> {
        let pending = Pending {
            version: u32::MAX,
            status: Status::PendingUpgrade,
            first_deployed: None,
            description: "",
            method: Method::default(),
        };
        let stored = self.clone().stored(pending, "");
        stored.record.encoded_for_storage().map(|_| ())
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
    wanted: Wanted<'_>,
    latest: Record,
    options: &Options,
) -> Result<Stored, Error> {
    let stored = ctx.storage.create(after(latest, wanted, ctx.identity, options)).await?;
    deploy::run(ctx, stored, options).await
}

/// The pending revision that comes after `latest`.
fn after(latest: Record, wanted: Wanted<'_>, owner: &str, options: &Options) -> Stored {
    let pending = Pending {
        version: latest.version + 1,
        status: Status::PendingUpgrade,
        first_deployed: latest.info.first_deployed,
        description: "Preparing upgrade",
        method: options.method.unwrap_or(latest.method()),
    };
    let mut stored = wanted.stored(pending, owner);
    stored.record.labels = latest.labels;
    stored
}
