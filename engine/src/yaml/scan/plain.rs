//! Plain scalars: without quotes, over several lines if those are indented.

use std::borrow::Cow;

use super::{Scanned, Scanner, TokenKind};

impl<'a> Scanner<'a> {
    pub(super) fn plain_scalar(&mut self) -> Scanned<()> {
        let start = self.cursor.mark;
        let indent = self.indent + 1;
        let in_flow = self.in_flow();
        let mut text: Cow<'a, str> = Cow::Borrowed("");
        let mut blanks = "";
        let mut first_break = "";
        let mut breaks = String::new();
        let mut on_new_line = false;
        loop {
            if self.cursor.is_document_indicator() || self.cursor.here() == b'#' {
                break;
            }
            let run = self.cursor.mark;
            loop {
                self.cursor.skip_all(|byte| MEANS_NOTHING[usize::from(byte)]);
                if self.cursor.is_blankz(0) || self.ends_plain(in_flow) {
                    break;
                }
                self.cursor.skip();
            }
            let run = self.cursor.since(run);
            if !run.is_empty() {
                if on_new_line {
                    fold(text.to_mut(), first_break, &mut breaks);
                    on_new_line = false;
                } else if !blanks.is_empty() {
                    text.to_mut().push_str(blanks);
                }
                append(&mut text, run);
                blanks = "";
            }
            if !self.cursor.is_blank(0) && !self.cursor.is_break(0) {
                break;
            }
            let gap = self.cursor.mark;
            while self.cursor.is_blank(0) || self.cursor.is_break(0) {
                if self.cursor.is_blank(0) {
                    let outside = (self.cursor.mark.column as isize) < indent;
                    if on_new_line && outside && self.cursor.here() == b'\t' {
                        return Err(self.error("found a tab character that violates indentation"));
                    }
                    self.cursor.skip();
                    if !on_new_line {
                        blanks = self.cursor.since(gap);
                    }
                } else if on_new_line {
                    breaks.push_str(self.cursor.take_break());
                } else {
                    blanks = "";
                    first_break = self.cursor.take_break();
                    on_new_line = true;
                }
            }
            if !in_flow && (self.cursor.mark.column as isize) < indent {
                break;
            }
        }
        self.push(TokenKind::Scalar { text, plain: true }, start);
        if on_new_line {
            self.key_allowed = true;
        }
        Ok(())
    }

    fn ends_plain(&self, in_flow: bool) -> bool {
        match self.cursor.here() {
            b':' => self.cursor.is_blankz(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => in_flow,
            _ => false,
        }
    }
}

/// By byte, whether it neither ends a plain scalar nor may do so.
static MEANS_NOTHING: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] = !matches!(byte, b':' | b',' | b'?' | b'[' | b']' | b'{' | b'}');
        byte += 1;
    }
    table
};

/// Copies only what comes in more than one piece.
pub(super) fn append<'a>(text: &mut Cow<'a, str>, piece: &'a str) {
    if text.is_empty() {
        *text = Cow::Borrowed(piece);
    } else {
        text.to_mut().push_str(piece);
    }
}

/// One line break is a space, of several the first is dropped.
pub(super) fn fold(text: &mut String, first: &str, breaks: &mut String) {
    if first != "\n" {
        text.push_str(first);
        text.push_str(breaks);
    } else if breaks.is_empty() {
        text.push(' ');
    } else {
        text.push_str(breaks);
    }
    breaks.clear();
}
