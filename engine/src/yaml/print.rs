//! The printer: go-yaml v2's emitter with its defaults (indent 2, lines folded past column 80).

mod pretty;

use serde_json::Value;

pub(crate) use pretty::to_pretty_string;

use super::{number, scalar, sort};

const INDENT: usize = 2;
const WIDTH: usize = 80;
/// Longer keys are written after `? `.
const MAX_SIMPLE_KEY: usize = 128;

/// The value as `sigs.k8s.io/yaml` prints it, with a newline at the end.
pub fn to_string(value: &Value) -> String {
    to_string_within(value, usize::MAX)
}

/// The same; gives up soon after `limit` bytes, with a text that is longer than that: indentation
/// can make the text far larger than the value.
pub(crate) fn to_string_within(value: &Value, limit: usize) -> String {
    let mut printer = Printer::new(limit, Dialect::V2);
    printer.node(value, Context::Root);
    printer.finish_line();
    printer.out
}

/// Where a node stands, which decides its indentation and style.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    Root,
    Item,
    SimpleKey,
    /// A value, or a key after `? `.
    Mapping,
}

/// The state of go-yaml's emitter: `indented` says that nothing but indentation and block
/// indicators stand on the line, `spaced` that the last thing written separates.
struct Printer {
    out: String,
    column: usize,
    indent: Option<usize>,
    spaced: bool,
    indented: bool,
    limit: usize,
    dialect: Dialect,
}

/// The version of go-yaml.
#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    V2,
    V3,
}

impl Printer {
    fn new(limit: usize, dialect: Dialect) -> Self {
        let (spaced, indented) = (true, true);
        Self { out: String::new(), column: 0, indent: None, spaced, indented, limit, dialect }
    }

    /// The column past which lines are folded.
    fn width(&self) -> usize {
        match self.dialect {
            Dialect::V2 => WIDTH,
            Dialect::V3 => usize::MAX,
        }
    }

    fn is_full(&self) -> bool {
        self.out.len() > self.limit
    }

    fn node(&mut self, value: &Value, context: Context) {
        if self.is_full() {
            return;
        }
        match value {
            Value::Null => self.plain_word("null"),
            Value::Bool(value) => self.plain_word(if *value { "true" } else { "false" }),
            Value::Number(number) => self.plain_word(&number::display(number)),
            Value::String(text) => self.text(text, context),
            Value::Array(items) if items.is_empty() => self.indicator("[]", true, false),
            Value::Array(items) => self.sequence(items, context),
            Value::Object(map) if map.is_empty() => self.indicator("{}", true, false),
            Value::Object(map) => self.mapping(map),
        }
    }

    fn sequence(&mut self, items: &[Value], context: Context) {
        let flush_with_key = context == Context::Mapping && !self.indented;
        let outer = self.deepen(false, flush_with_key);
        for item in items {
            if self.is_full() {
                break;
            }
            self.start_line();
            self.indicator("-", true, true);
            self.node(item, Context::Item);
        }
        self.indent = outer;
    }

    fn mapping(&mut self, map: &serde_json::Map<String, Value>) {
        let outer = self.deepen(false, false);
        for (key, value) in sort::sorted(map.iter().map(|(k, v)| (k.as_str(), v)).collect()) {
            self.start_line();
            if !key.chars().any(is_break) && key.len() <= MAX_SIMPLE_KEY {
                self.text(key, Context::SimpleKey);
                self.indicator(":", false, false);
            } else {
                self.indicator("?", true, true);
                self.text(key, Context::Mapping);
                self.start_line();
                self.indicator(":", true, true);
            }
            self.node(value, Context::Mapping);
        }
        self.indent = outer;
    }

    fn text(&mut self, text: &str, context: Context) {
        let shape = Shape::of(text, self.dialect);
        let simple_key = context == Context::SimpleKey;
        let outer = self.deepen(true, false);
        match shape.style(text, simple_key) {
            Style::Plain => self.plain(text, !simple_key),
            Style::Single => self.single_quoted(text, !simple_key),
            Style::Double => self.double_quoted(text, !simple_key),
            Style::Literal => self.literal(text),
        }
        self.indent = outer;
    }

    /// Goes one level in; returns the level to come back to.
    fn deepen(&mut self, scalar: bool, flush: bool) -> Option<usize> {
        let outer = self.indent;
        self.indent = Some(match outer {
            None if scalar => INDENT,
            None => 0,
            Some(indent) if flush => indent,
            Some(indent) => indent + INDENT,
        });
        outer
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    /// Text of ASCII.
    fn put_text(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.len();
    }

    fn put_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }

    fn start_line(&mut self) {
        if self.is_full() {
            return;
        }
        let indent = self.indent.unwrap_or(0);
        if !self.indented || self.column > indent || (self.column == indent && !self.spaced) {
            self.put_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.spaced = true;
        self.indented = true;
    }

    fn finish_line(&mut self) {
        self.indent = None;
        self.start_line();
    }

    fn indicator(&mut self, text: &str, separate: bool, keeps_indentation: bool) {
        if separate && !self.spaced {
            self.put(' ');
        }
        self.put_text(text);
        self.spaced = false;
        self.indented = self.indented && keeps_indentation;
    }

    fn plain_word(&mut self, word: &str) {
        let outer = self.deepen(true, false);
        self.plain(word, true);
        self.indent = outer;
    }

    fn plain(&mut self, text: &str, fold: bool) {
        if !self.spaced {
            self.put(' ');
        }
        self.flowing(text, fold, false);
    }

    fn single_quoted(&mut self, text: &str, fold: bool) {
        self.indicator("'", true, false);
        self.flowing(text, fold, true);
        self.indicator("'", false, false);
    }

    /// The inside of a plain or single-quoted scalar.
    fn flowing(&mut self, text: &str, fold: bool, quoted: bool) {
        let simple = |b: u8| b.is_ascii_graphic() && !(quoted && b == b'\'') || b == b' ';
        let fits = self.column + text.len() <= self.width();
        if (fits || !fold || !text.contains(' ')) && text.bytes().all(simple) {
            self.put_text(text);
            self.spaced = false;
            self.indented = false;
            return;
        }
        let (mut spaces, mut breaks) = (false, false);
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            let next = rest.peek().map(|(_, c)| *c);
            if c == ' ' {
                let inside = !quoted || (at > 0 && next.is_some());
                if fold && !spaces && self.column > self.width() && inside && next != Some(' ') {
                    self.start_line();
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break('\n');
                }
                self.put_break(c);
                self.indented = true;
                breaks = true;
            } else {
                if breaks {
                    self.start_line();
                }
                if quoted && c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indented = false;
                (spaces, breaks) = (false, false);
            }
        }
        self.spaced = false;
        self.indented = false;
    }

    fn double_quoted(&mut self, text: &str, fold: bool) {
        self.indicator("\"", true, false);
        // go-yaml looks for the mark at the start of the text whichever character it is at.
        let escape_all = text.starts_with('\u{feff}');
        let mut spaces = false;
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            let next = rest.peek().map(|(_, c)| *c);
            if escape_all || !is_printable(c) || is_break(c) || c == '"' || c == '\\' {
                self.escaped(c);
                spaces = false;
            } else if c == ' ' {
                if fold && !spaces && self.column > self.width() && at > 0 && next.is_some() {
                    self.start_line();
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.indicator("\"", false, false);
    }

    fn escaped(&mut self, c: char) {
        let code = u32::from(c);
        let escape = match c {
            '\0' => "\\0".to_owned(),
            '\x07' => "\\a".to_owned(),
            '\x08' => "\\b".to_owned(),
            '\t' => "\\t".to_owned(),
            '\n' => "\\n".to_owned(),
            '\x0b' => "\\v".to_owned(),
            '\x0c' => "\\f".to_owned(),
            '\r' => "\\r".to_owned(),
            '\x1b' => "\\e".to_owned(),
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\u{85}' => "\\N".to_owned(),
            '\u{a0}' => "\\_".to_owned(),
            '\u{2028}' => "\\L".to_owned(),
            '\u{2029}' => "\\P".to_owned(),
            _ if code <= 0xff => format!("\\x{code:02X}"),
            _ if code <= 0xffff => format!("\\u{code:04X}"),
            _ => format!("\\U{code:08X}"),
        };
        for c in escape.chars() {
            self.put(c);
        }
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator("2", false, false);
        }
        let mut from_end = text.chars().rev();
        match (from_end.next().is_some_and(is_break), from_end.next()) {
            (false, _) => self.indicator("-", false, false),
            (true, before) if before.is_none_or(is_break) => self.indicator("+", false, false),
            _ => {}
        }
        self.put_break('\n');
        self.indented = true;
        self.spaced = true;
        let mut breaks = true;
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
                self.indented = true;
                breaks = true;
            } else {
                if breaks {
                    self.start_line();
                }
                self.put(c);
                self.indented = false;
                breaks = false;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Which styles a string allows.
struct Shape {
    multiline: bool,
    plain: bool,
    single: bool,
    literal: bool,
}

impl Shape {
    fn of(text: &str, dialect: Dialect) -> Self {
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
            return Self { multiline: false, plain: true, single: true, literal: false };
        };
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut tabs, mut special, mut multiline, mut break_space, mut space_break) =
            (false, false, false, false, false);
        let mut previous = None;
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let followed_by_blank = rest.peek().is_none_or(|c| matches!(c, ' ' | '\t'));
            indicators |= match (previous, c) {
                (None, '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>') => true,
                (None, '\'' | '"' | '%' | '@' | '`') => true,
                (None, '?' | ':' | '-') | (Some(_), ':') => followed_by_blank,
                (Some(before), '#') => matches!(before, ' ' | '\t' | '\0') || is_break(before),
                _ => false,
            };
            // Tabs are fit for a literal text from v3 on.
            if c == '\t' && dialect == Dialect::V3 {
                tabs = true;
            } else {
                special |= !is_printable(c);
            }
            multiline |= is_break(c);
            break_space |= c == ' ' && previous.is_some_and(is_break);
            space_break |= is_break(c) && previous == Some(' ');
            previous = Some(c);
        }
        let edges = [first, last].iter().any(|c| *c == ' ' || is_break(*c));
        let awkward = space_break || special;
        Self {
            multiline,
            plain: !(indicators || edges || break_space || awkward || tabs || multiline),
            single: !(break_space || awkward || tabs),
            literal: !(awkward || last == ' '),
        }
    }

    fn style(&self, text: &str, simple_key: bool) -> Style {
        if text.contains('\n') {
            return if self.literal && !simple_key { Style::Literal } else { Style::Double };
        }
        if !scalar::reads_back_as_text(text) || (simple_key && self.multiline) {
            return Style::Double;
        }
        match (self.plain && !(text.is_empty() && simple_key), self.single) {
            (true, _) => Style::Plain,
            (false, true) => Style::Single,
            (false, false) => Style::Double,
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// go-yaml v2 takes neither tabs nor anything past U+FFFF for printable.
fn is_printable(c: char) -> bool {
    matches!(c,
        '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}
