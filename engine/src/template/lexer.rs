//! Text to items. The rules are those of Go's text/template/parse lexer.

use std::borrow::Cow;

use super::quote::quote_char_code;
use crate::unicode;

/// What an [`Item`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemType {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl ItemType {
    fn keyword(word: &str) -> Option<ItemType> {
        Some(match word {
            "block" => ItemType::Block,
            "break" => ItemType::Break,
            "continue" => ItemType::Continue,
            "define" => ItemType::Define,
            "else" => ItemType::Else,
            "end" => ItemType::End,
            "if" => ItemType::If,
            "range" => ItemType::Range,
            "nil" => ItemType::Nil,
            "template" => ItemType::Template,
            "with" => ItemType::With,
            _ => return None,
        })
    }

    fn is_keyword(self) -> bool {
        self as u8 >= ItemType::Block as u8
    }
}

/// A piece of the input with its place.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    pub kind: ItemType,
    /// Byte offset in the text.
    pub pos: usize,
    /// Of an error its message, otherwise the piece.
    pub value: Cow<'a, str>,
    /// From 1.
    pub line: usize,
}

impl std::fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            ItemType::Eof => f.write_str("EOF"),
            ItemType::Error => f.write_str(&self.value),
            kind if kind.is_keyword() => write!(f, "<{}>", self.value),
            _ if self.value.len() > 10 => {
                let cut = self.value.floor_char_boundary(10);
                write!(f, "{}...", super::quote::quote(&self.value.as_bytes()[..cut]))
            }
            _ => f.write_str(&super::quote::quote(self.value.as_bytes())),
        }
    }
}

const SPACES: &[char] = &[' ', '\t', '\r', '\n'];

pub(crate) struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    start: usize,
    line: usize,
    start_line: usize,
    paren_depth: usize,
    inside_action: bool,
    failed: bool,
}

enum Step<'a> {
    Emit(Item<'a>),
    Again,
}

impl<'a> Lexer<'a> {
    pub fn new(input: &'a str) -> Self {
        Lexer {
            input,
            pos: 0,
            start: 0,
            line: 1,
            start_line: 1,
            paren_depth: 0,
            inside_action: false,
            failed: false,
        }
    }

    /// The next item; Eof forever at the end or after an Error.
    pub fn next_item(&mut self) -> Item<'a> {
        if self.failed {
            return self.item_of(ItemType::Eof, "EOF");
        }
        loop {
            let step = if self.inside_action { self.inside_action() } else { self.text() };
            if let Step::Emit(item) = step {
                return item;
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.next();
        }
        found
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    fn item_of(&self, kind: ItemType, value: impl Into<Cow<'a, str>>) -> Item<'a> {
        Item { kind, pos: self.start, value: value.into(), line: self.start_line }
    }

    fn this_item(&mut self, kind: ItemType) -> Item<'a> {
        let item = self.item_of(kind, &self.input[self.start..self.pos]);
        self.start = self.pos;
        self.start_line = self.line;
        item
    }

    fn emit(&mut self, kind: ItemType) -> Step<'a> {
        Step::Emit(self.this_item(kind))
    }

    /// Skips over the pending input.
    fn ignore(&mut self) {
        self.line += count_lines(&self.input[self.start..self.pos]);
        self.start = self.pos;
        self.start_line = self.line;
    }

    fn error(&mut self, message: impl Into<Cow<'a, str>>) -> Step<'a> {
        let item = self.item_of(ItemType::Error, message);
        self.failed = true;
        Step::Emit(item)
    }

    fn bad_character(&mut self) -> Step<'a> {
        let code = match self.peek() {
            Some(c) => quote_char_code(c),
            None => "U+FFFFFFFFFFFFFFFF".to_owned(),
        };
        self.error(format!("bad character {code}"))
    }

    fn text(&mut self) -> Step<'a> {
        let Some(x) = find_left_delim(self.rest()) else {
            self.pos = self.input.len();
            if self.pos > self.start {
                self.line += count_lines(&self.input[self.start..self.pos]);
                return self.emit(ItemType::Text);
            }
            return self.emit(ItemType::Eof);
        };
        if x > 0 {
            self.pos += x;
            let mut trimmed = 0;
            if has_left_trim_marker(&self.input[self.pos + 2..]) {
                let text = &self.input[self.start..self.pos];
                trimmed = text.len() - text.trim_end_matches(SPACES).len();
            }
            self.pos -= trimmed;
            self.line += count_lines(&self.input[self.start..self.pos]);
            let item = self.this_item(ItemType::Text);
            self.pos += trimmed;
            self.ignore();
            if !item.value.is_empty() {
                return Step::Emit(item);
            }
        }
        self.left_delim()
    }

    fn left_delim(&mut self) -> Step<'a> {
        self.pos += 2;
        let marker = if has_left_trim_marker(self.rest()) { 2 } else { 0 };
        if self.input[self.pos + marker..].starts_with("/*") {
            self.pos += marker;
            self.ignore();
            return self.comment();
        }
        let item = self.this_item(ItemType::LeftDelim);
        self.inside_action = true;
        self.pos += marker;
        self.ignore();
        self.paren_depth = 0;
        Step::Emit(item)
    }

    fn comment(&mut self) -> Step<'a> {
        self.pos += 2;
        let Some(x) = self.rest().find("*/") else {
            return self.error("unclosed comment");
        };
        self.pos += x + 2;
        let Some(trim) = self.at_right_delim() else {
            return self.error("comment ends before closing delimiter");
        };
        self.line += count_lines(&self.input[self.start..self.pos]);
        self.start = self.pos;
        self.start_line = self.line;
        self.pos += if trim { 4 } else { 2 };
        if trim {
            self.skip_spaces();
        }
        self.ignore();
        Step::Again
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.pos += rest.len() - rest.trim_start_matches(SPACES).len();
    }

    /// Some(with trim marker) in front of the closing delimiter.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim_marker(rest) && rest[2..].starts_with("}}") {
            return Some(true);
        }
        rest.starts_with("}}").then_some(false)
    }

    fn right_delim(&mut self) -> Step<'a> {
        let trim = self.at_right_delim() == Some(true);
        if trim {
            self.pos += 2;
            self.ignore();
        }
        self.pos += 2;
        let item = self.this_item(ItemType::RightDelim);
        if trim {
            self.skip_spaces();
            self.ignore();
        }
        self.inside_action = false;
        Step::Emit(item)
    }

    fn inside_action(&mut self) -> Step<'a> {
        if self.at_right_delim().is_some() {
            if self.paren_depth == 0 {
                return self.right_delim();
            }
            return self.error("unclosed left paren");
        }
        let Some(c) = self.peek() else {
            return self.error("unclosed action");
        };
        if is_space(c) {
            return self.space();
        }
        if is_alphanumeric(c) && !c.is_ascii_digit() {
            return self.identifier();
        }
        self.next();
        match c {
            '=' => self.emit(ItemType::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return self.error("expected :=");
                }
                self.emit(ItemType::Declare)
            }
            '|' => self.emit(ItemType::Pipe),
            '"' => self.quoted('"', ItemType::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', ItemType::CharConstant, "unterminated character constant"),
            '`' => match self.rest().find('`') {
                Some(x) => {
                    self.line += count_lines(&self.rest()[..x]);
                    self.pos += x + 1;
                    self.emit(ItemType::RawString)
                }
                None => self.error("unterminated raw quoted string"),
            },
            '$' => self.field_or_variable(ItemType::Variable),
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) && !self.rest().is_empty() => {
                self.field_or_variable(ItemType::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos -= 1;
                self.number()
            }
            '(' => {
                self.paren_depth += 1;
                self.emit(ItemType::LeftParen)
            }
            ')' if self.paren_depth == 0 => self.error("unexpected right paren"),
            ')' => {
                self.paren_depth -= 1;
                self.emit(ItemType::RightParen)
            }
            c if c.is_ascii_graphic() => self.emit(ItemType::Char),
            c => self.error(format!("unrecognized character in action: {}", quote_char_code(c))),
        }
    }

    fn space(&mut self) -> Step<'a> {
        let mut count = 0;
        let mut before_last = (self.pos, self.line);
        while self.peek().is_some_and(is_space) {
            before_last = (self.pos, self.line);
            self.next();
            count += 1;
        }
        // The last space may belong to " -}}".
        let last = &self.input[before_last.0..];
        if has_right_trim_marker(last) && last[2..].starts_with("}}") {
            (self.pos, self.line) = before_last;
            if count == 1 {
                return self.right_delim();
            }
        }
        self.emit(ItemType::Space)
    }

    fn identifier(&mut self) -> Step<'a> {
        self.accept_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match &self.input[self.start..self.pos] {
            "true" | "false" => ItemType::Bool,
            word => ItemType::keyword(word).unwrap_or(ItemType::Identifier),
        };
        self.emit(kind)
    }

    fn field_or_variable(&mut self, kind: ItemType) -> Step<'a> {
        if self.at_terminator() {
            return self.emit(if kind == ItemType::Field { ItemType::Dot } else { kind });
        }
        self.accept_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(kind)
    }

    fn accept_alphanumeric(&mut self) {
        loop {
            let ascii = self.rest().bytes();
            self.pos += ascii.take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            match self.peek() {
                Some(c) if !c.is_ascii() && is_alphanumeric(c) => self.pos += c.len_utf8(),
                _ => return,
            }
        }
    }

    fn at_terminator(&self) -> bool {
        match self.rest().as_bytes() {
            [] | [b' ' | b'\t' | b'\r' | b'\n', ..] => true,
            [b'.' | b',' | b'|' | b':' | b')' | b'(', ..] => true,
            rest => rest.starts_with(b"}}"),
        }
    }

    fn quoted(&mut self, end: char, kind: ItemType, unterminated: &'static str) -> Step<'a> {
        loop {
            match self.next() {
                Some('\\') => {
                    if !matches!(self.next(), Some(c) if c != '\n') {
                        return self.error(unterminated);
                    }
                }
                None | Some('\n') => return self.error(unterminated),
                Some(c) if c == end => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Step<'a> {
        let mut kind = ItemType::Number;
        let mut good = self.scan_number();
        if good && matches!(self.peek(), Some('+' | '-')) {
            good = self.scan_number() && self.input[..self.pos].ends_with('i');
            kind = ItemType::Complex;
        }
        if !good {
            let text = super::quote::quote(&self.input.as_bytes()[self.start..self.pos]);
            return self.error(format!("bad number syntax: {text}"));
        }
        self.emit(kind)
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}

/// Most braces of a chart's templates are delimiters, and most text has none.
fn find_left_delim(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find('{')?;
        if text[at + 1..].starts_with('{') {
            return Some(at);
        }
        from = at + 1;
    }
}

fn count_lines(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'\n').count()
}

fn is_space(c: char) -> bool {
    SPACES.contains(&c)
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || unicode::is_letter(c) || unicode::is_digit(c)
}

fn has_left_trim_marker(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() >= 2 && b[0] == b'-' && is_space(b[1] as char)
}

fn has_right_trim_marker(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() >= 2 && is_space(b[0] as char) && b[1] == b'-'
}
