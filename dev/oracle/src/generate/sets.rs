//! What `--set` and its kin make of values.

use fastrand::Rng;

use super::{once_in, pick};
use crate::case::{Case, Set};

pub fn case(rng: &mut Rng) -> Case {
    let template = pick(
        rng,
        &[
            "{{ toJson .Values }}",
            "{{ toYaml .Values }}",
            "{{ toJson .Values }}",
            "{{ .Values }}",
            "{{ range $k, $v := .Values }}{{ $k }}={{ kindOf $v }} {{ end }}",
        ],
    );
    let mut case = Case::new(template);
    if rng.bool() {
        case.values = serde_json::json!({"a": {"b": [1, {"c": 2.5}]}, "x": "y", "l": [1, "two", null, [3]], "n": null});
    }
    case.sets = (0..rng.u32(1..4)).map(|_| set(rng)).collect();
    case
}

fn set(rng: &mut Rng) -> Set {
    let form = pick(rng, &["set", "set", "set", "string", "json", "literal", "file"]);
    let mut line = String::new();
    for i in 0..rng.u32(1..4) {
        line.push_str(if i > 0 { pick(rng, &[",", ",", ",", ", ", ",,"]) } else { "" });
        path(rng, &mut line);
        line.push_str(pick(rng, &["=", "=", "=", "=", "=", "= ", "", "=="]));
        if form == "json" { json(rng, &mut line) } else { value(rng, &mut line) }
    }
    Set { form: form.to_owned(), line }
}

fn path(rng: &mut Rng, line: &mut String) {
    for i in 0..rng.u32(1..4) {
        line.push_str(if i > 0 { "." } else { "" });
        line.push_str(pick(
            rng,
            &[
                "a",
                "b",
                "c",
                "x",
                "l",
                "n",
                "new",
                "a\\.b",
                "é",
                "",
                "a b",
                "a\\,b",
                "kubernetes\\.io/x",
                "0",
                "a\\=b",
                "a\\[0\\]",
                "'q'",
                " a",
                "a\n",
            ],
        ));
        while once_in(rng, 4) {
            line.push_str(pick(
                rng,
                &[
                    "[0]", "[1]", "[2]", "[5]", "[", "[x]", "[-1]", "[ 1]", "[70000]", "[]", "[0",
                    "[1][0]", "]",
                ],
            ));
        }
    }
}

fn value(rng: &mut Rng, line: &mut String) {
    if once_in(rng, 6) {
        line.push('{');
        for i in 0..rng.u32(..4) {
            line.push_str(if i > 0 { "," } else { "" });
            scalar(rng, line);
        }
        line.push_str(pick(rng, &["}", "}", "}", "", "}x", "},"]));
    } else {
        scalar(rng, line);
    }
}

fn scalar(rng: &mut Rng, line: &mut String) {
    line.push_str(pick(
        rng,
        &[
            "1",
            "0",
            "-5",
            "007",
            "1.5",
            "1e3",
            "true",
            "True",
            "false",
            "null",
            "~",
            "text",
            "",
            " sp ",
            "a\\,b",
            "\\{x\\}",
            "a=b",
            "a\\\\b",
            "é☃",
            "9223372036854775808",
            "0x1F",
            "[1]",
            "{{ x }}",
            "\"q\"",
            "'q'",
            "a.b",
            "\\",
            "x\\",
            "1_000",
            "a\nb",
            "nil",
            "{",
            "}",
            "+1",
            "01",
            "-0",
            "0.0",
            "TRUE",
            "NULL",
        ],
    ));
}

fn json(rng: &mut Rng, line: &mut String) {
    line.push_str(pick(
        rng,
        &[
            "1",
            "\"x\"",
            "null",
            "[1,2]",
            "{\"k\":1.5}",
            "true",
            "",
            "{",
            "[1",
            "\"a,b\"",
            " {} ",
            "1e3",
            "x",
            "{\"a\":{\"b\":null}}",
            "[{\"x\":[]}]",
            "1 2",
            "\"\\u00e9\"",
            "'x'",
        ],
    ));
}
