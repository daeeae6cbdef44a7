//! Sprig: URLs.

use super::{Call, Function, Kind, Returned, text};
use crate::template::quote::quote;
use crate::template::{MapType, Value};

pub(super) const TABLE: &[Function] = &[
    Function::new("urlParse", &[Kind::String], parse),
    Function::new("urlJoin", &[Kind::Map], join),
];

/// net/url's Parse, into a dict.
fn parse(_: &Call<'_>, a: &[Value]) -> Returned {
    let source = text(&a[0]);
    let wrong = |what: &str| -> Returned {
        let quoted = quote(source.as_bytes());
        Err(format!("unable to parse url: parse {quoted}: {what}").into())
    };
    if source.bytes().any(|b| b < b' ' || b == 0x7f) {
        return wrong("net/url: invalid control character in URL");
    }
    let (rest, fragment) = source.split_once('#').unwrap_or((&source, ""));
    let (scheme, rest) = match rest.find(':') {
        Some(0) => return wrong("missing protocol scheme"),
        Some(i) if is_scheme(&rest[..i]) => (rest[..i].to_ascii_lowercase(), &rest[i + 1..]),
        _ => (String::new(), rest),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut opaque = "";
    let (mut userinfo, mut host, mut path) = ("", "", rest);
    if !scheme.is_empty() && !rest.starts_with('/') {
        opaque = rest;
        path = "";
    } else if let Some(after) = rest.strip_prefix("//") {
        let (authority, tail) = after.split_at(after.find('/').unwrap_or(after.len()));
        (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        path = tail;
    } else if scheme.is_empty() && rest.split('/').next().is_some_and(|s| s.contains(':')) {
        return wrong("first path segment in URL cannot contain colon");
    }
    if let Some(bad) =
        host.chars().find(|c| matches!(c, ' ' | '"' | '\\' | '^' | '`' | '{' | '|' | '}'))
    {
        return wrong(&format!("invalid character {} in host name", quote(&[bad as u8])));
    }
    let port = host.rfind(':').filter(|i| *i > host.rfind(']').unwrap_or(0));
    if let Some(i) = port
        && !host[i + 1..].bytes().all(|b| b.is_ascii_digit())
    {
        return wrong(&format!("invalid port {} after host", quote(&host.as_bytes()[i..])));
    }
    let hostname = &host[..port.unwrap_or(host.len())];
    let hostname = hostname.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(hostname);
    let Some(path) = unescape(path) else { return wrong("invalid URL escape") };
    let Some(fragment) = unescape(fragment) else { return wrong("invalid URL escape") };
    Ok(Value::map([
        ("scheme", scheme.into()),
        ("host", host.into()),
        ("hostname", hostname.into()),
        ("path", path),
        ("query", query.into()),
        ("opaque", opaque.into()),
        ("fragment", fragment),
        ("userinfo", userinfo.into()),
    ]))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn unescape(text: &str) -> Option<Value> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((b, tail)) = rest.split_first() {
        if *b == b'%' {
            let digits = tail.get(..2).and_then(|d| std::str::from_utf8(d).ok())?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            out.push(*b);
            rest = tail;
        }
    }
    Some(Value::string(out))
}

fn escape(text: &str, kept: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) || kept.as_bytes().contains(&b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// URL.String of a dict's parts.
fn join(_: &Call<'_>, a: &[Value]) -> Returned {
    let part = |key: &str| -> Result<String, String> {
        let value = match &a[0] {
            Value::Map(map) if map.kind() != MapType::String => map.get(key.as_bytes()),
            _ => None,
        };
        match value {
            None => Ok(String::new()),
            Some(Value::String(s)) => Ok(s.text().into_owned()),
            Some(other) => Err(format!(
                "unable to parse {key} key, must be of type string, but {} found",
                other.kind()
            )),
        }
    };
    let (scheme, host, path) = (part("scheme")?, part("host")?, part("path")?);
    let (query, opaque, fragment) = (part("query")?, part("opaque")?, part("fragment")?);
    let userinfo = part("userinfo")?;
    let mut out = String::new();
    if !scheme.is_empty() {
        out.push_str(&format!("{scheme}:"));
    }
    if !opaque.is_empty() {
        out.push_str(&opaque);
    } else {
        if !scheme.is_empty() || !host.is_empty() || !userinfo.is_empty() {
            if !host.is_empty() || !userinfo.is_empty() || path.starts_with("//") {
                out.push_str("//");
            }
            if !userinfo.is_empty() {
                out.push_str(&format!("{userinfo}@"));
            }
            out.push_str(&escape(&host, "!$&'()*+,;=:[]<>\""));
        }
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            out.push('/');
        }
        if out.is_empty() && path.split('/').next().is_some_and(|s| s.contains(':')) {
            out.push_str("./");
        }
        out.push_str(&escape(&path, "$&+,/:;=@"));
    }
    if !query.is_empty() {
        out.push_str(&format!("?{query}"));
    }
    if !fragment.is_empty() {
        out.push_str(&format!("#{}", escape(&fragment, "$&+,/:;=?@!()*")));
    }
    Ok(out.into())
}
