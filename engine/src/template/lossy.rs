//! Text of bytes that need not be UTF-8, for those who need text: the lexer, the regex engine.

use std::borrow::Cow;
use std::ops::Range;

/// Bytes and their text, in which each byte that is not UTF-8 is U+FFFD, as Go reads it.
pub(crate) struct Lossy<'a> {
    bytes: &'a [u8],
    text: Cow<'a, str>,
    /// For each replaced byte, its place in the text; empty if text and bytes are the same.
    replaced: Vec<usize>,
}

/// What U+FFFD takes in a text, more than the byte that it stands for.
const EXTRA: usize = '\u{fffd}'.len_utf8() - 1;

impl<'a> Lossy<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Lossy { bytes, text: text.into(), replaced: Vec::new() };
        }
        let mut text = String::with_capacity(bytes.len() + 16);
        let mut replaced = Vec::new();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for _ in chunk.invalid() {
                replaced.push(text.len());
                text.push('\u{fffd}');
            }
        }
        Lossy { bytes, text: text.into(), replaced }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of a part of the text.
    pub fn bytes(&self, part: Range<usize>) -> &'a [u8] {
        let place = |at: usize| at - EXTRA * self.replaced.partition_point(|r| *r < at);
        &self.bytes[place(part.start)..place(part.end)]
    }
}

/// The text of bytes; as for Go, each byte that is not UTF-8 is one U+FFFD.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_bytes_of_before() {
        let lossy = Lossy::new(b"a\xff\xe4\xb8b");
        assert_eq!(lossy.text(), "a\u{fffd}\u{fffd}\u{fffd}b");
        assert_eq!(lossy.bytes(0..4), b"a\xff");
        assert_eq!(lossy.bytes(4..11), b"\xe4\xb8b");
        assert_eq!(Lossy::new("ä".as_bytes()).bytes(0..2), "ä".as_bytes());
    }
}
