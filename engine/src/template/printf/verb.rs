//! One value under one verb.

use super::{MAX_DEPTH, Printer};
use crate::template::complex::Complex;
use crate::template::quote::{quote, quote_char, quote_to_ascii};
use crate::template::{Object, Value};

/// Where everything is that Go would print the address of: one address for all, since a manifest must
/// not change from run to run. Go 1.26 puts its heap somewhere else each time; nearly always its addresses are as long.
const ADDRESS: u64 = 0x2a00_0000_0000;

impl Printer<'_> {
    pub(super) fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// An argument of the format.
    pub(super) fn value(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.text(&format!("%!{verb}(<nil>)")),
            (value, 'T') => {
                let name = value.type_name().to_owned();
                let name = self.truncate(name.as_bytes()).to_vec();
                self.pad(&name);
            }
            (value, 'p') => self.pointer(value, 'p', 0),
            (Value::Bytes(bytes), 'v' | 'd') => self.byte_list("[]byte", bytes, 'v', 0),
            (value, verb) => {
                if !self.methods(value, verb) {
                    self.element(value, verb, 0);
                }
            }
        }
    }

    /// A value as it stands in an action: nil is spelt out, pointers are followed.
    pub(super) fn shown(&mut self, value: &Value) {
        match value {
            Value::Nil => self.text("<no value>"),
            Value::Object(object) if object.kind() == "ptr" && object.text().is_none() => {
                self.fields(&**object, 'v', 0);
            }
            value => self.value(value, 'v'),
        }
    }

    fn bad_verb(&mut self, value: &Value, verb: char, depth: usize) {
        self.erroring = true;
        self.text(&format!("%!{verb}({}=", value.type_name()));
        if depth == 0 {
            self.value(value, 'v');
        } else {
            self.element(value, 'v', 0);
        }
        self.text(")");
        self.erroring = false;
    }

    /// Lets the type's own method print it. False: it has none for this verb.
    fn methods(&mut self, value: &Value, verb: char) -> bool {
        let (Value::Duration(_) | Value::Object(_) | Value::List(_) | Value::Map(_)) = value else {
            return false;
        };
        if self.erroring {
            return false;
        }
        if verb == 'w' {
            self.bad_verb(value, verb, 0);
            return true;
        }
        if self.flags.sharp_v {
            let Value::Object(object) = value else { return false };
            let Some(text) = object.go_text() else { return false };
            let text = self.truncate(text.as_bytes()).to_vec();
            self.pad(&text);
            return true;
        }
        if !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return false;
        }
        let text = match value {
            Value::Duration(nanoseconds) => Some(crate::functions::duration::text(*nanoseconds)),
            Value::Object(object) => object.text(),
            _ => None,
        };
        match text {
            Some(text) => self.string(value, text.as_bytes(), verb, 0),
            None => return false,
        }
        true
    }

    /// A value within a container, or an argument without methods.
    fn element(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > MAX_DEPTH {
            self.text("...");
            return;
        }
        if depth > 0 && self.methods(value, verb) {
            return;
        }
        match value {
            Value::Nil if self.flags.sharp_v => self.text("interface {}(nil)"),
            Value::Nil => self.text("<nil>"),
            Value::Bool(b) => match verb {
                't' | 'v' => self.pad(b.to_string().as_bytes()),
                _ => self.bad_verb(value, verb, depth),
            },
            Value::Int(i) | Value::Int64(i) | Value::Duration(i) => {
                self.number(value, i.unsigned_abs(), *i < 0, *i as u64, verb, depth);
            }
            Value::Uint64(u) => self.unsigned(value, *u, verb, depth),
            Value::Uint8(u) => self.unsigned(value, (*u).into(), verb, depth),
            Value::Float(f) => {
                if !self.float(*f, verb) {
                    self.bad_verb(value, verb, depth);
                }
            }
            Value::String(s) => self.string(value, s, verb, depth),
            Value::Bytes(b) => match verb {
                's' | 'x' | 'X' | 'q' => self.string(value, b, verb, depth),
                _ => self.byte_list("[]uint8", b, verb, depth),
            },
            Value::List(list) => {
                self.list(value, list.is_nil(), list.iter(), verb, depth);
            }
            Value::Map(map) => {
                let entries = map.snapshot();
                let entries = entries.into_iter().map(|(key, item)| (Value::String(key), item));
                self.map(value, entries, verb, depth);
            }
            Value::Object(object) => self.object(value, &**object, verb, depth),
        }
    }

    fn object(&mut self, value: &Value, object: &dyn Object, verb: char, depth: usize) {
        if let Some(number) = object.as_any().downcast_ref::<Complex>() {
            return self.complex(value, *number, verb, depth);
        }
        match object.kind() {
            "ptr" if depth == 0 && object.fields().is_some() => {
                self.text("&");
                self.fields(object, verb, depth + 1);
            }
            "ptr" => self.pointer(value, verb, depth),
            "map" => self.map(value, object.entries().unwrap_or_default(), verb, depth),
            "slice" => {
                let items: Vec<Value> =
                    object.entries().unwrap_or_default().into_iter().map(|(_, v)| v).collect();
                self.list(value, false, items.iter(), verb, depth);
            }
            _ => self.fields(object, verb, depth),
        }
    }

    /// A struct, or the one that a pointer points to.
    fn fields(&mut self, object: &dyn Object, verb: char, depth: usize) {
        let flags = self.flags;
        if flags.sharp_v {
            self.text(object.type_name().trim_start_matches('*'));
        }
        self.text("{");
        for (i, (name, field)) in object.fields().unwrap_or_default().into_iter().enumerate() {
            self.separator(i);
            if flags.plus_v || flags.sharp_v {
                self.text(name);
                self.text(":");
            }
            self.element(&field, verb, depth + 1);
        }
        self.text("}");
    }

    fn list<'v>(
        &mut self,
        value: &Value,
        is_nil: bool,
        items: impl Iterator<Item = &'v Value>,
        verb: char,
        depth: usize,
    ) {
        let sharp_v = self.flags.sharp_v;
        if sharp_v {
            self.text(value.type_name());
            if is_nil {
                return self.text("(nil)");
            }
        }
        self.text(if sharp_v { "{" } else { "[" });
        for (i, item) in items.enumerate() {
            if self.is_full() {
                return;
            }
            self.separator(i);
            self.element(item, verb, depth + 1);
        }
        self.text(if sharp_v { "}" } else { "]" });
    }

    fn map(
        &mut self,
        value: &Value,
        entries: impl IntoIterator<Item = (Value, Value)>,
        verb: char,
        depth: usize,
    ) {
        let sharp_v = self.flags.sharp_v;
        if sharp_v {
            self.text(value.type_name());
        }
        self.text(if sharp_v { "{" } else { "map[" });
        for (i, (key, item)) in entries.into_iter().enumerate() {
            if self.is_full() {
                return;
            }
            self.separator(i);
            self.element(&key, verb, depth + 1);
            self.text(":");
            self.element(&item, verb, depth + 1);
        }
        self.text(if sharp_v { "}" } else { "]" });
    }

    fn separator(&mut self, i: usize) {
        if i > 0 {
            self.text(if self.flags.sharp_v { ", " } else { " " });
        }
    }

    fn byte_list(&mut self, type_name: &str, bytes: &[u8], verb: char, depth: usize) {
        let sharp_v = self.flags.sharp_v;
        if sharp_v {
            self.text(type_name);
        }
        self.text(if sharp_v { "{" } else { "[" });
        for (i, b) in bytes.iter().enumerate() {
            if self.is_full() {
                return;
            }
            self.separator(i);
            self.unsigned(&Value::Uint8(*b), (*b).into(), verb, depth + 1);
        }
        self.text(if sharp_v { "}" } else { "]" });
    }

    /// The address of what is held by reference.
    fn pointer(&mut self, value: &Value, verb: char, depth: usize) {
        let address = match value {
            Value::List(list) if list.is_nil() => 0,
            Value::Object(object) if object.is_nil() => 0,
            value if matches!(value.kind(), "map" | "ptr" | "slice") => ADDRESS,
            value => return self.bad_verb(value, verb, depth),
        };
        match verb {
            'v' if self.flags.sharp_v => {
                self.text(&format!("({})(", value.type_name()));
                if address == 0 {
                    self.text("nil");
                } else {
                    self.hex_number(address, true);
                }
                self.text(")");
            }
            'v' if address == 0 => self.pad(b"<nil>"),
            'v' | 'p' => self.hex_number(address, !self.flags.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => self.unsigned(value, address, verb, depth),
            _ => self.bad_verb(value, verb, depth),
        }
    }

    fn unsigned(&mut self, value: &Value, u: u64, verb: char, depth: usize) {
        if verb == 'v' && self.flags.sharp_v {
            return self.hex_number(u, true);
        }
        self.number(value, u, false, u, verb, depth);
    }

    fn hex_number(&mut self, u: u64, prefix: bool) {
        let sharp = std::mem::replace(&mut self.flags.sharp, prefix);
        self.integer(u, false, 'x');
        self.flags.sharp = sharp;
    }

    fn number(
        &mut self,
        value: &Value,
        magnitude: u64,
        negative: bool,
        bits: u64,
        verb: char,
        depth: usize,
    ) {
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
            _ => self.bad_verb(value, verb, depth),
        }
    }

    /// (1+2i)
    fn complex(&mut self, value: &Value, number: Complex, verb: char, depth: usize) {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(value, verb, depth);
        }
        self.text("(");
        self.float(number.real, verb);
        let plus = std::mem::replace(&mut self.flags.plus, true);
        self.float(number.imaginary, verb);
        self.flags.plus = plus;
        self.text("i)");
    }

    fn string(&mut self, value: &Value, text: &[u8], verb: char, depth: usize) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => {
                let text = self.truncate(text).to_vec();
                self.pad(&text);
            }
            'x' => self.hex(text, false),
            'X' => self.hex(text, true),
            'q' => self.quoted(text),
            _ => self.bad_verb(value, verb, depth),
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
}

/// strconv.CanBackquote: one line without control characters and backquotes.
fn can_backquote(text: &str) -> bool {
    text.chars().all(|c| c != '\u{feff}' && c != '`' && c != '\x7f' && (c >= ' ' || c == '\t'))
}
