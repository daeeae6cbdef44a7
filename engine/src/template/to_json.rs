//! Values to JSON, as Go's encoding/json writes them.

use super::{Object, Run, Value};

/// Go gives up on cycles at 1000 levels; we refuse anything as deep.
const MAX_DEPTH: usize = 1000;

/// What a node of a tree costs in steps: a tree takes far more memory than the value, whose parts
/// may be shared.
const NODE: u64 = 8;

/// The JSON tree of a value. Err: it cannot be encoded (NaN, a cycle, too deep), or it is larger
/// than the run's budget.
pub(crate) fn to_json(value: &Value, run: &Run<'_>) -> Result<serde_json::Value, String> {
    convert(value, 0, run)
}

fn convert(value: &Value, depth: usize, run: &Run<'_>) -> Result<serde_json::Value, String> {
    if depth > MAX_DEPTH {
        return Err("json: unsupported value: encountered a cycle".into());
    }
    let text = match value {
        Value::String(text) | Value::Bytes(text) => text.len(),
        _ => 0,
    };
    run.spend(NODE + text as u64 / 4)?;
    Ok(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(i) | Value::Int64(i) | Value::Duration(i) => (*i).into(),
        Value::Uint64(u) => (*u).into(),
        Value::Uint8(u) => (*u).into(),
        Value::Float(f) => float(*f)?,
        Value::String(s) => s.text().into_owned().into(),
        Value::Bytes(b) => {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode(&**b).into()
        }
        Value::List(list) if list.is_nil() => serde_json::Value::Null,
        Value::List(list) => list
            .iter()
            .map(|item| convert(item, depth + 1, run))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Value::Map(map) if map.is_nil() => serde_json::Value::Null,
        Value::Map(map) => serde_json::Value::Object(
            map.entries()
                .iter()
                .map(|(k, v)| Ok((k.text().into_owned(), convert(v, depth + 1, run)?)))
                .collect::<Result<_, String>>()?,
        ),
        Value::Object(object) => {
            let json = json_of(&**object)?;
            run.spend(weight(&json))?;
            json
        }
    })
}

fn json_of(object: &dyn Object) -> Result<serde_json::Value, String> {
    match object.kind() {
        kind @ "complex128" => Err(format!("json: unsupported type: {kind}")),
        _ => Ok(object.json()),
    }
}

fn weight(json: &serde_json::Value) -> u64 {
    NODE + match json {
        serde_json::Value::String(text) => text.len() as u64 / 4,
        serde_json::Value::Array(items) => items.iter().map(weight).sum(),
        serde_json::Value::Object(entries) => {
            entries.iter().map(|(key, value)| key.len() as u64 / 4 + weight(value)).sum()
        }
        _ => 0,
    }
}

fn float(f: f64) -> Result<serde_json::Value, String> {
    if !f.is_finite() {
        return Err(format!("json: unsupported value: {f}"));
    }
    // Whole numbers stay whole, so that 3 is not written 3.0.
    if f.fract() == 0.0 && f.abs() < 9e15 && !(f == 0.0 && f.is_sign_negative()) {
        return Ok((f as i64).into());
    }
    Ok(serde_json::Number::from_f64(f).map_or(serde_json::Value::Null, Into::into))
}

/// Go's json.Marshal: keys sorted, no spaces; `html` escapes <, > and & as Go does by default.
/// `indent` is the unit of indentation for the pretty form. Err: as for [`to_json`].
pub(crate) fn to_json_text(
    value: &Value,
    html: bool,
    indent: Option<&str>,
    run: &Run<'_>,
) -> Result<String, String> {
    let mut writer = Writer { out: String::new(), html, indent, run };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    html: bool,
    indent: Option<&'a str>,
    run: &'a Run<'a>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("json: unsupported value: encountered a cycle".into());
        }
        self.run.spend(1)?;
        self.run.check_size(self.out.len())?;
        match value {
            Value::Float(f) => {
                let text = json_float(*f)?;
                self.out.push_str(&text);
            }
            Value::String(s) => self.bytes(s),
            Value::List(list) if !list.is_nil() => {
                self.sequence('[', ']', list.len(), depth, |w, i| w.value(&list[i], depth + 1))?;
            }
            Value::Map(map) if !map.is_nil() => {
                let entries = map.snapshot();
                self.sequence('{', '}', entries.len(), depth, |w, i| {
                    w.bytes(&entries[i].0);
                    w.out.push_str(if w.indent.is_some() { ": " } else { ":" });
                    w.value(&entries[i].1, depth + 1)
                })?;
            }
            Value::Object(object) if let Some(fields) = object.json_fields() => {
                self.sequence('{', '}', fields.len(), depth, |w, i| {
                    w.string(fields[i].0);
                    w.out.push_str(if w.indent.is_some() { ": " } else { ":" });
                    w.value(&fields[i].1, depth + 1)
                })?;
            }
            Value::Object(object) => {
                let inner = super::from_json_with_integers(&json_of(&**object)?);
                self.value(&inner, depth + 1)?;
            }
            other => {
                let json = convert(other, depth, self.run)?;
                match json {
                    serde_json::Value::String(s) => self.string(&s),
                    json => self.out.push_str(&json.to_string()),
                }
            }
        }
        Ok(())
    }

    fn sequence(
        &mut self,
        open: char,
        close: char,
        len: usize,
        depth: usize,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        self.out.push(open);
        for i in 0..len {
            if i > 0 {
                self.out.push(',');
            }
            self.line(depth + 1);
            element(self, i)?;
        }
        if len > 0 {
            self.line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(unit) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(unit, depth));
        }
    }

    /// Go escapes what stands for a byte that is not UTF-8, and leaves a U+FFFD of the text as it is.
    fn bytes(&mut self, text: &[u8]) {
        self.out.push('"');
        for chunk in text.utf8_chunks() {
            self.characters(chunk.valid());
            self.out.extend(chunk.invalid().iter().map(|_| "\\ufffd"));
        }
        self.out.push('"');
    }

    fn string(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn characters(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '<' | '>' | '&' if self.html => self.out.push_str(&format!("\\u{:04x}", c as u32)),
                '\u{2028}' | '\u{2029}' => self.out.push_str(&format!("\\u{:04x}", c as u32)),
                c if (c as u32) < 0x20 => self.out.push_str(&format!("\\u{:04x}", c as u32)),
                c => self.out.push(c),
            }
        }
    }
}

/// Go's encoding/json: like ES6, exponents only below 1e-6 and from 1e21.
fn json_float(f: f64) -> Result<String, String> {
    use super::printf::float::format_float;
    if !f.is_finite() {
        return Err(format!("json: unsupported value: {}", format_float(f, 'g', -1)));
    }
    let abs = f.abs();
    if abs != 0.0 && !(1e-6..1e21).contains(&abs) {
        let text = format_float(f, 'e', -1);
        // e-09 becomes e-9
        return Ok(match text.split_once("e-0") {
            Some((mantissa, digit)) => format!("{mantissa}e-{digit}"),
            None => text,
        });
    }
    Ok(format_float(f, 'f', -1))
}
