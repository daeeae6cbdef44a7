//! net/url's Parse.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::escape::{FRAGMENT, HOST, PATH, USER, ZONE, unescape};
use super::failed;
use crate::template::quote::quote;

#[derive(Default)]
pub(super) struct Url {
    pub scheme: Vec<u8>,
    pub opaque: Vec<u8>,
    pub user: Option<User>,
    pub host: Vec<u8>,
    pub path: Vec<u8>,
    pub query: Vec<u8>,
    pub fragment: Vec<u8>,
}

pub(super) struct User {
    pub name: Vec<u8>,
    pub password: Option<Vec<u8>>,
}

pub(super) fn parse(text: &[u8]) -> Result<Url, String> {
    let (before, fragment) = cut(text, b'#');
    let mut url = without_fragment(before).map_err(|what| failed(before, &what))?;
    if let Some(fragment) = fragment {
        url.fragment = unescape(fragment, FRAGMENT).map_err(|what| failed(text, &what))?;
    }
    Ok(url)
}

/// A `#` is like any other byte.
pub(super) fn without_fragment(text: &[u8]) -> Result<Url, String> {
    if text.iter().any(|b| *b < b' ' || *b == 0x7f) {
        return Err("net/url: invalid control character in URL".into());
    }
    let mut url = Url::default();
    if text == b"*" {
        url.path = text.to_vec();
        return Ok(url);
    }
    let (scheme, rest) = scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    let (rest, query) = cut(rest, b'?');
    url.query = query.unwrap_or_default().to_vec();
    if !rest.starts_with(b"/") {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_vec();
            return Ok(url);
        }
        if has_colon_in_first_segment(rest) {
            return Err("first path segment in URL cannot contain colon".into());
        }
    }
    let mut path = rest;
    if (!url.scheme.is_empty() || !rest.starts_with(b"///")) && rest.starts_with(b"//") {
        let after = &rest[2..];
        let end = after.iter().position(|b| *b == b'/').unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        (url.user, url.host) = parse_authority(&url.scheme, authority)?;
        path = tail;
    }
    url.path = unescape(path, PATH)?;
    Ok(url)
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|b| *b == at) {
        Some(i) => (&text[..i], Some(&text[i + 1..])),
        None => (text, None),
    }
}

pub(super) fn has_colon_in_first_segment(path: &[u8]) -> bool {
    cut(path, b'/').0.contains(&b':')
}

fn scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (i, b) in text.iter().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".into()),
            b':' => return Ok((&text[..i], &text[i + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn parse_authority(scheme: &[u8], authority: &[u8]) -> Result<(Option<User>, Vec<u8>), String> {
    let Some(at) = authority.iter().rposition(|b| *b == b'@') else {
        return Ok((None, parse_host(scheme, authority)?));
    };
    let host = parse_host(scheme, &authority[at + 1..])?;
    let userinfo = &authority[..at];
    let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b);
    if !userinfo.iter().all(valid) {
        return Err("net/url: invalid userinfo".into());
    }
    let (name, password) = cut(userinfo, b':');
    let name = unescape(name, USER)?;
    let password = password.map(|password| unescape(password, USER)).transpose()?;
    Ok((Some(User { name, password }), host))
}

/// Nothing, or a colon and digits.
pub(super) fn is_port(text: &[u8]) -> bool {
    match text.split_first() {
        None => true,
        Some((colon, digits)) => *colon == b':' && digits.iter().all(u8::is_ascii_digit),
    }
}

fn check_port(text: &[u8]) -> Result<(), String> {
    if is_port(text) { Ok(()) } else { Err(format!("invalid port {} after host", quote(text))) }
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    match host.iter().rposition(|b| *b == b'[') {
        Some(0) => return in_brackets(host),
        Some(_) => return Err("invalid IP-literal".into()),
        None => {}
    }
    if let Some(first) = host.iter().position(|b| *b == b':') {
        let last = host.iter().rposition(|b| *b == b':').unwrap_or(first);
        // Lists of hosts with ports are let through but for the web's own schemes.
        let port = if matches!(scheme, b"http" | b"https") { first } else { last };
        check_port(&host[port..])?;
    }
    unescape(host, HOST)
}

/// `[fe80::1%25en0]:80`
fn in_brackets(host: &[u8]) -> Result<Vec<u8>, String> {
    let Some(end) = host.iter().rposition(|b| *b == b']') else {
        return Err("missing ']' in host".into());
    };
    let port = &host[end + 1..];
    check_port(port)?;
    let name = &host[1..end];
    let zone = name.windows(3).position(|w| w == b"%25");
    let address = match zone {
        Some(zone) => [unescape(&name[..zone], HOST)?, unescape(&name[zone..], ZONE)?].concat(),
        None => unescape(name, HOST)?,
    };
    check_address(&address)?;
    Ok([b"[", &address[..], b"]", port].concat())
}

fn check_address(address: &[u8]) -> Result<(), String> {
    let refused = |why: &str| Err(format!("invalid host: ParseAddr({}): {why}", quote(address)));
    let (ip, zone) = cut(address, b'%');
    let Ok(text) = std::str::from_utf8(ip) else { return refused("unable to parse IP") };
    if zone.is_none() && text.parse::<Ipv4Addr>().is_ok() {
        return Err("invalid IP-literal".into());
    }
    if zone.is_some_and(<[u8]>::is_empty) {
        return refused("zone must be a non-empty string");
    }
    if text.parse::<Ipv6Addr>().is_err() {
        return refused("unable to parse IP");
    }
    Ok(())
}
