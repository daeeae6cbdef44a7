//! The encoder: keys of a table first, its tables after them, both sorted and indented by their depth.

use crate::functions::duration;
use crate::template::printf::float::format_float;
use crate::template::{Run, Value, lossy};

/// The document. Err: what cannot be written, in the encoder's words.
pub(super) fn write(run: &Run<'_>, value: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer { out: Vec::new(), run };
    writer.encode(&[], value, 0)?;
    Ok(writer.out)
}

const MAX_DEPTH: usize = 1000;

type Key = Vec<Vec<u8>>;
type Entries = Vec<(Vec<u8>, Value)>;
type Written = Result<(), String>;

/// What a value is to TOML.
#[derive(PartialEq)]
enum Type {
    Table,
    Tables,
    Other,
    /// Go's nil of any type.
    Nil,
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

fn is_complex(value: &Value) -> bool {
    value.kind() == "complex128"
}

fn type_of(value: &Value, depth: usize) -> Result<Type, String> {
    if depth > MAX_DEPTH {
        return Err("the value nests too deeply".into());
    }
    Ok(match value {
        value if is_nil(value) => Type::Nil,
        Value::Map(_) => Type::Table,
        Value::Object(_) if is_complex(value) => {
            return Err(format!("unsupported type: {}", value.type_name()));
        }
        Value::Object(_) if fields(value).is_some() => Type::Table,
        Value::List(list) if !list.is_empty() => {
            let mut all = true;
            for item in list.iter() {
                match type_of(item, depth + 1)? {
                    Type::Nil => return Err("toml: cannot encode array with nil element".into()),
                    kind => all &= kind == Type::Table,
                }
            }
            if all { Type::Tables } else { Type::Other }
        }
        _ => Type::Other,
    })
}

/// The entries of a table: of a map sorted, of a struct in its order.
fn fields(value: &Value) -> Option<Entries> {
    match value {
        Value::Map(map) => {
            Some(map.snapshot().into_iter().map(|(key, value)| (key.to_vec(), value)).collect())
        }
        // Times and versions are texts.
        Value::Object(object) if matches!(object.type_name(), "time.Time" | "*semver.Version") => {
            None
        }
        Value::Object(object) => match object.json() {
            serde_json::Value::Object(entries) => Some(
                entries
                    .iter()
                    .map(|(key, value)| {
                        (key.as_bytes().to_vec(), crate::template::from_json_with_integers(value))
                    })
                    .collect(),
            ),
            _ => None,
        },
        _ => None,
    }
}

fn is_bare(key: &[u8]) -> bool {
    !key.is_empty() && key.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for b in text {
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 | 0x7f => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
            b => out.push(*b),
        }
    }
    out.push(b'"');
    out
}

fn key_text(key: &[u8]) -> Vec<u8> {
    if is_bare(key) { key.to_vec() } else { quoted(key) }
}

fn dotted(key: &[Vec<u8>]) -> Vec<u8> {
    key.iter().map(|part| key_text(part)).collect::<Vec<_>>().join(&b'.')
}

struct Writer<'a> {
    out: Vec<u8>,
    run: &'a Run<'a>,
}

impl Writer<'_> {
    fn put(&mut self, text: impl AsRef<[u8]>) -> Written {
        self.out.extend_from_slice(text.as_ref());
        self.run.check_size(self.out.len())
    }

    fn newline(&mut self) -> Written {
        if self.out.is_empty() { Ok(()) } else { self.put("\n") }
    }

    fn indent(&mut self, key: &[Vec<u8>]) -> Written {
        self.put("  ".repeat(key.len().saturating_sub(1)))
    }

    fn encode(&mut self, key: &[Vec<u8>], value: &Value, depth: usize) -> Written {
        self.run.spend(4)?;
        if depth > MAX_DEPTH {
            return Err("the value nests too deeply".into());
        }
        if is_complex(value) {
            let (key, kind) = (dotted(key), value.type_name());
            return Err(format!("unsupported type for key '{}': {kind}", lossy(&key)));
        }
        match type_of(value, depth)? {
            Type::Nil if !matches!(value, Value::List(_)) => Ok(()),
            Type::Table => {
                if key.len() == 1 {
                    self.newline()?;
                }
                if !key.is_empty() {
                    self.indent(key)?;
                    self.put([b"[", &dotted(key)[..], b"]"].concat())?;
                    self.newline()?;
                }
                self.table(key, value, depth)
            }
            Type::Tables => {
                if key.is_empty() {
                    return Err("toml: top-level values must be Go maps or structs".into());
                }
                for item in value.elements().unwrap_or_default() {
                    self.newline()?;
                    self.indent(key)?;
                    self.put([b"[[", &dotted(key)[..], b"]]"].concat())?;
                    self.newline()?;
                    self.table(key, &item, depth + 1)?;
                }
                Ok(())
            }
            _ if key.is_empty() => self.element(value, depth),
            _ => {
                self.indent(key)?;
                self.pair(&key[key.len() - 1], value, depth)?;
                self.newline()
            }
        }
    }

    fn pair(&mut self, key: &[u8], value: &Value, depth: usize) -> Written {
        self.put([&key_text(key)[..], b" = "].concat())?;
        self.element(value, depth)
    }

    /// The entries that are no tables, and those that are.
    fn parted(value: &Value, depth: usize) -> Result<[Entries; 2], String> {
        let mut parts = [Vec::new(), Vec::new()];
        for (key, value) in fields(value).unwrap_or_default() {
            let is_table = matches!(type_of(&value, depth + 1)?, Type::Table | Type::Tables);
            parts[usize::from(is_table)].push((key, value));
        }
        Ok(parts)
    }

    fn table(&mut self, key: &[Vec<u8>], value: &Value, depth: usize) -> Written {
        for (name, value) in Self::parted(value, depth)?.into_iter().flatten() {
            if !is_nil(&value) {
                let key: Key = key.iter().cloned().chain([name]).collect();
                self.encode(&key, &value, depth + 1)?;
            }
        }
        Ok(())
    }

    fn inline_table(&mut self, value: &Value, depth: usize) -> Written {
        self.put("{")?;
        let parts = Self::parted(value, depth)?;
        let more = [!parts[1].is_empty(), false];
        for (part, more) in parts.into_iter().zip(more) {
            let last = part.len().saturating_sub(1);
            for (i, (key, value)) in part.into_iter().enumerate() {
                if is_nil(&value) {
                    continue;
                }
                self.pair(&key, &value, depth + 1)?;
                if more || i != last {
                    self.put(", ")?;
                }
            }
        }
        self.put("}")
    }

    fn element(&mut self, value: &Value, depth: usize) -> Written {
        self.run.spend(1)?;
        if depth > MAX_DEPTH {
            return Err("the value nests too deeply".into());
        }
        match value {
            Value::String(text) => self.put(quoted(text)),
            Value::Bool(b) => self.put(b.to_string()),
            Value::Int(i) | Value::Int64(i) => self.put(i.to_string()),
            Value::Uint64(u) => self.put(u.to_string()),
            Value::Uint8(u) => self.put(u.to_string()),
            Value::Duration(n) => self.put(quoted(duration::text(*n).as_bytes())),
            Value::Float(f) => self.put(float(*f)),
            Value::List(_) | Value::Bytes(_) => {
                self.put("[")?;
                for (i, item) in value.elements().unwrap_or_default().iter().enumerate() {
                    if i > 0 {
                        self.put(", ")?;
                    }
                    self.element(item, depth + 1)?;
                }
                self.put("]")
            }
            value if fields(value).is_some() => self.inline_table(value, depth),
            Value::Object(object) => {
                let json = object.json();
                let text = json.as_str().unwrap_or_default();
                let plain = object.type_name() == "time.Time";
                if plain { self.put(text) } else { self.put(quoted(text.as_bytes())) }
            }
            value => Err(format!("unexpected type: {}", value.type_name())),
        }
    }
}

/// A float has a point or an exponent.
fn float(f: f64) -> String {
    if f.is_nan() {
        return if f.is_sign_negative() { "-nan".into() } else { "nan".into() };
    }
    if f.is_infinite() {
        return if f < 0.0 { "-inf".into() } else { "inf".into() };
    }
    let text = format_float(f, 'g', -1);
    if text.contains(['e', '.']) { text } else { format!("{text}.0") }
}
