//! Percent signs in URLs.

use crate::template::quote::quote;

/// A part of a URL: the characters besides letters, digits and `-_.~` that need no escape there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Part(&'static str);

pub(super) const PATH: Part = Part("$&+,/:;=@");
pub(super) const USER: Part = Part("$&+,;=");
pub(super) const FRAGMENT: Part = Part("!$&()*+,/:;=?@");
pub(super) const HOST: Part = Part("!$&'()*+,;=:[]<>\"");
/// The zone of an IPv6 address.
pub(super) const ZONE: Part = Part("!$&'()*+,;=:[]<>\" ");

fn is_plain(b: u8, part: Part) -> bool {
    b.is_ascii_alphanumeric() || b"-_.~".contains(&b) || part.0.as_bytes().contains(&b)
}

pub(super) fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for b in text {
        if is_plain(*b, part) {
            out.push(*b);
        } else {
            out.extend_from_slice(format!("%{b:02X}").as_bytes());
        }
    }
    out
}

/// Err: an escape, or a character of a host, that is wrong.
pub(super) fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((b, tail)) = rest.split_first() {
        if *b != b'%' {
            if matches!(part, HOST | ZONE) && b.is_ascii() && (!is_plain(*b, part) || *b == b' ') {
                return Err(format!("invalid character {} in host name", quote(&[*b])));
            }
            out.push(*b);
            rest = tail;
            continue;
        }
        let wrong =
            |text: &[u8]| format!("invalid URL escape {}", quote(&text[..text.len().min(3)]));
        let digits = tail.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(code) = code else { return Err(wrong(rest)) };
        // Only what is not ASCII, and the percent sign before a zone, may be escaped in a host.
        let is_percent = code == b'%';
        if part == HOST && code.is_ascii() && !is_percent
            || part == ZONE && !is_percent && !is_plain(code, ZONE)
        {
            return Err(wrong(rest));
        }
        out.push(code);
        rest = &tail[2..];
    }
    Ok(out)
}
