//! Where the scanner stands in the text, and the classes of characters that YAML 1.1 has.

/// A place in the text. Lines and columns are counted from 0, as go-yaml counts them.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::yaml) struct Mark {
    pub(super) byte: usize,
    /// In characters.
    pub(super) index: usize,
    pub(in crate::yaml) line: usize,
    pub(super) column: usize,
}

/// Reads ahead in the text, which ends in an endless row of NULs.
pub(super) struct Cursor<'a> {
    text: &'a str,
    pub(super) mark: Mark,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, mark: Mark::default() }
    }

    /// The byte that many bytes ahead.
    pub(super) fn at(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.mark.byte + ahead).copied().unwrap_or(0)
    }

    /// Whether there are so many characters more.
    pub(super) fn has(&self, characters: usize) -> bool {
        self.text[self.mark.byte..].chars().take(characters).count() == characters
    }

    pub(super) fn here(&self) -> u8 {
        self.at(0)
    }

    /// The text from a mark to here.
    pub(super) fn since(&self, start: Mark) -> &'a str {
        &self.text[start.byte..self.mark.byte]
    }

    /// One character, which is not a line break.
    pub(super) fn skip(&mut self) {
        self.mark.byte += match self.here() {
            0..0x80 => 1,
            0x80..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0.. => 4,
        };
        self.mark.byte = self.mark.byte.min(self.text.len());
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Over all characters here that are in a class of ASCII without line breaks.
    pub(super) fn skip_all(&mut self, class: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.mark.byte..];
        let count = rest.iter().position(|byte| !class(*byte)).unwrap_or(rest.len());
        self.mark.byte += count;
        self.mark.index += count;
        self.mark.column += count;
    }

    pub(super) fn skip_many(&mut self, characters: usize) {
        for _ in 0..characters {
            self.skip();
        }
    }

    /// A line break; gives what it stands for.
    pub(super) fn take_break(&mut self) -> &'static str {
        let (bytes, characters, meaning) = match (self.here(), self.at(1), self.at(2)) {
            (b'\r', b'\n', _) => (2, 2, "\n"),
            (b'\r' | b'\n', ..) => (1, 1, "\n"),
            (0xc2, 0x85, _) => (2, 1, "\n"),
            (0xe2, 0x80, 0xa8) => (3, 1, "\u{2028}"),
            (0xe2, 0x80, 0xa9) => (3, 1, "\u{2029}"),
            _ => return "",
        };
        self.mark.byte += bytes;
        self.mark.index += characters;
        self.mark.line += 1;
        self.mark.column = 0;
        meaning
    }

    pub(super) fn skip_comment(&mut self) {
        loop {
            self.skip_all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
            if self.is_breakz(0) {
                return;
            }
            self.skip();
        }
    }

    pub(super) fn is_end(&self, ahead: usize) -> bool {
        self.at(ahead) == 0
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        match self.at(ahead) {
            b'\r' | b'\n' => true,
            0xc2 => self.at(ahead + 1) == 0x85,
            0xe2 => self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xa8 | 0xa9),
            _ => false,
        }
    }

    pub(super) fn is_breakz(&self, ahead: usize) -> bool {
        self.is_end(ahead) || self.is_break(ahead)
    }

    pub(super) fn is_blankz(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_breakz(ahead)
    }

    /// What a name of an anchor or a directive is made of.
    pub(super) fn is_word(&self) -> bool {
        matches!(self.here(), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-')
    }

    /// `---` or `...` at the start of a line.
    pub(super) fn is_document_indicator(&self) -> bool {
        self.mark.column == 0
            && matches!(
                (self.at(0), self.at(1), self.at(2)),
                (b'-', b'-', b'-') | (b'.', b'.', b'.')
            )
            && self.is_blankz(3)
    }
}
