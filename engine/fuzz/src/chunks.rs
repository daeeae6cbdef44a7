//! Bytes to structured data.

use serde_json::{Map, Value};

const MAX_DEPTH: usize = 20;

/// Takes an input apart, piece by piece; at its end everything is zero.
pub struct Chunks<'a>(pub &'a [u8]);

impl<'a> Chunks<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (chunk, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        chunk
    }

    pub fn text(&mut self) -> String {
        let length = self.byte().into();
        String::from_utf8_lossy(self.bytes(length)).into_owned()
    }

    /// Any JSON.
    pub fn value(&mut self, depth: usize) -> Value {
        let kind = self.byte();
        let count = usize::from(kind >> 3);
        match kind % 8 {
            _ if depth > MAX_DEPTH || self.0.is_empty() => Value::Null,
            0 => Value::Null,
            1 => Value::Bool(kind & 8 != 0),
            2 => i64::from(self.byte() as i8).into(),
            3 => {
                let mut bytes = [0; 8];
                for byte in &mut bytes {
                    *byte = self.byte();
                }
                match kind & 8 {
                    0 => f64::from_le_bytes(bytes).into(),
                    _ => u64::from_le_bytes(bytes).into(),
                }
            }
            4 | 5 => self.text().into(),
            6 => (0..count).map(|_| self.value(depth + 1)).collect(),
            _ => Value::Object(
                (0..count).map(|_| (self.text(), self.value(depth + 1))).collect::<Map<_, _>>(),
            ),
        }
    }
}
