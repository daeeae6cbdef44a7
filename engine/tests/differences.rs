//! The differences from Helm that `docs/compatibility.md` lists under "Values and templates", as far as they show in
//! one template.

use pinnace_engine::chart::File;
use pinnace_engine::render::Options;
use pinnace_engine::{Chart, render};

fn file(name: &str, text: &str) -> File {
    File { name: name.to_owned(), data: text.as_bytes().into(), modified: None }
}

/// The manifests of a chart with this template; `! ` and the error if it fails.
fn ours(template: &str) -> String {
    let files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: t\nversion: 1.0.0\n"),
        file("templates/a.yaml", template),
    ];
    let options = Options { keep_integers: true, ..Options::new("demo", "default") };
    let chart = Chart::from_files(files).expect("a chart");
    match render(&chart, &serde_json::Value::Null, &options) {
        Ok(rendered) => {
            rendered.manifests.iter().map(|manifest| manifest.content.clone()).collect()
        }
        Err(error) => format!("! {error}"),
    }
}

/// The text that a template prints, in a comment of an object.
fn printed(template: &str) -> String {
    let text = ours(&format!("# {template}\nkind: Nothing\n"));
    text.trim_end().trim_end_matches("kind: Nothing").trim_start_matches('#').trim().to_owned()
}

#[test]
fn keys_and_values_are_sorted() {
    let template = "{{ keys (dict \"b\" 1 \"c\" 2 \"a\" 3) }} {{ values (dict \"b\" 1 \"a\" 3) }}";
    assert_eq!(printed(template), "[a b c] [3 1]");
}

#[test]
fn an_address_is_always_the_same() {
    let template = "{{ printf \"%p\" (dict \"a\" 1) }} {{ printf \"%p\" (list 1 2) }}";
    assert_eq!(printed(template), "0x2a0000000000 0x2a0000000000");
}

#[test]
fn nothing_lies_past_the_end_of_a_list() {
    let template = "{{ slice (push (list 1 2 3 4) 5) 0 8 }}";
    let error = ours(template);
    assert!(error.contains("slice index out of bounds"), "{error}");
}

#[test]
fn nothing_asks_for_a_hosts_address() {
    assert_eq!(printed("[{{ getHostByName \"localhost\" }}]"), "[]");
}

#[test]
fn helm_has_one_version() {
    assert_eq!(printed("{{ .Capabilities.HelmVersion.Version }}"), "v4.3.1");
}
