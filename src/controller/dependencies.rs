//! `dependsOn`: releases that have to be ready first.

use kube::api::Api;
use kube::{Client, ResourceExt as _};
use serde_json::Value;

use crate::api::helm_release::{DependencyReference, HelmRelease};
use crate::cluster::error::{explain, retried};
use crate::cluster::expression::{Error as Invalid, Expression};
use crate::model::condition::READY;

/// Why a release has to wait, or cannot go on as its spec is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("dependency {0} is not there")]
    Missing(String),
    #[error("dependency {name} is not ready{}", .says.as_ref().map(|s| format!(": {s}")).unwrap_or_default())]
    NotReady { name: String, says: Option<String> },
    #[error("dependency {name} is not ready: {expression} is false")]
    NotYet { name: String, expression: String },
    #[error("a release cannot depend on itself: remove {0} from spec.dependsOn")]
    Itself(String),
    #[error("spec.dependsOn, {name}: readyExpr: {why}")]
    Expression { name: String, why: Invalid },
    #[error("cannot read dependency {name}: {}", explain(source))]
    Read { name: String, source: kube::Error },
}

impl Error {
    /// Whether only another spec helps.
    pub fn for_good(&self) -> bool {
        match self {
            Self::Itself(_) => true,
            Self::Expression { why, .. } => why.for_good(),
            _ => false,
        }
    }
}

/// Reads every dependency as it is now. The first that is not ready is the error.
pub async fn ready(client: &Client, release: &HelmRelease) -> Result<(), Error> {
    for reference in &release.spec.depends_on {
        let name = name(release, reference);
        let namespace = namespace(release, reference);
        if namespace == release.own_namespace() && reference.name == release.name_any() {
            return Err(Error::Itself(name));
        }
        let api: Api<HelmRelease> = Api::namespaced(client.clone(), &namespace);
        let found = retried(|| api.get_opt(&reference.name)).await;
        let found = found.map_err(|source| Error::Read { name: name.clone(), source })?;
        let dependency = found.ok_or_else(|| Error::Missing(name.clone()))?;
        is_ready(release, &dependency, reference.ready_expr.as_deref(), name)?;
    }
    Ok(())
}

pub fn namespace(release: &HelmRelease, reference: &DependencyReference) -> String {
    reference.namespace.clone().unwrap_or_else(|| release.own_namespace())
}

fn name(release: &HelmRelease, reference: &DependencyReference) -> String {
    format!("{}/{}", namespace(release, reference), reference.name)
}

/// Flux's rule: Ready in its newest generation; an expression takes the rule's place.
fn is_ready(
    release: &HelmRelease,
    dependency: &HelmRelease,
    expression: Option<&str>,
    name: String,
) -> Result<(), Error> {
    if let Some(text) = expression.filter(|text| !text.is_empty()) {
        let failed = |why| Error::Expression { name: name.clone(), why };
        let compiled = Expression::compile(text).map_err(failed)?;
        let value = |object: &HelmRelease| serde_json::to_value(object).unwrap_or(Value::Null);
        let (own, dep) = (value(release), value(dependency));
        return match compiled.holds(&[("self", &own), ("dep", &dep)]).map_err(failed)? {
            true => Ok(()),
            false => Err(Error::NotYet { name, expression: text.to_owned() }),
        };
    }
    let status = dependency.status.as_ref();
    let condition = status.and_then(|s| s.conditions.iter().find(|c| c.type_ == READY));
    let observed = status.and_then(|s| s.observed_generation) == dependency.metadata.generation;
    if observed && condition.is_some_and(|c| c.status == "True") {
        return Ok(());
    }
    let says = condition.filter(|c| c.status == "False").map(|c| c.message.clone());
    Err(Error::NotReady { name, says })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release(ready: &str, observed: i64) -> HelmRelease {
        serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "d", "namespace": "n", "generation": 2},
            "spec": {"interval": "1m"},
            "status": {
                "observedGeneration": observed, "failures": 3,
                "conditions": [{
                    "type": "Ready", "status": ready, "reason": "R", "message": "why",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }],
            },
        }))
        .expect("a release")
    }

    #[test]
    fn a_dependency_is_ready_in_its_newest_generation() {
        let own = release("True", 2);
        for (ready, observed, expression, told) in [
            ("True", 2, None, None),
            ("True", 2, Some(""), None),
            ("True", 1, None, Some("dependency n/d is not ready")),
            ("False", 2, None, Some("dependency n/d is not ready: why")),
            ("Unknown", 2, None, Some("dependency n/d is not ready")),
            ("False", 1, Some("dep.status.failures == 3"), None),
            (
                "True",
                2,
                Some("dep.status.failures < self.status.failures"),
                Some(
                    "dependency n/d is not ready: dep.status.failures < self.status.failures is false",
                ),
            ),
        ] {
            let result = is_ready(&own, &release(ready, observed), expression, "n/d".into());
            let error = result.err().map(|e| e.to_string());
            assert_eq!(error.as_deref(), told, "{ready} {observed} {expression:?}");
        }
    }

    #[test]
    fn a_broken_expression_needs_another_spec() {
        let error = |text: &str| {
            let result =
                is_ready(&release("True", 2), &release("True", 2), Some(text), "n/d".into());
            result.expect_err(text)
        };
        assert!(error("dep.").for_good());
        assert!(error("1").for_good());
        assert!(!error("dep.status.none == 1").for_good());
    }
}
