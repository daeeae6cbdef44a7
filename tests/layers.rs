//! Imports go down only. This test reads the `crate::` paths of src/ and holds them against docs/architecture.md's table.

use std::{collections::BTreeSet, fs, path::Path};

/// What each module of src/ may name. Itself is always allowed.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("api", &["model"]),
    ("proto", &[]),
    ("telemetry", &[]),
    ("cluster", &["api", "model", "telemetry"]),
    ("release", &["cluster", "api", "model", "telemetry"]),
    ("controller", &["release", "cluster", "api", "model", "telemetry"]),
    ("agent", &["controller", "release", "cluster", "api", "model", "proto", "telemetry"]),
    ("operator", &["cluster", "api", "model", "telemetry"]),
    ("console", &["api", "model", "proto", "telemetry"]),
    ("cli", &["agent", "console", "operator", "controller", "release", "cluster", "api", "model"]),
];

#[test]
fn imports_go_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let known: BTreeSet<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(files.len() > 20, "found only {} files under src/", files.len());
    for file in files {
        let relative = file.strip_prefix(&src).expect("below src");
        let top = relative.iter().next().expect("not empty").to_string_lossy().replace(".rs", "");
        if matches!(top.as_str(), "bin" | "lib") {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(module, _)| *module == top) else {
            panic!(
                "{top} is not in the table of layers: add it to MAY_USE and docs/architecture.md"
            );
        };
        let text = fs::read_to_string(&file).expect("a source file");
        for used in named(&text) {
            if used != top && !allowed.contains(&used.as_str()) && known.contains(used.as_str()) {
                wrong.push(format!("{}: {top} uses {used}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or sideways:\n{}", wrong.join("\n"));
}

/// The modules that a text names: `crate::x::…` and, over several lines, `crate::{x::…, y::{…}}`.
fn named(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code: String = lines.flat_map(|line| line.chars().chain([' '])).collect();
    code.split("crate::").skip(1).flat_map(|rest| first_words(rest.trim_start())).collect()
}

/// `x::y` names x; `{x::{a, b}, y}` names x and y.
fn first_words(path: &str) -> Vec<String> {
    let word = |path: &str| -> String {
        path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(list) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut words = vec![word(list)];
    let mut depth = 0;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => words.push(word(&list[at + 1..])),
            _ => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn the_reader_sees_every_shape() {
    assert_eq!(named("use crate::model::pin;"), ["model"]);
    assert_eq!(named("use crate::{api::region, cluster};"), ["api", "cluster"]);
    assert_eq!(named("use crate::{\n    api::{a, b},\n    model,\n};"), ["api", "model"]);
    assert_eq!(named("// crate::agent is above"), Vec::<String>::new());
}
