//! Time and randomness are the caller's: with the same, a chart renders to the same.

use std::sync::atomic::{AtomicU8, Ordering};

use pinnace_engine::Chart;
use pinnace_engine::chart::File;
use pinnace_engine::render::{Options, World, execute};
use pinnace_engine::template::on_large_stack;

fn rendered(template: &str, seed: u8) -> String {
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
        modified: None,
    };
    let files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: t\nversion: 1.0.0\n"),
        file("templates/a.txt", template),
    ];
    let chart = Chart::from_files(files).expect("a chart");
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
fn the_time_is_the_callers() {
    assert_eq!(rendered("{{ now | date \"2006-01-02 15:04\" }}", 1), "2026-01-02 03:04");
    assert_eq!(rendered("{{ ago (toDate \"2006-01-02\" \"2026-01-01\") }}", 1), "27h4m5s");
}
