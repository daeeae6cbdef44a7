//! The values of a template: Go's dynamic types, as far as charts can tell them apart.

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Object, Str};

/// A value of a template. Cheap to clone; maps are shared by reference, as in Go, so `set` is seen by all holders.
#[derive(Clone)]
pub enum Value {
    Nil,
    Bool(bool),
    /// Go's int.
    Int(i64),
    /// Go's int64.
    Int64(i64),
    /// Go's uint64.
    Uint64(u64),
    /// Go's uint8, such as one element of a string.
    Uint8(u8),
    /// Go's float64: every number that comes from YAML or JSON.
    Float(f64),
    String(Str),
    /// Go's []byte, such as an element of `.Files`.
    Bytes(Str),
    /// Go's time.Duration, in nanoseconds.
    Duration(i64),
    List(List),
    Map(Map),
    Object(Rc<dyn Object>),
}

/// The element type of a Go slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListType {
    /// []interface {}
    Any,
    /// []string
    String,
    /// []int
    Int,
    /// [][]interface {}
    Lists,
}

/// A Go slice. Its elements never change.
#[derive(Clone)]
pub struct List(Rc<ListBody>);

struct ListBody {
    kind: ListType,
    nil: bool,
    items: Vec<Value>,
}

/// The type of a Go map; its keys are strings always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// map[string]interface {}
    Any,
    /// map[string]string
    String,
    /// common.Values, Helm's name for map[string]interface {}
    Values,
}

/// A Go map. The same map can be held as several types: as `common.Values` and as `map[string]interface {}`.
#[derive(Clone)]
pub struct Map {
    kind: MapType,
    body: Rc<MapBody>,
}

struct MapBody {
    nil: bool,
    entries: RefCell<BTreeMap<Str, Value>>,
}

impl Value {
    pub fn string(text: impl Into<Str>) -> Value {
        Value::String(text.into())
    }

    pub fn list(items: Vec<Value>) -> Value {
        Value::List(List::new(ListType::Any, items))
    }

    /// A []string.
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Value {
        let items = items.into_iter().map(Value::string).collect();
        Value::List(List::new(ListType::String, items))
    }

    pub fn map<K: Into<Str>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Map(Map::new(
            MapType::Any,
            entries.into_iter().map(|(k, v)| (k.into(), v)).collect(),
        ))
    }

    pub fn object(object: impl Object) -> Value {
        Value::Object(Rc::new(object))
    }

    /// Go's truth (text/template.IsTrue).
    pub fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(b) => *b,
            Value::Int(i) | Value::Int64(i) | Value::Duration(i) => *i != 0,
            Value::Uint64(u) => *u != 0,
            Value::Uint8(u) => *u != 0,
            Value::Float(f) => *f != 0.0,
            Value::String(s) | Value::Bytes(s) => !s.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Object(object) => object.is_true(),
        }
    }

    /// The type as `%T` prints it.
    pub fn type_name(&self) -> &str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Int64(_) => "int64",
            Value::Uint64(_) => "uint64",
            Value::Uint8(_) => "uint8",
            Value::Float(_) => "float64",
            Value::String(_) => "string",
            Value::Bytes(_) => "[]uint8",
            Value::Duration(_) => "time.Duration",
            Value::List(list) => match list.kind() {
                ListType::Any => "[]interface {}",
                ListType::String => "[]string",
                ListType::Int => "[]int",
                ListType::Lists => "[][]interface {}",
            },
            Value::Map(map) => match map.kind() {
                MapType::Any => "map[string]interface {}",
                MapType::String => "map[string]string",
                MapType::Values => "common.Values",
            },
            Value::Object(object) => object.type_name(),
        }
    }

    /// The kind as Go's reflect names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "invalid",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Int64(_) | Value::Duration(_) => "int64",
            Value::Uint64(_) => "uint64",
            Value::Uint8(_) => "uint8",
            Value::Float(_) => "float64",
            Value::String(_) => "string",
            Value::Bytes(_) | Value::List(_) => "slice",
            Value::Map(_) => "map",
            Value::Object(object) => object.kind(),
        }
    }

    /// The elements of anything that Go's reflect calls a slice.
    pub fn elements(&self) -> Option<Vec<Value>> {
        match self {
            Value::List(list) => Some(list.to_vec()),
            Value::Bytes(bytes) => Some(bytes.iter().map(|b| Value::Uint8(*b)).collect()),
            Value::Object(object) if object.kind() == "slice" => {
                Some(object.entries()?.into_iter().map(|(_, v)| v).collect())
            }
            _ => None,
        }
    }
}

impl List {
    pub fn new(kind: ListType, items: Vec<Value>) -> Self {
        List(Rc::new(ListBody { kind, nil: false, items }))
    }

    /// Go's nil slice: empty, and `null` in JSON.
    pub fn nil(kind: ListType) -> Self {
        List(Rc::new(ListBody { kind, nil: true, items: Vec::new() }))
    }

    pub fn kind(&self) -> ListType {
        self.0.kind
    }

    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// Whether this list has another holder.
    pub(crate) fn is_shared(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }
}

impl std::ops::Deref for List {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.0.items
    }
}

impl Map {
    pub fn new(kind: MapType, entries: BTreeMap<Str, Value>) -> Self {
        Map { kind, body: Rc::new(MapBody { nil: false, entries: RefCell::new(entries) }) }
    }

    /// Go's nil map: empty, `null` in JSON. It must not be set.
    pub fn nil(kind: MapType) -> Self {
        Map { kind, body: Rc::new(MapBody { nil: true, entries: RefCell::default() }) }
    }

    pub fn is_nil(&self) -> bool {
        self.body.nil
    }

    pub fn kind(&self) -> MapType {
        self.kind
    }

    /// The same map as another type.
    pub fn with_kind(&self, kind: MapType) -> Self {
        Map { kind, body: self.body.clone() }
    }

    pub fn len(&self) -> usize {
        self.body.entries.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.body.entries.borrow().get(key).cloned()
    }

    pub fn contains_key(&self, key: &[u8]) -> bool {
        self.body.entries.borrow().contains_key(key)
    }

    /// Changes the map for all who hold it.
    pub fn set(&self, key: impl Into<Str>, value: Value) {
        let previous = self.body.entries.borrow_mut().insert(key.into(), value);
        drop(previous);
    }

    /// Changes the map for all who hold it.
    pub fn unset(&self, key: &[u8]) {
        let previous = self.body.entries.borrow_mut().remove(key);
        drop(previous);
    }

    /// The entries for reading, in the order of their keys. Do not keep it while a template runs.
    pub fn entries(&self) -> Ref<'_, BTreeMap<Str, Value>> {
        self.body.entries.borrow()
    }

    /// The entries as they are now, in the order of their keys.
    pub fn snapshot(&self) -> Vec<(Str, Value)> {
        self.entries().iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Whether this map has another holder.
    pub(crate) fn is_shared(&self) -> bool {
        Rc::strong_count(&self.body) > 1
    }

    /// Whether both are the very same map.
    pub fn is(&self, other: &Map) -> bool {
        Rc::ptr_eq(&self.body, &other.body)
    }
}

/// Takes nested containers apart in a loop: a template can nest deeper than the stack.
fn dismantle(mut queue: Vec<Value>) {
    while let Some(value) = queue.pop() {
        match value {
            Value::List(List(body)) => {
                if let Some(mut body) = Rc::into_inner(body) {
                    queue.append(&mut body.items);
                }
            }
            Value::Map(Map { body, .. }) => {
                if let Some(body) = Rc::into_inner(body) {
                    queue.extend(std::mem::take(&mut *body.entries.borrow_mut()).into_values());
                }
            }
            _ => {}
        }
    }
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}

impl Drop for ListBody {
    fn drop(&mut self) {
        if self.items.iter().any(is_container) {
            dismantle(std::mem::take(&mut self.items));
        }
    }
}

impl Drop for MapBody {
    fn drop(&mut self) {
        let entries = std::mem::take(self.entries.get_mut());
        if entries.values().any(is_container) {
            dismantle(entries.into_values().collect());
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::string(text)
    }
}
