//! What an OCIRepository or a HelmChart has found, for the releases that name it: pure, by its status alone.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use pinnace_engine::Chart;
use pinnace_engine::version::Version;
use pinnace_registry::Digest;

use super::Error;
use crate::api::artifact::Artifact;
use crate::api::helm_chart::HelmChart;
use crate::api::oci_repository::OciRepository;
use crate::model::condition::{READY, STALLED};

/// Digits of the digest that a chart's version ends with, as in Flux.
const DIGITS: usize = 12;

/// The digest of the manifest that a HelmChart has found.
pub fn of_chart(chart: &HelmChart) -> Result<Digest, Error> {
    let status = chart.status.clone().unwrap_or_default();
    let whose = Whose { kind: "HelmChart", namespace: chart.namespace(), name: chart.name_any() };
    let suspended = chart.spec.suspend == Some(true);
    let newest = status.observed_generation == chart.metadata.generation;
    let found = whose.ready(suspended, newest, &status.conditions, status.artifact.as_ref())?;
    found.digest.parse().map_err(|_| whose.not_ready("its artifact has no digest"))
}

/// The tag, if it was found by one, and the digest of the manifest that an OCIRepository has found.
pub fn of_oci_repository(object: &OciRepository) -> Result<(Option<String>, Digest), Error> {
    let status = object.status.clone().unwrap_or_default();
    let whose =
        Whose { kind: "OCIRepository", namespace: object.namespace(), name: object.name_any() };
    let suspended = object.spec.suspend == Some(true);
    let newest = status.observed_generation == object.metadata.generation;
    let found = whose.ready(suspended, newest, &status.conditions, status.artifact.as_ref())?;
    let (tag, digest) = match found.revision.split_once('@') {
        Some((tag, digest)) => (Some(tag.to_owned()), digest),
        None => (None, found.revision.as_str()),
    };
    let digest = digest.parse().map_err(|_| whose.not_ready("its artifact has no digest"))?;
    Ok((tag, digest))
}

/// The object that is spoken of.
struct Whose {
    kind: &'static str,
    namespace: Option<String>,
    name: String,
}

impl Whose {
    fn not_ready(&self, why: &str) -> Error {
        Error::NotReady {
            kind: self.kind,
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone(),
            why: why.to_owned(),
        }
    }

    /// What was found in the newest generation. Of a suspended object that is what it has, as in Flux.
    fn ready<'a>(
        &self,
        suspended: bool,
        newest: bool,
        conditions: &[Condition],
        artifact: Option<&'a Artifact>,
    ) -> Result<&'a Artifact, Error> {
        let says = |type_: &str, status: &str| {
            let found = conditions.iter().find(|c| c.type_ == type_ && c.status == status);
            found.map(|c| c.message.as_str())
        };
        let why = match (suspended, newest, says(STALLED, "True"), says(READY, "False")) {
            (true, ..) => None,
            (_, _, Some(why), _) | (_, _, _, Some(why)) => Some(why),
            (_, false, ..) => Some("latest generation of object has not been reconciled"),
            _ => None,
        };
        match (why, artifact) {
            (Some(why), _) => Err(self.not_ready(why)),
            (None, None) => Err(self.not_ready("does not have an artifact")),
            (None, Some(artifact)) => Ok(artifact),
        }
    }
}

/// The chart under a version that ends with a part of its digest, in the place of any build metadata. A tag that is
/// a version has to be the chart's.
pub fn told_apart(chart: &Chart, tag: Option<&str>, digest: &str) -> Result<Arc<Chart>, Error> {
    let version = chart.version();
    if let Some(tag) = tag
        && let Ok(tagged) = Version::parse(&tag.replace('_', "+"))
        && Version::parse(version).is_ok_and(|own| own.compare(&tagged).is_ne())
    {
        return Err(Error::Mutation { tag: tag.to_owned(), version: version.to_owned() });
    }
    let digits: String = digest.trim_start_matches("sha256:").chars().take(DIGITS).collect();
    let plain = version.split('+').next().unwrap_or_default();
    Ok(Arc::new(chart.with_version(&format!("{plain}+{digits}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(spec: Value, status: Value) -> OciRepository {
        let mut all = json!({"url": "oci://r.test/web", "interval": "1m"});
        json_patch::merge(&mut all, &spec);
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v1", "kind": "OCIRepository",
            "metadata": {"name": "a", "namespace": "n", "generation": 2}, "spec": all, "status": status,
        }))
        .expect("an object")
    }

    fn condition(type_: &str, status: &str) -> Value {
        json!({
            "type": type_, "status": status, "reason": "R", "message": "told so",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    }

    #[test]
    fn only_what_the_newest_generation_found_counts() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let artifact = json!({
            "digest": "sha256:b", "lastUpdateTime": "2026-01-01T00:00:00Z", "path": "", "url": "u",
            "revision": format!("1.0.0@{digest}"),
        });
        let status = |generation: i64, conditions: Value| json!({"observedGeneration": generation, "conditions": conditions, "artifact": artifact});
        let good =
            of_oci_repository(&object(json!({}), status(2, json!([condition("Ready", "True")]))));
        let (tag, found) = good.expect("ready");
        assert_eq!((tag.as_deref(), found.as_str()), (Some("1.0.0"), digest.as_str()));
        for (status, why) in [
            (status(1, json!([])), "latest generation of object has not been reconciled"),
            (status(2, json!([condition("Ready", "False")])), "told so"),
            (status(1, json!([condition("Stalled", "True")])), "told so"),
            (json!({"observedGeneration": 2}), "does not have an artifact"),
        ] {
            let error = of_oci_repository(&object(json!({}), status)).expect_err(why).to_string();
            assert_eq!(error, format!("OCIRepository 'n/a' is not ready: {why}"));
        }
        let suspended = object(json!({"suspend": true}), status(1, json!([])));
        assert!(of_oci_repository(&suspended).is_ok(), "it has what it has");
    }
}
