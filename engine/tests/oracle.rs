//! Holds the template language against what genuine Helm made of the same templates.
//!
//! The expected outputs in `tests/oracle/cases/` were written by Helm:
//! `cd engine/tests/oracle && go run . refresh cases/*.txt`.

use std::path::Path;

use pinnace_engine::template::{
    Environment, Map, MapType, TemplateSet, Value, from_json, on_large_stack,
};

const FILE: &str = "t/templates/case.txt";

struct Case {
    line: usize,
    template: String,
    expected: String,
}

/// `>` is a line of the template, `|` of the output, `!` of the error; anything else is a comment.
fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut open = false;
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
                    expected: String::new(),
                }),
            }
            open = true;
            continue;
        }
        open = false;
        if line.starts_with(['|', '!']) {
            let case = cases.last_mut().expect("a template before its output");
            case.expected.push_str(line);
            case.expected.push('\n');
        }
    }
    cases
}

fn run(template: &str, data: &serde_json::Value) -> String {
    let values = match from_json(data) {
        Value::Map(map) => Map::new(MapType::Values, map.entries().clone()),
        _ => panic!("data.json is an object"),
    };
    let release = Value::map([
        ("Name", "demo".into()),
        ("Namespace", "space".into()),
        ("Revision", Value::Int(1)),
    ]);
    let dot = Value::map([("Values", Value::Map(values)), ("Release", release)]);
    let mut set = TemplateSet::new();
    let result =
        set.parse(FILE, template).and_then(|()| set.execute(FILE, &dot, &Environment::system()));
    let (mark, text) = match result {
        Ok(text) => ("| ", text),
        Err(error) => ("! ", error.helm_text()),
    };
    text.split('\n').map(|line| format!("{mark}{line}\n")).collect()
}

#[test]
fn helm_gives_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cases");
    let data = std::fs::read_to_string(folder.join("data.json")).expect("a readable case file");
    let data: serde_json::Value = serde_json::from_str(&data).expect("a readable case file");
    let mut total = 0;
    let mut failures = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("a readable case file")
        .map(|entry| entry.expect("a readable case file").path())
        .collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "txt")) {
        let text = std::fs::read_to_string(path).expect("a readable case file");
        for case in cases(&text) {
            total += 1;
            let template = case.template.clone();
            let data = data.clone();
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
