//! One look at a HelmChart that somebody made; those of a HelmRelease's template are told by the release itself.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::conditions::{Said, conditions};
use super::oci_repository::again;
use super::{Keeper, Look, Source};
use crate::api::annotation;
use crate::api::artifact::{Artifact, Verification};
use crate::api::helm_chart::{HelmChart, HelmChartStatus};
use crate::cluster::clock;
use crate::controller::source::{Error, Pulled};
use crate::controller::unsupported;

const PULLED: &str = "ChartPullSucceeded";
/// The chart has other values than it was published with.
const PACKAGED: &str = "ChartPackageSucceeded";

impl Source for HelmChart {
    const KIND: &'static str = "HelmChart";
    const IS_FETCHED: bool = true;
    type Status = HelmChartStatus;

    fn status(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    fn interval(&self) -> Option<Duration> {
        Some(self.spec.interval.get())
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    fn secrets(&self) -> Vec<String> {
        let verify = self.spec.verify.iter().flat_map(Verification::secrets);
        verify.map(|secret| secret.name.clone()).collect()
    }

    fn look<'a>(&'a self, keeper: &'a Keeper) -> BoxFuture<'a, Look<Self::Status>> {
        async move {
            let found = match unsupported::chart(self) {
                Some(refused) => {
                    Err(Error::Unsupported { kind: Self::KIND, name: self.name_any(), refused })
                }
                None => keeper.sources.of_chart(self).await,
            };
            let again = found.as_ref().err().and_then(again);
            let before = self.status.clone().unwrap_or_default();
            let generation = self.metadata.generation.unwrap_or(1);
            let files = &self.spec.values_files;
            let mut status = status(before, generation, files, found.as_ref(), clock::timestamp());
            status.last_handled_reconcile_at =
                self.annotations().get(annotation::REQUESTED_AT).cloned();
            Look { status, again }
        }
        .boxed()
    }
}

/// What a HelmChart says after a look: which chart was pulled, or why none was.
pub fn status(
    mut status: HelmChartStatus,
    generation: i64,
    values_files: &[String],
    found: Result<&Pulled, &Error>,
    now: Timestamp,
) -> HelmChartStatus {
    let message = match found {
        Ok(pulled) => {
            let (name, version) = (pulled.chart.name(), pulled.chart.version());
            let same = |old: &Artifact| old.digest == pulled.digest && old.revision == version;
            if !status.artifact.as_ref().is_some_and(same) {
                status.artifact = Some(Artifact {
                    digest: pulled.digest.clone(),
                    last_update_time: Time(now),
                    metadata: Default::default(),
                    path: String::new(),
                    revision: version.to_owned(),
                    size: i64::try_from(pulled.size).ok(),
                    url: format!("{}@{}", pulled.url, pulled.digest),
                });
            }
            status.url = Some(pulled.url.clone());
            status.observed_chart_name = Some(name.to_owned());
            status.observed_values_files = values_files.to_vec();
            match values_files {
                [] => format!("pulled '{name}' chart with version '{version}'"),
                files => format!(
                    "packaged '{name}' chart with version '{version}' and merged values files [{}]",
                    files.join(" ")
                ),
            }
        }
        Err(error) => error.to_string(),
    };
    let said = match found {
        Ok(pulled) => Said::Good {
            reason: if values_files.is_empty() { PULLED } else { PACKAGED },
            message: &message,
            stored: true,
            verified: pulled.signed.as_ref(),
        },
        Err(error) => Said::failed(error, &message, true),
    };
    status.conditions = conditions(&status.conditions, generation, &said, now);
    status.observed_generation = Some(generation);
    status
}
