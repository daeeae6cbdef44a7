//! Sprig: the case of letters and words.

use super::strings::{is_space, lower, upper};
use super::{Function, Kind, text};
use crate::template::Value;

const ONE: &[Kind] = &[Kind::String];

pub(super) const TABLE: &[Function] = &[
    Function::new("title", ONE, |_, a| Ok(title(&text(&a[0])).into())),
    Function::new("untitle", ONE, |_, a| Ok(untitle(&text(&a[0])).into())),
    Function::new("swapcase", ONE, |_, a| Ok(swap_case(&text(&a[0])).into())),
    Function::new("initials", ONE, |_, a| Ok(initials(&a[0]))),
    Function::new("snakecase", ONE, |_, a| Ok(separate(&text(&a[0]), '_').into())),
    Function::new("kebabcase", ONE, |_, a| Ok(separate(&text(&a[0]), '-').into())),
    Function::new("camelcase", ONE, |_, a| Ok(pascal(&text(&a[0])).into())),
];

/// strings.Title: letters after anything that is no letter, digit, underscore or other symbol.
fn title(s: &str) -> String {
    let mut previous = ' ';
    s.chars()
        .map(|c| {
            let starts = if previous.is_ascii() {
                !(previous.is_ascii_alphanumeric() || previous == '_')
            } else {
                !previous.is_alphanumeric() && is_space(previous)
            };
            previous = c;
            if starts { upper(c) } else { c }
        })
        .collect()
}

fn untitle(s: &str) -> String {
    let mut next = true;
    s.chars()
        .map(|c| {
            if is_space(c) {
                next = true;
                return c;
            }
            if std::mem::take(&mut next) { lower(c) } else { c }
        })
        .collect()
}

fn swap_case(s: &str) -> String {
    let mut space = true;
    s.chars()
        .map(|c| {
            if c.is_uppercase() || c.is_lowercase() {
                space = false;
                return if c.is_uppercase() { lower(c) } else { upper(c) };
            }
            space = is_space(c);
            c
        })
        .collect()
}

/// The first byte of each word, as goutils counts.
fn initials(value: &Value) -> Value {
    let mut gap = true;
    let mut out = String::new();
    for b in super::bytes(value) {
        let c = *b as char;
        if is_space(c) {
            gap = true;
        } else if std::mem::take(&mut gap) {
            out.push(c);
        }
    }
    out.into()
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || is_space(c)
}

/// xstrings.ToPascalCase
fn pascal(s: &str) -> String {
    let mut out = String::new();
    let mut chars = s.chars();
    let mut first_upper = false;
    let mut current = None;
    for c in chars.by_ref() {
        if !is_connector(c) {
            first_upper = c.is_uppercase();
            current = Some(upper(c));
            break;
        }
        out.push(c);
    }
    let Some(mut current) = current else {
        // Only connectors: the last one is written twice by xstrings.
        out.extend(s.chars().next_back());
        return out;
    };
    for c in chars {
        let previous = current;
        current = c;
        if is_connector(current) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            first_upper = current.is_uppercase();
            current = upper(current);
        } else {
            if first_upper {
                if current.is_uppercase() {
                    current = lower(current);
                } else {
                    first_upper = false;
                }
            }
            out.push(previous);
        }
    }
    out.push(current);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
    None,
}

fn is_punctuation(c: char) -> bool {
    // unicode.IsPunct leaves out the symbols $+<=>^`|~.
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c);
    }
    matches!(c, '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '‐'..='‧' | '‰'..='⁃' | '、'..='】')
}

fn class(c: char) -> Word {
    match c {
        c if is_connector(c) => Word::Connector,
        c if is_punctuation(c) => Word::Punctuation,
        c if c.is_uppercase() => Word::Upper,
        c if c.is_alphabetic() => Word::Letters,
        c if c.is_numeric() => Word::Number,
        _ => Word::Other,
    }
}

/// The next word of the text: its class and length in bytes.
fn next_word(s: &str) -> (Word, usize) {
    let Some(first) = s.chars().next() else { return (Word::None, 0) };
    let kind = class(first);
    let run = |from: usize, accept: &dyn Fn(char) -> bool| {
        let rest = &s[from..];
        from + rest.find(|c| !accept(c)).unwrap_or(rest.len())
    };
    let after = first.len_utf8();
    let is_small = |c: char| c.is_alphabetic() && !c.is_uppercase();
    let end = match kind {
        Word::Upper => match s[after..].chars().next() {
            Some(c) if c.is_uppercase() => {
                let end = run(after, &|c| c.is_uppercase());
                // The last capital begins the next word: HTTPServer is HTTP, Server.
                match (s[end..].chars().next(), s[..end].chars().next_back()) {
                    (Some(c), Some(last)) if c.is_alphabetic() => end - last.len_utf8(),
                    _ => end,
                }
            }
            Some(c) if c.is_alphabetic() => run(after, &is_small),
            _ => after,
        },
        Word::Letters => run(after, &is_small),
        kind => run(after, &|c| class(c) == kind),
    };
    (kind, end)
}

/// xstrings.ToSnakeCase and ToKebabCase.
fn separate(s: &str, connector: char) -> String {
    let mut out = String::new();
    let mut rest = s;
    let mut take = || {
        let (kind, len) = next_word(rest);
        let (word, tail) = rest.split_at(len);
        rest = tail;
        (kind, word, tail.is_empty())
    };
    let write = |out: &mut String, kind: Word, word: &str| {
        for c in word.chars() {
            out.push(if kind == Word::Connector { connector } else { lower(c) });
        }
    };
    let joins = |kind: Word| matches!(kind, Word::Letters | Word::Number);
    let parts = |kind: Word| !matches!(kind, Word::None | Word::Punctuation | Word::Connector);
    let (mut kind, mut word, mut last) = take();
    while !last {
        if kind != Word::Connector {
            write(&mut out, kind, word);
        }
        let (previous, previous_word) = (kind, word);
        (kind, word, last) = take();
        match previous {
            Word::Number => {
                while joins(kind) {
                    write(&mut out, kind, word);
                    (kind, word, last) = take();
                }
                if parts(kind) {
                    out.push(connector);
                }
            }
            Word::Connector => write(&mut out, previous, previous_word),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
            _ if last => {}
            _ => {
                let number = word;
                (kind, word, last) = take();
                if kind != Word::Letters {
                    write(&mut out, Word::Number, number);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        out.push(connector);
                    }
                    continue;
                }
                out.push(connector);
                write(&mut out, Word::Number, number);
                while joins(kind) {
                    write(&mut out, kind, word);
                    (kind, word, last) = take();
                }
                if parts(kind) {
                    out.push(connector);
                }
            }
        }
    }
    write(&mut out, kind, word);
    out
}
