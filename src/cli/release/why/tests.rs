//! Golden texts: facts in YAML, and what is told of them. `UPDATE=1 cargo test -p pinnace --lib why` writes them anew.

use std::fs;
use std::path::Path;

use super::explain::explain;
use super::facts::Facts;

#[test]
fn what_people_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/release/why/testdata");
    let mut told = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&folder).expect("the cases") {
        let path = entry.expect("a case").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let yaml = fs::read_to_string(&path).expect("facts");
        let facts: Facts = serde_saphyr::from_str(&yaml)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = explain(&facts).text();
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, &text).expect("written");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if text != expected {
            wrong.push(format!("{}\n--- expected\n{expected}\n--- found\n{text}", path.display()));
        }
        told += 1;
    }
    assert!(told >= 12, "only {told} cases were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
