//! A format string: text and directives.

use super::{Flags, Printer};
use crate::template::Value;

/// Widths and precisions beyond this are errors in Go.
const TOO_LARGE: i64 = 1_000_000;

struct Cursor<'a> {
    format: &'a [u8],
    at: usize,
    values: &'a [Value],
    /// Index of the next argument.
    argument: usize,
    reordered: bool,
    good_index: bool,
    after_index: bool,
}

pub(super) fn run(printer: &mut Printer<'_>, format: &[u8], values: &[Value]) {
    let mut cursor = Cursor {
        format,
        at: 0,
        values,
        argument: 0,
        reordered: false,
        good_index: true,
        after_index: false,
    };
    while cursor.at < format.len() && !printer.is_full() {
        cursor.good_index = true;
        let rest = &format[cursor.at..];
        let text = rest.iter().position(|b| *b == b'%').unwrap_or(rest.len());
        printer.out.extend_from_slice(&rest[..text]);
        cursor.at += text;
        if cursor.at < format.len() {
            cursor.at += 1;
            cursor.directive(printer);
        }
    }
    if !cursor.reordered && cursor.argument < values.len() {
        printer.flags = Flags::default();
        extra(printer, &values[cursor.argument..]);
    }
}

fn extra(printer: &mut Printer<'_>, values: &[Value]) {
    printer.out.extend_from_slice(b"%!(EXTRA ");
    for (i, value) in values.iter().enumerate() {
        if printer.is_full() {
            return;
        }
        if i > 0 {
            printer.out.extend_from_slice(b", ");
        }
        if matches!(value, Value::Nil) {
            printer.out.extend_from_slice(b"<nil>");
        } else {
            printer.out.extend_from_slice(value.type_name().as_bytes());
            printer.out.push(b'=');
            printer.value(value, 'v');
        }
    }
    printer.out.push(b')');
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn directive(&mut self, printer: &mut Printer<'_>) {
        printer.flags = Flags::default();
        while let Some(c) = self.peek() {
            match c {
                b'#' => printer.flags.sharp = true,
                b'0' => printer.flags.zero = true,
                b'+' => printer.flags.plus = true,
                b'-' => printer.flags.minus = true,
                b' ' => printer.flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        self.after_index = false;
        self.argument_index();
        self.width(printer);
        self.precision(printer);
        if !self.after_index {
            self.argument_index();
        }
        self.verb(printer);
    }

    fn verb(&mut self, printer: &mut Printer<'_>) {
        if self.at >= self.format.len() {
            printer.out.extend_from_slice(b"%!(NOVERB)");
            return;
        }
        let rest = &self.format[self.at..];
        let rest = &rest[..rest.len().min(4)];
        let (verb, size) = match rest.utf8_chunks().next().and_then(|c| c.valid().chars().next()) {
            Some(c) => (c, c.len_utf8()),
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        self.at += size;
        let wrong = |printer: &mut Printer<'_>, what: &str| {
            printer.out.extend_from_slice(format!("%!{verb}({what})").as_bytes());
        };
        if verb == '%' {
            printer.out.push(b'%');
        } else if !self.good_index {
            wrong(printer, "BADINDEX");
        } else if let Some(value) = self.values.get(self.argument) {
            if matches!(verb, 'v' | 'w') {
                let flags = &mut printer.flags;
                flags.sharp_v = std::mem::take(&mut flags.sharp);
                flags.plus_v = std::mem::take(&mut flags.plus);
            }
            printer.value(value, verb);
            self.argument += 1;
        } else {
            wrong(printer, "MISSING");
        }
    }

    fn width(&mut self, printer: &mut Printer<'_>) {
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.integer_argument() {
                Some(width) => {
                    printer.flags.width = Some(width.unsigned_abs() as usize);
                    if width < 0 {
                        printer.flags.minus = true;
                        printer.flags.zero = false;
                    }
                }
                None => printer.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            self.after_index = false;
            return;
        }
        printer.flags.width = self.digits();
        if self.after_index && printer.flags.width.is_some() {
            self.good_index = false;
        }
    }

    fn precision(&mut self, printer: &mut Printer<'_>) {
        if self.peek() != Some(b'.') || self.at + 1 >= self.format.len() {
            return;
        }
        self.at += 1;
        if self.after_index {
            self.good_index = false;
        }
        self.argument_index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            printer.flags.precision = self.integer_argument().and_then(|n| usize::try_from(n).ok());
            if printer.flags.precision.is_none() {
                printer.out.extend_from_slice(b"%!(BADPREC)");
            }
            self.after_index = false;
        } else {
            printer.flags.precision = Some(self.digits().unwrap_or(0));
        }
    }

    /// A number. An absurd one swallows the rest of the format, as in Go.
    fn digits(&mut self) -> Option<usize> {
        let start = self.at;
        let mut number = 0;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            if number > TOO_LARGE {
                self.at = self.format.len();
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        (self.at > start).then_some(number as usize)
    }

    fn integer_argument(&mut self) -> Option<i64> {
        let value = self.values.get(self.argument)?;
        self.argument += 1;
        let number = match value {
            Value::Int(i) | Value::Int64(i) | Value::Duration(i) => *i,
            Value::Uint64(u) => i64::try_from(*u).ok()?,
            Value::Uint8(u) => (*u).into(),
            _ => return None,
        };
        (-TOO_LARGE..=TOO_LARGE).contains(&number).then_some(number)
    }

    /// `[3]`: the next argument is the third.
    fn argument_index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|b| *b == b']') else {
            self.good_index = false;
            self.at += 1;
            return;
        };
        self.at += close + 1;
        let text = std::str::from_utf8(&rest[1..close]).unwrap_or_default();
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<usize>() {
            Ok(n) if plain && n >= 1 && n <= self.values.len() => {
                self.argument = n - 1;
                self.after_index = true;
            }
            parsed => {
                self.good_index = false;
                self.after_index = plain && parsed.is_ok();
            }
        }
    }
}
