//! Helm 3's rules of readiness: pure.

use kube::api::DynamicObject;
use serde_json::Value;

use super::Readiness::{self, Failed, InProgress, Ready};
use super::readiness;

/// How far an object is by the rules of Helm 3 (`pkg/kube/ready.go`), which `waitStrategy: legacy` stands for: a
/// Deployment may lack as many pods as its strategy allows, and what can still change counts as being on its way.
pub fn legacy(object: &DynamicObject) -> Readiness {
    let found = readiness(object);
    let types = object.types.as_ref();
    let is = |api_version: &str, kind: &str| {
        types.is_some_and(|t| t.api_version == api_version && t.kind == kind)
    };
    if is("batch/v1", "Job") {
        return found;
    }
    if is("apps/v1", "Deployment") && found != Ready {
        let count = |name: &str| object.data["status"][name].as_i64().unwrap_or(0);
        let wanted = object.data["spec"]["replicas"].as_i64().unwrap_or(1);
        let enough = wanted - max_unavailable(&object.data["spec"]["strategy"], wanted);
        let seen = object.data["status"]["observedGeneration"].as_i64().unwrap_or(0)
            >= object.metadata.generation.unwrap_or(0);
        if seen && count("updatedReplicas") >= enough && count("readyReplicas") >= enough {
            return Ready;
        }
    }
    match found {
        Failed(why) => InProgress(why),
        other => other,
    }
}

/// How many pods of a Deployment may be missing in a rolling update; a quarter if nothing is said.
fn max_unavailable(strategy: &Value, wanted: i64) -> i64 {
    if strategy["type"] == "Recreate" {
        return 0;
    }
    match &strategy["rollingUpdate"]["maxUnavailable"] {
        Value::Number(number) => number.as_i64().unwrap_or(0).clamp(0, wanted),
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            (wanted * percent.clamp(0, 100)) / 100
        }
        _ => wanted / 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_may_lack_what_its_strategy_allows() {
        let deployment = |ready: i64, strategy: Value| {
            let object: DynamicObject = serde_json::from_value(json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "generation": 1},
                "spec": {"replicas": 4, "strategy": strategy},
                "status": {
                    "observedGeneration": 1, "replicas": 4, "updatedReplicas": 4, "readyReplicas": ready,
                    "availableReplicas": ready,
                    "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}],
                },
            }))
            .expect("an object");
            legacy(&object) == Ready
        };
        let rolling = |max: Value| json!({"rollingUpdate": {"maxUnavailable": max}});
        assert!(deployment(3, json!({})) && !deployment(2, json!({})));
        assert!(deployment(2, rolling(json!("50%"))) && deployment(2, rolling(json!(2))));
        assert!(!deployment(3, rolling(json!(0))) && !deployment(3, json!({"type": "Recreate"})));
    }
}
