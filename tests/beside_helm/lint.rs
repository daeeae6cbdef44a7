//! `pinnace lint` beside `helm lint`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use super::{folders, helm, messages, name, pinnace, root, run};

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\nicon: https://c.test/i.png\n";
const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
const SUBCHART: (&str, &str) = ("charts/s/Chart.yaml", "apiVersion: v2\nname: s\nversion: 1.0.0\n");

/// Templates of a chart that is otherwise good.
const TEMPLATES: &[&str] = &[
    "kind: A\nmetadata: {name: a}\n---extra: 1\n",
    "---extra: 1\nkind: A\n",
    "--- # x\nkind: A\nmetadata: {name: a}\n---\n\n---   \nkind: B\nmetadata: {name: b}\n",
    "just text\n",
    "- a\n- b\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 5}\n",
    "apiVersion: v1\nkind: 7\nmetadata: {name: 1e6}\n",
    "APIVERSION: v1\nKind: Service\nMetadata: {Name: 5x}\n",
    "Kind: Secret\nAPIVERSION: v1\nMetadata: {Name: x, Annotations: {helm.sh/hook: pre-install}}\n",
    "kind: Pod\nKind: Namespace\nMetadata: {name: a.b}\nmetadata: null\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: {a: b}}\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {a: {b: c}}}\n",
    "apiVersion: v1\nkind: List\nmetadata: {name: a}\nitems:\n- metadata: {annotations: {helm.sh/resource-policy: keep}}\n",
    "apiVersion: v1\nkind: List\nmetadata: {name: a}\nitems: 5\n",
    "kind: Role\nmetadata: {name: a/b%c}\n---\nkind: Role\nmetadata: {}\n",
    "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: 'a..b'}\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: null\n",
    " kind: A\n metadata: {name: \"a\"}\n",
    "{{ fail \"x\" }}",
    "{{ .Values.a.b.c }}",
    "{{ .Values.a",
    "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n",
];

/// Ends of a Chart.yaml that is otherwise good.
const METADATA: &[&str] = &[
    "homepage: x\nb: y\n",
    "version: 1.0.0\n",
    "NAME: d\n",
    "appVersion:\n",
    "appVersion: 1.5\ntype:\n",
    "version:\n",
    "apiVersion: v3\nicon: http:/x\n",
    "apiVersion: v1\ntype: application\ndependencies: [{name: s, version: 1.0.0}]\n",
    "name: c/d\nversion: a.b\nicon: x\n",
    "version: 0.0.0-0\n",
    "maintainers: [{name: a, url: example.com, email: a@b.c}, {name: b, url: b}]\n",
    "sources: ['http://', 'mailto:a@b', 'http:/x', 'a b']\n",
    "dependencies: [{name: s, version: 1.0.0}]\n",
    "a: [\n",
];

/// Files beside those of a good chart, or instead of them; None: without that file.
type Change = (&'static str, Option<&'static str>);

const CHARTS: &[&[Change]] = &[
    &[("values.yaml", Some("a: ["))],
    &[("values.yaml", Some("a: [")), ("crds/a.yaml", Some(OBJECT))],
    &[("values.yaml", Some("- a\n"))],
    &[("values.yaml", Some("a: 1\n--- # more\nb: 1\n"))],
    &[("values.yaml", Some("a: 1\n---b: 1\n"))],
    &[("values.yaml", None), ("values.schema.json", Some("{\"required\": [\"x\"]}"))],
    &[(
        "values.schema.json",
        Some("{\"required\": [\"x\"], \"properties\": {\"p\": {\"type\": \"string\"}}}"),
    )],
    &[("values.schema.json", Some("{\"required\": "))],
    &[("values.schema.json", Some("{\"type\": 5}"))],
    &[("values.schema.json", Some(""))],
    &[("Chart.yaml", None)],
    &[("Chart.yaml", Some(""))],
    &[("Chart.yaml", Some("- a\n"))],
    &[("requirements.yaml", Some("dependencies: []\n")), ("requirements.lock", Some("{}\n"))],
    &[(SUBCHART.0, Some(SUBCHART.1))],
    &[(SUBCHART.0, Some("a: ["))],
    &[
        ("Chart.yaml", Some(IMPORTS)),
        (SUBCHART.0, Some(SUBCHART.1)),
        ("charts/s/values.schema.json", Some("{}")),
    ],
    &[
        ("Chart.yaml", Some(IMPORTS)),
        (SUBCHART.0, Some(SUBCHART.1)),
        ("charts/s/values.schema.json", Some("{\"required\": [\"x\"]}")),
    ],
    &[("templates/a.yaml", None)],
    &[("templates/a.yaml", None), ("templates", Some("x"))],
    &[
        (".helmignore", Some("templates/*\n")),
        ("values.schema.json", Some("{\"required\": [\"x\"]}")),
    ],
    &[
        ("templates/a.json", Some("{}")),
        ("templates/B.YAML", Some(OBJECT)),
        ("templates/n", Some("")),
    ],
    &[("crds/a.yaml", Some("a: 1\n---b: 1\n"))],
    &[(
        "crds/a.yaml",
        Some("APIVERSION: apiextensions.k8s.io/v1\nKind: CustomResourceDefinition\n---\n"),
    )],
    &[("crds/a.txt", Some("x")), ("crds/b.json", Some("{}")), ("crds/c.yaml", Some(OBJECT))],
];

const IMPORTS: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\nicon: https://c.test/i.png\n\
    dependencies: [{name: s, version: 1.0.0, import-values: [x, {child: a, parent: b}]}]\n";

#[test]
fn the_charts_of_the_tests() {
    let mut failures = Vec::new();
    for chart in folders(&root().join("tests/charts")) {
        for flags in [&[][..], &["--strict"], &["--set", "port=x"], &["--quiet"]] {
            let why = difference(&chart, flags);
            failures.extend(why.map(|why| format!("{} {flags:?}: {why}", name(&chart))));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn one_mistake_each() {
    let templates = TEMPLATES.iter().map(|text| vec![("templates/a.yaml", Some(*text))]);
    let mut charts: Vec<Vec<(&str, Option<&str>)>> = templates.collect();
    let metadata: Vec<String> = METADATA.iter().map(|end| format!("{CHART}{end}")).collect();
    charts.extend(metadata.iter().map(|text| vec![("Chart.yaml", Some(text.as_str()))]));
    charts.extend(CHARTS.iter().map(|changes| changes.to_vec()));
    let mut failures = Vec::new();
    for changes in charts {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("chart"), &changes);
        for flags in [&[][..], &["--strict"]] {
            let why = difference(folder.path(), flags);
            failures.extend(why.map(|why| format!("{changes:?} {flags:?}: {why}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn subcharts_come_after_all_charts() {
    let folder = tempfile::tempdir().unwrap();
    for chart in ["a", "b"] {
        let below = [(SUBCHART.0, Some(SUBCHART.1)), ("charts/s/charts/t/Chart.yaml", Some(CHART))];
        write(&folder.path().join(chart), &below);
    }
    let arguments = ["lint", "a", "b/", "nowhere", "--with-subcharts"].map(str::to_owned);
    let heads = |program: &Path| -> Vec<String> {
        let output = run(program, folder.path(), &arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| line.starts_with("==> ")).map(str::to_owned).collect()
    };
    let theirs = heads(&helm());
    assert_eq!(theirs.len(), 7, "{theirs:?}");
    assert_eq!(theirs, heads(&pinnace()));
}

/// A good chart, changed.
pub(super) fn write(chart: &Path, changes: &[(&str, Option<&str>)]) {
    let good = [("Chart.yaml", CHART), ("values.yaml", "p: 1\n"), ("templates/a.yaml", OBJECT)]
        .map(|(name, text)| (name, Some(text)));
    let kept = good.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    for (name, text) in kept.chain(changes) {
        let path = chart.join(name);
        if let Some(text) = text {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
}

/// None: the same findings, exit code and lines of the log, but for what docs/compatibility.md lists.
fn difference(folder: &Path, flags: &[&str]) -> Option<String> {
    let mut arguments = vec!["lint".to_owned(), "chart".to_owned()];
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let theirs = run(&helm(), folder, &arguments);
    let ours = run(&pinnace(), folder, &arguments);
    let chart = folder.join("chart").canonicalize().unwrap();
    let is_same = theirs.status.code() == ours.status.code()
        && findings(&theirs, &chart) == findings(&ours, &chart)
        && log(&theirs) == log(&ours);
    let text = |output: &Output| {
        let (stdout, stderr) = (&output.stdout, &output.stderr);
        [stdout, stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
    };
    (!is_same).then(|| format!("\nHelm:\n{}we:\n{}", text(&theirs), text(&ours)))
}

/// stdout, finding by finding, in the words that both have.
fn findings(output: &Output, chart: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut findings: Vec<String> = Vec::new();
    for line in text.lines() {
        let begins =
            line.is_empty() || line.starts_with(['[', '=', '1']) || line.starts_with("Error ");
        match findings.last_mut().filter(|_| !begins) {
            Some(finding) => finding.extend(["\n", line]),
            None => findings.push(line.to_owned()),
        }
    }
    // Helm ends the words of a schema with an empty line.
    findings.retain(|finding| !finding.is_empty() && !is_ours_alone(finding));
    findings.iter().map(|finding| shared_words(finding, chart)).collect()
}

/// Numbers, by file and line, and an empty templates/.
fn is_ours_alone(finding: &str) -> bool {
    let path = finding.split("] ").nth(1).and_then(|rest| rest.split(": ").next());
    path.is_some_and(|path| path.contains(':')) || finding.contains(".helmignore leaves in")
}

fn shared_words(finding: &str, chart: &Path) -> String {
    let mut finding = finding.replace(".txt, or .j2", "or .txt");
    // The file to change, where Helm names the chart's folder.
    let folder = format!("] {}: ", chart.display());
    let file = match finding.contains("chart metadata is missing") {
        true => "] Chart.yaml: ",
        false => "] charts/: ",
    };
    finding = finding.replace(&folder, file);
    // A schema's complaints come after the name of its chart.
    if let Some(at) = finding.find("the following chart(s):\n") {
        let lines: Vec<&str> = finding[at..].lines().take(2).collect();
        finding = format!("{}{}", &finding[..at], lines.concat());
    }
    if finding.contains("] values.yaml: ") && !finding.contains("unable to parse") {
        return "values.yaml and its schema".to_owned();
    }
    // The words of parsers, after those that say what was being read.
    for own in ["error unmarshaling JSON", "failed to strictly parse"].iter().chain(OUR_WORDS) {
        if let Some(at) = finding.find(own) {
            finding.truncate(at);
        }
    }
    finding
}

/// What we say of a mistake in YAML, where Helm has the words of a parser.
const OUR_WORDS: &[&str] = &[
    "fields that",
    "expected a Kubernetes object",
    "chart metadata: not",
    "metadata.namespace must",
    "items must",
    "values must be",
];

/// Each line of the log once: Helm loads a chart for each of its checks.
fn log(output: &Output) -> BTreeSet<String> {
    let lines = messages(&String::from_utf8_lossy(&output.stderr));
    lines.into_iter().filter(|line| !line.contains("funcMap")).collect()
}
