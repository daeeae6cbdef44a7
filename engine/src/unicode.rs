//! Go's package unicode: classes of characters, and one character for one in changes of case.
//!
//! Go 1.26 knows Unicode 15; characters that are newer than that are taken for what they are now.

use unicode_general_category::{GeneralCategory as Category, get_general_category as category};

/// utf8.DecodeRune: the first character and its length; a byte that is not UTF-8 is U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> (char, usize) {
    let head = &bytes[..bytes.len().min(4)];
    let first = head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    first.map_or((char::REPLACEMENT_CHARACTER, bytes.len().min(1)), |c| (c, c.len_utf8()))
}

/// unicode.IsLetter. Rust's alphabetic characters are more: numerals and marks are among them.
pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    use Category::{
        LowercaseLetter, ModifierLetter, OtherLetter, TitlecaseLetter, UppercaseLetter,
    };
    matches!(
        category(c),
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter
    )
}

/// unicode.IsDigit
pub(crate) fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { category(c) == Category::DecimalNumber }
}

/// unicode.IsNumber
pub(crate) fn is_number(c: char) -> bool {
    use Category::{DecimalNumber, LetterNumber, OtherNumber};
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    matches!(category(c), DecimalNumber | LetterNumber | OtherNumber)
}

/// unicode.IsUpper
pub(crate) fn is_upper(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_uppercase() } else { category(c) == Category::UppercaseLetter }
}

/// unicode.IsLower
pub(crate) fn is_lower(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_lowercase() } else { category(c) == Category::LowercaseLetter }
}

/// unicode.IsTitle
pub(crate) fn is_title(c: char) -> bool {
    !c.is_ascii() && category(c) == Category::TitlecaseLetter
}

/// unicode.IsPunct, which leaves out the symbols $+<=>^`|~.
pub(crate) fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c);
    }
    use Category::{
        ClosePunctuation, ConnectorPunctuation, DashPunctuation, FinalPunctuation,
        InitialPunctuation, OpenPunctuation, OtherPunctuation,
    };
    matches!(
        category(c),
        ClosePunctuation
            | ConnectorPunctuation
            | DashPunctuation
            | FinalPunctuation
            | InitialPunctuation
            | OpenPunctuation
            | OtherPunctuation
    )
}

/// unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_print(c: char) -> bool {
    use Category::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate,
        Unassigned,
    };
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    !matches!(
        category(c),
        Control
            | Format
            | LineSeparator
            | ParagraphSeparator
            | PrivateUse
            | SpaceSeparator
            | Surrogate
            | Unassigned
    )
}

/// unicode.IsSpace
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ' | '\u{85}' | '\u{a0}')
        || (!c.is_ascii() && c.is_whitespace())
}

/// unicode.ToUpper
pub(crate) fn to_upper(c: char) -> char {
    let mut chars = c.to_uppercase();
    match (chars.next(), chars.next()) {
        (Some(only), None) => only,
        _ => with_iota(c, true),
    }
}

/// unicode.ToLower
pub(crate) fn to_lower(c: char) -> char {
    if c == 'İ' {
        return 'i';
    }
    let mut chars = c.to_lowercase();
    match (chars.next(), chars.next()) {
        (Some(only), None) => only,
        _ => with_iota(c, false),
    }
}

/// unicode.ToTitle
pub(crate) fn to_title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian has capitals for whole words only.
        'ა'..='ჺ' | 'ჽ'..='ჿ' => c,
        c => to_upper(c),
    }
}

/// Greek letters with an iota below, whose capitals are two characters unless one is wanted.
fn with_iota(c: char, upper: bool) -> char {
    let code = u32::from(c);
    let partner = match code {
        0x1F80..=0x1FAF if upper => code | 8,
        0x1F80..=0x1FAF => code & !8,
        0x1FB3 | 0x1FC3 | 0x1FF3 if upper => code + 9,
        0x1FBC | 0x1FCC | 0x1FFC if !upper => code - 9,
        _ => code,
    };
    char::from_u32(partner).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_for_one() {
        assert_eq!(['ß', 'ᾀ', 'ᾳ', 'ŉ', 'é'].map(to_upper), ['ß', 'ᾈ', 'ᾼ', 'ŉ', 'É']);
        assert_eq!(['İ', 'ᾈ', 'ᾼ', 'Ⅷ'].map(to_lower), ['i', 'ᾀ', 'ᾳ', 'ⅷ']);
        assert_eq!(['ǆ', 'Ǆ', 'ა', 'a'].map(to_title), ['ǅ', 'ǅ', 'ა', 'A']);
    }

    #[test]
    fn classes_are_those_of_general_categories() {
        assert!(is_letter('ª') && !is_letter('Ⅷ') && !is_letter('\u{345}'));
        assert!(is_upper('É') && !is_upper('ǅ') && !is_upper('Ⅷ'));
        assert!(is_punctuation('§') && !is_punctuation('±') && !is_punctuation('$'));
        assert!(is_number('½') && !is_digit('½') && is_digit('٣'));
    }
}
