//! Go's strconv.Quote and Unquote.

use crate::unicode::is_print;

/// strconv.Quote: bytes that are not UTF-8 as \x, what is not printable as \u.
pub(crate) fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, '"', false)
}

/// The literal that Go's regexp and url print: raw if it can be, else as [`quote`].
pub(crate) fn quote_for_code(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text)
            if text
                .chars()
                .all(|c| c == '\t' || !matches!(c, '\0'..' ' | '`' | '\x7f' | '\u{feff}')) =>
        {
            format!("`{text}`")
        }
        _ => quote(bytes),
    }
}

/// strconv.QuoteToASCII.
pub(crate) fn quote_to_ascii(bytes: &[u8]) -> String {
    quote_with(bytes, '"', true)
}

/// strconv.QuoteRune and QuoteRuneToASCII.
pub(crate) fn quote_char(c: char, ascii: bool) -> String {
    let mut out = String::from("'");
    push_char(&mut out, c, '\'', ascii);
    out.push('\'');
    out
}

fn quote_with(bytes: &[u8], mark: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(mark);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_char(&mut out, c, mark, ascii);
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out.push(mark);
    out
}

fn push_char(out: &mut String, c: char, mark: char, ascii: bool) {
    match c {
        c if c == mark || c == '\\' => {
            out.push('\\');
            out.push(c);
        }
        c if (c.is_ascii() || !ascii) && is_print(c) => out.push(c),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if c < ' ' || c == '\x7f' => out.push_str(&format!("\\x{:02x}", c as u32)),
        c if (c as u32) < 0x10000 => out.push_str(&format!("\\u{:04x}", c as u32)),
        c => out.push_str(&format!("\\U{:08x}", c as u32)),
    }
}

/// `%#U`: U+0021 '!'
pub(crate) fn quote_char_code(c: char) -> String {
    if is_print(c) { format!("U+{:04X} '{c}'", c as u32) } else { format!("U+{:04X}", c as u32) }
}

/// strconv.Unquote of a string literal with its quotes. None: invalid syntax.
pub(crate) fn unquote(literal: &str) -> Option<Vec<u8>> {
    if let Some(raw) = literal.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', "").into_bytes());
    }
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (unit, tail) = unquote_char(rest, '"')?;
        match unit {
            Unit::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Unit::Byte(b) => out.push(b),
        }
        rest = tail;
    }
    Some(out)
}

/// One character of a literal.
pub(crate) enum Unit {
    Char(char),
    /// From \x or an octal escape.
    Byte(u8),
}

/// strconv.UnquoteChar: the first character and the rest.
pub(crate) fn unquote_char(text: &str, mark: char) -> Option<(Unit, &str)> {
    let mut chars = text.chars();
    let c = chars.next()?;
    if c == mark {
        return None;
    }
    if c != '\\' {
        return Some((Unit::Char(c), chars.as_str()));
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let plain = |c: char| Some((Unit::Char(c), rest));
    let hex = |digits: usize| {
        let head = rest.get(..digits)?;
        if !head.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        Some((u32::from_str_radix(head, 16).ok()?, &rest[digits..]))
    };
    match escape {
        'a' => plain('\x07'),
        'b' => plain('\x08'),
        'f' => plain('\x0c'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'v' => plain('\x0b'),
        '\\' => plain('\\'),
        '\'' | '"' if escape == mark => plain(escape),
        'x' => {
            let (code, tail) = hex(2)?;
            Some((Unit::Byte(u8::try_from(code).ok()?), tail))
        }
        'u' | 'U' => {
            let (code, tail) = hex(if escape == 'u' { 4 } else { 8 })?;
            Some((Unit::Char(char::from_u32(code)?), tail))
        }
        '0'..='7' => {
            let digits = text.get(1..4)?;
            let code = u32::from_str_radix(digits, 8).ok()?;
            Some((Unit::Byte(u8::try_from(code).ok()?), &text[4..]))
        }
        _ => None,
    }
}
