//! The dashboard and the alerts of the agent's chart, held against the numbers of a real agent.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::world::{AGENT, World};

#[tokio::test(flavor = "multi_thread")]
async fn every_number_that_is_shown_is_measured() {
    let world = World::get().await;
    let site = world.install("monitoring").await;
    site.until_running(AGENT, "1.0.0").await;
    let pod = site.kubectl(&[
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/name=qdrant-cloud-agent",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ]);
    let path = format!("/api/v1/namespaces/{}/pods/{pod}:9090/proxy/metrics", site.namespace);
    let measured = site.kubectl(&["get", "--raw", &path]);

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/qdrant-cloud-agent/monitoring");
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect(file);
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).expect("JSON");
    let alerts: Value = serde_saphyr::from_str(&read("alerts.yaml")).expect("YAML");
    let mut expressions = Vec::new();
    collect(&dashboard, &mut expressions);
    collect(&alerts, &mut expressions);
    assert!(expressions.len() > 12, "{expressions:?}");
    let mut wrong = Vec::new();
    for expression in &expressions {
        for selector in selectors(expression) {
            if !is_measured(&measured, &selector) {
                wrong.push(format!("{selector:?} of {expression}"));
            }
        }
    }
    assert!(wrong.is_empty(), "nobody measures these:\n{}\n\n{measured}", wrong.join("\n"));
    site.done().await;
}

/// Every `expr` of a document.
fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(name, value)| match value {
            Value::String(text) if name == "expr" => into.push(text.clone()),
            value => collect(value, into),
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}

/// A metric with the labels that an expression asks of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Selector {
    metric: String,
    labels: Vec<(String, String)>,
}

/// Labels that Prometheus adds to what a pod prints.
const ADDED: [&str; 3] = ["namespace", "pod", "job"];

/// The metrics of an expression of PromQL.
fn selectors(expression: &str) -> BTreeSet<Selector> {
    let grouping = Regex::new(r"\b(by|without|on|ignoring)\s*\([^)]*\)").expect("a pattern");
    let expression = grouping.replace_all(expression, " ");
    let metric = Regex::new(r"([a-z_][a-z0-9_]+)\s*(\{[^}]*\})?\s*(\()?").expect("a pattern");
    let label = Regex::new(r#"([a-z_]+)\s*(=|!=|=~|!~)\s*"([^"]*)""#).expect("a pattern");
    let words = ["and", "or", "unless", "bool", "offset"];
    let durations = Regex::new(r"\[[^\]]*\]").expect("a pattern");
    let expression = durations.replace_all(&expression, " ");
    metric
        .captures_iter(&expression)
        .filter(|found| found.get(3).is_none() && !words.contains(&&found[1]))
        .map(|found| {
            let labels = found.get(2).map_or("", |labels| labels.as_str());
            let labels = label.captures_iter(labels).filter(|l| !ADDED.contains(&&l[1]));
            // What is asked for by another operator need not be there at the moment.
            let labels = labels.map(|l| {
                let value = if &l[2] == "=" { l[3].to_owned() } else { String::new() };
                (l[1].to_owned(), value)
            });
            Selector { metric: found[1].to_owned(), labels: labels.collect() }
        })
        .collect()
}

fn is_measured(measured: &str, selector: &Selector) -> bool {
    measured.lines().any(|line| {
        let rest = line.strip_prefix(&selector.metric);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            && selector.labels.iter().all(|(name, value)| match value.as_str() {
                "" => line.contains(&format!("{name}=\"")),
                value => line.contains(&format!("{name}=\"{value}\"")),
            })
    })
}

#[test]
fn the_reader_of_expressions_sees_what_they_ask_for() {
    let selector = |metric: &str, labels: &[(&str, &str)]| Selector {
        metric: metric.into(),
        labels: labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
    };
    let found = selectors(
        r#"sum by (le) (rate(a_bucket{kind="X", result!~"x|y", namespace="n"}[5m])) / b_total > 0 and c == 1"#,
    );
    let a = selector("a_bucket", &[("kind", "X"), ("result", "")]);
    // Names of one letter are no metrics of ours.
    assert_eq!(found, BTreeSet::from([a, selector("b_total", &[])]));
    let text = "a_bucket{kind=\"X\",result=\"z\",le=\"1\"} 3\nb_total 1\n";
    assert!(found.iter().all(|selector| is_measured(text, selector)));
    assert!(!is_measured(text, &selector("b", &[])));
    assert!(!is_measured(text, &selector("a_bucket", &[("kind", "Y")])));
}
