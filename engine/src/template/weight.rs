//! How much memory values take.

use std::mem::size_of;

use super::{Str, Value};

/// What a string, a list or a map takes beside its contents: counters, and the allocator's share.
const CONTAINER: usize = 48;
/// What an element of a list takes.
pub(crate) const ELEMENT: usize = size_of::<Value>();
/// What an entry of a map takes beside the key's bytes: B-trees are two thirds full.
const ENTRY: usize = (ELEMENT + size_of::<Str>()) * 3 / 2 + CONTAINER;

/// Functions make nothing that nests deeper.
const MAX_DEPTH: usize = 2_000;

/// Nodes and bytes.
#[derive(Default)]
pub(crate) struct Weight {
    pub nodes: u64,
    pub bytes: usize,
}

/// The weight of a value that nobody else holds: what the function has made that returned it. Parts
/// with other holders are not counted, since they were there before.
pub(crate) fn fresh(value: &Value) -> Weight {
    let mut weight = Weight::default();
    weight.add(value, 0);
    weight
}

impl Weight {
    fn add(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) | Value::Bytes(text) if !text.is_shared() => {
                self.nodes += 1;
                self.bytes += CONTAINER + text.len();
            }
            Value::List(list) if !list.is_shared() => {
                self.nodes += 1;
                self.bytes += CONTAINER + list.len() * ELEMENT;
                if depth < MAX_DEPTH {
                    list.iter().for_each(|item| self.add(item, depth + 1));
                }
            }
            Value::Map(map) if !map.is_shared() => {
                self.nodes += 1;
                self.bytes += CONTAINER;
                for (key, value) in &*map.entries() {
                    self.bytes += ENTRY + key.len();
                    if depth < MAX_DEPTH {
                        self.add(value, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_counts() {
        assert_eq!(fresh(&Value::Int(1)).bytes, 0);
        let text = Value::from("1234567890");
        assert_eq!(fresh(&text).bytes, CONTAINER + 10);
        let list = Value::list(vec![text.clone(), "12".into()]);
        assert_eq!(fresh(&list).bytes, CONTAINER + 2 * ELEMENT + CONTAINER + 2);
        let map = Value::map([("key", list.clone())]);
        assert_eq!(fresh(&map).bytes, CONTAINER + ENTRY + 3);
        assert_eq!(fresh(&list).bytes, 0);
    }
}
