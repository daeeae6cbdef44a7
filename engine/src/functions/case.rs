//! Sprig: the case of letters and words.

use super::{Function, Kind, bytes, text};
use crate::template::{Value, lossy};
use crate::unicode::{
    decode, is_letter, is_lower, is_number, is_punctuation, is_space, is_title, is_upper, to_lower,
    to_title, to_upper,
};

const ONE: &[Kind] = &[Kind::String];

pub(super) const TABLE: &[Function] = &[
    Function::new("title", ONE, |_, a| Ok(title(&text(&a[0])).into())),
    Function::new("untitle", ONE, |_, a| Ok(untitle(&text(&a[0])).into())),
    Function::new("swapcase", ONE, |_, a| Ok(swap_case(&text(&a[0])).into())),
    Function::new("initials", ONE, |_, a| Ok(initials(&a[0]))),
    Function::new("snakecase", ONE, |_, a| Ok(Value::string(separate(bytes(&a[0]), '_')))),
    Function::new("kebabcase", ONE, |_, a| Ok(Value::string(separate(bytes(&a[0]), '-')))),
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
                is_space(previous)
            };
            previous = c;
            if starts { to_title(c) } else { c }
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
            if std::mem::take(&mut next) { to_lower(c) } else { c }
        })
        .collect()
}

fn swap_case(s: &str) -> String {
    let mut space = true;
    s.chars()
        .map(|c| {
            if is_upper(c) || is_title(c) {
                space = false;
                return to_lower(c);
            }
            if is_lower(c) {
                return if std::mem::take(&mut space) { to_title(c) } else { to_upper(c) };
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
    for b in bytes(value) {
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
            first_upper = is_upper(c);
            current = Some(to_upper(c));
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
            first_upper = is_upper(current);
            current = to_upper(current);
        } else {
            if first_upper {
                if is_upper(current) {
                    current = to_lower(current);
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

/// A letter of those scripts that have words of letters.
fn is_alphabet(c: char) -> bool {
    let ideograph =
        matches!(c, '\u{4E00}'..='\u{9FCC}' | '\u{3400}'..='\u{4D85}' | '\u{20000}'..='\u{2B81D}');
    is_letter(c) && !ideograph
}

fn class(c: char) -> Word {
    match c {
        c if is_connector(c) => Word::Connector,
        c if is_punctuation(c) => Word::Punctuation,
        c if is_upper(c) => Word::Upper,
        c if is_alphabet(c) => Word::Letters,
        c if is_number(c) => Word::Number,
        _ => Word::Other,
    }
}

/// xstrings.nextValidRune: U+FFFD and bytes that are not UTF-8 are passed over, and counted.
fn next_valid(s: &[u8], previous: char) -> (char, usize) {
    let mut size = 0;
    while size < s.len() {
        let (c, width) = decode(&s[size..]);
        size += width;
        if c != char::REPLACEMENT_CHARACTER {
            return (c, size);
        }
    }
    (previous, size)
}

/// The next word of the text: its class and length in bytes.
fn next_word(s: &[u8]) -> (Word, usize) {
    if s.is_empty() {
        return (Word::None, 0);
    }
    let (first, after) = next_valid(s, char::REPLACEMENT_CHARACTER);
    if first == char::REPLACEMENT_CHARACTER {
        return (Word::None, after);
    }
    let run = |from: usize, accept: &dyn Fn(char) -> bool| {
        let (mut end, mut c) = (from, first);
        while end < s.len() {
            let width;
            (c, width) = next_valid(&s[end..], c);
            if !accept(c) {
                break;
            }
            end += width;
        }
        end
    };
    let is_small = |c: char| is_alphabet(c) && !is_upper(c);
    let kind = class(first);
    let end = match kind {
        Word::Upper if after < s.len() => match next_valid(&s[after..], first) {
            (c, _) if is_upper(c) => capitals(s, after, c),
            (c, _) if is_alphabet(c) => run(after, &is_small),
            _ => after,
        },
        Word::Upper => after,
        Word::Letters => run(after, &is_small),
        Word::Connector => run(after, &is_connector),
        // A hyphen or an underscore within is one, too.
        Word::Punctuation => run(after, &is_punctuation),
        Word::Number => run(after, &is_number),
        Word::Other | Word::None => run(after, &|c| {
            !(is_connector(c) || is_alphabet(c) || is_number(c) || is_punctuation(c))
        }),
    };
    (kind, end)
}

/// The end of a run of capitals. The last one begins the next word: HTTPServer is HTTP, Server.
fn capitals(s: &[u8], from: usize, second: char) -> usize {
    let (mut end, mut c, mut last_width) = (from, second, 0);
    while end < s.len() {
        let width;
        (c, width) = next_valid(&s[end..], c);
        if !is_upper(c) {
            break;
        }
        (end, last_width) = (end + width, width);
    }
    if end < s.len() && is_alphabet(c) { end - last_width } else { end }
}

/// xstrings.ToSnakeCase and ToKebabCase.
fn separate(s: &[u8], connector: char) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = s;
    let mut take = || {
        let (kind, len) = next_word(rest);
        let (word, tail) = rest.split_at(len);
        rest = tail;
        (kind, word, tail.is_empty())
    };
    let push =
        |out: &mut Vec<u8>, c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    let write = |out: &mut Vec<u8>, kind: Word, word: &[u8]| {
        if !matches!(kind, Word::Upper | Word::Connector) {
            return out.extend_from_slice(word);
        }
        for c in lossy(word).chars() {
            push(
                out,
                if is_connector(c) {
                    connector
                } else if is_upper(c) {
                    to_lower(c)
                } else {
                    c
                },
            );
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
                    push(&mut out, connector);
                }
            }
            Word::Connector => write(&mut out, previous, previous_word),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punctuation) {
                    push(&mut out, connector);
                }
            }
            _ if last => {}
            _ => {
                let number = word;
                (kind, word, last) = take();
                if kind != Word::Letters {
                    write(&mut out, Word::Number, number);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        push(&mut out, connector);
                    }
                    continue;
                }
                push(&mut out, connector);
                write(&mut out, Word::Number, number);
                while joins(kind) {
                    write(&mut out, kind, word);
                    (kind, word, last) = take();
                }
                if parts(kind) {
                    push(&mut out, connector);
                }
            }
        }
    }
    write(&mut out, kind, word);
    out
}
