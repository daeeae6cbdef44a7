//! A chart with one Jinja page, and files for it to include.

use std::sync::LazyLock;

use pinnace_engine::Chart;
use pinnace_engine::chart::File;
use pinnace_engine::render::{Options, RenderError, render};
use serde_json::{Value, json};

use super::small_run::BUDGET;

static DATA: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "t": true, "n": null, "i": 7, "f": -1.5, "big": 1e300, "s": "text", "e": "",
        "u": "zażółć \u{0} \u{10ffff}", "l": [1, "two", null, [3], {"k": "v"}],
        "m": {"a": 1, "b": {"c": {"d": "deep"}}, "": "empty", "x y": []},
        "y": "a: &x [1, 2]\nb: *x\n", "j": "{\"a\": [1, 2.5, null]}",
    })
});

const FILES: [(&str, &str); 4] = [
    ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
    ("files/a.txt", "one\ntwo\n"),
    (
        "templates/_m.j2",
        "{% macro m(x, y=2) %}{{ x }}{{ caller() if caller }}{% endmacro %}{% set z = [1] %}",
    ),
    ("templates/_b.j2", "<{% block a %}{{ 1 }}{% endblock %}{% block b %}{% endblock %}>"),
];

/// The input is a page.
pub fn run(input: &[u8]) {
    let page = ("templates/a.j2", input);
    let files = FILES.iter().map(|(name, text)| (*name, text.as_bytes())).chain([page]);
    let files =
        files.map(|(name, data)| File { name: name.to_owned(), data: data.into(), modified: None });
    let chart = Chart::from_files(files.collect()).expect("a chart whatever the page");
    let options = Options { budget: BUDGET, ..Options::new("fuzz", "default") };
    if let Err(RenderError::Jinja(error)) = render(&chart, &DATA, &options) {
        assert!(
            error.line > 0 || error.to_string().contains("MiniJinja cannot"),
            "an error without a place: {error}"
        );
    }
}
