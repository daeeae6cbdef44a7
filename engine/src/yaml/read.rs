//! The reader: events, given go-yaml v2's meaning.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::functions::encoding;
use crate::template::lossy;

use super::{
    events::{Event, Events, YAML_NAMESPACE},
    is_named,
    node::{self, Key, Mistakes, Node, invalid_key, merge, no_merge},
    number,
    scalar::{Resolved, resolve},
};

/// How deep mappings and sequences may nest.
const MAX_DEPTH: usize = 200;
/// Nodes that aliases may expand to in one document, above the ones written out. A long text counts
/// as one for every [`TEXT_PER_NODE`] bytes.
const MAX_ALIASED_NODES: usize = 400_000;
pub(super) const TEXT_PER_NODE: usize = 64;
/// A key of fewer bytes is short enough for YAML, however many of its characters JSON escapes.
const SAFE_KEY: usize = 170;

/// Why a text is not YAML that Helm reads, in go-yaml's words. Quotes nothing of the text but keys
/// and short scalars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// As go-yaml counts it, which can be the line before the mistake; 0 if it names none.
    pub line: usize,
    pub message: String,
    pub(super) stage: Stage,
}

/// Mistakes of the grammar come before those of meaning, these before those of JSON, wherever they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Yaml,
    Conversion,
    Json,
}

impl YamlError {
    /// A mistake in YAML or its meaning.
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into(), stage: Stage::Yaml }
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error converting YAML to JSON: ")?;
        match (self.stage, self.line) {
            (Stage::Yaml, 0) => write!(f, "yaml: {}", self.message),
            (Stage::Yaml, line) => write!(f, "yaml: line {line}: {}", self.message),
            (Stage::Conversion | Stage::Json, _) => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for YamlError {}

/// The first document of `text` as JSON. An empty text is `Null`; whole floats are integers; of
/// two equal keys the later one wins, as in `yaml.Unmarshal`.
pub fn from_str(text: &str) -> Result<Value, YamlError> {
    let mut value = from_str_exact(text)?;
    number::normalise(&mut value);
    Ok(value)
}

/// As [`from_str`], but a float stays a float, however whole.
pub(crate) fn from_str_exact(text: &str) -> Result<Value, YamlError> {
    read(text, None)
}

/// As [`from_str_exact`], but if the text is a mapping then only the entries are there whose keys mean
/// these fields ([`is_named`]): the rest is read, too, but not kept.
pub(crate) fn entries_from_str(text: &str, wanted: &[&str]) -> Result<Value, YamlError> {
    read(text, Some(wanted))
}

/// The keys that stand more than once in one mapping of the first document.
pub(crate) fn repeated_keys(text: &str) -> Result<Vec<String>, YamlError> {
    let mut repeated = Vec::new();
    read_noting(text, None, &mut |key| repeated.push(key.to_owned()))?;
    Ok(repeated)
}

fn read(text: &str, wanted: Option<&[&str]>) -> Result<Value, YamlError> {
    read_noting(text, wanted, &mut |_| {})
}

fn read_noting(
    text: &str,
    wanted: Option<&[&str]>,
    repeated: &mut dyn FnMut(&str),
) -> Result<Value, YamlError> {
    let marked = text;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let head = &text[..readable(text, marked.len() - text.len())];
    let events = Events::new(head, head.len() < text.len());
    let anchors = HashMap::new();
    let mut reader = Reader {
        events,
        wanted,
        anchors,
        repeated,
        aliased: 0,
        depth: 0,
        merges: false,
        broken: false,
        open: 0,
    };
    reader.document()
}

/// Whether YAML's reader makes the same value of a value's JSON: `sigs.k8s.io/yaml` prints by way of that. Line breaks
/// of YAML 1.1 that JSON does not escape, control characters and long keys are what it reads otherwise.
pub(crate) fn reads_json_as_it_is(value: &Value) -> bool {
    let plain = |text: &str| {
        text.bytes().all(|byte| byte < 0x7f)
            || text.chars().all(|c| c < '\x7f' || (is_allowed(c) && c != '\u{85}'))
    };
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => items.iter().all(reads_json_as_it_is),
        Value::Object(map) => map
            .iter()
            .all(|(key, value)| key.len() < SAFE_KEY && plain(key) && reads_json_as_it_is(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// The bytes before the block that has a character which no YAML may have: go-yaml reads block by block, whole characters,
/// and what is wrong with an earlier block comes first. `mark`: the bytes of the first block that are no text.
fn readable(text: &str, mark: usize) -> usize {
    const BLOCK: usize = 512;
    // Most texts, at the price of a look at each byte.
    if text.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        return text.len();
    }
    let Some((wrong, _)) = text.char_indices().find(|(_, c)| !is_allowed(*c)) else {
        return text.len();
    };
    let (mut start, mut size) = (0, BLOCK - mark);
    loop {
        let end = text.floor_char_boundary(start + size);
        if wrong < end || end == text.len() {
            return start;
        }
        (start, size) = (end, BLOCK);
    }
}

/// What YAML calls printable.
fn is_allowed(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{10000}'.. => true,
        _ => c >= '\u{a0}' && !matches!(c, '\u{fffe}' | '\u{ffff}'),
    }
}

struct Reader<'a> {
    events: Events<'a>,
    /// The entries of the topmost mapping to keep; None: all.
    wanted: Option<&'a [&'a str]>,
    anchors: HashMap<usize, Node>,
    /// Is told of each key that its mapping has already.
    repeated: &'a mut dyn FnMut(&str),
    aliased: usize,
    depth: usize,
    /// The next value is that of a `<<`.
    merges: bool,
    /// The text is no YAML from here on.
    broken: bool,
    /// Sequences and mappings that are not at their end.
    open: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, usize), YamlError> {
        let event = self.events.next();
        self.broken = event.is_err();
        match event {
            Ok(Event::Sequence { .. } | Event::Mapping { .. }) => self.open += 1,
            Ok(Event::SequenceEnd | Event::MappingEnd) => self.open -= 1,
            _ => {}
        }
        Ok((event?, self.events.line))
    }

    fn document(&mut self) -> Result<Value, YamlError> {
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::DocumentStart => {}
                Event::StreamEnd => return Ok(Value::Null),
                event => {
                    let node = self.node(event, line, true);
                    self.rest()?;
                    return match node?.printable() {
                        (_, Some(mistake)) => Err(mistake),
                        (value, None) => Ok(value),
                    };
                }
            }
        }
    }

    /// go-yaml reads the whole document before it asks what it means: a mistake in the grammar comes
    /// first, wherever it stands. What follows must at least begin soundly; further documents are
    /// not read.
    fn rest(&mut self) -> Result<(), YamlError> {
        while !self.broken {
            if let (Event::DocumentEnd | Event::StreamEnd, _) = self.next()? {
                break;
            }
        }
        Ok(())
    }

    /// What is not kept is null, unless an alias may stand for it.
    fn node(&mut self, event: Event<'_>, line: usize, keep: bool) -> Result<Node, YamlError> {
        let keep = keep || event.anchor() != 0;
        let (anchor, node) = match event {
            Event::Alias { anchor, name } => return self.alias(anchor, &name, keep),
            Event::Scalar { text, plain, tag: None, .. }
                if !(keep || plain && may_be_unprintable(&text)) =>
            {
                return Ok(Value::Null.into());
            }
            Event::Scalar { text, plain, anchor, tag } => {
                (anchor, scalar(text, plain, tag.as_deref())?)
            }
            Event::Sequence { anchor } => {
                self.deeper(line)?;
                let node = self.sequence(keep)?;
                self.depth -= 1;
                (anchor, node)
            }
            Event::Mapping { anchor } => {
                self.deeper(line)?;
                let node = self.mapping(keep)?;
                self.depth -= 1;
                (anchor, node)
            }
            Event::DocumentStart
            | Event::DocumentEnd
            | Event::StreamEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                return Err(YamlError::new(line, "expected a value"));
            }
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn deeper(&mut self, line: usize) -> Result<(), YamlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(YamlError::new(line, format!("more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, name: &str, keep: bool) -> Result<Node, YamlError> {
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(YamlError::new(0, format!("anchor '{name}' value contains itself")));
        };
        self.aliased += anchor.size;
        if self.aliased > MAX_ALIASED_NODES {
            return Err(YamlError::new(0, "document contains excessive aliasing"));
        }
        if !keep {
            let (unprintable, mistakes) = (anchor.unprintable, anchor.mistakes.clone());
            return Ok(Node { unprintable, mistakes, ..Value::Null.into() });
        }
        // An alias of a `<<` is no merge key.
        Ok(Node { merge: false, ..anchor.clone() })
    }

    fn sequence(&mut self, keep: bool) -> Result<Node, YamlError> {
        if std::mem::take(&mut self.merges) {
            return self.sequence_to_merge();
        }
        let mut items = Vec::new();
        let mut mistakes = Vec::new();
        let mut size = 1;
        loop {
            let (event, line) = self.next()?;
            if let Event::SequenceEnd = event {
                let mut first = Mistakes::default();
                first.set("", mistakes.into_iter().min_by_key(|mistake: &YamlError| mistake.stage));
                return Ok(Node { size, mistakes: first, ..Value::Array(items).into() });
            }
            let node = self.node(event, line, keep)?;
            size += node.size;
            let (item, mistake) = node.printable();
            mistakes.extend(mistake);
            if keep {
                items.push(item);
            }
        }
    }

    /// The value of a `<<`: go-yaml reads it from its end, so that of several mistakes the last one counts.
    fn sequence_to_merge(&mut self) -> Result<Node, YamlError> {
        let (open, depth) = (self.open, self.depth);
        let mut items = Vec::new();
        let mut mistakes = Mistakes::default();
        let mut size = 1;
        let mut wrong = None;
        loop {
            let (event, line) = self.next()?;
            if let Event::SequenceEnd = event {
                break;
            }
            // What is no mapping is not looked into, but may have an anchor.
            let is_other = matches!(event, Event::Scalar { .. } | Event::Sequence { .. });
            match self.node(event, line, true) {
                Err(mistake) if self.broken => return Err(mistake),
                Ok(node) if !is_other && node.value.is_object() => {
                    size += node.size;
                    let (item, mistake) = node.printable();
                    items.push(item);
                    if mistake.is_some() {
                        // No key of a text begins so.
                        mistakes.set("\0<<", mistake);
                    }
                }
                item => {
                    wrong = Some(item.err().filter(|_| !is_other).unwrap_or_else(no_merge));
                    self.depth = depth;
                    while self.open > open {
                        self.next()?;
                    }
                }
            }
        }
        match wrong {
            Some(mistake) => Err(mistake),
            None => Ok(Node { size, mistakes, ..Value::Array(items).into() }),
        }
    }

    fn mapping(&mut self, keep: bool) -> Result<Node, YamlError> {
        self.merges = false;
        let mut map = Map::new();
        let mut mistakes = Mistakes::default();
        let mut size = 1;
        loop {
            let (event, line) = self.next()?;
            if let Event::MappingEnd = event {
                return Ok(Node { size, mistakes, ..Value::Object(map).into() });
            }
            let key = self.node(event, line, true)?;
            if let Value::Array(_) | Value::Object(_) = key.value {
                return Err(invalid_key(&key.value));
            }
            let keep = keep && (self.depth > 1 || self.wants(&key));
            let (event, value_line) = self.next()?;
            if key.merge && matches!(event, Event::Scalar { .. }) {
                return Err(no_merge());
            }
            self.merges = key.merge;
            let is_alias = matches!(event, Event::Alias { .. });
            // A key without a text is a mistake that names the value.
            let needed = key.merge || !key.value.is_string();
            let value = self.node(event, value_line, keep || needed)?;
            // A list to merge has to be written where it is merged.
            if key.merge && is_alias && !value.value.is_object() {
                return Err(no_merge());
            }
            size += key.size + value.size;
            if key.merge {
                merge(&mut map, &mut mistakes, value)?;
                continue;
            }
            let (value, mistake) = value.printable();
            match node::key(key, &value)? {
                Key::Text(key) => {
                    mistakes.set(&key, mistake);
                    if keep {
                        if map.contains_key(&key) {
                            (self.repeated)(&key);
                        }
                        map.insert(key, value);
                    }
                }
                Key::None { place, mistake } => mistakes.set(&place, Some(mistake)),
            }
        }
    }

    fn wants(&self, key: &Node) -> bool {
        let means = |key: &str, wanted: &[&str]| wanted.iter().any(|name| is_named(key, name));
        let wanted = |wanted: &[&str]| key.value.as_str().is_some_and(|key| means(key, wanted));
        self.wanted.is_none_or(wanted)
    }
}

/// Whether a plain scalar may be a number that JSON does not have.
fn may_be_unprintable(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn scalar(text: Cow<'_, str>, plain: bool, tag: Option<&str>) -> Result<Node, YamlError> {
    let resolved = match tag.map(|tag| tag.strip_prefix(YAML_NAMESPACE).unwrap_or(tag)) {
        None if plain => resolve(&text, true),
        None => return Ok(Value::String(text.into_owned()).into()),
        Some("binary") => {
            let bytes = encoding::decode(text.as_bytes())
                .map_err(|_| YamlError::new(0, "!!binary value contains invalid base64 data"))?;
            return Ok(Value::String(lossy(&bytes).into_owned()).into());
        }
        Some(tag @ ("bool" | "int" | "float" | "null" | "timestamp")) => {
            let resolved = resolve(&text, tag == "timestamp");
            match (tag, resolved) {
                ("bool", r @ Resolved::Bool(_))
                | ("int", r @ Resolved::Int(_))
                | ("float", r @ Resolved::Float(_))
                | ("null", r @ Resolved::Null)
                | ("timestamp", r @ Resolved::Timestamp) => r,
                ("float", Resolved::Int(int)) if int.is_i64() => {
                    Resolved::Float(int.as_f64().unwrap_or(0.0))
                }
                _ => {
                    return Err(cannot_decode(&text, tag));
                }
            }
        }
        Some("merge") if text == "<<" => {
            return Ok(Node { merge: true, ..Value::String(text.into_owned()).into() });
        }
        Some(_) => return Ok(Value::String(text.into_owned()).into()),
    };
    let merge = text == "<<" && plain && tag.is_none();
    let unprintable = match resolved {
        Resolved::Float(float) if !float.is_finite() => Some(float),
        _ => None,
    };
    let value = resolved.into_value(text).unwrap_or(Value::Null);
    Ok(Node { merge, unprintable, ..value.into() })
}

fn cannot_decode(text: &str, tag: &str) -> YamlError {
    let found = match resolve(text, tag == "timestamp") {
        Resolved::Null => "null",
        Resolved::Bool(_) => "bool",
        Resolved::Int(_) => "int",
        Resolved::Float(_) => "float",
        Resolved::Timestamp => "timestamp",
        Resolved::Text => "str",
    };
    YamlError::new(0, format!("cannot decode !!{found} `{text}` as a !!{tag}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        from_str(text).expect(text)
    }

    #[test]
    fn scalars_are_those_of_go_yaml() {
        assert_eq!(
            read("a: yes\nb: 'yes'\nc: 010\nd: 1.0\ne: 2001-01-01\nf: ~\ng: !!str 1\nh: 1e3\ni:"),
            json!({"a": true, "b": "yes", "c": 8, "d": 1, "e": "2001-01-01", "f": null, "g": "1",
                "h": 1000, "i": null})
        );
        assert_eq!(read("1: a\n1.5: b\ntrue: c\n"), json!({"1": "a", "1.5": "b", "true": "c"}));
        assert_eq!(read(""), Value::Null);
        assert_eq!(read("a: 1\n---\nb: 2\n"), json!({"a": 1}));
        assert_eq!(read("a: 1\na: 2\n"), json!({"a": 2}));
        assert_eq!(read("a: |\n  x"), json!({"a": "x"}));
        assert_eq!(read("a: |\n  x\n"), json!({"a": "x\n"}));
        assert_eq!(read("a: !!binary aGk=\n"), json!({"a": "hi"}));
    }

    #[test]
    fn only_wanted_entries_are_kept() {
        let text = "kind: A\nspec: &s {x: [1, {w: 'z'}]}\nmetadata:\n  name: m\n  spec: *s\ndata: {kind: B}\n<<: {kind: C}\n";
        assert_eq!(
            entries_from_str(text, &["kind", "metadata"]),
            Ok(json!({"kind": "C", "metadata": {"name": "m", "spec": {"x": [1, {"w": "z"}]}}}))
        );
        assert_eq!(entries_from_str("[1, a]", &["kind"]), Ok(json!([1, "a"])));
        for mistake in [
            "a: {b: .inf}",
            "a: [-.INF, x]",
            "a: [{[b]: 1}]",
            "a: {b: [}",
            "a: {~: 1}",
            "a: {~: x}",
            "a: {~: 'x'}",
            "a: {~: {b: [c, 'd']}}",
            "a: {<<: 1}",
            "a: !!int x",
        ] {
            assert_eq!(entries_from_str(mistake, &["kind"]), from_str(mistake), "{mistake}");
            assert!(from_str(mistake).is_err(), "{mistake}");
        }
    }

    #[test]
    fn anchors_and_merges() {
        assert_eq!(
            read("base: &b {x: 1, z: 2}\nover:\n  <<: *b\n  z: 3\nunder:\n  z: 3\n  <<: *b\n"),
            json!({"base": {"x": 1, "z": 2}, "over": {"x": 1, "z": 3}, "under": {"x": 1, "z": 2}})
        );
        assert_eq!(read("a: [&x 1, *x]\n'<<': 2\n"), json!({"a": [1, 1], "<<": 2}));
    }

    #[test]
    fn limits_and_mistakes_have_a_line() {
        let bomb: String = (1..12)
            .map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(",")))
            .collect();
        let bomb = format!("a0: &a0 [x]\n{bomb}");
        assert!(from_str(&bomb).expect_err("bomb").message.contains("aliasing"));
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(from_str(&deep(MAX_DEPTH)).is_ok());
        assert!(from_str(&deep(MAX_DEPTH + 1)).is_err());
        let open = from_str("a: 1\nb: [").expect_err("open");
        assert_eq!((open.line, open.message.as_str()), (2, "did not find expected node content"));
        assert!(from_str("a: &x [*x]").is_err());
        assert_eq!(
            from_str("a: {{ x }}").expect_err("a mapping as a key").message,
            r#"invalid map key: map[interface {}]interface {}{"x":interface {}(nil)}"#
        );
        assert_eq!(from_str("a: {{ x }}\nb: [").expect_err("grammar first").line, 2);
    }
}
