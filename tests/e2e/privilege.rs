//! What the agents did, in the words of the API server's audit log, beside what their chart lets them do.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::{AGENT, OPERATOR, Site, World};

/// Cluster-scoped things that the agent may read.
const READS: &[&str] = &[
    "nodes",
    "storageclasses",
    "volumesnapshotclasses",
    "volumeattributesclasses",
    "customresourcedefinitions",
    "clusterroles",
    "clusterrolebindings",
    "namespaces",
];

/// What charts may be made of, whether or not those of this test are.
const OF_CHARTS: &[&str] = &[
    "secrets",
    "configmaps",
    "services",
    "serviceaccounts",
    "persistentvolumeclaims",
    "pods",
    "deployments.apps",
    "statefulsets.apps",
    "jobs.batch",
    "poddisruptionbudgets.policy",
    "networkpolicies.networking.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
];
/// What the controller does with objects of charts.
const WITH_CHARTS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// Rights that are held without a call that shows it, each with its reason.
const SILENT: &[(&str, &str, &str)] = &[
    // Clusters with the admission plugin OwnerReferencesPermissionEnforcement ask for these.
    ("helmreleases.cd.qdrant.io/finalizers", "update", "owner references"),
    ("helmcharts.cd.qdrant.io/finalizers", "update", "owner references"),
    ("helmrepositories.cd.qdrant.io/finalizers", "update", "owner references"),
    (
        "qdrantclusters.qdrant.io/finalizers",
        "update",
        "owner references; the operator's Role holds it",
    ),
    ("qdrantclusters.qdrant.io/status", "get", "the operator's Role holds it"),
    ("qdrantclusters.qdrant.io/status", "patch", "the operator's Role holds it"),
    ("namespaces", "get", "install.createNamespace finds it there"),
    (
        "helmreleases.cd.qdrant.io",
        "get",
        "read again when a write met another one, or an attempt ended early",
    ),
    ("volumesnapshotclasses.snapshot.storage.k8s.io", "watch", "the kind is not in this cluster"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_has_the_rights_that_it_uses_and_no_others() {
    let world = World::get().await;
    let site = world.install("privilege").await;
    exercise(&site, world).await;

    let user = format!("system:serviceaccount:{}:{AGENT}", site.namespace);
    let events = world.audit();
    let own: Vec<&Value> =
        events.iter().filter(|event| event["user"]["username"] == user.as_str()).collect();
    assert!(own.len() > 50, "the audit log has only {} requests of {user}", own.len());
    let mut wrong: Vec<String> =
        own.iter().filter(|event| goes_too_far(event, &site)).map(|event| told(event)).collect();
    wrong.sort();
    wrong.dedup();
    assert!(
        wrong.is_empty(),
        "{user} went too far, or asked for what it may not:\n{}",
        wrong.join("\n")
    );

    let used: BTreeSet<(String, String)> = own.iter().filter_map(|event| call(event)).collect();
    let cluster_role = format!("clusterrole/{}-{AGENT}", site.namespace);
    let mut granted = BTreeSet::new();
    for role in [format!("role/{AGENT}"), cluster_role] {
        let role: Value =
            serde_json::from_str(&site.kubectl(&["get", &role, "-o", "json"])).expect("a role");
        granted.extend(rules(&role));
    }
    let operators: Value =
        serde_json::from_str(&site.kubectl(&["get", &format!("role/{OPERATOR}"), "-o", "json"]))
            .expect("the operator's role");
    // Nobody can grant what they do not have.
    let passed_on = rules(&operators);
    let needed = |right: &(String, String)| {
        let (resource, verb) = (right.0.as_str(), right.1.as_str());
        let patched = (right.0.clone(), "patch".to_owned());
        used.contains(right)
            || passed_on.contains(right)
            // A server-side apply of an object that is not there is logged as a patch.
            || (verb == "create" && used.contains(&patched))
            || (OF_CHARTS.contains(&resource) && WITH_CHARTS.contains(&verb))
            || SILENT.iter().any(|(held, what, _)| *held == resource && *what == verb)
    };
    let surplus: Vec<String> = granted
        .iter()
        .filter(|right| !needed(right))
        .map(|(resource, verb)| format!("{verb} {resource}"))
        .collect();
    assert!(surplus.is_empty(), "the chart grants what nobody uses:\n{}", surplus.join("\n"));
    site.done().await;
}

/// Everything that an agent does: both components upgraded, one rolled back, a database made and deleted.
async fn exercise(site: &Site, world: &World) {
    site.until_running(AGENT, "1.0.0").await;
    site.until_running(OPERATOR, "1.0.0").await;
    let path = format!("{}/{}", world.console.clusters(), site.database(1).await);
    world.console.call("DELETE", &path, None).await.expect("deleted");
    site.until_refused(&path, 404).await;
    site.pin(json!({"agentVersion": "1.1.0", "operatorVersion": "1.1.0"})).await;
    site.until_running(AGENT, "1.1.0").await;
    site.until_running(OPERATOR, "1.1.0").await;
    let timeout = r#"{"spec":{"timeout":"20s"}}"#;
    site.kubectl(&["patch", "helmrelease.cd.qdrant.io", OPERATOR, "--type=merge", "-p", timeout]);
    site.pin(json!({"operatorVersion": "1.2.0"})).await;
    site.until_condition(OPERATOR, "Remediated", "True", "rollback").await;
}

fn goes_too_far(event: &Value, site: &Site) -> bool {
    let object = &event["objectRef"];
    let namespace = object["namespace"].as_str().unwrap_or_default();
    let resource = object["resource"].as_str().unwrap_or_default();
    let verb = event["verb"].as_str().unwrap_or_default();
    let reading = matches!(verb, "get" | "list" | "watch");
    let fine = namespace == site.namespace
        || (namespace.is_empty() && reading && (resource.is_empty() || READS.contains(&resource)))
        || (resource == "qdrantcloudregions" && object["name"] == site.id.as_str())
        || (resource == "qdrantcloudregions" && reading)
        || (reading && resource == "namespaces" && object["name"] == site.namespace.as_str())
        // Asking what one may do changes nothing.
        || resource.starts_with("selfsubject");
    let granted = event["responseStatus"]["code"].as_u64().unwrap_or_default() != 403;
    !fine || !granted
}

fn told(event: &Value) -> String {
    let (object, code) = (&event["objectRef"], &event["responseStatus"]["code"]);
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let verb = event["verb"].as_str().unwrap_or_default();
    format!("{verb} {} {}/{}: {code}", text("resource"), text("namespace"), text("name"))
}

/// `<resource>[.<group>][/<subresource>]` and verb of a request; None for one that is about no object.
fn call(event: &Value) -> Option<(String, String)> {
    let object = &event["objectRef"];
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let resource = object["resource"].as_str()?;
    let part = text("subresource");
    let part = if part.is_empty() { String::new() } else { format!("/{part}") };
    let name = format!("{}{part}", with_group(resource, text("apiGroup")));
    Some((name, event["verb"].as_str()?.to_owned()))
}

fn with_group(resource: &str, group: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

/// Every right of a role, in the same words.
fn rules(role: &Value) -> BTreeSet<(String, String)> {
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                let (resource, part) = match resource.split_once('/') {
                    Some((resource, part)) => (resource.to_owned(), format!("/{part}")),
                    None => (resource, String::new()),
                };
                let name = format!("{}{part}", with_group(&resource, &group));
                rights.extend(texts(&rule["verbs"]).into_iter().map(|verb| (name.clone(), verb)));
            }
        }
    }
    rights
}
