//! Padding, and integers with their flags.

use super::Printer;

/// utf8.RuneCount: each byte that is not UTF-8 counts as one.
fn count_characters(text: &[u8]) -> usize {
    text.utf8_chunks().map(|c| c.valid().chars().count() + c.invalid().len()).sum()
}

impl Printer<'_> {
    pub(super) fn padding(&mut self, n: usize) {
        // Zeros pad on the left only.
        let fill = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.out.extend(std::iter::repeat_n(fill, n));
    }

    /// Writes with the width of the directive, counted in characters.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let width = self.flags.width.unwrap_or(0);
        let fill = width.saturating_sub(count_characters(text));
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.padding(fill);
        } else {
            self.padding(fill);
            self.out.extend_from_slice(text);
        }
    }

    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    pub(super) fn integer(&mut self, magnitude: u64, negative: bool, verb: char) {
        let flags = self.flags;
        let mut digits = match verb {
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let signed = negative || flags.plus || flags.space;
        let minimum = match (flags.precision, flags.width) {
            (Some(0), _) if magnitude == 0 => {
                self.pad_with_spaces(b"");
                return;
            }
            (Some(precision), _) => precision,
            (None, Some(width)) if flags.zero && !flags.minus => {
                width.saturating_sub(usize::from(signed))
            }
            _ => 0,
        };
        if digits.len() < minimum {
            digits.insert_str(0, &"0".repeat(minimum - digits.len()));
        }
        if flags.sharp {
            match verb {
                'b' => digits.insert_str(0, "0b"),
                'o' | 'O' if !digits.starts_with('0') => digits.insert(0, '0'),
                'x' => digits.insert_str(0, "0x"),
                'X' => digits.insert_str(0, "0X"),
                _ => {}
            }
        }
        if verb == 'O' {
            digits.insert_str(0, "0o");
        }
        if negative {
            digits.insert(0, '-');
        } else if flags.plus {
            digits.insert(0, '+');
        } else if flags.space {
            digits.insert(0, ' ');
        }
        self.pad_with_spaces(digits.as_bytes());
    }

    /// %x and %X of a string or bytes.
    pub(super) fn hex(&mut self, bytes: &[u8], upper: bool) {
        let flags = self.flags;
        let bytes = &bytes[..flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
        let prefix = if upper { "0X" } else { "0x" };
        let mut text = String::new();
        for (i, b) in bytes.iter().enumerate() {
            if flags.space && i > 0 {
                text.push(' ');
            }
            if flags.sharp && (flags.space || i == 0) {
                text.push_str(prefix);
            }
            text.push_str(&if upper { format!("{b:02X}") } else { format!("{b:02x}") });
        }
        self.pad(text.as_bytes());
    }

    /// Cuts to the precision, counted in characters.
    pub(super) fn truncate<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let Some(precision) = self.flags.precision else { return text };
        let mut end = 0;
        let mut count = 0;
        for chunk in text.utf8_chunks() {
            for c in chunk.valid().chars() {
                if count == precision {
                    return &text[..end];
                }
                end += c.len_utf8();
                count += 1;
            }
            for _ in chunk.invalid() {
                if count == precision {
                    return &text[..end];
                }
                end += 1;
                count += 1;
            }
        }
        text
    }

    pub(super) fn unicode(&mut self, code: u64) {
        let width = self.flags.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{code:0width$X}");
        if self.flags.sharp
            && let Some(c) = u32::try_from(code).ok().and_then(char::from_u32)
            && crate::unicode::is_print(c)
        {
            text.push_str(&format!(" '{c}'"));
        }
        self.pad_with_spaces(text.as_bytes());
    }
}
