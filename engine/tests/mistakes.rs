//! Mistakes of chart authors, as people see them: `mistakes/NAME.yaml` is the template,
//! `NAME.error` what genuine Helm says of it (`mistakes/refresh`).
//! `lex-` is found while cutting the text into items, `parse-` while building the tree, `run-` later.

use std::fs;
use std::path::Path;

use pinnace_engine::chart::File;
use pinnace_engine::render::Options;
use pinnace_engine::{Chart, render};

fn complaint(name: &str, template: &str) -> String {
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
        modified: None,
    };
    let files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: t\nversion: 1.0.0\n"),
        file(&format!("templates/{name}.yaml"), template),
    ];
    let options = Options { keep_integers: true, ..Options::new("demo", "default") };
    let chart = Chart::from_files(files).expect("a chart");
    match render(&chart, &serde_json::Value::Null, &options) {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mistakes_are_reported_as_helm_reports_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut cases = 0;
    let mut failures = Vec::new();
    for entry in fs::read_dir(&folder).expect("the folder of cases") {
        let path = entry.expect("a case").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        cases += 1;
        let template = fs::read_to_string(&path).expect("a template");
        let expected = fs::read_to_string(path.with_extension("error")).expect("what Helm says");
        let actual = complaint(&name, &template);
        if actual.trim_end() != expected.trim_end() {
            failures.push(format!("{name}\nhelm: {expected}ours: {actual}\n"));
        }
    }
    assert!(cases > 15, "only {cases} cases found");
    assert!(failures.is_empty(), "{} of {cases} differ\n\n{}", failures.len(), failures.join("\n"));
}
