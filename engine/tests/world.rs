//! Time and randomness are the caller's: with the same, a chart renders to the same.

use std::sync::atomic::{AtomicU8, Ordering};

use pinnace_engine::Chart;
use pinnace_engine::chart::File;
use pinnace_engine::render::{Options, World, execute, render};
use pinnace_engine::template::on_large_stack;

/// A chart of this template alone.
fn chart(path: &str, template: &str) -> Chart {
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
        modified: None,
    };
    let manifest = file("Chart.yaml", "apiVersion: v2\nname: t\nversion: 1.0.0\n");
    Chart::from_files(vec![manifest, file(path, template)]).expect("a chart")
}

fn rendered(template: &str, seed: u8) -> String {
    let chart = chart("templates/a.txt", template);
    let next = AtomicU8::new(seed);
    let random = |buffer: &mut [u8]| buffer.fill_with(|| next.fetch_add(37, Ordering::Relaxed));
    let options = Options {
        skip_schema_validation: true,
        world: World { now: "2026-01-02T03:04:05Z".parse().expect("a time"), random: &random },
        ..Options::new("demo", "default")
    };
    on_large_stack(|| {
        let mut texts = execute(&chart, &serde_json::Map::new(), &options).expect("a rendering");
        texts.remove("t/templates/a.txt").expect("the template's text")
    })
}

#[test]
fn the_same_world_gives_the_same() {
    for call in [
        "randAlphaNum 20",
        "randAscii 20",
        "randBytes 9",
        "randInt 0 1000000",
        "uuidv4",
        "shuffle \"abcdefghijklmnop\"",
        "bcrypt \"x\"",
        "encryptAES \"k\" \"x\"",
        "genPrivateKey \"ed25519\"",
        "(genSelfSignedCertWithKey \"x\" nil nil 1 (genPrivateKey \"ecdsa\")).Cert",
    ] {
        let template = format!("{{{{ {call} }}}}");
        let one = rendered(&template, 1);
        assert_eq!(one, rendered(&template, 1), "{call}");
        assert_ne!(one, rendered(&template, 2), "{call}");
    }
}

#[test]
fn jinja_has_the_same_world() {
    let text = |seed: u8| {
        let page = "kind: A\napiVersion: v1\nmetadata: {name: a}\n\
                    key: {{ randAlphaNum(20) }}\nother: {{ randAlphaNum(20) }}\nat: {{ now() | date('2006-01-02') }}\n";
        let chart = chart("templates/a.yaml.j2", page);
        let random = |buffer: &mut [u8]| buffer.fill(seed);
        let now = "2026-01-02T03:04:05Z".parse().expect("a time");
        let world = World { now, random: &random };
        let options = Options { world, ..Options::new("demo", "default") };
        let rendered = render(&chart, &serde_json::json!({}), &options).expect("a rendering");
        rendered.manifest()
    };
    let one = text(1);
    assert!(one.contains("at: 2026-01-02"), "{one}");
    let keys: Vec<&str> = one
        .lines()
        .filter_map(|l| l.split_once(": "))
        .map(|(_, v)| v)
        .filter(|v| v.len() == 20)
        .collect();
    assert!(keys.len() == 2 && keys[0] != keys[1], "{one}");
    assert_eq!(one, text(1));
    assert_ne!(one, text(2));
}

#[test]
fn the_time_is_the_callers() {
    assert_eq!(rendered("{{ now | date \"2006-01-02 15:04\" }}", 1), "2026-01-02 03:04");
    assert_eq!(rendered("{{ ago (toDate \"2006-01-02\" \"2026-01-01\") }}", 1), "27h4m5s");
}
