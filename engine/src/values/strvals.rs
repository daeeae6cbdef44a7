//! The language of `--set`: `a.b=1,list={x,y},c[0].d=true`.

use serde_json::{Map, Value};

use crate::yaml;

/// The highest index that a line may set in a list.
pub const MAX_INDEX: usize = 65536;
/// How many dots a name may have.
pub const MAX_NAME_LEVEL: usize = 30;
/// How deep indices such as `[0][0]` may nest.
const MAX_DEPTH: usize = 100;

/// How the text after `=` is taken.
#[derive(Clone, Copy)]
pub enum Form<'a> {
    /// `--set`: whole numbers, true, false and null have their type, the rest is text.
    Typed,
    /// `--set-string`
    Text,
    /// `--set-json`
    Json,
    /// `--set-literal`: everything after `=`, commas and backslashes included.
    Literal,
    /// `--set-file`: the name of a file, which this function reads.
    File(&'a dyn Fn(&str) -> Result<String, String>),
}

/// Why a line is not of this language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrvalsError {
    #[error("key {0:?} has no value")]
    NoValue(String),
    #[error("key {0:?} has no value (cannot end with ,)")]
    EndsWithComma(String),
    #[error("key map {0:?} has no value")]
    EmptyMap(String),
    #[error(
        "value name nested level is greater than maximum supported nested level of {MAX_NAME_LEVEL}"
    )]
    TooDeep,
    #[error("error parsing index: {0:?} is not a whole number")]
    Index(String),
    #[error("negative {0} index not allowed")]
    NegativeIndex(i64),
    #[error("index of {0} is greater than maximum supported index of {MAX_INDEX}")]
    LargeIndex(usize),
    #[error("unexpected data at end of array index: {0:?}")]
    AfterIndex(String),
    #[error("list must terminate with '}}'")]
    OpenList,
    #[error("unable to parse key: {0:?} is not a {1}")]
    OtherType(String, &'static str),
    #[error("the value of {0:?} is not JSON: {1}")]
    Json(String, String),
    #[error("{0}")]
    File(String),
}

/// Applies one line to `values`, over what they already hold.
pub fn set(
    line: &str,
    values: &mut Map<String, Value>,
    form: Form<'_>,
) -> Result<(), StrvalsError> {
    let mut parser = Parser { rest: line, form, depth: 0 };
    while parser.key(values, 0)? == Flow::More {}
    Ok(())
}

/// Whether the text has ended where more was looked for.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    More,
    End,
}

struct Parser<'a> {
    rest: &'a str,
    form: Form<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn literal(&self) -> bool {
        matches!(self.form, Form::Literal)
    }

    /// The text up to one of `stops` (taken, too), or up to the end.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        let mut stop = None;
        while let Some(c) = chars.next() {
            if stops.contains(&c) {
                stop = Some(c);
                break;
            }
            if c == '\\' && !self.literal() {
                text.extend(chars.next());
            } else {
                text.push(c);
            }
        }
        self.rest = chars.as_str();
        (text, stop)
    }

    fn take(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn key(&mut self, values: &mut Map<String, Value>, level: usize) -> Result<Flow, StrvalsError> {
        let stops: &[char] = if self.literal() { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Ok(Flow::End),
            None => Err(StrvalsError::NoValue(key)),
            Some('[') => {
                let Some(index) = self.index()? else { return Ok(Flow::End) };
                let mut list = match values.get(&key) {
                    None => Vec::new(),
                    Some(Value::Array(list)) => list.clone(),
                    Some(_) => return Err(StrvalsError::OtherType(key, "list")),
                };
                let flow = self.item(&mut list, index, level)?;
                insert(values, key, Value::Array(list));
                Ok(flow)
            }
            Some('=') => {
                let (value, flow) = self.value(&key)?;
                insert(values, key, value);
                Ok(flow)
            }
            Some(',') => Err(StrvalsError::EndsWithComma(key)),
            Some(_) => {
                if level + 1 > MAX_NAME_LEVEL {
                    return Err(StrvalsError::TooDeep);
                }
                let mut inner = match values.get(&key) {
                    None => Map::new(),
                    Some(Value::Object(map)) => map.clone(),
                    Some(_) => return Err(StrvalsError::OtherType(key, "mapping")),
                };
                let flow = self.key(&mut inner, level + 1)?;
                if inner.is_empty() && flow == Flow::More {
                    return Err(StrvalsError::EmptyMap(key));
                }
                if !inner.is_empty() {
                    insert(values, key, Value::Object(inner));
                }
                Ok(flow)
            }
        }
    }

    /// What stands before `]`. None: there is none, and Helm takes that for the end of the line.
    fn index(&mut self) -> Result<Option<usize>, StrvalsError> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Ok(None);
        }
        let index: i64 = text.parse().map_err(|_| StrvalsError::Index(text))?;
        let index = usize::try_from(index).map_err(|_| StrvalsError::NegativeIndex(index))?;
        Ok(Some(index))
    }

    fn item(
        &mut self,
        list: &mut Vec<Value>,
        index: usize,
        level: usize,
    ) -> Result<Flow, StrvalsError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(StrvalsError::TooDeep);
        }
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            return Err(StrvalsError::AfterIndex(text));
        }
        let flow = match stop {
            None => Flow::End,
            Some('=') => {
                let (value, _) = self.value("")?;
                insert_at(list, index, value)?;
                Flow::More
            }
            Some('[') => {
                let next = self.index()?;
                let Some(next) = next else {
                    self.depth -= 1;
                    return Ok(Flow::End);
                };
                let mut inner = match list.get(index) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(inner)) => inner.clone(),
                    Some(_) => return Err(StrvalsError::OtherType(format!("[{index}]"), "list")),
                };
                let flow = self.item(&mut inner, next, level)?;
                if flow == Flow::More {
                    insert_at(list, index, Value::Array(inner))?;
                }
                flow
            }
            Some(_) => {
                let old = list.get(index);
                let (known, mut inner) = match old {
                    Some(Value::Object(map)) => (true, map.clone()),
                    Some(_) => (true, Map::new()),
                    None => (false, Map::new()),
                };
                let flow = self.key(&mut inner, level)?;
                if flow == Flow::More || known {
                    insert_at(list, index, Value::Object(inner))?;
                }
                flow
            }
        };
        self.depth -= 1;
        Ok(flow)
    }

    /// What stands after `=`.
    fn value(&mut self, key: &str) -> Result<(Value, Flow), StrvalsError> {
        if let Form::Json = self.form {
            return Ok((self.json(key)?, Flow::More));
        }
        if self.literal() {
            let text = std::mem::take(&mut self.rest);
            return Ok((text.into(), Flow::More));
        }
        if self.rest.is_empty() {
            return Ok(("".into(), Flow::End));
        }
        if self.take('{') {
            return Ok((self.list()?, Flow::More));
        }
        let (text, _) = self.until(&[',']);
        Ok((self.scalar(text)?, Flow::More))
    }

    fn list(&mut self) -> Result<Value, StrvalsError> {
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            if stop.is_none() {
                return Err(StrvalsError::OpenList);
            }
            items.push(self.scalar(text)?);
            if stop == Some('}') {
                self.take(',');
                return Ok(Value::Array(items));
            }
        }
    }

    fn scalar(&self, text: String) -> Result<Value, StrvalsError> {
        match self.form {
            Form::Typed => Ok(typed(text)),
            Form::File(read) => read(&text).map(Value::String).map_err(StrvalsError::File),
            Form::Text | Form::Json | Form::Literal => Ok(Value::String(text)),
        }
    }

    fn json(&mut self, key: &str) -> Result<Value, StrvalsError> {
        if self.blank_until_comma() {
            return Ok(Value::Null);
        }
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let not_json = |why: String| StrvalsError::Json(key.to_owned(), why);
        let mut value = match stream.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(not_json(error.to_string())),
            None => return Err(not_json("it is empty".to_owned())),
        };
        self.rest = &self.rest[stream.byte_offset()..];
        self.blank_until_comma();
        yaml::as_go_floats(&mut value);
        Ok(value)
    }

    /// Takes spaces and one comma; true if nothing else came before it or the end.
    fn blank_until_comma(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.is_empty() || self.take(',')
    }
}

fn typed(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return true.into();
    }
    if text.eq_ignore_ascii_case("false") {
        return false.into();
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    match text.parse::<i64>() {
        Ok(int) if text == "0" || !text.starts_with('0') => int.into(),
        _ => text.into(),
    }
}

/// An empty key sets nothing.
fn insert(values: &mut Map<String, Value>, key: String, value: Value) {
    if !key.is_empty() {
        values.insert(key, value);
    }
}

fn insert_at(list: &mut Vec<Value>, index: usize, value: Value) -> Result<(), StrvalsError> {
    if index > MAX_INDEX {
        return Err(StrvalsError::LargeIndex(index));
    }
    if list.len() <= index {
        list.resize(index + 1, Value::Null);
    }
    list[index] = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(line: &str, form: Form<'_>) -> Result<Value, StrvalsError> {
        let mut values = Map::new();
        set(line, &mut values, form).map(|()| Value::Object(values))
    }

    #[test]
    fn typed_lines() {
        for (line, values) in [
            ("a=1,b=true,c=null,d=", json!({"a": 1, "b": true, "c": null, "d": ""})),
            ("a=01,b=1.5,c=0,d=-3", json!({"a": "01", "b": "1.5", "c": 0, "d": -3})),
            ("a.b.c=x\\,y", json!({"a": {"b": {"c": "x,y"}}})),
            ("a={1,b},c=d", json!({"a": [1, "b"], "c": "d"})),
            ("a[1].b=x,a[0]=y", json!({"a": ["y", {"b": "x"}]})),
            ("a[0][1]=x", json!({"a": [[null, "x"]]})),
            ("a\\.b=1", json!({"a.b": 1})),
            ("a[0]", json!({"a": []})),
            ("", json!({})),
            ("=x", json!({})),
            ("b=1,a[0=1", json!({"b": 1})),
            ("a[0][1=1", json!({"a": []})),
        ] {
            assert_eq!(after(line, Form::Typed), Ok(values), "{line}");
        }
    }

    #[test]
    fn other_forms() {
        assert_eq!(after("a=1,b=true", Form::Text), Ok(json!({"a": "1", "b": "true"})));
        assert_eq!(after("a=x,y\\={", Form::Literal), Ok(json!({"a": "x,y\\={"})));
        assert_eq!(
            after("a={\"b\":[1,2]},c=null,d=", Form::Json),
            Ok(json!({"a": {"b": [1.0, 2.0]}, "c": null, "d": null}))
        );
        let read = |name: &str| Ok(format!("<{name}>"));
        assert_eq!(after("a=f1,b=f2", Form::File(&read)), Ok(json!({"a": "<f1>", "b": "<f2>"})));
    }

    #[test]
    fn limits_and_mistakes() {
        for line in ["a", "a,", "a.b", "a[x]=1", "a[-1]=1", "a[0]b=1", "a={1", "a=1,a.b=2"] {
            assert!(after(line, Form::Typed).is_err(), "{line}");
        }
        let name = |n: usize| format!("{}z=1", "a.".repeat(n));
        assert!(after(&name(MAX_NAME_LEVEL), Form::Typed).is_ok());
        assert_eq!(after(&name(MAX_NAME_LEVEL + 1), Form::Typed), Err(StrvalsError::TooDeep));
        assert!(after(&format!("a[{MAX_INDEX}]=1"), Form::Typed).is_ok());
        assert!(after(&format!("a[{}]=1", MAX_INDEX + 1), Form::Typed).is_err());
        assert!(after(&format!("a{}=1", "[0]".repeat(50_000)), Form::Typed).is_err());
    }
}
