//! Anchors, aliases, tags and directives.

use super::{Scanned, Scanner, TokenKind};

impl Scanner<'_> {
    pub(super) fn anchor(&mut self, alias: bool) -> Scanned<()> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.word();
        let followed = self.cursor.is_blankz(0)
            || matches!(self.cursor.here(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !followed {
            return Err(self.error("did not find expected alphabetic or numeric character"));
        }
        let kind = if alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) };
        self.push(kind, start);
        Ok(())
    }

    fn word(&mut self) -> String {
        let start = self.cursor.mark;
        while self.cursor.is_word() {
            self.cursor.skip();
        }
        self.cursor.since(start).to_owned()
    }

    /// `!<uri>`, `!handle!suffix`, `!suffix` or `!`.
    pub(super) fn tag(&mut self) -> Scanned<()> {
        let start = self.cursor.mark;
        let (handle, suffix) = if self.cursor.at(1) == b'<' {
            self.cursor.skip_many(2);
            let uri = self.uri("")?;
            if self.cursor.here() != b'>' {
                return Err(self.error("did not find the expected '>'"));
            }
            self.cursor.skip();
            (String::new(), uri)
        } else {
            let handle = self.tag_handle();
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.uri("")?;
                (handle, suffix)
            } else {
                match self.uri(&handle)? {
                    suffix if suffix.is_empty() => (suffix, "!".to_owned()),
                    suffix => ("!".to_owned(), suffix),
                }
            }
        };
        if !self.cursor.is_blankz(0) {
            return Err(self.error("did not find expected whitespace or line break"));
        }
        self.push(TokenKind::Tag { handle, suffix }, start);
        Ok(())
    }

    fn tag_handle(&mut self) -> String {
        let start = self.cursor.mark;
        self.cursor.skip();
        self.word();
        if self.cursor.here() == b'!' {
            self.cursor.skip();
        }
        self.cursor.since(start).to_owned()
    }

    /// A URI, of which `head` is read already but for its `!`.
    fn uri(&mut self, head: &str) -> Scanned<String> {
        let mut bytes: Vec<u8> = head.bytes().skip(1).collect();
        let mut found = !head.is_empty();
        loop {
            let byte = self.cursor.here();
            if byte == b'%' {
                let digit = |at: usize| char::from(self.cursor.at(at)).to_digit(16);
                let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                    return Err(self.error("did not find URI escaped octet"));
                };
                bytes.push((high << 4 | low) as u8);
                self.cursor.skip_many(3);
            } else if self.cursor.is_word() || b";/?:@&=+$,.!~*'()[]".contains(&byte) {
                bytes.push(byte);
                self.cursor.skip();
            } else {
                break;
            }
            found = true;
        }
        if !found {
            return Err(self.error("did not find expected tag URI"));
        }
        String::from_utf8(bytes).map_err(|_| self.error("found an incorrect leading UTF-8 octet"))
    }

    pub(super) fn scan_directive(&mut self) -> Scanned<()> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.word();
        if name.is_empty() {
            return Err(self.error("could not find expected directive name"));
        }
        if !self.cursor.is_blankz(0) {
            return Err(self.error("found unexpected non-alphabetical character"));
        }
        let kind = match name.as_str() {
            "YAML" => self.version()?,
            "TAG" => self.tag_directive()?,
            _ => return Err(self.error("found unknown directive name")),
        };
        self.push(kind, start);
        self.skip_blanks();
        if self.cursor.here() == b'#' {
            self.cursor.skip_comment();
        }
        if !self.cursor.is_breakz(0) {
            return Err(self.error("did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok(())
    }

    fn skip_blanks(&mut self) {
        while self.cursor.is_blank(0) {
            self.cursor.skip();
        }
    }

    fn version(&mut self) -> Scanned<TokenKind<'static>> {
        self.skip_blanks();
        let major = self.version_number()?;
        if self.cursor.here() != b'.' {
            return Err(self.error("did not find expected digit or '.' character"));
        }
        self.cursor.skip();
        Ok(TokenKind::VersionDirective { major, minor: self.version_number()? })
    }

    fn version_number(&mut self) -> Scanned<u32> {
        let start = self.cursor.mark;
        while self.cursor.here().is_ascii_digit() {
            self.cursor.skip();
        }
        match self.cursor.since(start) {
            "" => Err(self.error("did not find expected version number")),
            digits if digits.len() > 2 => Err(self.error("found extremely long version number")),
            digits => Ok(digits.parse().unwrap_or_default()),
        }
    }

    fn tag_directive(&mut self) -> Scanned<TokenKind<'static>> {
        self.skip_blanks();
        if self.cursor.here() != b'!' {
            return Err(self.error("did not find expected '!'"));
        }
        let handle = self.tag_handle();
        if handle != "!" && !handle.ends_with('!') {
            return Err(self.error("did not find expected '!'"));
        }
        if !self.cursor.is_blank(0) {
            return Err(self.error("did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.uri("")?;
        if !self.cursor.is_blankz(0) {
            return Err(self.error("did not find expected whitespace or line break"));
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }
}
