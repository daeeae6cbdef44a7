//! Every function of Helm's map, with arguments that fit, that fit nearly and that do not.

mod argument;
mod table;

use std::sync::LazyLock;

use fastrand::Rng;

use super::{once_in, pick};
use crate::case::Case;

/// A function as the table has it.
struct Signature {
    gives: &'static str,
    name: &'static str,
    wants: Vec<&'static str>,
}

static SIGNATURES: LazyLock<Vec<Signature>> = LazyLock::new(|| {
    let lines = table::TABLE.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("a line has a class and a name");
            let (gives, name) = (word(), word());
            Signature { gives, name, wants: words.collect() }
        })
        .collect()
});

pub fn case(rng: &mut Rng) -> Case {
    if once_in(rng, 40) {
        let dear = once_in(rng, 60);
        let shape = pick(rng, if dear { table::DEAR_SHAPES } else { table::SHAPES });
        return Case::new(filled(rng, shape));
    }
    let lines = if once_in(rng, 4) { 2 } else { 1 };
    let lines: Vec<_> = (0..lines).map(|_| line(rng)).collect();
    let mut case = Case::new(lines.join("\n"));
    case.integers = once_in(rng, 4);
    if case.template.contains("include") {
        let helpers = "{{ define \"a\" }}a {{ . }}{{ end }}{{ define \"b\" }}{{ include \"a\" .name }}{{ end }}\
                       {{ define \"loop\" }}{{ include \"loop\" . }}{{ end }}";
        case.templates.push(("_h.tpl".to_owned(), helpers.to_owned()));
    }
    case
}

/// A shape with texts and small numbers in their places.
fn filled(rng: &mut Rng, shape: &str) -> String {
    let mut out = shape.to_owned();
    for (place, class) in [("TEXT", "text"), ("SMALL", "small"), ("TOML", "toml")] {
        while out.contains(place) {
            out = out.replacen(place, &argument::plain(rng, class), 1);
        }
    }
    out
}

fn line(rng: &mut Rng) -> String {
    let signature = &SIGNATURES[rng.usize(..SIGNATURES.len())];
    let call = call(rng, signature, 2);
    match (signature.gives, rng.u32(..8)) {
        (_, 0) => format!("{{{{ {call} | toJson }}}}"),
        (_, 1) => format!("{{{{ printf \"%v %T\" ({call}) ({call}) }}}}"),
        ("text", 2 | 3) => format!("{{{{ {call} | quote }}}}"),
        ("list", 2) => {
            format!("{{{{ range $i, $x := {call} }}}}{{{{ $i }}}}={{{{ $x }}}};{{{{ end }}}}")
        }
        ("list", 3) => format!("{{{{ {call} | join \",\" }}}}"),
        ("dict", 2) => {
            format!("{{{{ range $k, $v := {call} }}}}{{{{ $k }}}}={{{{ $v }}}};{{{{ end }}}}")
        }
        ("time", 2..=5) => format!("{{{{ {call} | date \"2006-01-02T15:04:05.999Z07:00\" }}}}"),
        (_, 4) => format!("{{{{ $x := {call} }}}}{{{{ $x }}}} {{{{ kindOf $x }}}}"),
        (_, 5) => format!("{{{{ {call} | {} }}}}", stage(rng)),
        _ => format!("{{{{ {call} }}}}"),
    }
}

/// A function that takes what is piped to it, with its other arguments.
fn stage(rng: &mut Rng) -> String {
    let signature = &SIGNATURES[rng.usize(..SIGNATURES.len())];
    let mut words = vec![signature.name.to_owned()];
    words.extend(arguments(rng, signature, 1));
    if words.len() > 1 {
        words.pop();
    }
    words.join(" ")
}

fn call(rng: &mut Rng, signature: &Signature, depth: u32) -> String {
    let arguments = arguments(rng, signature, depth);
    // The order of keys and values is random.
    if matches!(signature.name, "keys" | "values") {
        return format!("{} {} | sortAlpha", signature.name, arguments.join(" "));
    }
    match (arguments.split_last(), once_in(rng, 6)) {
        (Some((last, rest)), true) => {
            format!("{last} | {}", [&[signature.name.to_owned()], rest].concat().join(" "))
        }
        _ => [vec![signature.name.to_owned()], arguments].concat().join(" "),
    }
}

fn arguments(rng: &mut Rng, signature: &Signature, depth: u32) -> Vec<String> {
    let mut found = Vec::new();
    for want in &signature.wants {
        let (class, count) = match want.strip_suffix('*') {
            Some(class) => (class, rng.u32(..4)),
            None => match want.strip_suffix('?') {
                Some(class) => (class, rng.u32(..2)),
                None => (*want, 1),
            },
        };
        for _ in 0..count {
            if class == "pair" {
                found.push(argument(rng, "key", depth));
                found.push(argument(rng, "any", depth));
            } else {
                found.push(argument(rng, class, depth));
            }
        }
    }
    match rng.u32(..50) {
        0 => found.truncate(found.len().saturating_sub(1)),
        1 => found.push(argument(rng, "any", depth)),
        2 if found.len() > 1 => found.swap(0, 1),
        _ => {}
    }
    found
}

fn argument(rng: &mut Rng, class: &str, depth: u32) -> String {
    // What is changed in place must not hold itself: Go's printing of that never ends.
    if class == "fresh" {
        return argument::plain(rng, class);
    }
    if once_in(rng, 14) {
        return super::expression::value(rng, depth.min(1));
    }
    if depth > 0 && once_in(rng, 5) {
        let fitting = |signature: &&Signature| signature.gives == class || class == "any";
        let fitting: Vec<_> = SIGNATURES.iter().filter(fitting).collect();
        if !fitting.is_empty() {
            let signature = fitting[rng.usize(..fitting.len())];
            return format!("({})", call(rng, signature, depth - 1));
        }
    }
    argument::plain(rng, class)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What is made of randomness or of time is among the shapes.
    #[test]
    fn every_function_is_generated() {
        let shapes: String = [table::SHAPES, table::DEAR_SHAPES].concat().join(" ");
        let words: BTreeSet<&str> =
            shapes.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let missing: Vec<_> = pinnace_engine::template::function_names()
            .filter(|name| !words.contains(name))
            .filter(|name| !SIGNATURES.iter().any(|signature| signature.name == *name))
            .collect();
        assert!(missing.is_empty(), "no case calls {missing:?}");
    }

    #[test]
    fn every_class_has_arguments() {
        let mut rng = Rng::with_seed(1);
        for signature in SIGNATURES.iter() {
            for want in &signature.wants {
                let class = want.trim_end_matches(['*', '?']);
                assert!(class == "pair" || argument::is_known(class), "{class}");
            }
            call(&mut rng, signature, 2);
        }
    }
}
