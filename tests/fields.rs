//! No field of a spec is ignored in silence. Each field of the CRDs' schemas stands in tests/fields/: honoured, with
//! the test that shows it; refused, with a value that is; or without effect, with the reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pinnace::controller::unsupported;
use serde_json::{Value, json};

/// What becomes of a field.
enum Fate<'a> {
    Honoured { test: &'a str },
    Refused { example: Value },
    WithoutEffect { why: &'a str },
}

/// Lines of `PATH honoured TEST`, `PATH refused JSON` or `PATH without-effect REASON`.
fn table(text: &str) -> Vec<(&str, Fate<'_>)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.splitn(2, char::is_whitespace);
            let (path, rest) = (words.next().expect("a path"), words.next().unwrap_or_default());
            let (fate, rest) = rest.trim().split_once(' ').unwrap_or_else(|| panic!("{line}"));
            let rest = rest.trim();
            let fate = match fate {
                "honoured" => Fate::Honoured { test: rest },
                "refused" => {
                    let example = serde_json::from_str(rest);
                    Fate::Refused { example: example.unwrap_or_else(|e| panic!("{line}: {e}")) }
                }
                "without-effect" => Fate::WithoutEffect { why: rest },
                _ => panic!("{line}"),
            };
            (path, fate)
        })
        .collect()
}

/// The paths of a schema's leaves; `[]` stands for an item of a list.
fn leaves(schema: &Value, path: &str, into: &mut BTreeSet<String>) {
    let open = schema["x-kubernetes-preserve-unknown-fields"] == json!(true);
    match (schema["properties"].as_object(), schema.get("items")) {
        (Some(fields), _) if !open => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(field, &path, into);
            }
        }
        (_, Some(items)) => leaves(items, &format!("{path}[]"), into),
        _ => {
            into.insert(path.to_owned());
        }
    }
}

fn spec_of(plural: &str) -> BTreeSet<String> {
    let name = format!("{plural}.cd.qdrant.io");
    let definitions = pinnace::api::definitions();
    let definition = definitions.iter().find(|d| d.metadata.name.as_ref() == Some(&name));
    let definition = serde_json::to_value(definition.expect("a definition")).expect("JSON");
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut paths = BTreeSet::new();
    leaves(&schema["properties"]["spec"], "", &mut paths);
    assert!(paths.len() > 5, "{plural}: only {paths:?}");
    paths
}

/// All text of the tests in this repository's Rust files.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push_str(&fs::read_to_string(path).expect("a source file"));
        }
    }
}

fn check(plural: &str, text: &str, refused: impl Fn(Value) -> Option<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in ["src", "tests", "registry-mirror"] {
        sources(&root.join(folder), &mut code);
    }
    let table = table(text);
    let known: BTreeSet<String> = table.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(known.len(), table.len(), "{plural}: a field stands twice");
    let fields = spec_of(plural);
    let missing: Vec<_> = fields.difference(&known).collect();
    assert!(missing.is_empty(), "{plural}: nobody says what becomes of {missing:#?}");
    let gone: Vec<_> = known.difference(&fields).collect();
    assert!(gone.is_empty(), "{plural}: the schema has no {gone:#?}");
    for (path, fate) in table {
        match fate {
            Fate::Honoured { test } => {
                let found = code.contains(&format!("fn {test}("));
                assert!(found, "{plural}: there is no test {test}, which is to show {path}");
            }
            Fate::WithoutEffect { why } => assert!(why.len() > 10, "{plural}: {path}: {why}"),
            Fate::Refused { example } => {
                let told = refused(example).unwrap_or_else(|| panic!("{plural}: {path} passes"));
                let name = path.split(['.', '[']).next().unwrap_or_default();
                assert!(told.contains(&format!("spec.{name}")), "{plural}: {path}: {told}");
            }
        }
    }
}

#[test]
fn helm_releases() {
    check("helmreleases", include_str!("fields/helm-release.txt"), |example| {
        let mut spec = json!({
            "interval": "1m",
            "chart": {"spec": {"chart": "c", "sourceRef": {"kind": "HelmRepository", "name": "r"}}},
        });
        json_patch::merge(&mut spec, &example);
        let release = json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "x", "namespace": "n"}, "spec": spec,
        });
        let release = serde_json::from_value(release).expect("a release");
        unsupported::first(&release).map(|refused| refused.to_string())
    });
}

/// What `refuses` says of a source with these fields over the usual ones.
fn source<K: serde::de::DeserializeOwned>(
    kind: &str,
    mut spec: Value,
    example: &Value,
    refuses: fn(&K) -> Option<unsupported::Unsupported>,
) -> Option<String> {
    json_patch::merge(&mut spec, example);
    let object = json!({
        "apiVersion": "cd.qdrant.io/v1", "kind": kind,
        "metadata": {"name": "x", "namespace": "n"}, "spec": spec,
    });
    let object = serde_json::from_value(object).expect(kind);
    refuses(&object).map(|refused| refused.to_string())
}

#[test]
fn helm_repositories() {
    check("helmrepositories", include_str!("fields/helm-repository.txt"), |example| {
        let spec = json!({"type": "oci", "url": "oci://registry.test/charts"});
        source("HelmRepository", spec, &example, unsupported::repository)
    });
}

#[test]
fn oci_repositories() {
    check("ocirepositories", include_str!("fields/oci-repository.txt"), |example| {
        let spec = json!({"url": "oci://registry.test/charts/web", "interval": "1m"});
        source("OCIRepository", spec, &example, unsupported::oci_repository)
    });
}

#[test]
fn helm_charts() {
    check("helmcharts", include_str!("fields/helm-chart.txt"), |example| {
        let source_ref = json!({"kind": "HelmRepository", "name": "r"});
        let spec = json!({"chart": "c", "interval": "1m", "sourceRef": source_ref});
        source("HelmChart", spec, &example, unsupported::chart)
    });
}
