//! Bytes to text, as go-yaml reads them: UTF-8, or UTF-16 with a byte order mark.

use std::borrow::Cow;

use super::read::YamlError;

/// The text of a document.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, YamlError> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes).map(Cow::Owned),
        _ => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| YamlError::new(0, mistake(&bytes[error.valid_up_to()..]))),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, YamlError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(YamlError::new(0, "incomplete UTF-16 character"));
    }
    let units = pairs.iter().map(|pair| unit(*pair));
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .map_err(|_| YamlError::new(0, "unexpected low surrogate area"))
}

/// What is wrong with the character that these bytes begin with.
fn mistake(bytes: &[u8]) -> &'static str {
    let width = match bytes.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => return "invalid leading UTF-8 octet",
    };
    let Some(trailing) = bytes.get(1..width) else { return "incomplete UTF-8 octet sequence" };
    if trailing.iter().any(|byte| byte & 0xc0 != 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    let overlong = match width {
        2 => bytes[0] < 0xc2,
        3 => bytes[0] == 0xe0 && trailing[0] < 0xa0,
        _ => bytes[0] == 0xf0 && trailing[0] < 0x90,
    };
    if overlong { "invalid length of a UTF-8 sequence" } else { "invalid Unicode character" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_have_go_yamls_words() {
        assert_eq!(decode(b"\xff\xfea\0").as_deref(), Ok("a"));
        for (bytes, words) in [
            (&b"\xfe"[..], "invalid leading UTF-8 octet"),
            (b"a\xc3", "incomplete UTF-8 octet sequence"),
            (b"a\xc3b", "invalid trailing UTF-8 octet"),
            (b"\xc0\x80", "invalid length of a UTF-8 sequence"),
            (b"\xed\xa0\x80", "invalid Unicode character"),
            (b"\xff\xfea", "incomplete UTF-16 character"),
        ] {
            assert_eq!(decode(bytes), Err(YamlError::new(0, words)), "{bytes:?}");
        }
    }
}
