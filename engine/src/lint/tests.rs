use serde_json::{Map, json};

use super::*;

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\nicon: https://c.test/i.png\n";

fn found(files: &[(&str, &str)], values: Value) -> Vec<String> {
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
    lint(&files, &options).iter().map(ToString::to_string).collect()
}

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

#[test]
fn a_good_chart() {
    let none: [String; 0] = [];
    let map = object("a");
    let files = [("Chart.yaml", CHART), ("values.yaml", ""), ("templates/a.yaml", map.as_str())];
    assert_eq!(found(&files, json!({})), none);
}

#[test]
fn one_mistake_each() {
    let map = object("a");
    let bad_name = object("A_b");
    let long = "{{ required \"give x\" .Values.x }}{{ fail \"no\" }}\n".to_owned() + &map;
    let v1 = "apiVersion: v1\nname: c\nversion: 1\ntype: application\nsources: [c]\nhomepage: x\n";
    let deployment = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n";
    let crd = "apiVersion: v1\nkind: ConfigMap\n";
    let schema = r#"{"required": ["x"]}"#;
    let sub = "apiVersion: v2\nname: s\nversion: 1.0.0\n";
    let numbers =
        "a: 12345678901234567890\nb:\n- 0123\nc: 1000000\nd: 0.12345678901234567\ne: 1.5\n";
    for (file, text, expected) in [
        ("Chart.yaml", "a: [", &["[ERROR] Chart.yaml: unable to parse YAML"][..]),
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
            ],
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
        ("values.schema.json", schema, &["[ERROR] values.yaml: values don't meet"]),
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
    ] {
        let mut files =
            vec![("Chart.yaml", CHART), ("values.yaml", "p: 1\n"), ("templates/a.yaml", &map)];
        files.retain(|(name, _)| *name != file);
        files.push((file, text));
        let found = found(&files, json!({}));
        assert_eq!(found.len(), expected.len(), "{file}: {found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{file}: {found} is not {expected}");
        }
    }
}
