//! The reader: granit-parser's events, given go-yaml v2's meaning.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::{
    number,
    scalar::{Resolved, resolve},
};

/// How deep mappings and sequences may nest.
const MAX_DEPTH: usize = 200;
/// Nodes that aliases may expand to in one document, above the ones written out. A long text counts
/// as one for every [`TEXT_PER_NODE`] bytes.
const MAX_ALIASED_NODES: usize = 400_000;
const TEXT_PER_NODE: usize = 64;

/// Why a text is not YAML that Helm reads. Quotes nothing of the text but keys and short scalars.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct YamlError {
    /// Counted from 1.
    pub line: usize,
    pub message: String,
}

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

/// As [`from_str`], but if the text is a mapping then only these of its entries are there: the rest
/// is read, too, but not kept.
pub(crate) fn entries_from_str(text: &str, wanted: &[&str]) -> Result<Value, YamlError> {
    let mut value = read(text, Some(wanted))?;
    number::normalise(&mut value);
    Ok(value)
}

fn read(text: &str, wanted: Option<&[&str]>) -> Result<Value, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.block_nesting_limit = MAX_DEPTH;
    options.flow_nesting_limit = MAX_DEPTH;
    let parser = Parser::new_from_str_with_options(text, options);
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let unfinished_at = if last_line.trim().is_empty() { None } else { Some(text.len()) };
    let anchors = HashMap::new();
    let mut reader = Reader { parser, wanted, anchors, aliased: 0, depth: 0, unfinished_at };
    reader.document()
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// The entries of the topmost mapping to keep; None: all.
    wanted: Option<&'a [&'a str]>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    depth: usize,
    /// The length of a text whose last line has no end.
    unfinished_at: Option<usize>,
}

/// A node before JSON: a key may be of any scalar type.
#[derive(Clone)]
struct Node {
    value: Value,
    merge: bool,
    /// Not a JSON number: infinite, or not a number at all.
    unprintable: Option<f64>,
    /// Nodes of the tree, itself among them.
    size: usize,
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        let size = match &value {
            Value::String(text) => 1 + text.len() / TEXT_PER_NODE,
            _ => 1,
        };
        Self { value, merge: false, unprintable: None, size }
    }
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Owned<'a>, usize), YamlError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let unfinished = self.unfinished_at == span.byte_range().map(|range| range.end);
                Ok((into_owned(event, unfinished), line(&span)))
            }
            Some(Err(error)) => {
                Err(YamlError { line: error.marker().line(), message: error.info() })
            }
            None => Ok((Owned::End, 0)),
        }
    }

    fn document(&mut self) -> Result<Value, YamlError> {
        loop {
            let (event, line) = self.next()?;
            match event {
                Owned::Start => {}
                Owned::End => return Ok(Value::Null),
                event => {
                    let value = self.node(event, line, true)?.printable(line)?;
                    // What follows must at least begin soundly; further documents are not read.
                    self.next()?;
                    return Ok(value);
                }
            }
        }
    }

    /// What is not kept is null, unless an alias may stand for it.
    fn node(&mut self, event: Owned<'_>, line: usize, keep: bool) -> Result<Node, YamlError> {
        let keep = keep || event.anchor() != 0;
        let (anchor, node) = match event {
            Owned::Alias(id) => return self.alias(id, line, keep),
            Owned::Scalar(_, style, _, None) if !keep && style != ScalarStyle::Plain => {
                return Ok(Value::Null.into());
            }
            Owned::Scalar(text, style, anchor, tag) => {
                (anchor, scalar(text, style, tag.as_deref(), line)?)
            }
            Owned::Sequence(anchor) => {
                self.deeper(line)?;
                let node = self.sequence(keep)?;
                self.depth -= 1;
                (anchor, node)
            }
            Owned::Mapping(anchor) => {
                self.deeper(line)?;
                let node = self.mapping(keep)?;
                self.depth -= 1;
                (anchor, node)
            }
            Owned::Start | Owned::End | Owned::SequenceEnd | Owned::MappingEnd => {
                return Err(error(line, "expected a value"));
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
            return Err(error(line, &format!("more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, line: usize, keep: bool) -> Result<Node, YamlError> {
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(error(line, "an anchor's value contains itself"));
        };
        self.aliased += anchor.size;
        if self.aliased > MAX_ALIASED_NODES {
            return Err(error(line, "document contains excessive aliasing"));
        }
        if !keep {
            return Ok(Node { unprintable: anchor.unprintable, ..Value::Null.into() });
        }
        // An alias of a `<<` is no merge key.
        Ok(Node { merge: false, ..anchor.clone() })
    }

    fn sequence(&mut self, keep: bool) -> Result<Node, YamlError> {
        let mut items = Vec::new();
        let mut size = 1;
        loop {
            let (event, line) = self.next()?;
            if let Owned::SequenceEnd = event {
                return Ok(Node { size, ..Value::Array(items).into() });
            }
            let node = self.node(event, line, keep)?;
            size += node.size;
            let item = node.printable(line)?;
            if keep {
                items.push(item);
            }
        }
    }

    fn mapping(&mut self, keep: bool) -> Result<Node, YamlError> {
        let mut map = Map::new();
        let mut size = 1;
        loop {
            let (event, line) = self.next()?;
            if let Owned::MappingEnd = event {
                return Ok(Node { size, ..Value::Object(map).into() });
            }
            let key = self.node(event, line, true)?;
            let keep = keep && (self.depth > 1 || self.wants(&key));
            let (event, value_line) = self.next()?;
            let value = self.node(event, value_line, keep || key.merge)?;
            size += key.size + value.size;
            let value = value.printable(value_line)?;
            if key.merge {
                merge(&mut map, value, value_line)?;
            } else {
                let key = key.into_key(line)?;
                if keep {
                    map.insert(key, value);
                }
            }
        }
    }

    fn wants(&self, key: &Node) -> bool {
        let wanted = |wanted: &[&str]| key.value.as_str().is_some_and(|key| wanted.contains(&key));
        self.wanted.is_none_or(wanted)
    }
}

/// `<<`: one mapping, or several of which the earlier take precedence. What the mapping said
/// before the `<<` is overwritten, what it says after it is not.
fn merge(into: &mut Map<String, Value>, value: Value, line: usize) -> Result<(), YamlError> {
    let wrong = || error(line, "map merge requires map or sequence of maps as the value");
    match value {
        Value::Object(map) => into.extend(map),
        Value::Array(items) => {
            for item in items.into_iter().rev() {
                let Value::Object(map) = item else { return Err(wrong()) };
                into.extend(map);
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

impl Node {
    fn printable(self, line: usize) -> Result<Value, YamlError> {
        match self.unprintable {
            Some(float) => Err(error(
                line,
                &format!("unsupported value: {}", number::format_g(float).replace('.', "")),
            )),
            None => Ok(self.value),
        }
    }

    fn into_key(self, line: usize) -> Result<String, YamlError> {
        if let Some(float) = self.unprintable {
            return Ok(number::format_g32(float));
        }
        match self.value {
            Value::String(text) => Ok(text),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Number(number) => Ok(match number.as_f64() {
                Some(float) if number.is_f64() => number::format_g32(float),
                _ => number.to_string(),
            }),
            Value::Null => Err(error(line, "null cannot be a key")),
            Value::Array(_) | Value::Object(_) => Err(error(line, "invalid map key")),
        }
    }
}

fn scalar(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&str>,
    line: usize,
) -> Result<Node, YamlError> {
    let resolved = match tag {
        None if style == ScalarStyle::Plain => resolve(&text, true),
        None => return Ok(Value::String(text.into_owned()).into()),
        Some("binary") => {
            let bytes = base64::prelude::BASE64_STANDARD
                .decode(text.split_ascii_whitespace().collect::<String>())
                .map_err(|_| error(line, "!!binary value contains invalid base64 data"))?;
            return Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()).into());
        }
        Some(tag @ ("bool" | "int" | "float" | "null" | "timestamp")) => {
            let resolved = resolve(&text, tag == "timestamp");
            match (tag, resolved) {
                ("bool", r @ Resolved::Bool(_))
                | ("int", r @ Resolved::Int(_))
                | ("float", r @ Resolved::Float(_))
                | ("null", r @ Resolved::Null)
                | ("timestamp", r @ Resolved::Timestamp) => r,
                ("float", Resolved::Int(int)) => Resolved::Float(int.as_f64().unwrap_or(0.0)),
                _ => {
                    let start: String = text.chars().take(20).collect();
                    return Err(error(line, &format!("cannot decode `{start}` as a !!{tag}")));
                }
            }
        }
        Some("merge") if text == "<<" => {
            return Ok(Node { merge: true, ..Value::String(text.into_owned()).into() });
        }
        Some(_) => return Ok(Value::String(text.into_owned()).into()),
    };
    let merge = text == "<<" && style == ScalarStyle::Plain && tag.is_none();
    let unprintable = match resolved {
        Resolved::Float(float) if !float.is_finite() => Some(float),
        _ => None,
    };
    let value = resolved.into_value(text).unwrap_or(Value::Null);
    Ok(Node { merge, unprintable, ..value.into() })
}

/// An event that has let go of the parser.
enum Owned<'a> {
    Alias(usize),
    Scalar(Cow<'a, str>, ScalarStyle, usize, Option<String>),
    Sequence(usize),
    Mapping(usize),
    SequenceEnd,
    MappingEnd,
    Start,
    End,
}

impl Owned<'_> {
    /// 0: none.
    fn anchor(&self) -> usize {
        match self {
            Owned::Scalar(_, _, anchor, _) | Owned::Sequence(anchor) | Owned::Mapping(anchor) => {
                *anchor
            }
            _ => 0,
        }
    }
}

/// `unfinished`: the event ends where the text does, in a line without an end.
fn into_owned(event: Event<'_>, unfinished: bool) -> Owned<'_> {
    match event {
        Event::Alias(id) => Owned::Alias(id),
        Event::Scalar(text, style, anchor, tag) => {
            let mut text = text;
            // YAML 1.2 gives a block scalar a line end that is not there, go-yaml does not.
            if unfinished && matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                let text = text.to_mut();
                text.truncate(text.strip_suffix('\n').map_or(text.len(), str::len));
            }
            Owned::Scalar(text, style, anchor, tag.map(|t| tag_name(&t)))
        }
        Event::SequenceStart(_, anchor, _) => Owned::Sequence(anchor),
        Event::MappingStart(_, anchor, _) => Owned::Mapping(anchor),
        Event::SequenceEnd => Owned::SequenceEnd,
        Event::MappingEnd => Owned::MappingEnd,
        Event::StreamEnd | Event::DocumentEnd => Owned::End,
        _ => Owned::Start,
    }
}

/// `int` for `!!int`; tags of other namespaces in full, so that they match none of ours.
fn tag_name(tag: &Tag) -> String {
    match tag.suffix_in_namespace("tag:yaml.org,2002:") {
        Some(name) => name.into_owned(),
        None => tag.original(),
    }
}

fn line(span: &Span) -> usize {
    span.start.line()
}

fn error(line: usize, message: &str) -> YamlError {
    YamlError { line, message: message.to_owned() }
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
        for mistake in
            ["a: {b: .inf}", "a: [{[b]: 1}]", "a: {b: [}", "a: {~: 1}", "a: {<<: 1}", "a: !!int x"]
        {
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
        assert_eq!(from_str("a: 1\nb: [").expect_err("open").line, 2);
        assert_eq!(from_str("a: .inf").expect_err("infinite").line, 1);
        assert!(from_str("a: &x [*x]").is_err());
        assert!(from_str("[a]: 1").is_err());
    }
}
