//! One value under one verb.

use super::{MAX_DEPTH, Printer};
use crate::template::Value;
use crate::template::quote::{quote, quote_char, quote_to_ascii};

impl Printer<'_> {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn value(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.text(&format!("%!{verb}(<nil>)")),
            (value, 'T') => {
                let name = value.type_name().to_owned();
                let name = self.truncate(name.as_bytes()).to_vec();
                self.pad(&name);
            }
            (value, verb) => self.element(value, verb, 0),
        }
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        let erroring = std::mem::replace(&mut self.erroring, true);
        self.text(&format!("%!{verb}({}=", value.type_name()));
        self.value(value, 'v');
        self.text(")");
        self.erroring = erroring;
    }

    fn element(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > MAX_DEPTH {
            self.text("...");
            return;
        }
        match value {
            Value::Nil if self.flags.sharp_v => self.text("interface {}(nil)"),
            Value::Nil => self.text("<nil>"),
            Value::Bool(b) => match verb {
                't' | 'v' => self.pad(b.to_string().as_bytes()),
                _ => self.bad_verb(value, verb),
            },
            Value::Int(i) | Value::Int64(i) => {
                self.number(value, i.unsigned_abs(), *i < 0, *i as u64, verb);
            }
            Value::Uint64(u) => self.unsigned(value, *u, verb),
            Value::Uint8(u) => self.unsigned(value, (*u).into(), verb),
            Value::Float(f) => match verb {
                'v' => self.float(*f, 'g', -1),
                'b' | 'g' | 'G' | 'x' | 'X' => self.float(*f, verb, -1),
                'f' | 'e' | 'E' => self.float(*f, verb, 6),
                'F' => self.float(*f, 'f', 6),
                _ => self.bad_verb(value, verb),
            },
            Value::String(s) => self.string(value, s, verb),
            Value::Bytes(b) => self.bytes(value, b, verb),
            Value::Duration(n) => match verb {
                'v' | 's' | 'x' | 'X' | 'q' if !self.erroring && !self.flags.sharp_v => {
                    let text = crate::functions::duration::text(*n);
                    self.string(value, text.as_bytes(), verb);
                }
                _ => self.number(value, n.unsigned_abs(), *n < 0, *n as u64, verb),
            },
            Value::List(list) => {
                let open = if self.flags.sharp_v { value.type_name() } else { "" }.to_owned();
                if self.flags.sharp_v && list.is_nil() {
                    self.text(&format!("{open}(nil)"));
                    return;
                }
                self.text(&open);
                self.text(if self.flags.sharp_v { "{" } else { "[" });
                for (i, item) in list.iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    self.separator(i);
                    self.member(item, verb, depth);
                }
                self.text(if self.flags.sharp_v { "}" } else { "]" });
            }
            Value::Map(map) => {
                let open = if self.flags.sharp_v {
                    format!("{}{{", value.type_name())
                } else {
                    "map[".into()
                };
                self.text(&open);
                for (i, (key, item)) in map.snapshot().into_iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    self.separator(i);
                    self.element(&Value::String(key), verb, depth + 1);
                    self.text(":");
                    self.member(&item, verb, depth);
                }
                self.text(if self.flags.sharp_v { "}" } else { "]" });
            }
            Value::Object(object) => match object.text() {
                Some(text) if matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') => {
                    self.string(value, text.as_bytes(), verb);
                }
                _ => self.entries(value, object.entries().unwrap_or_default(), verb, depth),
            },
        }
    }

    /// An object without a text: its entries, as a map or a slice.
    fn entries(&mut self, value: &Value, entries: Vec<(Value, Value)>, verb: char, depth: usize) {
        let map = value.kind() == "map";
        self.text(if map { "map[" } else { "[" });
        for (i, (key, item)) in entries.iter().enumerate() {
            if self.is_full() {
                return;
            }
            self.separator(i);
            if map {
                self.element(key, verb, depth + 1);
                self.text(":");
            }
            self.element(item, verb, depth + 1);
        }
        self.text("]");
    }

    fn separator(&mut self, i: usize) {
        if i > 0 {
            self.text(if self.flags.sharp_v { ", " } else { " " });
        }
    }

    /// An element of a container.
    fn member(&mut self, value: &Value, verb: char, depth: usize) {
        self.element(value, verb, depth + 1);
    }

    fn unsigned(&mut self, value: &Value, u: u64, verb: char) {
        if verb == 'v' && self.flags.sharp_v {
            self.sharp_hex(u);
            return;
        }
        self.number(value, u, false, u, verb);
    }

    fn sharp_hex(&mut self, u: u64) {
        let sharp = std::mem::replace(&mut self.flags.sharp, true);
        self.integer(u, false, 'x');
        self.flags.sharp = sharp;
    }

    fn number(&mut self, value: &Value, magnitude: u64, negative: bool, bits: u64, verb: char) {
        let as_char = || {
            u32::try_from(bits).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        match verb {
            'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => self.integer(magnitude, negative, verb),
            'c' => self.pad(as_char().to_string().as_bytes()),
            'q' => {
                let text = quote_char(as_char(), self.flags.plus);
                self.pad(text.as_bytes());
            }
            'U' => self.unicode(bits),
            _ => self.bad_verb(value, verb),
        }
    }

    fn string(&mut self, value: &Value, text: &[u8], verb: char) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => {
                let text = self.truncate(text).to_vec();
                self.pad(&text);
            }
            'x' => self.hex(text, false),
            'X' => self.hex(text, true),
            'q' => self.quoted(text),
            _ => self.bad_verb(value, verb),
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncate(text);
        let raw = std::str::from_utf8(text).ok().filter(|t| can_backquote(t));
        let quoted = match raw {
            Some(raw) if self.flags.sharp => format!("`{raw}`"),
            _ if self.flags.plus => quote_to_ascii(text),
            _ => quote(text),
        };
        self.pad(quoted.as_bytes());
    }

    fn bytes(&mut self, value: &Value, bytes: &[u8], verb: char) {
        match verb {
            's' | 'x' | 'X' | 'q' => self.string(value, bytes, verb),
            'v' | 'd' if self.flags.sharp_v => {
                self.text("[]byte{");
                for (i, b) in bytes.iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    self.separator(i);
                    self.sharp_hex((*b).into());
                }
                self.text("}");
            }
            _ => {
                self.text("[");
                for (i, b) in bytes.iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    self.separator(i);
                    self.unsigned(&Value::Uint8(*b), (*b).into(), verb);
                }
                self.text("]");
            }
        }
    }
}

/// strconv.CanBackquote: one line without control characters and backquotes.
fn can_backquote(text: &str) -> bool {
    text.chars().all(|c| c != '\u{feff}' && c != '`' && c != '\x7f' && (c >= ' ' || c == '\t'))
}
