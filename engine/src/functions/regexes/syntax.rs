//! Go's syntax of regular expressions (RE2's), turned into that of our regex engine.
//!
//! Both engines prefer the leftmost-first match, so a translation of each construct is enough. What Go refuses is
//! refused with Go's words. The rules are those of `regexp/syntax`'s parser with its Perl flags.

use super::class;

/// A pattern of our engine and what Go knows of its groups.
#[derive(Debug)]
pub(super) struct Translated {
    pub pattern: String,
    /// The names of all groups, the whole match first; empty for those without.
    pub names: Vec<String>,
}

/// Go's limits.
const MAX_REPEAT: u64 = 1000;
const MAX_HEIGHT: usize = 1000;

/// `(?imsU)`.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub fold: bool,
    multi_line: bool,
    dot_newline: bool,
    lazy: bool,
}

/// Something that an operator of repetition can follow.
struct Item {
    text: String,
    /// The least count that bounds the nested repetitions; Go's repeatIsValid.
    repeats: u64,
    height: usize,
}

/// An open group, or the whole expression.
struct Group {
    open: String,
    /// The flags to come back to.
    flags: Flags,
    /// The alternatives that are complete.
    done: Vec<String>,
    items: Vec<Item>,
    repeats: u64,
    height: usize,
}

impl Group {
    fn new(open: impl Into<String>, flags: Flags) -> Self {
        let (done, items) = (Vec::new(), Vec::new());
        Group { open: open.into(), flags, done, items, repeats: 0, height: 0 }
    }

    fn next_alternative(&mut self) {
        let several = usize::from(self.items.len() > 1);
        for item in &self.items {
            self.repeats = self.repeats.max(item.repeats);
            self.height = self.height.max(item.height + several);
        }
        self.done.push(self.items.drain(..).map(|item| item.text).collect());
    }

    fn close(mut self) -> Item {
        self.next_alternative();
        let height = self.height + usize::from(self.done.len() > 1) + 1;
        let text = format!("{}{})", self.open, self.done.join("|"));
        Item { text, repeats: self.repeats, height }
    }
}

pub(super) fn wrong(what: &str, part: &[u8]) -> String {
    format!("error parsing regexp: {what}: `{}`", String::from_utf8_lossy(part))
}

/// The next character and what follows.
pub(super) fn next(text: &[u8]) -> Result<(char, &[u8]), String> {
    let head = &text[..text.len().min(4)];
    let c = match head.utf8_chunks().next() {
        Some(chunk) => chunk.valid().chars().next(),
        None => None,
    };
    match c {
        Some(c) => Ok((c, &text[c.len_utf8()..])),
        None => Err(wrong("invalid UTF-8", text)),
    }
}

/// The part of `text` before `rest`, its end.
pub(super) fn before<'a>(text: &'a [u8], rest: &[u8]) -> &'a [u8] {
    &text[..text.len() - rest.len()]
}

pub(super) fn translate(source: &[u8]) -> Result<Translated, String> {
    let mut parser = Parser {
        source,
        flags: Flags::default(),
        groups: vec![Group::new("(?:", Flags::default())],
        names: vec![String::new()],
    };
    parser.run()?;
    let Some(whole) = parser.groups.pop().filter(|_| parser.groups.is_empty()) else {
        return Err(wrong("missing closing )", source));
    };
    Ok(Translated { pattern: whole.close().text, names: parser.names })
}

struct Parser<'a> {
    source: &'a [u8],
    flags: Flags,
    groups: Vec<Group>,
    names: Vec<String>,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), String> {
        let mut rest = self.source;
        let mut last_repeat: Option<&[u8]> = None;
        while let Some(first) = rest.first() {
            let mut repeat = None;
            rest = match first {
                b'(' if rest.get(1) == Some(&b'?') => self.open_with_flags(rest)?,
                b'(' => {
                    self.names.push(String::new());
                    self.groups.push(Group::new("(", self.flags));
                    &rest[1..]
                }
                b'|' => {
                    self.group().next_alternative();
                    &rest[1..]
                }
                b')' => {
                    self.close()?;
                    &rest[1..]
                }
                b'^' => {
                    self.assertion(if self.flags.multi_line { "(?m:^)" } else { "\\A" }, &rest[1..])
                }
                b'$' => {
                    self.assertion(if self.flags.multi_line { "(?m:$)" } else { "\\z" }, &rest[1..])
                }
                b'.' => self.assertion(
                    if self.flags.dot_newline { "(?s:.)" } else { "[^\\n]" },
                    &rest[1..],
                ),
                b'[' => {
                    let (text, after) = class::bracketed(rest, self.flags)?;
                    self.push(text);
                    after
                }
                b'*' | b'+' | b'?' => {
                    repeat = Some(rest);
                    let operator = char::from(*first).to_string();
                    self.repeat(&operator, None, rest, &rest[1..], last_repeat)?
                }
                b'{' => match counts(rest) {
                    Some((counts, after)) => {
                        repeat = Some(rest);
                        let Some(operator) = counts.operator() else {
                            return Err(wrong("invalid repeat count", before(rest, after)));
                        };
                        self.repeat(&operator, Some(counts.most()), rest, after, last_repeat)?
                    }
                    None => {
                        self.literal('{');
                        &rest[1..]
                    }
                },
                b'\\' => self.escape(rest)?,
                _ => {
                    let (c, after) = next(rest)?;
                    self.literal(c);
                    after
                }
            };
            last_repeat = repeat;
        }
        Ok(())
    }

    fn group(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the whole expression is a group that is never closed")
    }

    fn push(&mut self, text: impl Into<String>) {
        self.group().items.push(Item { text: text.into(), repeats: 0, height: 1 });
    }

    fn assertion(&mut self, text: &str, rest: &'a [u8]) -> &'a [u8] {
        self.push(text);
        rest
    }

    fn literal(&mut self, c: char) {
        let escaped = class::escaped(c);
        self.push(if self.flags.fold { format!("(?i:{escaped})") } else { escaped });
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(group) = self.groups.pop().filter(|_| !self.groups.is_empty()) else {
            return Err(wrong("unexpected )", self.source));
        };
        self.flags = group.flags;
        let item = group.close();
        if item.height > MAX_HEIGHT {
            return Err(wrong("expression nests too deeply", self.source));
        }
        self.group().items.push(item);
        Ok(())
    }

    fn repeat(
        &mut self,
        operator: &str,
        count: Option<u64>,
        from: &'a [u8],
        rest: &'a [u8],
        last_repeat: Option<&[u8]>,
    ) -> Result<&'a [u8], String> {
        let mut lazy = self.flags.lazy;
        let mut rest = rest;
        if let [b'?', after @ ..] = rest {
            rest = after;
            lazy = !lazy;
        }
        if let Some(last) = last_repeat {
            return Err(wrong("invalid nested repetition operator", before(last, rest)));
        }
        let whole = self.source;
        let Some(item) = self.group().items.last_mut() else {
            return Err(wrong("missing argument to repetition operator", before(from, rest)));
        };
        item.text = format!("(?:{}){operator}{}", item.text, if lazy { "?" } else { "" });
        item.height += 1;
        if item.height > MAX_HEIGHT {
            return Err(wrong("expression nests too deeply", whole));
        }
        if let Some(count) = count {
            item.repeats =
                if count == 0 { 0 } else { count.max(count.saturating_mul(item.repeats)) };
            if count >= 2 && item.repeats > MAX_REPEAT {
                return Err(wrong("invalid repeat count", before(from, rest)));
            }
        }
        Ok(rest)
    }

    /// `(?i)`, `(?i:`, `(?P<name>`, `(?<name>`.
    fn open_with_flags(&mut self, text: &'a [u8]) -> Result<&'a [u8], String> {
        let name_at = match text {
            [_, _, b'P', b'<', _, ..] => Some(4),
            [_, _, b'<', _, ..] => Some(3),
            _ => None,
        };
        if let Some(start) = name_at {
            let Some(end) = text.iter().position(|b| *b == b'>') else {
                check_utf8(text)?;
                return Err(wrong("invalid named capture", text));
            };
            let name = text.get(start..end).unwrap_or_default();
            check_utf8(name)?;
            if name.is_empty() || !name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
                return Err(wrong("invalid named capture", &text[..=end]));
            }
            self.names.push(String::from_utf8_lossy(name).into_owned());
            self.groups.push(Group::new("(", self.flags));
            return Ok(&text[end + 1..]);
        }
        let mut rest = &text[2..];
        let mut flags = self.flags;
        let (mut on, mut saw_flag) = (true, false);
        while !rest.is_empty() {
            let (c, after) = next(rest)?;
            rest = after;
            match c {
                'i' => flags.fold = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.lazy = on,
                '-' if on => {
                    (on, saw_flag) = (false, false);
                    continue;
                }
                ':' | ')' if on || saw_flag => {
                    if c == ':' {
                        self.groups.push(Group::new("(?:", self.flags));
                    }
                    self.flags = flags;
                    return Ok(rest);
                }
                _ => break,
            }
            saw_flag = true;
        }
        Err(wrong("invalid or unsupported Perl syntax", before(text, rest)))
    }

    /// What begins with a backslash.
    fn escape(&mut self, text: &'a [u8]) -> Result<&'a [u8], String> {
        let assertion = match text.get(1) {
            Some(b'A') => "\\A",
            Some(b'z') => "\\z",
            Some(b'b') => "(?-u:\\b)",
            Some(b'B') => "(?-u:\\B)",
            Some(b'C') => return Err(wrong("invalid escape sequence", &text[..2])),
            Some(b'Q') => {
                let body = &text[2..];
                let end = body.windows(2).position(|w| w == b"\\E");
                let mut literal = &body[..end.unwrap_or(body.len())];
                while !literal.is_empty() {
                    let (c, rest) = next(literal)?;
                    self.literal(c);
                    literal = rest;
                }
                return Ok(end.map_or(&[][..], |end| &body[end + 2..]));
            }
            _ => "",
        };
        if !assertion.is_empty() {
            return Ok(self.assertion(assertion, &text[2..]));
        }
        if let Some((set, rest)) = class::escape(text)? {
            let flag = if self.flags.fold { "i" } else { "" };
            self.push(format!("(?{flag}:[{set}])"));
            return Ok(rest);
        }
        let (c, rest) = class::character(text)?;
        self.literal(c);
        Ok(rest)
    }
}

fn check_utf8(text: &[u8]) -> Result<(), String> {
    let mut rest = text;
    while !rest.is_empty() {
        rest = next(rest)?.1;
    }
    Ok(())
}

/// `{2}`, `{2,}`, `{2,5}`. None in a field: a number that is too large.
struct Counts {
    least: Option<u64>,
    /// None: without a bound.
    most: Option<Option<u64>>,
}

impl Counts {
    fn operator(&self) -> Option<String> {
        let least = self.least.filter(|n| *n <= MAX_REPEAT)?;
        match self.most {
            None => Some(format!("{{{least},}}")),
            Some(most) => {
                let most = most.filter(|n| *n <= MAX_REPEAT && *n >= least)?;
                Some(format!("{{{least},{most}}}"))
            }
        }
    }

    fn most(&self) -> u64 {
        self.most.flatten().or(self.least).unwrap_or(0)
    }
}

/// None: the brace is a literal.
fn counts(text: &[u8]) -> Option<(Counts, &[u8])> {
    let (least, rest) = count(&text[1..])?;
    let (most, rest) = match rest {
        [b',', rest @ ..] if rest.first() == Some(&b'}') => (None, rest),
        [b',', rest @ ..] => {
            let (most, rest) = count(rest)?;
            (Some(most), rest)
        }
        rest => (Some(least), rest),
    };
    let rest = rest.strip_prefix(b"}")?;
    Some((Counts { least, most }, rest))
}

/// A number without leading zeros; None inside: it is too large.
fn count(text: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || (digits > 1 && text[0] == b'0') {
        return None;
    }
    let (number, rest) = text.split_at(digits);
    let value = std::str::from_utf8(number).ok()?.parse().ok().filter(|n| *n < 1_000_000_000);
    Some((value, rest))
}
