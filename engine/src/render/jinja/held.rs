//! Lists that operators make: flat, where MiniJinja's would be chains of iterators.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// To a template it is what MiniJinja's own `+`, `*`, slices and `range` give, an iterable; but it can be
/// indexed at once, and holds no others.
#[derive(Debug)]
pub(super) enum Held {
    /// Each less than half as long as the one before, so that a list can be appended to without copying it.
    Chunks(Vec<Arc<Vec<Value>>>),
    /// `start`, `step`, length.
    Range(i64, i64, usize),
}

impl Held {
    pub(super) fn of(items: Vec<Value>) -> Value {
        Value::from_object(Self::Chunks(vec![Arc::new(items)]))
    }

    /// The items of one after those of the other; and how many were copied for it.
    pub(super) fn concatenated(left: &Value, right: &Value) -> (Value, usize) {
        let mut copied = 0;
        let mut chunks = Self::chunks(left, &mut copied);
        for chunk in Self::chunks(right, &mut copied) {
            chunks.push(chunk);
            while let [.., before, last] = chunks.as_slice()
                && last.len() * 2 >= before.len()
            {
                let merged: Vec<Value> = before.iter().chain(last.iter()).cloned().collect();
                copied += merged.len();
                chunks.truncate(chunks.len() - 2);
                chunks.push(Arc::new(merged));
            }
        }
        (Value::from_object(Self::Chunks(chunks)), copied)
    }

    fn chunks(value: &Value, copied: &mut usize) -> Vec<Arc<Vec<Value>>> {
        if let Some(Self::Chunks(chunks)) = value.downcast_object_ref::<Self>() {
            return chunks.clone();
        }
        let items: Vec<Value> = value.try_iter().map(Iterator::collect).unwrap_or_default();
        *copied += items.len();
        vec![Arc::new(items)]
    }

    fn len(&self) -> usize {
        match self {
            Self::Chunks(chunks) => chunks.iter().map(|chunk| chunk.len()).sum(),
            Self::Range(_, _, len) => *len,
        }
    }

    fn get(&self, mut index: usize) -> Option<Value> {
        match self {
            Self::Chunks(chunks) => {
                for chunk in chunks {
                    if let Some(item) = chunk.get(index) {
                        return Some(item.clone());
                    }
                    index -= chunk.len();
                }
                None
            }
            Self::Range(start, step, len) => {
                let offset = i64::try_from(index).ok().filter(|_| index < *len)?;
                Some(Value::from(start.wrapping_add(step.wrapping_mul(offset))))
            }
        }
    }
}

impl Object for Held {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    /// Whatever whole number is asked for is answered, since MiniJinja would search on.
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = key.as_i64()?;
        let index = match usize::try_from(index) {
            Ok(index) => Some(index),
            Err(_) => usize::try_from(index.unsigned_abs())
                .ok()
                .and_then(|back| self.len().checked_sub(back)),
        };
        Some(index.and_then(|index| self.get(index)).unwrap_or_default())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len())
    }
}
