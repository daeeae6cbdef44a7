//! `.Files`: a chart's other files.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use regex::bytes::Regex;
use serde_json::json;

use crate::chart::File;
use crate::functions::Kind;
use crate::template::{Method, Object, Str, Value};
use crate::yaml;

/// Files by name; what `Glob` gives is of the same type.
pub(super) struct Files(BTreeMap<String, Arc<[u8]>>);

impl Files {
    pub(super) fn of(files: &[File]) -> Self {
        Self(files.iter().map(|file| (file.name.clone(), file.data.clone())).collect())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.bytes(name)).into_owned()
    }

    pub(super) fn as_config(&self) -> String {
        self.config(|data| String::from_utf8_lossy(data).into_owned())
    }

    pub(super) fn as_secrets(&self) -> String {
        self.config(|data| BASE64_STANDARD.encode(data))
    }

    pub(super) fn bytes(&self, name: &str) -> &[u8] {
        self.0.get(name).map_or(&[], |data| data)
    }

    fn content(&self, name: &str) -> Str {
        self.0.get(name).map_or_else(|| "".into(), |data| data.clone().into())
    }

    pub(super) fn glob(&self, pattern: &str) -> Self {
        // A pattern that cannot be read matches everything, as in Helm.
        let matcher = glob(pattern);
        let matching = |name: &str| matcher.as_ref().is_none_or(|m| m.is_match(name.as_bytes()));
        Self(
            self.0
                .iter()
                .filter(|(name, _)| matching(name))
                .map(|(name, data)| (name.clone(), data.clone()))
                .collect(),
        )
    }

    /// A YAML mapping from base names to contents.
    fn config(&self, content: impl Fn(&[u8]) -> String) -> String {
        let mut map = serde_json::Map::new();
        for (name, data) in &self.0 {
            let base = name.rsplit_once('/').map_or(name.as_str(), |(_, base)| base);
            map.insert(base.to_owned(), content(data).into());
        }
        let text = yaml::to_string(&serde_json::Value::Object(map));
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    fn lines(&self, name: &str) -> Value {
        let data = self.bytes(name);
        if data.is_empty() {
            return Value::strings(Vec::<&str>::new());
        }
        let data = data.strip_suffix(b"\n").unwrap_or(data);
        Value::strings(data.split(|byte| *byte == b'\n').map(Str::from))
    }
}

impl Object for Files {
    fn type_name(&self) -> &str {
        "engine.files"
    }

    fn kind(&self) -> &'static str {
        "map"
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(Value::Bytes(self.content(name)))
    }

    fn method(&self, name: &str) -> Option<Method> {
        match name {
            "AsConfig" | "AsSecrets" => Some(Method::new(&[])),
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(Method::new(&[Kind::String])),
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let argument = match arguments {
            [Value::String(text)] => text.text(),
            _ => "".into(),
        };
        Some(Ok(match name {
            "AsConfig" => Value::string(self.as_config()),
            "AsSecrets" => Value::string(self.as_secrets()),
            "Get" => Value::String(self.content(&argument)),
            "GetBytes" => Value::Bytes(self.content(&argument)),
            "Glob" => Value::object(self.glob(&argument)),
            "Lines" => self.lines(&argument),
            _ => return None,
        }))
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        let entry = |(name, data): (&String, &Arc<[u8]>)| {
            (Value::string(name.as_str()), Value::Bytes(data.clone().into()))
        };
        Some(self.0.iter().map(entry).collect())
    }

    fn json(&self) -> serde_json::Value {
        self.0
            .iter()
            .map(|(name, data)| (name.clone(), json!(BASE64_STANDARD.encode(data))))
            .collect()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// gobwas/glob with `/` as its separator: `*` and `?` stop there, `**` does not, `[a-z]`, `[!a]` and
/// `{a,b}`. None: not a pattern. Stars take bytes, for a class of all other characters is long to compile; what comes after
/// one begins with a whole character.
fn glob(pattern: &str) -> Option<Regex> {
    let mut regex = String::from("(?s)^");
    let mut rest = pattern.chars().peekable();
    let mut depth = 0_usize;
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => {
                while rest.next_if_eq(&'*').is_some() {}
                regex.push_str("(?-u:.*)");
            }
            '*' => regex.push_str("(?-u:[^/]*)"),
            '?' => regex.push_str("[^/]"),
            '{' => {
                depth += 1;
                regex.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                regex.push(')');
            }
            ',' if depth > 0 => regex.push('|'),
            '[' => class(&mut rest, &mut regex)?,
            '\\' => regex.push_str(&regex::escape(&rest.next()?.to_string())),
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex.push('$');
    if depth == 0 { Regex::new(&regex).ok() } else { None }
}

fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, regex: &mut String) -> Option<()> {
    regex.push('[');
    if rest.next_if_eq(&'!').is_some() {
        regex.push('^');
    }
    loop {
        match rest.next()? {
            ']' => break,
            '-' => regex.push('-'),
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("config/*", "config/a.txt", true),
            ("config/*", "config/b/a.txt", false),
            ("config/**", "config/b/a.txt", true),
            ("**.txt", "config/b/a.txt", true),
            ("{a,b}.txt", "b.txt", true),
            ("[a-c].txt", "d.txt", false),
            ("[!a].txt", "d.txt", true),
            ("?.txt", "/.txt", false),
            ("?.txt", "é.txt", true),
            ("*é", "eé", true),
            ("*[à-ê]**", "éé/é", true),
        ] {
            let matcher = glob(pattern).expect(pattern);
            assert_eq!(matcher.is_match(name.as_bytes()), expected, "{pattern} {name}");
        }
        assert!(glob("{a").is_none());
        assert!(glob("[a").is_none());
    }
}
