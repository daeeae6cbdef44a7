//! Texts of YAML, JSON and TOML to read, and trees to print and to read again.

use fastrand::Rng;
use serde_json::{Map, Number, Value};

use super::{language, once_in, pick};
use crate::case::Case;

pub fn case(rng: &mut Rng) -> Case {
    match rng.u32(..10) {
        0..=3 => reading(rng),
        4..=8 => printing(rng),
        _ => converting(rng),
    }
}

/// The text is a file of the chart, so that it needs no quoting.
fn reading(rng: &mut Rng) -> Case {
    let (function, mut text) = match rng.u32(..8) {
        0 => ("fromJson", json(rng)),
        1 => (pick(rng, &["fromJsonArray", "mustFromJson"]), json(rng)),
        2 => ("fromToml", toml(rng)),
        _ => (pick(rng, &["fromYaml", "fromYaml", "fromYamlArray"]), yaml(rng)),
    };
    if once_in(rng, 4) {
        language::damage(rng, &mut text);
    }
    let read = format!(".Files.Get \"x\" | {function}");
    let mut case = Case::new(match function {
        // The words of a mistake are another parser's.
        "fromToml" => {
            format!(
                "{{{{ $t := {read} }}}}{{{{ if hasKey $t \"Error\" }}}}mistake{{{{ else }}}}{{{{ toJson $t }}}}{{{{ end }}}}"
            )
        }
        _ => format!("{{{{ {read} | toJson }}}}"),
    });
    case.files.push(("x".to_owned(), text));
    case
}

fn printing(rng: &mut Rng) -> Case {
    let function = pick(
        rng,
        &[
            "toYaml",
            "toYaml",
            "toYaml",
            "toYamlPretty",
            "toYamlPretty",
            "toJson",
            "toPrettyJson",
            "toRawJson",
            "toToml",
            "mustToYaml",
            "mustToToml",
            "toYaml | nindent 2",
            "toYaml | fromYaml | toJson",
            "toJson | fromJson | toYaml",
            "toYamlPretty | fromYaml | toJson",
        ],
    );
    let mut case = Case::new(format!("{{{{ .Values.x | {function} }}}}"));
    let mut values = Map::new();
    let depth = rng.u32(1..4);
    values.insert("x".to_owned(), tree(rng, depth));
    case.values = Value::Object(values);
    case.integers = once_in(rng, 3);
    case
}

fn converting(rng: &mut Rng) -> Case {
    let text = yaml(rng);
    let last = pick(rng, &["toYaml", "toToml", "toYamlPretty", "toPrettyJson"]);
    let mut case = Case::new(format!("{{{{ .Files.Get \"x\" | fromYaml | {last} }}}}"));
    case.files.push(("x".to_owned(), text));
    case
}

const KEYS: &[&str] = &[
    "a",
    "b",
    "c",
    "a1",
    "a10",
    "a2",
    "A",
    "key",
    "x.y",
    "a b",
    "",
    "1",
    "1.5",
    "true",
    "yes",
    "null",
    "~",
    "é",
    "-",
    "#",
    "a:",
    ": ",
    "?",
    "\"",
    "'",
    "<<",
    "=",
    "n",
    "2001-01-01",
    "0x1",
    "a/b",
    "*a",
    "&a",
    "!a",
    "|",
    ">",
    "%",
    "@",
    "`",
    "{}",
    "[]",
    "line\nbreak",
    "tab\t",
    " lead",
    "trail ",
    "日本",
];

const TEXTS: &[&str] = &[
    "",
    "x",
    "hello world",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "n",
    "true",
    "null",
    "~",
    "1",
    "-1",
    "1.0",
    "1e3",
    ".5",
    "0x1F",
    "0o7",
    "010",
    "1_000",
    "1:30",
    "190:20:30",
    ".inf",
    ".nan",
    "2001-01-01",
    "2001-01-01T00:00:00Z",
    "=",
    "<<",
    "-",
    "- a",
    "-a",
    "?",
    "? a",
    ":",
    ": a",
    "a: b",
    "a:b",
    "a #b",
    "a#b",
    "#a",
    "a:",
    "[",
    "]",
    "{a}",
    "a, b",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    "'",
    "it's",
    "\"q\"",
    "back\\slash",
    " lead",
    "trail ",
    "a\nb",
    "a\nb\n",
    "a\n\n",
    "\na",
    "\n",
    " a\nb",
    "a\n b\n",
    "a \nb",
    "\ttab",
    "a\tb",
    "a\r\nb",
    "\r",
    "é",
    "☃",
    "😀",
    "日本語",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}x",
    "\u{feff}",
    "\u{fffe}",
    "---",
    "...",
    "--- a",
    "a\u{2029}b",
    "<a href='x'>&</a>",
    "0b1",
    "+1",
    "1.",
    "1e",
    "08",
    "0.1e-7",
    "123456789012345678901234567890",
    "{{ .x }}",
    "12e03",
    "0.",
    "-.inf",
    "+.inf",
    "0x",
    "9223372036854775808",
    "a  b",
    "!!str 1",
    "\u{1f}",
    "\u{e000}",
    "the quick brown fox jumps over the lazy dog and then some more words follow until the line is long enough",
    "averyveryveryveryveryveryverylongwordwithoutanyspaceatallthatgoesonandonandonandonandonandonandonandonandon x y",
    "line one of a text that is long enough to be folded if anything would fold it, which is not so in literals\nline two\n",
    "words with  two  spaces  that  are  many  and  go  past  the  column  eighty  where  folding  might  happen  at  last",
];

pub fn tree(rng: &mut Rng, depth: u32) -> Value {
    match rng.u32(..if depth == 0 { 8 } else { 14 }) {
        0..=3 => Value::String(text(rng)),
        4 => Value::Number(rng.i64(..).wrapping_shr(rng.u32(..64)).into()),
        5 => float(rng),
        6 => Value::Bool(rng.bool()),
        7 => Value::Null,
        8..=10 => (0..rng.u32(..4)).map(|_| tree(rng, depth - 1)).collect(),
        _ => {
            let mut map = Map::new();
            for _ in 0..rng.u32(..5) {
                let key = if once_in(rng, 6) { text(rng) } else { pick(rng, KEYS).to_owned() };
                map.insert(key, tree(rng, depth - 1));
            }
            Value::Object(map)
        }
    }
}

fn float(rng: &mut Rng) -> Value {
    let float = match rng.u32(..5) {
        0 => f64::from_bits(rng.u64(..)),
        1 => f64::from(rng.i32(-1000..1000)) / 8.0,
        2 => f64::from(rng.i32(..)) * 1e7,
        3 => (rng.f64() - 0.5) * 10f64.powi(rng.i32(-12..25)),
        _ => f64::from(rng.i32(-9..9)),
    };
    Number::from_f64(float).map_or(Value::Null, Value::Number)
}

fn text(rng: &mut Rng) -> String {
    if once_in(rng, 5) {
        let (mut one, two) = (pick(rng, TEXTS).to_owned(), pick(rng, TEXTS));
        one.push_str(pick(rng, &["", " ", "\n", ": ", " #", "\n\n", "\n  "]));
        return one + two;
    }
    pick(rng, TEXTS).to_owned()
}

/// A document in all of YAML's styles.
fn yaml(rng: &mut Rng) -> String {
    let mut out = String::new();
    if once_in(rng, 12) {
        out.push_str(pick(
            rng,
            &[
                "---\n",
                "--- # c\n",
                "%YAML 1.1\n---\n",
                "# c\n\n",
                "\u{feff}",
                "%TAG ! tag:x,1:\n---\n",
                "...\n",
            ],
        ));
    }
    let depth = rng.u32(1..4);
    let block = if once_in(rng, 4) { block_list } else { block_map };
    block(rng, &mut out, 0, depth);
    if once_in(rng, 12) {
        out.push_str(pick(rng, &["---\nb: 2\n", "...\n", "# end", "--- [", "\n\n", "  \n", "..."]));
    }
    out
}

fn block_map(rng: &mut Rng, out: &mut String, indent: usize, depth: u32) {
    for _ in 0..rng.u32(1..4) {
        out.push_str(&" ".repeat(indent));
        let complex = once_in(rng, 30);
        if complex {
            out.push_str("? ");
        }
        out.push_str(pick(
            rng,
            &[
                "a",
                "b",
                "c",
                "key",
                "x y",
                "'q'",
                "\"d\"",
                "1",
                "yes",
                "~",
                "1.5",
                "<<",
                "&k e",
                "!!str f",
                "a-b",
                "é",
                "0x10",
                "2001-01-01",
                ".inf",
                "\"\\u00e9\"",
                "[f]",
                "*x",
            ],
        ));
        if complex {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
        }
        out.push(':');
        value(rng, out, indent, depth);
    }
}

fn block_list(rng: &mut Rng, out: &mut String, indent: usize, depth: u32) {
    for _ in 0..rng.u32(1..4) {
        out.push_str(&" ".repeat(indent));
        out.push('-');
        value(rng, out, indent, depth);
    }
}

/// What follows `:` or `-`, with the end of its line.
fn value(rng: &mut Rng, out: &mut String, indent: usize, depth: u32) {
    if once_in(rng, 12) {
        out.push_str(pick(
            rng,
            &[
                " &x",
                " &y",
                " !!str",
                " !t",
                " !!int",
                " !!float",
                " !",
                " !!map",
                " !!binary",
                " !!null",
                " !!bool",
                " &x !!str",
            ],
        ));
    }
    match rng.u32(..if depth == 0 { 9 } else { 13 }) {
        0..=4 => {
            out.push(' ');
            out.push_str(&scalar(rng));
        }
        5 => {
            out.push(' ');
            flow(rng, out, depth.max(1));
        }
        6 => return literal(rng, out, indent),
        7 => out.push_str(pick(rng, &[" *x", " *y", "", " *x", " *z"])),
        8 => {
            // Over several lines.
            let more = " ".repeat(indent + 1);
            out.push_str(&format!(
                " {}\n{more}{}",
                scalar(rng),
                pick(rng, &["more", "b c", "\n  x", "# c", "'", "- y"])
            ));
        }
        kind => {
            if once_in(rng, 8) {
                out.push_str(" # comment");
            }
            out.push('\n');
            let block = if kind < 11 { block_map } else { block_list };
            let deeper = if once_in(rng, 10) { rng.usize(..4) } else { 2 };
            return block(rng, out, indent + deeper, depth - 1);
        }
    }
    out.push_str(pick(
        rng,
        &["\n", "\n", "\n", "\n", " # c\n", "\n\n", "\r\n", " \n", "#c\n", "\t\n"],
    ));
}

fn scalar(rng: &mut Rng) -> String {
    match rng.u32(..5) {
        0 => format!(
            "'{}'",
            pick(rng, &["", "x", "it''s", "a: b", "a\n  b", "a\n\n  b", "# x", "\"", " s ", "\\n"])
        ),
        1 => format!(
            "\"{}\"",
            pick(
                rng,
                &[
                    "",
                    "x",
                    "\\n",
                    "\\t\\x41\\u00e9\\U0001F600",
                    "a\\\n   b",
                    "a\n  b",
                    "\\\"",
                    "\\q",
                    "\\x4",
                    "\\/",
                    "\\ ",
                    "\\N\\_\\L\\P\\e\\0\\a\\b\\v\\f\\r",
                    "\\ud800",
                    " s ",
                    "a \n b"
                ]
            )
        ),
        _ => pick(rng, TEXTS).replace('\n', pick(rng, &[" ", "\n    "])),
    }
}

fn flow(rng: &mut Rng, out: &mut String, depth: u32) {
    let (open, close) = if rng.bool() { ("[", "]") } else { ("{", "}") };
    out.push_str(open);
    for i in 0..rng.u32(..4) {
        if i > 0 {
            out.push_str(pick(rng, &[", ", ",", " , ", ",\n    ", ", "]));
        }
        if open == "{" || once_in(rng, 6) {
            out.push_str(pick(
                rng,
                &[
                    "a: ", "b: ", "\"k\":", "c", "'q' : ", "? d : ", "&z e: ", "f:", "1: ", "g :h",
                    "~: ",
                ],
            ));
        }
        match rng.u32(..6) {
            0 if depth > 0 => flow(rng, out, depth - 1),
            1 => out.push_str(pick(rng, &["*x", "&x 1", "!!str 2", "", "!t {}"])),
            _ => {
                let scalar = scalar(rng);
                out.push_str(&scalar);
            }
        }
    }
    if once_in(rng, 10) {
        out.push(',');
    }
    out.push_str(close);
}

fn literal(rng: &mut Rng, out: &mut String, indent: usize) {
    out.push(' ');
    out.push_str(pick(
        rng,
        &["|", ">", "|-", ">-", "|+", ">+", "|2", ">2-", "|-1", "> # c", "|3+", "|0"],
    ));
    out.push('\n');
    let deeper = " ".repeat(indent + 2);
    for _ in 0..rng.u32(..5) {
        let line = pick(
            rng,
            &[
                "x",
                "y z",
                "",
                "  more",
                "# no comment",
                "a: b",
                "\ttab",
                " ",
                "- l",
                "é",
                "\"",
                "trail  ",
            ],
        );
        out.push_str(&format!("{deeper}{line}{}", pick(rng, &["\n", "\n", "\n", "\r\n", "\n\n"])));
    }
}

fn json(rng: &mut Rng) -> String {
    let depth = rng.u32(..4);
    let tree = tree(rng, depth);
    let mut text =
        if rng.bool() { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }
            .unwrap_or_default();
    if once_in(rng, 8) {
        text.push_str(pick(rng, &[" ", "\n", "1", "]", ",", "\u{0}", "//"]));
    }
    text
}

fn toml(rng: &mut Rng) -> String {
    let mut out = String::new();
    for _ in 0..rng.u32(1..6) {
        match rng.u32(..8) {
            0 => out.push_str(pick(
                rng,
                &[
                    "[a]\n",
                    // Not within `a`, which may be an inline table: Helm would add to it.
                    "[g.b]\n",
                    "[[l]]\n",
                    "[\"q.r\"]\n",
                    "[l.m]\n",
                    "[ g . c ]\n",
                    "[[g.x]]\n",
                    "# c\n",
                    "\n",
                    "[]\n",
                ],
            )),
            _ => {
                // No key that another one implies: Helm keeps quiet and the value is lost.
                out.push_str(pick(
                    rng,
                    &["a", "k", "c", "d.e", "\"f g\"", "'h'", "1", "a-b", "x_y", "b.c.d", "é"],
                ));
                out.push_str(pick(rng, &[" = ", "=", " =", " = "]));
                toml_value(rng, &mut out, 2);
                out.push_str(pick(rng, &["\n", "\n", "\n", " # c\n", "\r\n", ""]));
            }
        }
    }
    out
}

fn toml_value(rng: &mut Rng, out: &mut String, depth: u32) {
    match rng.u32(..8) {
        0 if depth > 0 => {
            out.push('[');
            for i in 0..rng.u32(..4) {
                out.push_str(if i > 0 { pick(rng, &[", ", ",", ",\n  "]) } else { "" });
                toml_value(rng, out, depth - 1);
            }
            out.push_str(pick(rng, &["]", "]", ",]"]));
        }
        1 if depth > 0 => {
            out.push_str(pick(rng, &["{ a = ", "{x.y=", "{b = "]));
            toml_value(rng, out, depth - 1);
            out.push_str(pick(rng, &[" }", "}", ", c = 1}", ",}"]));
        }
        _ => out.push_str(pick(
            rng,
            &[
                "1",
                "-17",
                "+3",
                "1_000",
                "0x1F",
                "0o17",
                "0b101",
                "1.5",
                "-0.0",
                "1e3",
                "6.02e-23",
                "inf",
                "-inf",
                "nan",
                "true",
                "false",
                "\"x\"",
                "\"a\\tb\\u00e9\"",
                "'raw\\n'",
                "\"\"\"\nm\nl\"\"\"",
                "'''\nm'''",
                "\"\"\"a\\\n   b\"\"\"",
                "1979-05-27",
                "1979-05-27T07:32:00Z",
                "1979-05-27 07:32:00.5+01:00",
                "07:32:00",
                "1979-05-27T07:32:00",
                "\"\"",
                "01",
                "1.",
                ".5",
                "1__0",
                "\"\\q\"",
                "9223372036854775808",
                "0xZ",
                "tru",
                "\"\\U0001F600\"",
                "2024-02-30",
                "1e400",
                "07:32",
                "\"a",
                "\"\\e\"",
                "0X1",
                "1_",
            ],
        )),
    }
}
