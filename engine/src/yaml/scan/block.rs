//! Literal (`|`) and folded (`>`) scalars.

use super::{Scanned, Scanner, TokenKind};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomp {
    Clip,
    Keep,
    Strip,
}

impl Scanner<'_> {
    pub(super) fn block_scalar(&mut self, literal: bool) -> Scanned<()> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let (chomp, increment) = self.block_header()?;
        let mut indent = match increment {
            0 => 0,
            increment => self.indent.max(0) as usize + increment,
        };
        let mut text = String::new();
        let mut first_break = "";
        let mut breaks = String::new();
        let mut after_blank = false;
        self.block_breaks(&mut indent, &mut breaks)?;
        while self.cursor.mark.column == indent && !self.cursor.is_end(0) {
            let blank = self.cursor.is_blank(0);
            if !literal && !after_blank && !blank && first_break == "\n" {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(first_break);
            }
            text.push_str(&breaks);
            breaks.clear();
            after_blank = blank;
            let line = self.cursor.mark;
            self.cursor.skip_comment();
            text.push_str(self.cursor.since(line));
            first_break = self.cursor.take_break();
            self.block_breaks(&mut indent, &mut breaks)?;
        }
        if chomp != Chomp::Strip {
            text.push_str(first_break);
        }
        if chomp == Chomp::Keep {
            text.push_str(&breaks);
        }
        self.push(TokenKind::Scalar { text: text.into(), plain: false }, start);
        Ok(())
    }

    /// `-` or `+` and a number, in any order, then nothing but a comment.
    fn block_header(&mut self) -> Scanned<(Chomp, usize)> {
        let mut chomp = self.chomp();
        let increment = match self.cursor.here() {
            b'0' => return Err(self.error("found an indentation indicator equal to 0")),
            digit @ b'1'..=b'9' => {
                self.cursor.skip();
                usize::from(digit - b'0')
            }
            _ => 0,
        };
        if chomp == Chomp::Clip && increment > 0 {
            chomp = self.chomp();
        }
        while self.cursor.is_blank(0) {
            self.cursor.skip();
        }
        if self.cursor.here() == b'#' {
            self.cursor.skip_comment();
        }
        if !self.cursor.is_breakz(0) {
            return Err(self.error("did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok((chomp, increment))
    }

    fn chomp(&mut self) -> Chomp {
        let chomp = match self.cursor.here() {
            b'+' => Chomp::Keep,
            b'-' => Chomp::Strip,
            _ => return Chomp::Clip,
        };
        self.cursor.skip();
        chomp
    }

    /// Indentation and empty lines; finds out the indentation if that is 0.
    fn block_breaks(&mut self, indent: &mut usize, breaks: &mut String) -> Scanned<()> {
        let mut deepest = 0;
        loop {
            let inside = |column: usize, indent: usize| indent == 0 || column < indent;
            while inside(self.cursor.mark.column, *indent) && self.cursor.here() == b' ' {
                self.cursor.skip();
            }
            deepest = deepest.max(self.cursor.mark.column);
            if inside(self.cursor.mark.column, *indent) && self.cursor.here() == b'\t' {
                return Err(
                    self.error("found a tab character where an indentation space is expected")
                );
            }
            if !self.cursor.is_break(0) {
                break;
            }
            breaks.push_str(self.cursor.take_break());
        }
        if *indent == 0 {
            *indent = deepest.max((self.indent + 1).max(1) as usize);
        }
        Ok(())
    }
}
