//! The differences from Helm that `docs/compatibility.md` lists are as it says, no more and no less.

use pinnace_engine::chart::File;
use pinnace_engine::render::{Capabilities, Operation, Options};
use pinnace_engine::template::Budget;
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
    let options = Options {
        release_name: "demo",
        namespace: "default",
        revision: 1,
        operation: Operation::Install,
        capabilities: Capabilities::default(),
        lookup: None,
        skip_schema_validation: false,
        keep_integers: true,
        budget: Budget::default(),
    };
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
fn known_differences_are_as_they_are_listed() {
    let list = include_str!("differences.txt");
    let mut cases = 0;
    for case in list.split("\n> ").skip(1) {
        let mut lines = case.lines();
        let template = lines.next().expect("a template");
        let helm = lines.next().and_then(|line| line.strip_prefix("helm: ")).expect("Helm's");
        let expected = lines.next().and_then(|line| line.strip_prefix("ours: ")).expect("ours");
        assert_ne!(helm, expected, "{template} is no difference");
        assert_eq!(printed(template), expected, "{template}");
        cases += 1;
    }
    assert!(cases > 0, "no case was found");
}

/// What `functions::refused` refuses; the list of `docs/compatibility.md`.
#[test]
fn refused_functions_name_themselves() {
    for call in [
        "genCA \"x\" 1",
        "genCAWithKey \"x\" 1 \"k\"",
        "genSelfSignedCert \"x\" nil nil 1",
        "genSelfSignedCertWithKey \"x\" nil nil 1 \"k\"",
        "genSignedCert \"x\" nil nil 1 nil",
        "genSignedCertWithKey \"x\" nil nil 1 nil \"k\"",
        "buildCustomCert \"a\" \"b\"",
        "genPrivateKey \"rsa\"",
        "encryptAES \"k\" \"x\"",
        "decryptAES \"k\" \"x\"",
        "derivePassword 1 \"long\" \"p\" \"u\" \"s\"",
        "toToml 1",
        "mustToToml 1",
        "fromToml \"\"",
        "toYamlPretty 1",
    ] {
        let name = call.split(' ').next().expect("a name");
        let error = printed(&format!("{{{{ {call} }}}}"));
        assert!(error.contains(&format!("the function {name} is not supported")), "{error}");
        let unused = printed(&format!("{{{{ if false }}}}{{{{ {call} }}}}{{{{ end }}}}"));
        assert_eq!(unused, "", "{call}");
    }
}

#[test]
fn keys_and_values_are_sorted() {
    let template = "{{ keys (dict \"b\" 1 \"c\" 2 \"a\" 3) }} {{ values (dict \"b\" 1 \"a\" 3) }}";
    assert_eq!(printed(template), "[a b c] [3 1]");
}
