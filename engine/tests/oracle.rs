//! Holds the template language against what genuine Helm made of the same templates.
//!
//! The expected outputs in `tests/oracle/cases/` were written by Helm:
//! `engine/tests/oracle/refresh`.

use std::path::Path;

use pinnace_engine::Chart;
use pinnace_engine::chart::File;
use pinnace_engine::render::{Options, execute};
use pinnace_engine::template::on_large_stack;
use serde_json::Value;

struct Case {
    line: usize,
    template: String,
    values: Option<Value>,
    expected: String,
}

/// `>` is a line of the template, `|` of the output, `!` of the error, `=` before the template has
/// its values if they are not those of `data.json`; anything else is a comment.
fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut open = false;
    let mut values = None;
    for (i, line) in text.lines().enumerate() {
        if let Some(template) = line.strip_prefix('>') {
            let template = template.strip_prefix(' ').unwrap_or(template);
            match cases.last_mut() {
                Some(case) if open => {
                    case.template.push('\n');
                    case.template.push_str(template);
                }
                _ => cases.push(Case {
                    line: i + 1,
                    template: template.to_owned(),
                    values: values.take(),
                    expected: String::new(),
                }),
            }
            open = true;
            continue;
        }
        open = false;
        if let Some(text) = line.strip_prefix("= ") {
            values = Some(serde_json::from_str(text).expect("values in JSON"));
        }
        if line.starts_with(['|', '!']) {
            let case = cases.last_mut().expect("a template before its output");
            case.expected.push_str(line);
            case.expected.push('\n');
        }
    }
    cases
}

fn run(template: &str, values: &Value) -> String {
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
        modified: None,
    };
    let chart = Chart::from_files(vec![
        file("Chart.yaml", "apiVersion: v2\nname: t\nversion: 1.0.0\n"),
        file("templates/case.txt", template),
    ]);
    let options = Options { skip_schema_validation: true, ..Options::new("demo", "space") };
    let values = values.as_object().expect("values are an object");
    let (mark, text) = match execute(&chart.expect("a chart"), values, &options) {
        Ok(mut files) => ("| ", files.remove("t/templates/case.txt").expect("the template ran")),
        Err(error) => ("! ", error.to_string()),
    };
    text.split('\n').map(|line| format!("{mark}{line}\n")).collect()
}

#[test]
fn helm_gives_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cases");
    let data = std::fs::read_to_string(folder.join("data.json")).expect("a readable case file");
    let data: Value = serde_json::from_str(&data).expect("a readable case file");
    let mut total = 0;
    let mut failures = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("a readable case file")
        .map(|entry| entry.expect("a readable case file").path())
        .collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "txt")) {
        // Some outputs are not UTF-8.
        let text = std::fs::read(path).expect("a readable case file");
        let text = String::from_utf8_lossy(&text);
        for case in cases(&text) {
            total += 1;
            let template = case.template.clone();
            let data = case.values.clone().unwrap_or_else(|| data.clone());
            let got = on_large_stack(move || run(&template, &data));
            if got != case.expected {
                let name =
                    path.file_name().expect("a readable case file").to_string_lossy().into_owned();
                failures.push(format!(
                    "{name}:{}\n> {}\nhelm:\n{}ours:\n{got}",
                    case.line, case.template, case.expected
                ));
            }
        }
    }
    assert!(total > 100, "only {total} cases were found");
    let count = failures.len();
    assert!(count == 0, "{count} of {total} differ\n\n{}", failures.join("\n"));
}
