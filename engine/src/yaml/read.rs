//! The reader: events, given go-yaml v2's meaning.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use serde_json::{Map, Value};

use super::{
    events::{Event, Events, YAML_NAMESPACE},
    number,
    scalar::{Resolved, resolve},
};

/// How deep mappings and sequences may nest.
const MAX_DEPTH: usize = 200;
/// Nodes that aliases may expand to in one document, above the ones written out.
const MAX_ALIASED_NODES: usize = 400_000;

/// Why a text is not YAML that Helm reads, in go-yaml's words. Quotes nothing of the text but keys
/// and short scalars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// As go-yaml counts it, which can be the line before the mistake; 0 if it names none.
    pub line: usize,
    pub message: String,
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "error converting YAML to JSON: yaml: {}", self.message),
            line => write!(f, "error converting YAML to JSON: yaml: line {line}: {}", self.message),
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
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.chars().any(|c| !is_allowed(c)) {
        return Err(error(0, "control characters are not allowed"));
    }
    let mut reader =
        Reader { events: Events::new(text), anchors: HashMap::new(), aliased: 0, depth: 0, broken: false };
    reader.document()
}

/// What YAML calls printable.
fn is_allowed(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{10000}'.. => true,
        _ => c >= '\u{a0}' && !matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}'),
    }
}

struct Reader<'a> {
    events: Events<'a>,
    anchors: HashMap<usize, Anchor>,
    aliased: usize,
    depth: usize,
    /// The text is no YAML from here on.
    broken: bool,
}

struct Anchor {
    node: Node,
    size: usize,
}

/// A node before JSON: a key may be of any scalar type.
#[derive(Clone)]
struct Node {
    value: Value,
    merge: bool,
    /// Not a JSON number: infinite, or not a number at all.
    unprintable: Option<f64>,
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self { value, merge: false, unprintable: None }
    }
}

impl Reader<'_> {
    fn next(&mut self) -> Result<(Event, usize), YamlError> {
        let event = self.events.next();
        self.broken = event.is_err();
        Ok((event?, self.events.line))
    }

    fn document(&mut self) -> Result<Value, YamlError> {
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::DocumentStart => {}
                Event::StreamEnd => return Ok(Value::Null),
                event => {
                    let value = self.node(event, line).and_then(|node| node.printable(line));
                    self.rest()?;
                    return value;
                }
            }
        }
    }

    /// go-yaml reads the whole document before it asks what it means: a mistake in the grammar comes
    /// first, wherever it stands. What follows must at least begin soundly; further documents are not read.
    fn rest(&mut self) -> Result<(), YamlError> {
        while !self.broken {
            if let (Event::DocumentEnd | Event::StreamEnd, _) = self.next()? {
                break;
            }
        }
        Ok(())
    }

    fn node(&mut self, event: Event, line: usize) -> Result<Node, YamlError> {
        let (anchor, node, size) = match event {
            Event::Alias(id) => return self.alias(id, line),
            Event::Scalar { text, plain, anchor, tag } => {
                (anchor, scalar(&text, plain, tag.as_deref(), line)?, 1)
            }
            Event::Sequence { anchor } => {
                self.deeper(line)?;
                let (value, size) = self.sequence()?;
                self.depth -= 1;
                (anchor, value.into(), size)
            }
            Event::Mapping { anchor } => {
                self.deeper(line)?;
                let (value, size) = self.mapping()?;
                self.depth -= 1;
                (anchor, value.into(), size)
            }
            Event::DocumentStart
            | Event::DocumentEnd
            | Event::StreamEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                return Err(error(line, "expected a value"));
            }
        };
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { node: node.clone(), size });
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

    fn alias(&mut self, id: usize, line: usize) -> Result<Node, YamlError> {
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(error(line, "an anchor's value contains itself"));
        };
        self.aliased += anchor.size;
        if self.aliased > MAX_ALIASED_NODES {
            return Err(error(line, "document contains excessive aliasing"));
        }
        // An alias of a `<<` is no merge key.
        Ok(Node { merge: false, ..anchor.node.clone() })
    }

    fn sequence(&mut self) -> Result<(Value, usize), YamlError> {
        let mut items = Vec::new();
        let mut size = 1;
        loop {
            let (event, line) = self.next()?;
            if let Event::SequenceEnd = event {
                return Ok((Value::Array(items), size));
            }
            let node = self.node(event, line)?;
            size += nodes(&node.value);
            items.push(node.printable(line)?);
        }
    }

    fn mapping(&mut self) -> Result<(Value, usize), YamlError> {
        let mut map = Map::new();
        let mut size = 1;
        loop {
            let (event, line) = self.next()?;
            if let Event::MappingEnd = event {
                return Ok((Value::Object(map), size));
            }
            let key = self.node(event, line)?;
            let (event, value_line) = self.next()?;
            let value = self.node(event, value_line)?.printable(value_line)?;
            size += 1 + nodes(&value);
            if key.merge {
                merge(&mut map, value)?;
            } else {
                map.insert(key.into_key(line)?, value);
            }
        }
    }
}

/// The nodes of a tree, itself among them.
fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(|v| 1 + nodes(v)).sum::<usize>(),
        _ => 1,
    }
}

/// `<<`: one mapping, or several of which the earlier take precedence. What the mapping said
/// before the `<<` is overwritten, what it says after it is not.
fn merge(into: &mut Map<String, Value>, value: Value) -> Result<(), YamlError> {
    let wrong = || error(0, "map merge requires map or sequence of maps as the value");
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
            value => Err(error(0, &format!("invalid map key: {}", go_syntax(&value)))),
        }
    }
}

/// As Go's `%#v` prints it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{key:?}:{}", go_syntax(value))).collect();
            format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn scalar(
    text: &str,
    plain: bool,
    tag: Option<&str>,
    line: usize,
) -> Result<Node, YamlError> {
    let as_text = || Value::String(text.to_owned()).into();
    let resolved = match tag.map(|tag| tag.strip_prefix(YAML_NAMESPACE).unwrap_or(tag)) {
        None if plain => resolve(text, true),
        None => return Ok(as_text()),
        Some("binary") => {
            let bytes = base64::prelude::BASE64_STANDARD
                .decode(text.split_ascii_whitespace().collect::<String>())
                .map_err(|_| error(line, "!!binary value contains invalid base64 data"))?;
            return Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()).into());
        }
        Some(tag @ ("bool" | "int" | "float" | "null" | "timestamp")) => {
            let resolved = resolve(text, tag == "timestamp");
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
            return Ok(Node { value: text.into(), merge: true, unprintable: None });
        }
        Some(_) => return Ok(as_text()),
    };
    let merge = text == "<<" && plain && tag.is_none();
    let unprintable = match resolved {
        Resolved::Float(float) if !float.is_finite() => Some(float),
        _ => None,
    };
    let value = resolved.into_value(text).unwrap_or(Value::Null);
    Ok(Node { value, merge, unprintable })
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
        assert_eq!(from_str("a: .inf").expect_err("infinite").line, 1);
        assert!(from_str("a: &x [*x]").is_err());
        assert_eq!(
            from_str("a: {{ x }}").expect_err("a mapping as a key").message,
            r#"invalid map key: map[interface {}]interface {}{"x":interface {}(nil)}"#
        );
        assert_eq!(from_str("a: {{ x }}\nb: [").expect_err("grammar first").line, 2);
    }
}
