//! Characters and classes of characters of Go's regular expressions.

use super::syntax::{Flags, before, next, wrong};

/// A character that means itself, in a class or outside of one.
pub(super) fn escaped(c: char) -> String {
    if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) }
}

/// `[…]` and what follows it.
pub(super) fn bracketed(text: &[u8], flags: Flags) -> Result<(String, &[u8]), String> {
    let mut rest = &text[1..];
    let negated = rest.first() == Some(&b'^');
    if negated {
        rest = &rest[1..];
    }
    let mut set = String::new();
    let mut first = true;
    while first || rest.first() != Some(&b']') {
        first = false;
        if rest.starts_with(b"[:")
            && let Some(end) = rest[2..].windows(2).position(|w| w == b":]")
        {
            let name = &rest[..end + 4];
            let Some(named) = posix(&name[2..name.len() - 2]) else {
                return Err(wrong("invalid character class range", name));
            };
            set.push_str(&named);
            rest = &rest[end + 4..];
            continue;
        }
        if let Some((class, after)) = escape(rest)? {
            set.push_str(&class);
            rest = after;
            continue;
        }
        let start = rest;
        let (low, after) = member(rest, text)?;
        rest = after;
        let mut high = low;
        if let [b'-', end, ..] = rest
            && *end != b']'
        {
            (high, rest) = member(&rest[1..], text)?;
            if high < low {
                return Err(wrong("invalid character class range", before(start, rest)));
            }
        }
        set.push_str(&escaped(low));
        set.push('-');
        set.push_str(&escaped(high));
    }
    let flag = if flags.fold { "i" } else { "" };
    let not = if negated { "^" } else { "" };
    Ok((format!("(?{flag}:[{not}{set}])"), &rest[1..]))
}

fn member<'a>(text: &'a [u8], class: &[u8]) -> Result<(char, &'a [u8]), String> {
    match text.first() {
        None => Err(wrong("missing closing ]", class)),
        Some(b'\\') => character(text),
        Some(_) => next(text),
    }
}

/// `\d`, `\pL`, `\p{Greek}`: the inside of a class. None: another escape, or none.
pub(super) fn escape(text: &[u8]) -> Result<Option<(String, &[u8])>, String> {
    let [b'\\', kind, ..] = text else { return Ok(None) };
    let (set, negated) = match kind {
        b'd' => ("0-9", false),
        b'D' => ("0-9", true),
        b's' => ("\\t\\n\\f\\r ", false),
        b'S' => ("\\t\\n\\f\\r ", true),
        b'w' => ("0-9A-Za-z_", false),
        b'W' => ("0-9A-Za-z_", true),
        b'p' | b'P' => return property(text).map(Some),
        _ => return Ok(None),
    };
    Ok(Some((if negated { format!("[^{set}]") } else { set.to_owned() }, &text[2..])))
}

/// A class of Unicode characters.
fn property(text: &[u8]) -> Result<(String, &[u8]), String> {
    let mut negated = text[1] == b'P';
    let after_letter = &text[2..];
    if after_letter.is_empty() {
        return Err(wrong("invalid character class range", text));
    }
    let (c, rest) = next(after_letter)?;
    let (whole, rest) = if c == '{' {
        let Some(end) = text.iter().position(|b| *b == b'}') else {
            let mut rest = text;
            while !rest.is_empty() {
                rest = next(rest)?.1;
            }
            return Err(wrong("invalid character class range", text));
        };
        text.split_at(end + 1)
    } else {
        (before(text, rest), rest)
    };
    let name = if c == '{' { &whole[3..whole.len() - 1] } else { &whole[2..] };
    let mut unread = name;
    while !unread.is_empty() {
        unread = next(unread)?.1;
    }
    let name = match name.strip_prefix(b"^") {
        Some(name) => {
            negated = !negated;
            name
        }
        None => name,
    };
    match known_property(&canonical(name)) {
        Some(set) => {
            let not = if negated { "^" } else { "" };
            Ok((format!("[{not}{set}]"), rest))
        }
        None => Err(wrong("invalid character class range", whole)),
    }
}

/// Without separators, one capital at the start.
fn canonical(name: &[u8]) -> String {
    let mut out = String::new();
    for b in name.iter().filter(|b| !matches!(b, b'_' | b'-' | b' ')) {
        let c = char::from(*b);
        out.push(if out.is_empty() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    }
    out
}

/// Go's general categories.
const CATEGORIES: &str = "C Cc Cf Cn Co L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So \
    Z Zl Zp Zs";

/// The long names that Go has for them, canonical.
const LONG_NAMES: &[(&str, &str)] = &[
    ("Casedletter", "Lc"),
    ("Closepunctuation", "Pe"),
    ("Combiningmark", "M"),
    ("Connectorpunctuation", "Pc"),
    ("Control", "Cc"),
    ("Cntrl", "Cc"),
    ("Currencysymbol", "Sc"),
    ("Dashpunctuation", "Pd"),
    ("Decimalnumber", "Nd"),
    ("Digit", "Nd"),
    ("Enclosingmark", "Me"),
    ("Finalpunctuation", "Pf"),
    ("Format", "Cf"),
    ("Initialpunctuation", "Pi"),
    ("Letter", "L"),
    ("Letternumber", "Nl"),
    ("Lineseparator", "Zl"),
    ("Lowercaseletter", "Ll"),
    ("Mark", "M"),
    ("Mathsymbol", "Sm"),
    ("Modifierletter", "Lm"),
    ("Modifiersymbol", "Sk"),
    ("Nonspacingmark", "Mn"),
    ("Number", "N"),
    ("Openpunctuation", "Ps"),
    ("Other", "C"),
    ("Otherletter", "Lo"),
    ("Othernumber", "No"),
    ("Otherpunctuation", "Po"),
    ("Othersymbol", "So"),
    ("Paragraphseparator", "Zp"),
    ("Privateuse", "Co"),
    ("Punctuation", "P"),
    ("Punct", "P"),
    ("Separator", "Z"),
    ("Spaceseparator", "Zs"),
    ("Spacingmark", "Mc"),
    ("Surrogate", "Cs"),
    ("Symbol", "S"),
    ("Titlecaseletter", "Lt"),
    ("Unassigned", "Cn"),
    ("Uppercaseletter", "Lu"),
];

/// The scripts that Go finds by their canonical name: those of one word.
const SCRIPTS: &str = "Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi \
    Braille Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret \
    Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han \
    Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer Khojki \
    Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen \
    Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya \
    Palmyrene Phoenician Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese \
    Syriac Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai \
    Vithkuqi Wancho Yezidi Yi";

fn known_property(name: &str) -> Option<String> {
    let name = LONG_NAMES.iter().find(|(long, _)| *long == name).map_or(name, |(_, short)| short);
    match name {
        "Any" => Some("\\x{0}-\\x{10FFFF}".to_owned()),
        "Ascii" => Some("\\x{0}-\\x{7F}".to_owned()),
        "Assigned" => Some("\\P{gc=Cn}".to_owned()),
        "Lc" => Some("\\p{gc=Lu}\\p{gc=Ll}\\p{gc=Lt}".to_owned()),
        // No text holds a surrogate.
        "Cs" => Some("^\\x{0}-\\x{10FFFF}".to_owned()).map(|set| format!("[{set}]")),
        name if CATEGORIES.split_ascii_whitespace().any(|known| known == name) => {
            Some(format!("\\p{{gc={name}}}"))
        }
        name if SCRIPTS.split_ascii_whitespace().any(|known| known == name) => {
            Some(format!("\\p{{sc={name}}}"))
        }
        _ => None,
    }
}

/// The inside of `[:alpha:]`.
fn posix(name: &[u8]) -> Option<String> {
    let (name, not) = match name.strip_prefix(b"^") {
        Some(name) => (name, "^"),
        None => (name, ""),
    };
    let set = match name {
        b"alnum" => "0-9A-Za-z",
        b"alpha" => "A-Za-z",
        b"ascii" => "\\x00-\\x7F",
        b"blank" => "\\t ",
        b"cntrl" => "\\x00-\\x1F\\x7F",
        b"digit" => "0-9",
        b"graph" => "!-\\x7E",
        b"lower" => "a-z",
        b"print" => "\\x20-\\x7E",
        b"punct" => "!-/:-@\\[-`\\{-\\x7E",
        b"space" => "\\t-\\r ",
        b"upper" => "A-Z",
        b"word" => "0-9A-Za-z_",
        b"xdigit" => "0-9A-Fa-f",
        _ => return None,
    };
    Some(format!("[{not}{set}]"))
}

/// An escaped character: `\.`, `\n`, `\x41`, `\x{1F600}`, `\07`.
pub(super) fn character(text: &[u8]) -> Result<(char, &[u8]), String> {
    let mut rest = &text[1..];
    if rest.is_empty() {
        return Err("error parsing regexp: trailing backslash at end of expression: ``".into());
    }
    let (c, after) = next(rest)?;
    rest = after;
    let code = match c {
        '1'..='7' if !rest.first().is_some_and(|b| matches!(b, b'0'..=b'7')) => None,
        '0'..='7' => {
            let more = rest.iter().take(2).take_while(|b| matches!(b, b'0'..=b'7')).count();
            let digits = rest[..more].iter().map(|b| u32::from(b - b'0'));
            rest = &rest[more..];
            Some(digits.fold(u32::from(c) - u32::from('0'), |code, digit| code * 8 + digit))
        }
        'x' => hexadecimal(&mut rest)?,
        'a' => Some(7),
        'f' => Some(0xc),
        'n' => Some(0xa),
        'r' => Some(0xd),
        't' => Some(9),
        'v' => Some(0xb),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c.into()),
        _ => None,
    };
    match code {
        // A surrogate, which no text holds, like a character that is none.
        Some(code) => Ok((char::from_u32(code).unwrap_or('\u{10FFFF}'), rest)),
        None => Err(wrong("invalid escape sequence", before(text, rest))),
    }
}

/// After `\x`. None: it is wrong, `rest` stands where Go noticed.
fn hexadecimal(rest: &mut &[u8]) -> Result<Option<u32>, String> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (first, after) = next(rest)?;
    *rest = after;
    if first != '{' {
        // Go reads the second digit before it looks at either; at the end there is none to read.
        if rest.is_empty() {
            return Ok(None);
        }
        let (second, after) = next(rest)?;
        *rest = after;
        return Ok(first.to_digit(16).zip(second.to_digit(16)).map(|(x, y)| x * 16 + y));
    }
    let mut code = None;
    while !rest.is_empty() {
        let (c, after) = next(rest)?;
        *rest = after;
        if c == '}' {
            return Ok(code);
        }
        let Some(digit) = c.to_digit(16) else { return Ok(None) };
        let next_code = code.unwrap_or(0) * 16 + digit;
        if next_code > 0x10_FFFF {
            return Ok(None);
        }
        code = Some(next_code);
    }
    Ok(None)
}
