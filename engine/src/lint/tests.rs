use serde_json::{Map, json};

use super::*;

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\nicon: https://c.test/i.png\n";

fn linted(files: &[(&str, &str)], values: Value) -> Linted {
    let files: Vec<File> = files
        .iter()
        .map(|(name, text)| File {
            name: (*name).to_owned(),
            data: text.as_bytes().into(),
            modified: None,
        })
        .collect();
    let values = values.as_object().cloned().unwrap_or_else(Map::new);
    let options = Options {
        values: &values,
        values_files: &[],
        namespace: "default",
        capabilities: Capabilities::default(),
        skip_schema_validation: false,
        has_templates: false,
    };
    lint(&files, &options)
}

fn found(files: &[(&str, &str)]) -> Vec<String> {
    linted(files, json!({})).findings.iter().map(ToString::to_string).collect()
}

/// A chart in which one file is another one.
fn chart_with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
    let mut files =
        vec![("Chart.yaml", CHART), ("values.yaml", "p: 1\n"), ("templates/a.yaml", map)];
    files.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    files.extend_from_slice(changes);
    files
}

/// Each finding begins as expected.
fn expect(changes: &[(&str, &str)], expected: &[&str]) {
    let found = found(&chart_with(changes));
    assert_eq!(found.len(), expected.len(), "{changes:?}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{changes:?}: {found} is not {expected}");
    }
}

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

#[test]
fn good_charts() {
    let two = format!("--- # the first\n{}---  \n\n---\n{}", object("a"), object("b"));
    for template in [
        &*object("a"),
        &two,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 5}\n",
        "APIVERSION: v1\nKind: ConfigMap\nMetadata: {Name: a}\n",
        "apiVersion: v1\nkind: 7\nmetadata: {name: 1.5, annotations: {a: 1}}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n",
    ] {
        expect(&[("templates/a.yaml", template)], &[]);
    }
    expect(&[("Chart.yaml", &CHART.replace("name", "NAME"))], &[]);
    let people =
        "maintainers: [{name: a, url: example.com}]\nsources: ['http://', 'mailto:a@b.c']\n";
    expect(&[("Chart.yaml", &format!("{CHART}{people}"))], &[]);
}

#[test]
fn one_mistake_each() {
    let bad_name = object("A_b");
    let long = "{{ required \"give x\" .Values.x }}{{ fail \"no\" }}\n".to_owned() + &object("a");
    let v1 = "apiVersion: v1\nname: c\nversion: 1\ntype: application\nsources: [c]\nhomepage: x\n";
    let deployment = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n";
    let crd = "apiVersion: v1\nkind: ConfigMap\n";
    let sub = "apiVersion: v2\nname: s\nversion: 1.0.0\n";
    let numbers =
        "a: 12345678901234567890\nb:\n- 0123\nc: 1000000\nd: 0.12345678901234567\ne: 1.5\n";
    for (file, text, expected) in [
        (
            "Chart.yaml",
            v1,
            &[
                "[WARNING] Chart.yaml: fields that nothing reads: homepage",
                "[ERROR] Chart.yaml: version should be of type string but it's of type float64",
                "[ERROR] Chart.yaml: invalid source URL 'c'",
                "[INFO] Chart.yaml: icon is recommended",
                "[ERROR] Chart.yaml: chart type is not valid in apiVersion 'v1'",
                "[WARNING] Chart.yaml: version '1' is not a valid SemVerV2",
            ][..],
        ),
        (
            "values.yaml",
            numbers,
            &[
                "[WARNING] values.yaml:1: a: 12345678901234567890 becomes 12345678901234567168",
                "[WARNING] values.yaml:3: item: 0123 is an octal number",
                "[INFO] values.yaml:4: c: a template prints 1000000 with an exponent",
                "[WARNING] values.yaml:5: d: 0.12345678901234567 becomes 0.12345678901234566",
            ],
        ),
        ("templates/a.yaml", "{{ .Values.a.b.c }}", &["[ERROR] templates/: "]),
        ("templates/a.yaml", "a: [", &["[ERROR] templates/a.yaml: unable to parse YAML"]),
        ("templates/a.json", "{}", &["[ERROR] templates/a.json: file extension '.json' not valid"]),
        ("templates/a.yaml", &bad_name, &["[WARNING] templates/a.yaml: object name does not"]),
        ("templates/a.yaml", &long, &[]),
        (
            "templates/a.yaml",
            deployment,
            &[
                "[WARNING] templates/a.yaml: extensions/v1beta1 Deployment is deprecated",
                "[ERROR] templates/a.yaml: a Deployment must contain matchLabels",
            ],
        ),
        (
            "crds/a.yaml",
            crd,
            &["[ERROR] crds/a.yaml: apiVersion is not", "[ERROR] crds/a.yaml: object kind is not"],
        ),
        ("charts/s/Chart.yaml", sub, &["[ERROR] Chart.yaml: chart metadata is missing"]),
        ("templates", "", &["[ERROR] templates/: not a directory"]),
    ] {
        match file {
            "templates" => {
                let files = [("Chart.yaml", CHART), ("values.yaml", ""), (file, text)];
                assert_eq!(found(&files), expected);
            }
            file => expect(&[(file, text)], expected),
        }
    }
}

#[test]
fn what_is_no_object_is_an_error() {
    const PATH: &str = "[ERROR] templates/a.yaml: unable to parse YAML: ";
    for (template, why) in [
        ("kind: A\n---extra: 1\n", "invalid Yaml document separator: extra: 1"),
        ("---extra: 1\n", "invalid Yaml document separator: extra: 1"),
        ("just text\n", "expected a Kubernetes object: not a mapping"),
        ("- a\n- b\n", "expected a Kubernetes object: not a mapping"),
        ("5\n", "expected a Kubernetes object: not a mapping"),
        ("kind: {}\n", "kind must be a string"),
        ("metadata: a\n", "metadata must be a mapping"),
        ("Metadata: {Namespace: {}}\n", "metadata.namespace must be a string"),
        ("kind: List\nitems: 5\n", "items must be a list"),
    ] {
        assert_eq!(found(&chart_with(&[("templates/a.yaml", template)])), [format!("{PATH}{why}")]);
    }
    expect(
        &[("crds/a.yaml", "a: 1\n---b: 1\n")],
        &["[ERROR] crds/a.yaml: unable to parse YAML: invalid Yaml document separator: b: 1"],
    );
}

#[test]
fn names() {
    let long = "A".repeat(254);
    for (kind, name, expected) in [
        ("Service", "5x", &["a DNS-1035 label must"][..]),
        ("Namespace", "a.b", &["must not contain dots"]),
        ("Namespace", "a_b", &["a lowercase RFC 1123 label must"]),
        ("Role", "a/b%", &["may not contain '/'", "may not contain '%'"]),
        ("Secret", &long, &["must be no more than 253 characters", "a lowercase RFC 1123 sub"]),
        ("Secret", "a.b", &[]),
        ("CertificateSigningRequest", "A b", &[]),
    ] {
        let reasons = names::refused(kind, name);
        assert_eq!(reasons.len(), expected.len(), "{kind} {name}: {reasons:?}");
        assert!(reasons.iter().zip(expected).all(|(why, start)| why.starts_with(start)));
    }
}

#[test]
fn the_metadata_of_a_chart() {
    let says = |chart: &str, expected: &[&str]| {
        let found = found(&chart_with(&[("Chart.yaml", chart)]));
        let mut found: Vec<&str> =
            found.iter().filter_map(|line| Some(line.split_once("] Chart.yaml: ")?.1)).collect();
        found.retain(|line| !line.starts_with("icon is"));
        assert_eq!(found, expected, "{chart}");
    };
    says(
        "",
        &[
            "name is required",
            r#"apiVersion is required. The value must be either "v1" or "v2""#,
            "version is required",
            "version '' is not a valid SemVerV2",
        ],
    );
    says(
        "apiVersion: v2\nname: c\nversion: 0.0.0-0\n",
        &[r#"version "0.0.0-0" is less than or equal to "0.0.0-0""#],
    );
    let with = |line: &str| format!("{CHART}{line}\n");
    says(&with("appVersion:"), &["appVersion should be of type string but it's of type <nil>"]);
    says(&with("version: 1.0.0"), &["fields that are there twice: version"]);
    says(&with("a: 1\nb: 1"), &["fields that nothing reads: a, b"]);
    says(&with("maintainers: [{name: b, url: b}]"), &["invalid url 'b' for maintainer 'b'"]);
    says(&with("maintainers: [null]"), &["a maintainer entry is empty"]);
}

#[test]
fn what_cannot_be_loaded_is_said_by_every_check() {
    expect(
        &[("values.yaml", "a: ["), ("crds/a.yaml", "")],
        &[
            "[ERROR] values.yaml: unable to parse YAML: error converting YAML to JSON: yaml: line 1",
            "[ERROR] templates/: cannot load values.yaml: cannot unmarshal yaml document: error",
            "[ERROR] : unable to load chart\n\tcannot load values.yaml: cannot unmarshal yaml",
            "[ERROR] crds/: cannot load values.yaml: cannot unmarshal yaml document: error",
        ],
    );
    expect(
        &[("Chart.yaml", "a: [")],
        &[
            "[ERROR] Chart.yaml: unable to parse YAML\n\terror converting YAML to JSON: yaml: line 1",
            "[ERROR] templates/: cannot load Chart.yaml: error converting",
            "[ERROR] : unable to load chart\n\tcannot load Chart.yaml: error converting",
        ],
    );
    expect(
        &[("values.yaml", "a: 1\n---b: 1\n")],
        &[
            "[ERROR] templates/: cannot load values.yaml: error reading yaml document: invalid Yaml",
            "[ERROR] : unable to load chart\n\tcannot load values.yaml: error reading yaml document",
        ],
    );
}

#[test]
fn schemas_are_asked_twice() {
    let own = r#"{"required": ["x"]}"#;
    let sub = ("charts/s/Chart.yaml", "apiVersion: v2\nname: s\nversion: 1.0.0\n");
    let chart = format!("{CHART}dependencies: [{{name: s, version: 1.0.0}}]\n");
    let both = ["[ERROR] values.yaml: - at ''", "[ERROR] templates/: values don't meet"];
    expect(&[("values.schema.json", own)], &both);
    expect(&[("values.schema.json", "{")], &["[ERROR] values.yaml: - val", both[1]]);
    expect(&[("values.schema.json", "")], &both[1..]);
    expect(&[("Chart.yaml", &chart), sub, ("charts/s/values.schema.json", own)], &both[1..]);
}

#[test]
fn helms_log_is_no_finding() {
    let chart = format!("{CHART}dependencies: [{{name: s, version: 1.0.0, import-values: [x]}}]\n");
    let changes = [
        ("Chart.yaml", chart.as_str()),
        ("requirements.lock", "dependencies: []\n"),
        ("charts/s/Chart.yaml", "apiVersion: v2\nname: s\nversion: 1.0.0\n"),
    ];
    expect(&changes, &[]);
    let log = linted(&chart_with(&changes), json!({})).log;
    let lines: Vec<String> = log.iter().map(Warning::log_line).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("Dependency locking is handled in Chart.lock"), "{lines:?}");
    assert!(lines[1].starts_with("level=WARN msg=\"ImportValues missing table\""), "{lines:?}");
}
