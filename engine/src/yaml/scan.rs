//! Text to tokens, by the rules of libyaml, which go-yaml follows: they are looser than YAML 1.2's,
//! and charts rely on that.
//!
//! A key is known as one only at its `:`. So the place before each token that might begin a key is
//! remembered until the line ends, and the tokens that the key needs are put in afterwards.

mod block;
mod cursor;
mod plain;
mod property;
mod quoted;
mod token;

use std::collections::VecDeque;

use super::read::YamlError;
use cursor::Cursor;

pub(super) use cursor::Mark;
pub(super) use token::{Token, TokenKind};

/// How long a key may be that has no `?` before it, in characters.
const MAX_KEY: usize = 1024;

/// How deep collections may nest, those in brackets and the others each, which is go-yaml's limit, too.
const MAX_DEPTH: usize = 10_000;

type Scanned<T> = Result<T, YamlError>;

/// The text has a character that no YAML may have.
fn unreadable() -> YamlError {
    YamlError::new(0, "control characters are not allowed")
}

pub(super) struct Scanner<'a> {
    cursor: Cursor<'a>,
    tokens: VecDeque<Token<'a>>,
    /// Tokens that were taken.
    taken: usize,
    /// The column of the innermost block collection; -1 outside of all.
    indent: isize,
    indents: Vec<isize>,
    /// Where a key may have begun: one place for the block context, one for each open flow collection. Their tokens
    /// ascend.
    keys: Vec<PossibleKey>,
    key_allowed: bool,
    ended: bool,
    is_cut: bool,
}

#[derive(Clone, Copy, Default)]
struct PossibleKey {
    possible: bool,
    /// It stands where in a block mapping only a key can be.
    required: bool,
    /// go-yaml loses sight of a key that is an empty collection in brackets.
    lost: bool,
    saved: bool,
    token: usize,
    mark: Mark,
}

impl<'a> Scanner<'a> {
    /// `is_cut`: after the text comes what cannot be read.
    pub(super) fn new(text: &'a str, is_cut: bool) -> Self {
        Self {
            is_cut,
            cursor: Cursor::new(text),
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            keys: vec![PossibleKey::default()],
            key_allowed: true,
            ended: false,
        }
    }

    /// The next token, left in place. After the end comes the end again.
    pub(super) fn peek(&mut self) -> Scanned<&Token<'a>> {
        while self.needs_more()? {
            self.fetch()?;
        }
        Ok(&self.tokens[0])
    }

    /// Takes the token that `peek` showed.
    pub(super) fn take(&mut self) -> Option<Token<'a>> {
        if matches!(self.tokens.front(), Some(Token { kind: TokenKind::StreamEnd, .. })) {
            return self.tokens.front().cloned();
        }
        self.taken += 1;
        self.tokens.pop_front()
    }

    fn needs_more(&mut self) -> Scanned<bool> {
        if self.tokens.is_empty() {
            return Ok(true);
        }
        let taken = self.taken;
        match self.keys.binary_search_by_key(&taken, |key| key.token) {
            Ok(i) if self.keys[i].possible && !self.keys[i].lost => self.is_key_valid(i),
            _ => Ok(false),
        }
    }

    fn in_flow(&self) -> bool {
        self.keys.len() > 1
    }

    /// libyaml wants to see four characters before it begins a token.
    fn fetch(&mut self) -> Scanned<()> {
        if self.is_cut && !self.cursor.has(4) {
            return Err(unreadable());
        }
        let fetched = self.fetch_token();
        if self.is_cut && !self.cursor.has(1) { Err(unreadable()) } else { fetched }
    }

    fn fetch_token(&mut self) -> Scanned<()> {
        self.skip_to_token();
        self.unroll(self.cursor.mark.column as isize);
        let (here, column) = (self.cursor.here(), self.cursor.mark.column);
        let before_blank = self.cursor.is_blankz(1);
        match here {
            0 => self.end(),
            b'%' if column == 0 => self.directive(),
            b'-' if self.cursor.is_document_indicator() => self.document(TokenKind::DocumentStart),
            b'.' if self.cursor.is_document_indicator() => self.document(TokenKind::DocumentEnd),
            b'[' => self.open(TokenKind::FlowSequenceStart),
            b'{' => self.open(TokenKind::FlowMappingStart),
            b']' => self.close(TokenKind::FlowSequenceEnd),
            b'}' => self.close(TokenKind::FlowMappingEnd),
            b',' => {
                self.forget_key()?;
                self.key_allowed = true;
                self.indicator(TokenKind::FlowEntry)
            }
            b'-' if before_blank => self.entry(),
            b'?' if self.in_flow() || before_blank => self.key(),
            b':' if self.in_flow() || before_blank => self.value(),
            b'*' | b'&' => {
                self.begin_key_token()?;
                self.anchor(here == b'*')
            }
            b'!' => {
                self.begin_key_token()?;
                self.tag()
            }
            b'|' | b'>' if !self.in_flow() => {
                self.forget_key()?;
                self.key_allowed = true;
                self.block_scalar(here == b'|')
            }
            b'\'' | b'"' => {
                self.begin_key_token()?;
                self.quoted_scalar(here == b'\'')
            }
            _ if self.starts_plain() => {
                self.begin_key_token()?;
                self.plain_scalar()
            }
            _ => Err(self.error("found character that cannot start any token")),
        }
    }

    fn starts_plain(&self) -> bool {
        match self.cursor.here() {
            b'-' => !self.cursor.is_blank(1),
            b'?' | b':' => !self.in_flow() && !self.cursor.is_blankz(1),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\''
            | b'"' | b'%' | b'@' | b'`' => false,
            _ => !self.cursor.is_blankz(0),
        }
    }

    /// Over spaces, comments and line breaks. A tab is a space only where no key can begin.
    fn skip_to_token(&mut self) {
        loop {
            let cursor = &mut self.cursor;
            // go-yaml looks for the mark at the beginning of what it has in memory, so later ones are text.
            if cursor.mark.byte == 0 && [0, 1, 2].map(|i| cursor.at(i)) == [0xef, 0xbb, 0xbf] {
                cursor.skip();
            }
            let tabs = self.keys.len() > 1 || !self.key_allowed;
            cursor.skip_all(|byte| byte == b' ' || (tabs && byte == b'\t'));
            if cursor.here() == b'#' {
                cursor.skip_comment();
            }
            if !cursor.is_break(0) {
                return;
            }
            cursor.take_break();
            if self.keys.len() == 1 {
                self.key_allowed = true;
            }
        }
    }

    fn push(&mut self, kind: TokenKind<'a>, start: Mark) {
        self.tokens.push_back(Token { kind, start });
    }

    /// A token of one character.
    fn indicator(&mut self, kind: TokenKind<'a>) -> Scanned<()> {
        let start = self.cursor.mark;
        self.cursor.skip();
        self.push(kind, start);
        Ok(())
    }

    fn end(&mut self) -> Scanned<()> {
        if self.cursor.mark.column != 0 && !self.ended {
            self.cursor.mark.column = 0;
            self.cursor.mark.line += 1;
        }
        self.ended = true;
        self.unroll(-1);
        self.forget_key()?;
        self.key_allowed = false;
        self.push(TokenKind::StreamEnd, self.cursor.mark);
        Ok(())
    }

    fn directive(&mut self) -> Scanned<()> {
        self.unroll(-1);
        self.forget_key()?;
        self.key_allowed = false;
        self.scan_directive()
    }

    fn document(&mut self, kind: TokenKind<'a>) -> Scanned<()> {
        self.unroll(-1);
        self.forget_key()?;
        self.key_allowed = false;
        let start = self.cursor.mark;
        self.cursor.skip_many(3);
        self.push(kind, start);
        Ok(())
    }

    fn open(&mut self, kind: TokenKind<'a>) -> Scanned<()> {
        self.save_key()?;
        if self.keys.len() > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let token = self.taken + self.tokens.len() + 1;
        self.keys.push(PossibleKey { token, ..PossibleKey::default() });
        self.key_allowed = true;
        self.indicator(kind)
    }

    fn close(&mut self, kind: TokenKind<'a>) -> Scanned<()> {
        self.forget_key()?;
        if self.in_flow()
            && let Some(inside) = self.keys.pop()
            && let Some(outside) = self.keys.last_mut()
        {
            outside.lost |= !inside.saved && outside.token + 1 == inside.token;
        }
        self.key_allowed = false;
        self.indicator(kind)
    }

    fn entry(&mut self) -> Scanned<()> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err(self.error("block sequence entries are not allowed in this context"));
            }
            self.roll(self.cursor.mark, None, TokenKind::BlockSequenceStart)?;
        }
        self.forget_key()?;
        self.key_allowed = true;
        self.indicator(TokenKind::BlockEntry)
    }

    fn key(&mut self) -> Scanned<()> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err(self.error("mapping keys are not allowed in this context"));
            }
            self.roll(self.cursor.mark, None, TokenKind::BlockMappingStart)?;
        }
        self.forget_key()?;
        self.key_allowed = !self.in_flow();
        self.indicator(TokenKind::Key)
    }

    fn value(&mut self) -> Scanned<()> {
        let innermost = self.keys.len() - 1;
        if self.is_key_valid(innermost)? {
            let key = self.keys[innermost];
            // What was taken already has no place any more.
            let at = key.token.checked_sub(self.taken);
            let place = at.unwrap_or(self.tokens.len());
            self.tokens.insert(place, Token { kind: TokenKind::Key, start: key.mark });
            self.roll(key.mark, at, TokenKind::BlockMappingStart)?;
            self.keys[innermost].possible = false;
            self.key_allowed = false;
        } else {
            if !self.in_flow() {
                if !self.key_allowed {
                    return Err(self.error("mapping values are not allowed in this context"));
                }
                self.roll(self.cursor.mark, None, TokenKind::BlockMappingStart)?;
            }
            self.key_allowed = !self.in_flow();
        }
        self.indicator(TokenKind::Value)
    }

    /// A token begins that can be a key, and after which none can begin.
    fn begin_key_token(&mut self) -> Scanned<()> {
        self.save_key()?;
        self.key_allowed = false;
        Ok(())
    }

    fn save_key(&mut self) -> Scanned<()> {
        if self.key_allowed {
            let mark = self.cursor.mark;
            let required = !self.in_flow() && self.indent == mark.column as isize;
            self.forget_key()?;
            let token = self.taken + self.tokens.len();
            let innermost = self.keys.len() - 1;
            let (possible, lost, saved) = (true, false, true);
            self.keys[innermost] = PossibleKey { possible, required, lost, saved, token, mark };
        }
        Ok(())
    }

    /// What might have been a key in the innermost collection is none.
    fn forget_key(&mut self) -> Scanned<()> {
        let innermost = self.keys.len() - 1;
        let key = self.keys[innermost];
        if key.possible && key.required {
            return Err(self.error("could not find expected ':'"));
        }
        self.keys[innermost].possible = false;
        Ok(())
    }

    /// A key is on one line.
    fn is_key_valid(&mut self, i: usize) -> Scanned<bool> {
        let key = self.keys[i];
        let here = self.cursor.mark;
        if key.possible && (key.mark.line < here.line || key.mark.index + MAX_KEY < here.index) {
            if key.required {
                return Err(self.error("could not find expected ':'"));
            }
            self.keys[i].possible = false;
        }
        Ok(self.keys[i].possible)
    }

    /// Opens a block collection if the column is further in; `at` tells before which token.
    fn roll(&mut self, mark: Mark, at: Option<usize>, kind: TokenKind<'a>) -> Scanned<()> {
        if self.in_flow() || self.indent >= mark.column as isize {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = mark.column as isize;
        if self.indents.len() > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let at = at.unwrap_or(self.tokens.len());
        self.tokens.insert(at, Token { kind, start: mark });
        Ok(())
    }

    /// Closes the block collections that are further in.
    fn unroll(&mut self, column: isize) {
        if self.in_flow() {
            return;
        }
        while self.indent > column {
            self.push(TokenKind::BlockEnd, self.cursor.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn too_deep(&self) -> YamlError {
        self.error(&format!("exceeded max depth of {MAX_DEPTH}"))
    }

    /// go-yaml names no line for what goes wrong in the first one.
    fn error(&self, message: &str) -> YamlError {
        let line = match self.cursor.mark.line {
            0 => 0,
            line => line + 1,
        };
        YamlError::new(line, message)
    }
}
