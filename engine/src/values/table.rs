//! Values while they are coalesced: trees whose tables can be shared, as Go's maps are.
//!
//! Helm copies the globals of a chart into its subcharts by reference below their first level, so
//! what a subchart's values.yaml adds to such a table is seen by its parent and its siblings too.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

/// A YAML mapping. Clones share their entries.
#[derive(Clone, Default)]
pub(crate) struct Table(Rc<RefCell<BTreeMap<String, Node>>>);

/// What stands at one key. Lists are leaves: they are replaced, never merged.
#[derive(Clone)]
pub(crate) enum Node {
    Table(Table),
    Leaf(Value),
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Node::Leaf(Value::Null))
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Node::Table(table) => Value::Object(table.to_json()),
            Node::Leaf(value) => value.clone(),
        }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Object(map) => Node::Table(Table::of(map)),
            leaf => Node::Leaf(leaf.clone()),
        }
    }
}

impl Table {
    /// A deep copy.
    pub(crate) fn of(map: &Map<String, Value>) -> Self {
        let entries = map.iter().map(|(key, value)| (key.clone(), Node::from(value)));
        Self(Rc::new(RefCell::new(entries.collect())))
    }

    /// A deep copy; what was shared is not any more.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        self.0.borrow().iter().map(|(key, node)| (key.clone(), node.to_json())).collect()
    }

    /// A new table with the same entries; tables among them stay shared.
    pub(crate) fn shallow_copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    pub(crate) fn get(&self, key: &str) -> Option<Node> {
        self.0.borrow().get(key).cloned()
    }

    pub(crate) fn set(&self, key: &str, node: Node) {
        self.0.borrow_mut().insert(key.to_owned(), node);
    }

    pub(crate) fn remove(&self, key: &str) {
        self.0.borrow_mut().remove(key);
    }

    /// The entries as they are now: what is changed while one walks them is not seen.
    pub(crate) fn entries(&self) -> Vec<(String, Node)> {
        self.0.borrow().iter().map(|(key, node)| (key.clone(), node.clone())).collect()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Takes out every null, at any depth.
    pub(crate) fn remove_nulls(&self) {
        self.0.borrow_mut().retain(|_, node| !node.is_null());
        for (_, node) in self.entries() {
            if let Node::Table(table) = node {
                table.remove_nulls();
            }
        }
    }
}
