//! One look at an OCIRepository: its reference becomes a digest, whose chart is verified and pulled.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use pinnace_registry::Manifest;

use super::conditions::{Said, conditions};
use super::{Keeper, Look, Source};
use crate::api::annotation;
use crate::api::artifact::{Artifact, Verification};
use crate::api::oci_repository::{OciRepository, OciRepositoryStatus};
use crate::cluster::clock;
use crate::controller::source::{Error, Kind, Pulled};
use crate::controller::unsupported;

impl Source for OciRepository {
    const KIND: &'static str = "OCIRepository";
    const IS_FETCHED: bool = true;
    type Status = OciRepositoryStatus;

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
        let spec = &self.spec;
        let named = [&spec.secret_ref, &spec.cert_secret_ref, &spec.proxy_secret_ref];
        let verify = spec.verify.iter().flat_map(Verification::secrets);
        named.into_iter().flatten().chain(verify).map(|secret| secret.name.clone()).collect()
    }

    fn look<'a>(&'a self, keeper: &'a Keeper) -> BoxFuture<'a, Look<Self::Status>> {
        async move {
            let found = match unsupported::oci_repository(self) {
                Some(refused) => {
                    Err(Error::Unsupported { kind: Self::KIND, name: self.name_any(), refused })
                }
                None => keeper.sources.of_artifact(self).await,
            };
            let again = found.as_ref().err().and_then(again);
            Look { status: status(self, found.as_ref(), clock::timestamp()), again }
        }
        .boxed()
    }
}

/// When a failure is a reason to look again before the spec changes.
pub fn again(error: &Error) -> Option<Option<Duration>> {
    (error.class().kind != Kind::Stalled).then(|| error.retry_after())
}

fn status(
    object: &OciRepository,
    found: Result<&Pulled, &Error>,
    now: Timestamp,
) -> OciRepositoryStatus {
    let mut status = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or(1);
    let message = match found {
        Ok(pulled) => {
            let artifact = artifact(pulled, now);
            let message = format!("stored artifact for digest '{}'", artifact.revision);
            let old = status.artifact.take();
            let same = |old: &Artifact| {
                Artifact { last_update_time: artifact.last_update_time.clone(), ..old.clone() }
                    == artifact
            };
            status.artifact = Some(old.filter(same).unwrap_or(artifact));
            status.url = Some(pulled.url.clone());
            status.observed_ignore.clone_from(&object.spec.ignore);
            status.observed_layer_selector.clone_from(&object.spec.layer_selector);
            message
        }
        Err(error) => error.to_string(),
    };
    let said = match found {
        Ok(pulled) => Said::Good {
            reason: "Succeeded",
            message: &message,
            stored: true,
            verified: pulled.signed.as_ref(),
        },
        Err(error) => Said::failed(error, &message, false),
    };
    status.conditions = conditions(&status.conditions, generation, &said, now);
    status.observed_generation = Some(generation);
    status.last_handled_reconcile_at = object.annotations().get(annotation::REQUESTED_AT).cloned();
    status
}

/// As Flux tells of it, but that the layer is had from the registry.
fn artifact(pulled: &Pulled, now: Timestamp) -> Artifact {
    let manifest = Manifest::parse(&pulled.manifest).ok();
    let layer = match &manifest {
        Some(Manifest::Image(image)) => image
            .layers
            .iter()
            .find(|layer| unsupported::is_chart_layer(&layer.media_type))
            .map(|layer| layer.digest.to_string()),
        _ => None,
    };
    let digest = &pulled.digest;
    Artifact {
        digest: layer.unwrap_or_else(|| digest.clone()),
        last_update_time: Time(now),
        metadata: manifest.as_ref().and_then(Manifest::annotations).cloned().unwrap_or_default(),
        path: String::new(),
        revision: match &pulled.tag {
            Some(tag) => format!("{tag}@{digest}"),
            None => digest.clone(),
        },
        size: i64::try_from(pulled.size).ok(),
        url: format!("{}@{digest}", pulled.url),
    }
}
