//! How large a value is to whoever prints, compares or converts it.

use minijinja::Value;
use minijinja::value::ValueKind;

/// Deeper values are not walked through.
pub(super) const MAX_DEPTH: usize = 1000;

/// What values hold, each part as often as it is met: a list that holds another one twice holds it
/// twice, as it prints it twice.
#[derive(Debug, Default)]
pub(super) struct Weight {
    /// Values, and values in them.
    pub nodes: u64,
    /// About the bytes that they print; quotes and escapes not counted.
    pub bytes: u64,
    /// Levels of the deepest.
    pub depth: usize,
}

impl Weight {
    /// Adds a value. The walk ends early when `most` is exceeded.
    pub(super) fn add(&mut self, value: &Value, most: &Weight) {
        self.walk(value, 1, most);
    }

    /// What an operation may need that makes a text or a copy of what was weighed: an escaped
    /// character takes up to eight times its bytes.
    pub(super) fn worst(&self) -> usize {
        let bytes = self.bytes.saturating_mul(8).saturating_add(self.nodes.saturating_mul(64));
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// What it takes to turn what was weighed into values of Go templates, and those into JSON.
    pub(super) fn converted(&self) -> usize {
        let nodes = usize::try_from(self.nodes).unwrap_or(usize::MAX);
        self.worst().saturating_add(nodes.saturating_mul(256))
    }

    fn walk(&mut self, value: &Value, depth: usize, most: &Weight) {
        self.nodes += 1;
        self.depth = self.depth.max(depth);
        self.bytes = self.bytes.saturating_add(printed(value));
        let is_map = match value.kind() {
            ValueKind::Map => true,
            ValueKind::Seq | ValueKind::Iterable => false,
            _ => return,
        };
        let Ok(items) = value.try_iter() else { return };
        for item in items {
            if self.exceeds(most) {
                return;
            }
            self.walk(&item, depth + 1, most);
            if is_map && let Ok(below) = value.get_item(&item) {
                self.walk(&below, depth + 1, most);
            }
        }
    }

    fn exceeds(&self, most: &Weight) -> bool {
        self.nodes > most.nodes || self.bytes > most.bytes || self.depth > most.depth
    }
}

/// The bytes of a value itself, without what it holds.
fn printed(value: &Value) -> u64 {
    match value.kind() {
        ValueKind::String => value.as_str().map_or(0, str::len) as u64,
        ValueKind::Bytes => value.as_bytes().map_or(0, <[u8]>::len) as u64,
        // A float may have three hundred digits.
        ValueKind::Number if !value.is_integer() => 340,
        ValueKind::Number => 40,
        ValueKind::Plain | ValueKind::Invalid => 256,
        _ => 16,
    }
}
