//! Scalars in quotes. Their lines need no indentation.

use std::borrow::Cow;

use super::plain::{append, fold};
use super::{Scanned, Scanner, TokenKind};

impl<'a> Scanner<'a> {
    pub(super) fn quoted_scalar(&mut self, single: bool) -> Scanned<()> {
        let start = self.cursor.mark;
        let quote = if single { b'\'' } else { b'"' };
        self.cursor.skip();
        let mut text: Cow<'a, str> = Cow::Borrowed("");
        loop {
            if self.cursor.is_document_indicator() {
                return Err(self.error("found unexpected document indicator"));
            }
            if self.cursor.is_end(0) {
                return Err(self.error("found unexpected end of stream"));
            }
            let escaped_break = self.quoted_run(single, &mut text)?;
            if self.cursor.here() == quote {
                break;
            }
            self.quoted_gap(escaped_break, &mut text);
        }
        self.cursor.skip();
        self.push(TokenKind::Scalar { text, plain: false }, start);
        Ok(())
    }

    /// Up to a blank, a line break or the end of the scalar. Gives whether a line break was escaped.
    fn quoted_run(&mut self, single: bool, text: &mut Cow<'a, str>) -> Scanned<bool> {
        let mut run = self.cursor.mark;
        loop {
            self.cursor
                .skip_all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\'' | b'"' | b'\\'));
            if self.cursor.is_blankz(0) {
                break;
            }
            match self.cursor.here() {
                b'\'' if single => {
                    append(text, self.cursor.since(run));
                    if self.cursor.at(1) != b'\'' {
                        return Ok(false);
                    }
                    text.to_mut().push('\'');
                    self.cursor.skip_many(2);
                    run = self.cursor.mark;
                }
                b'"' if !single => break,
                b'\\' if !single => {
                    append(text, self.cursor.since(run));
                    if self.cursor.is_break(1) {
                        self.cursor.skip();
                        self.cursor.take_break();
                        return Ok(true);
                    }
                    let character = self.escape()?;
                    text.to_mut().push(character);
                    run = self.cursor.mark;
                }
                _ => self.cursor.skip(),
            }
        }
        append(text, self.cursor.since(run));
        Ok(false)
    }

    fn escape(&mut self) -> Scanned<char> {
        let digits = match self.cursor.at(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            letter => {
                let meaning = match letter {
                    b'0' => '\0',
                    b'a' => '\x07',
                    b'b' => '\x08',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\x0b',
                    b'f' => '\x0c',
                    b'r' => '\r',
                    b'e' => '\x1b',
                    b' ' | b'"' | b'\'' | b'\\' => char::from(letter),
                    b'N' => '\u{85}',
                    b'_' => '\u{a0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    _ => return Err(self.error("found unknown escape character")),
                };
                self.cursor.skip_many(2);
                return Ok(meaning);
            }
        };
        self.cursor.skip_many(2);
        let mut code = 0_u32;
        for i in 0..digits {
            let Some(digit) = char::from(self.cursor.at(i)).to_digit(16) else {
                return Err(self.error("did not find expected hexdecimal number"));
            };
            code = code << 4 | digit;
        }
        let Some(character) = char::from_u32(code) else {
            return Err(self.error("found invalid Unicode character escape code"));
        };
        self.cursor.skip_many(digits);
        Ok(character)
    }

    /// Blanks and line breaks, folded. After an escaped line break no break is left to fold.
    fn quoted_gap(&mut self, escaped_break: bool, text: &mut Cow<'a, str>) {
        let start = self.cursor.mark;
        let mut blanks = "";
        let mut first_break = "";
        let mut breaks = String::new();
        let mut on_new_line = escaped_break;
        while self.cursor.is_blank(0) || self.cursor.is_break(0) {
            if self.cursor.is_blank(0) {
                self.cursor.skip();
                if !on_new_line {
                    blanks = self.cursor.since(start);
                }
            } else if on_new_line {
                breaks.push_str(self.cursor.take_break());
            } else {
                first_break = self.cursor.take_break();
                on_new_line = true;
            }
        }
        if on_new_line {
            fold(text.to_mut(), first_break, &mut breaks);
        } else {
            append(text, blanks);
        }
    }
}
