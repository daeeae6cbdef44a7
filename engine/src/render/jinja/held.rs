//! Lists that operators make: flat, where MiniJinja's would be chains of iterators.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, Value};

/// To a template it is what MiniJinja's own `+`, `*`, slices and `range` give, an iterable; but it can be
/// indexed at once, and holds no others.
pub(super) enum Held {
    /// Each less than half as long as the one before, so that a list can be appended to without copying it;
    /// and whether a template may know how many there are.
    Chunks(Vec<Arc<Vec<Value>>>, bool),
    /// `start`, `step`, length.
    Range(i64, i64, usize),
}

impl Held {
    /// What this iterable gives. If an item is an error, it is the last: nobody gets beyond it.
    pub(super) fn of(iterable: &Value) -> Result<Value, Error> {
        let mut items = Vec::new();
        for item in iterable.try_iter()? {
            let is_error = item.kind() == ValueKind::Invalid;
            items.push(item);
            if is_error {
                break;
            }
        }
        Ok(Value::from_object(Self::Chunks(vec![Arc::new(items)], iterable.len().is_some())))
    }

    /// How many items a value has, whether a template may know it or not.
    pub(super) fn count(value: &Value) -> usize {
        match value.downcast_object_ref::<Self>() {
            Some(held) => held.len(),
            None => value.len().unwrap_or(0),
        }
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
        let is_sized = left.len().is_some() && right.len().is_some();
        (Value::from_object(Self::Chunks(chunks, is_sized)), copied)
    }

    fn chunks(value: &Value, copied: &mut usize) -> Vec<Arc<Vec<Value>>> {
        if let Some(Self::Chunks(chunks, _)) = value.downcast_object_ref::<Self>() {
            return chunks.clone();
        }
        let items: Vec<Value> = value.try_iter().map(Iterator::collect).unwrap_or_default();
        *copied += items.len();
        vec![Arc::new(items)]
    }

    fn len(&self) -> usize {
        match self {
            Self::Chunks(chunks, _) => chunks.iter().map(|chunk| chunk.len()).sum(),
            Self::Range(_, _, len) => *len,
        }
    }

    fn get(&self, mut index: usize) -> Option<Value> {
        match self {
            Self::Chunks(chunks, _) => {
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

/// As MiniJinja prints an iterable whose length it does not know.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<iterator>")
    }
}

impl Object for Held {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    /// Whatever whole number is asked for is answered, since MiniJinja would search on.
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = key.as_i64()?;
        let Ok(index) = usize::try_from(index) else {
            let back = usize::try_from(index.unsigned_abs()).ok();
            let index = back.and_then(|back| self.enumerator_len()?.checked_sub(back));
            return Some(index.and_then(|index| self.get(index)).unwrap_or_default());
        };
        let beyond = || {
            let last = self.get(self.len().checked_sub(1)?)?;
            (last.kind() == ValueKind::Invalid).then_some(last)
        };
        Some(self.get(index).or_else(beyond).unwrap_or_default())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        match **self {
            Self::Chunks(_, false) => None,
            _ => Some(self.len()),
        }
    }
}
