//! A whole template, with data of every kind in reach.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::small_run::small_run;

static DATA: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "t": true, "n": null, "i": 7, "f": -1.5, "big": 1e300, "s": "text", "e": "",
        "u": "zażółć \u{0} \u{10ffff}", "l": [1, "two", null, [3], {"k": "v"}],
        "m": {"a": 1, "b": {"c": {"d": "deep"}}, "": "empty", "x y": []},
        "y": "a: &x [1, 2]\nb: *x\n", "j": "{\"a\": [1, 2.5, null]}", "v": "1.2.3-rc.1+b",
        "g": "{{ .s }}{{ tpl .s . }}", "d": "2026-11-21T10:00:00Z",
    })
});

/// The input is a template.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Err(error) = small_run(&text, &DATA) {
        assert!(!error.helm_text().is_empty(), "an error without a text");
    }
}
