//! `$1`, `${name}` in the replacement of a match, as Go's regexp.Expand reads them.

use regex_automata::util::captures::Captures;

use crate::template::Lossy;

/// Appends the replacement to `out`. A group that does not exist or did not take part is empty.
pub(super) fn expand(
    template: &[u8],
    names: &[String],
    captures: &Captures,
    subject: &Lossy<'_>,
    out: &mut Vec<u8>,
) {
    let mut rest = template;
    while let Some(at) = rest.iter().position(|b| *b == b'$') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.first() == Some(&b'$') {
            out.push(b'$');
            rest = &rest[1..];
            continue;
        }
        let Some((name, after)) = reference(rest) else {
            out.push(b'$');
            continue;
        };
        rest = after;
        let group = match number(name) {
            Some(index) => captures.get_group(index),
            None => names
                .iter()
                .enumerate()
                .filter(|(_, known)| known.as_bytes() == name)
                .find_map(|(index, _)| captures.get_group(index)),
        };
        if let Some(group) = group {
            out.extend_from_slice(subject.bytes(group.start..group.end));
        }
    }
    out.extend_from_slice(rest);
}

/// The name after `$`, and what follows it. None: the `$` means itself.
fn reference(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (braced, text) = match text.strip_prefix(b"{") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let valid = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let end = valid.find(|c: char| !is_word(c)).unwrap_or(valid.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    let rest = if braced { rest.strip_prefix(b"}")? } else { rest };
    Some((name, rest))
}

/// unicode.IsLetter, unicode.IsDigit or an underscore.
fn is_word(c: char) -> bool {
    c == '_' || crate::unicode::is_letter(c) || crate::unicode::is_digit(c)
}

fn number(name: &[u8]) -> Option<usize> {
    let leading_zero = name.len() > 1 && name[0] == b'0';
    let digits = !leading_zero && name.len() <= 9 && name.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(name).ok().filter(|_| digits)?.parse().ok()
}
