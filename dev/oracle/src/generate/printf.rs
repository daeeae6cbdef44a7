//! `printf`, `print` and `println`: every verb and flag over every type.

use fastrand::Rng;

use super::expression::{int, value};
use super::{once_in, pick};
use crate::case::Case;

pub fn case(rng: &mut Rng) -> Case {
    let lines = rng.u32(1..=4);
    let lines: Vec<_> = (0..lines).map(|_| line(rng)).collect();
    Case::new(lines.join("\n"))
}

fn line(rng: &mut Rng) -> String {
    match rng.u32(..13) {
        // What is held by reference has an address, another in each run.
        5 => format!("{{{{ printf \"%{}p\" {} }}}}", pick(rng, &["", "#", "9", "-9"]), int(rng)),
        0 => format!("{{{{ print {} }}}}", arguments(rng, 3)),
        1 => format!("{{{{ println {} }}}}", arguments(rng, 3)),
        2 => format!("{{{{ {} | printf {} }}}}", value(rng, 1), format(rng)),
        3 => format!("{{{{ {} }}}}", value(rng, 2)),
        4 => format!("{{{{ {} {} }}}}", pick(rng, &["html", "js", "urlquery"]), arguments(rng, 2)),
        _ => {
            let format = format(rng);
            let wanted = format.matches('%').count() as u32;
            let extra = if once_in(rng, 6) { rng.u32(..2) } else { 0 };
            format!("{{{{ printf {format} {} }}}}", arguments(rng, (wanted + extra).min(5)))
        }
    }
}

fn arguments(rng: &mut Rng, up_to: u32) -> String {
    let count = if once_in(rng, 5) { rng.u32(..=up_to) } else { up_to };
    let words: Vec<_> = (0..count).map(|_| value(rng, 1)).collect();
    words.join(" ")
}

/// A format as a literal.
fn format(rng: &mut Rng) -> String {
    let mut out = String::from("\"");
    for _ in 0..rng.u32(1..=3) {
        out.push_str(pick(rng, &["", "", "a", " ", "|", "é", "[]", "x:"]));
        directive(rng, &mut out);
    }
    out.push_str(pick(rng, &["", "", "", "|", "!", " ", "%", "%%"]));
    out.push('"');
    out
}

const VERBS: &[&str] = &[
    "v", "v", "v", "d", "d", "s", "s", "q", "q", "x", "X", "f", "g", "e", "E", "G", "F", "t", "T",
    "c", "b", "o", "O", "U", "w", "%", "é", "z", "n", "i", "!", "N", "B", "D",
];

fn directive(rng: &mut Rng, out: &mut String) {
    out.push('%');
    while once_in(rng, 3) {
        out.push_str(pick(rng, &["+", "-", "#", " ", "0", "#", "+"]));
    }
    if once_in(rng, 14) {
        index(rng, out);
    }
    match rng.u32(..10) {
        0..=2 => out.push_str(&rng.u32(..24).to_string()),
        3 if once_in(rng, 3) => out.push('*'),
        4 if once_in(rng, 20) => {
            out.push_str(pick(rng, &["999", "20000000", "99999999999999999999", "-5"]))
        }
        _ => {}
    }
    match rng.u32(..10) {
        0..=1 => {
            out.push('.');
            out.push_str(&rng.u32(..20).to_string());
        }
        2 if once_in(rng, 3) => {
            out.push_str(pick(rng, &[".", ".*", ".-1", ".0", ".00", ".[1]*", ".300"]))
        }
        _ => {}
    }
    if once_in(rng, 14) {
        index(rng, out);
    }
    out.push_str(pick(rng, VERBS));
}

fn index(rng: &mut Rng, out: &mut String) {
    out.push_str(pick(
        rng,
        &[
            "[1]",
            "[2]",
            "[3]",
            "[1]*",
            "[2]*",
            "[0]",
            "[-1]",
            "[x]",
            "[",
            "[]",
            "[99]",
            "[1",
            "[1]*.[2]*[3]",
            "[ 1]",
        ],
    ));
}
