//! Sprig: URLs, read and written as Go's net/url does.

mod escape;
mod parse;

use self::escape::{FRAGMENT, HOST, PATH, USER, escape};
use self::parse::{User, parse, without_fragment};
use super::lists::NIL_POINTER;
use super::{Call, Function, Kind, Returned, bytes};
use crate::template::Value;
use crate::template::quote::quote;

/// Whether Go's `net/url` reads the text.
pub(crate) fn is_url(text: &str) -> bool {
    parse(text.as_bytes()).is_ok()
}

pub(super) const TABLE: &[Function] = &[
    Function::new("urlParse", &[Kind::String], to_dict),
    Function::new("urlJoin", &[Kind::Map], join),
];

/// Whether `url.ParseRequestURI` takes it, and finds a scheme.
pub(crate) fn is_request_url(text: &str) -> bool {
    without_fragment(text.as_bytes()).is_ok_and(|url| !url.scheme.is_empty())
}

fn to_dict(_: &Call<'_>, a: &[Value]) -> Returned {
    let url = parse(bytes(&a[0])).map_err(|error| format!("unable to parse url: {error}"))?;
    Ok(Value::map([
        ("scheme", Value::string(url.scheme)),
        ("hostname", Value::string(hostname(&url.host))),
        ("host", Value::string(url.host)),
        ("path", Value::string(url.path)),
        ("query", Value::string(url.query)),
        ("opaque", Value::string(url.opaque)),
        ("fragment", Value::string(url.fragment)),
        ("userinfo", url.user.map_or_else(|| "".into(), |user| Value::string(userinfo(&user)))),
    ]))
}

/// URL.Hostname: without port and brackets.
fn hostname(host: &[u8]) -> &[u8] {
    let colon = host.iter().rposition(|b| *b == b':');
    let host = match colon {
        Some(colon) if parse::is_port(&host[colon..]) => &host[..colon],
        _ => host,
    };
    host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
}

/// Userinfo.String
fn userinfo(user: &User) -> Vec<u8> {
    let mut out = escape(&user.name, USER);
    if let Some(password) = &user.password {
        out.push(b':');
        out.extend(escape(password, USER));
    }
    out
}

/// URL.String of a dict's parts.
fn join(_: &Call<'_>, a: &[Value]) -> Returned {
    let part = |key: &str| -> Result<Vec<u8>, String> {
        let value = match &a[0] {
            Value::Map(map) => map.get(key.as_bytes()),
            _ => None,
        };
        match value {
            None => Ok(Vec::new()),
            Some(Value::String(s)) => Ok(s.to_vec()),
            Some(Value::Nil) => Err(NIL_POINTER.into()),
            Some(other) => Err(format!(
                "unable to parse {key} key, must be of type string, but {} found",
                other.kind()
            )),
        }
    };
    let (scheme, host, path) = (part("scheme")?, part("host")?, part("path")?);
    let (query, opaque, fragment) = (part("query")?, part("opaque")?, part("fragment")?);
    let given_user = part("userinfo")?;
    let mut user = None;
    if !given_user.is_empty() {
        let url = [b"proto://", &given_user[..], b"@host"].concat();
        let url =
            parse(&url).map_err(|error| format!("unable to parse userinfo in dict: {error}"))?;
        user = url.user;
    }
    let mut out = Vec::new();
    if !scheme.is_empty() {
        out.extend_from_slice(&scheme);
        out.push(b':');
    }
    if !opaque.is_empty() {
        out.extend_from_slice(&opaque);
    } else {
        let has_authority = !host.is_empty() || user.is_some();
        if has_authority || (!scheme.is_empty() && !path.is_empty()) {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &user {
            out.extend(userinfo(user));
            out.push(b'@');
        }
        out.extend(escape(&host, HOST));
        let path = if path == b"*" { path } else { escape(&path, PATH) };
        if !path.is_empty() && path[0] != b'/' && !host.is_empty() {
            out.push(b'/');
        }
        if out.is_empty() && parse::has_colon_in_first_segment(&path) {
            out.extend_from_slice(b"./");
        }
        out.extend_from_slice(&path);
    }
    if !query.is_empty() {
        out.push(b'?');
        out.extend_from_slice(&query);
    }
    if !fragment.is_empty() {
        out.push(b'#');
        out.extend(escape(&fragment, FRAGMENT));
    }
    Ok(Value::string(out))
}

/// What url.Error prints.
fn failed(url: &[u8], what: &str) -> String {
    format!("parse {}: {what}", quote(url))
}
