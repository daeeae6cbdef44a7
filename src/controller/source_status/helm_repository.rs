//! One look at a HelmRepository: whether charts can be asked of it. Nothing is fetched for a repository itself, as in
//! Flux for type oci.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use pinnace_registry::Reference;

use super::conditions::{Said, conditions};
use super::{Keeper, Look, Source};
use crate::api::annotation;
use crate::api::helm_repository::{HelmRepository, HelmRepositoryStatus};
use crate::cluster::clock;
use crate::controller::source::Kind;
use crate::controller::unsupported;
use crate::model::condition::reason;

impl Source for HelmRepository {
    const KIND: &'static str = "HelmRepository";
    const IS_FETCHED: bool = false;
    type Status = HelmRepositoryStatus;

    fn status(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    fn interval(&self) -> Option<Duration> {
        None
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    fn secrets(&self) -> Vec<String> {
        let spec = &self.spec;
        let named = [&spec.secret_ref, &spec.cert_secret_ref, &spec.proxy_secret_ref];
        named.into_iter().flatten().map(|secret| secret.name.clone()).collect()
    }

    fn look<'a>(&'a self, _: &'a Keeper) -> BoxFuture<'a, Look<Self::Status>> {
        let status = status(self, clock::timestamp());
        std::future::ready(Look { status, again: None }).boxed()
    }
}

fn status(object: &HelmRepository, now: Timestamp) -> HelmRepositoryStatus {
    let mut status = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or(1);
    let bad = |reason, message: String| Some((reason, message));
    // A chart's name follows the address.
    let probe = format!("{}/chart", object.spec.url.trim_end_matches('/'));
    let refused = match (unsupported::repository(object), Reference::parse(&probe)) {
        (Some(refused), _) => bad(reason::UNSUPPORTED, refused.to_string()),
        (None, Err(invalid)) => bad("URLInvalid", format!("spec.url: {}", invalid.why())),
        (None, Ok(_)) => None,
    };
    let said = match &refused {
        Some((reason, message)) => Said::Bad { reason, message, kind: Kind::Stalled },
        None => Said::Good {
            reason: "Succeeded",
            message: "Helm repository is ready",
            stored: false,
            verified: None,
        },
    };
    status.url = refused.is_none().then(|| object.spec.url.clone());
    status.conditions = conditions(&status.conditions, generation, &said, now);
    status.observed_generation = Some(generation);
    status.last_handled_reconcile_at = object.annotations().get(annotation::REQUESTED_AT).cloned();
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_repository_says_whether_charts_can_be_asked_of_it() {
        let said = |spec: Value| {
            let object = serde_json::from_value(json!({
                "apiVersion": "cd.qdrant.io/v1", "kind": "HelmRepository",
                "metadata": {"name": "r", "namespace": "n", "generation": 4}, "spec": spec,
            }));
            let status = status(&object.expect("a repository"), Timestamp::UNIX_EPOCH);
            assert_eq!(status.observed_generation, Some(4));
            let ready = &status.conditions[0];
            (ready.status.clone(), ready.reason.clone(), status.conditions.len(), status.url)
        };
        let url = "oci://r.test/charts";
        assert_eq!(
            said(json!({"type": "oci", "url": url})),
            ("True".into(), "Succeeded".into(), 1, Some(url.into()))
        );
        for (spec, reason) in [
            (json!({"type": "oci", "url": url, "provider": "aws"}), "Unsupported"),
            (json!({"type": "default", "url": "https://r.test"}), "Unsupported"),
            (json!({"type": "oci", "url": "oci://R test"}), "URLInvalid"),
        ] {
            assert_eq!(said(spec), ("False".into(), reason.into(), 3, None));
        }
    }
}
