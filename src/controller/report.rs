//! Writes what a HelmRelease says of itself: its status and Events. One patch per step; an unchanged status
//! is not written.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::json;

use super::memory::Memory;
use super::redactor::Redactor;
use super::status::{Draft, Tests};
use crate::api::helm_release::{HelmRelease, HelmReleaseStatus};
use crate::cluster::clock;
use crate::cluster::error::{is_code, unconditional};
use crate::cluster::events::Events;

/// The field manager of what this controller says about objects, as opposed to releases' own objects.
pub const FIELD_MANAGER: &str = "pinnace-controller";

/// The status of one HelmRelease, as written and as it shall be.
pub struct Report {
    api: Api<HelmRelease>,
    events: Events,
    memory: Memory,
    about: ObjectReference,
    name: String,
    generation: i64,
    tests: Tests,
    written: HelmReleaseStatus,
    pub status: HelmReleaseStatus,
    pub redactor: Redactor,
}

impl Report {
    pub fn new(client: Client, events: Events, memory: Memory, release: &HelmRelease) -> Self {
        let written = release.status.clone().unwrap_or_default();
        Self {
            api: Api::namespaced(client, &release.own_namespace()),
            events,
            memory,
            about: release.object_ref(&()),
            name: release.name_any(),
            generation: release.metadata.generation.unwrap_or(0),
            tests: Tests::of(release),
            status: written.clone(),
            written,
            redactor: Redactor::default(),
        }
    }

    /// The status, to be changed as of now.
    pub fn draft(&mut self) -> Draft<'_> {
        let (generation, tests) = (self.generation, self.tests);
        Draft { status: &mut self.status, generation, tests, now: clock::timestamp() }
    }

    /// Writes the status if it has changed. An object that is gone needs none.
    pub async fn save(&mut self) -> Result<(), kube::Error> {
        for condition in &mut self.status.conditions {
            condition.message = self.redactor.redact(&condition.message);
        }
        if self.status == self.written {
            return Ok(());
        }
        let patch = json!({
            "apiVersion": "cd.qdrant.io/v2",
            "kind": "HelmRelease",
            "metadata": {"name": self.name},
            "status": self.status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let apply = Patch::Apply(&patch);
        match unconditional(|| self.api.patch_status(&self.name, &params, &apply)).await {
            Err(error) if !is_code(&error, 404) => Err(error),
            result => {
                if let Ok(written) = &result {
                    self.memory.wrote(written);
                }
                self.written = self.status.clone();
                Ok(())
            }
        }
    }

    pub async fn event(&self, good: bool, reason: &str, message: &str) {
        let message = self.redactor.redact(message);
        tracing::info!(release = self.name, reason, "{message}");
        if good {
            self.events.normal(&self.about, reason, &message).await;
        } else {
            self.events.warning(&self.about, reason, &message).await;
        }
    }
}
