//! Reads JSON as Go's encoding/json does, and complains in its words.

use std::collections::BTreeMap;

use crate::template::quote::quote_char;
use crate::template::{List, ListType, Map, MapType, Str, Value};

/// Go refuses to read what nests deeper.
const MAX_DEPTH: usize = 10_000;

/// A value, and what was wrong with the numbers in it: Go reads on and tells at the end.
pub(super) struct Parsed {
    pub value: Value,
    pub wrong_number: Option<String>,
}

/// Err: the text is not JSON.
pub(super) fn parse(text: &[u8]) -> Result<Parsed, String> {
    let mut reader = Reader { text, at: 0, depth: 0, wrong_number: None };
    let value = reader.value()?;
    reader.space();
    match reader.peek() {
        Some(_) => Err(reader.wrong("after top-level value")),
        None => Ok(Parsed { value, wrong_number: reader.wrong_number }),
    }
}

/// Go's words for a value of another type than the one that was asked for.
pub(super) fn mismatch(value: &Value, wanted: &str) -> String {
    let got = match value {
        Value::Bool(_) => "bool",
        Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "array",
        _ => "object",
    };
    format!("json: cannot unmarshal {got} into Go value of type {wanted}")
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    wrong_number: Option<String>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The error at this place.
    fn wrong(&self, context: &str) -> String {
        match self.peek() {
            // Go looks at a space behind the end to see whether something is unfinished.
            None if !self.is_between_tokens(context) => {
                format!("invalid character ' ' {context}")
            }
            None => "unexpected end of JSON input".to_owned(),
            Some(b'\'') => format!("invalid character '\\'' {context}"),
            Some(b'"') => format!("invalid character '\"' {context}"),
            Some(b) => format!("invalid character {} {context}", quote_char(char::from(b), false)),
        }
    }

    /// Whether a space may stand where this error is.
    fn is_between_tokens(&self, context: &str) -> bool {
        let within = [
            "in literal",
            "in numeric",
            "after decimal",
            "in exponent",
            "in \\u",
            "in string escape",
        ];
        !within.iter().any(|start| context.starts_with(start))
    }

    fn value(&mut self) -> Result<Value, String> {
        self.space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Value::Nil),
            _ => Err(self.wrong("looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, String>) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("exceeded max depth"));
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, String> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.wrong("after array element")),
            }
        }
        self.at += 1;
        Ok(Value::List(List::new(ListType::Any, items)))
    }

    fn object(&mut self) -> Result<Value, String> {
        let mut entries = BTreeMap::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(Map::new(MapType::Any, entries)));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.wrong("after object key"));
            }
            self.at += 1;
            let value = self.value()?;
            entries.insert(key, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.wrong("after object key:value pair")),
            }
        }
        self.at += 1;
        Ok(Value::Map(Map::new(MapType::Any, entries)))
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                return Err(self.wrong(&format!("in literal {word} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn digits(&mut self, context: &str) -> Result<(), String> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.wrong(context));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits("in numeric literal")?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => {
                let words =
                    format!("json: cannot unmarshal number {text} into Go value of type float64");
                self.wrong_number.get_or_insert(words);
                // Go leaves nil in its place, and knows a number when it is all there is.
                Ok(if self.depth == 0 { Value::Float(f64::INFINITY) } else { Value::Nil })
            }
        }
    }

    fn string(&mut self) -> Result<Str, String> {
        self.at += 1;
        let mut out: Vec<u8> = Vec::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| b >= b' ' && b != b'"' && b != b'\\') {
                self.at += 1;
            }
            // Bytes that are not UTF-8 are U+FFFD from here on.
            out.extend_from_slice(crate::template::lossy(&self.text[start..self.at]).as_bytes());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err(self.wrong("in string literal")),
            }
        }
        self.at += 1;
        Ok(out.into())
    }

    fn escape(&mut self) -> Result<char, String> {
        self.at += 1;
        let c = match self.peek() {
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b @ (b'\\' | b'/' | b'"')) => char::from(b),
            Some(b'u') => return self.code(),
            _ => return Err(self.wrong("in string escape code")),
        };
        self.at += 1;
        Ok(c)
    }

    /// `\u00e9`; half of a pair without the other half is U+FFFD.
    fn code(&mut self) -> Result<char, String> {
        let code = self.hexadecimal()?;
        if !(0xD800..0xE000).contains(&code) {
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after = self.at;
        if code < 0xDC00 && self.text[self.at..].starts_with(b"\\u") {
            self.at += 1;
            let low = self.hexadecimal()?;
            if (0xDC00..0xE000).contains(&low) {
                let pair = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                return Ok(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.wrong("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}
