//! Sprig: strings.

use super::cast::{to_bytes, to_strings};
use super::{Call, Function, Kind, Returned, bytes, int, text};
use crate::template::quote::quote;
use crate::template::{ListType, Map, MapType, Str, Value, printf};
use crate::unicode::{decode, is_space, to_lower, to_upper};

use Kind::{Any, Int, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("hello", &[], |_, _| Ok("Hello!".into())),
    Function::new("abbrev", &[Int, S], |_, a| Ok(abbrev(int(&a[0]), 0, &a[1]))),
    Function::new("abbrevboth", &[Int, Int, S], |_, a| {
        let (left, right) = (int(&a[0]), int(&a[1]));
        if right < 4 || (left > 0 && right < 7) {
            return Ok(a[2].clone());
        }
        Ok(abbrev(right, left, &a[2]))
    }),
    Function::new("trunc", &[Int, S], |_, a| {
        let (n, s) = (int(&a[0]), bytes(&a[1]));
        let len = s.len() as i64;
        Ok(Value::string(match n {
            n if n < 0 && len + n > 0 => &s[(len + n) as usize..],
            n if n >= 0 && len > n => &s[..n as usize],
            _ => s,
        }))
    }),
    Function::new("trim", &[S], |_, a| Ok(Value::string(trim(bytes(&a[0]), is_space)))),
    Function::new("upper", &[S], |_, a| Ok(map_chars(&a[0], to_upper))),
    Function::new("lower", &[S], |_, a| Ok(map_chars(&a[0], to_lower))),
    Function::new("substr", &[Int, Int, S], |_, a| {
        let (start, end, s) = (int(&a[0]), int(&a[1]), bytes(&a[2]));
        let len = s.len() as i64;
        let (from, to) = if start < 0 {
            (0, end)
        } else if end < 0 || end > len {
            (start, len)
        } else {
            (start, end)
        };
        slice_of(s, from, to)
    }),
    Function::new("repeat", &[Int, S], |c, a| {
        let (n, s) = (int(&a[0]), bytes(&a[1]));
        let n = usize::try_from(n).map_err(|_| "strings: negative Repeat count")?;
        c.run.check_size(n.saturating_mul(s.len()))?;
        Ok(Value::string(s.repeat(n)))
    }),
    Function::new("trimall", &[S, S], trim_all),
    Function::new("trimAll", &[S, S], trim_all),
    Function::new("trimSuffix", &[S, S], |_, a| {
        let s = bytes(&a[1]);
        Ok(Value::string(s.strip_suffix(bytes(&a[0])).unwrap_or(s)))
    }),
    Function::new("trimPrefix", &[S, S], |_, a| {
        let s = bytes(&a[1]);
        Ok(Value::string(s.strip_prefix(bytes(&a[0])).unwrap_or(s)))
    }),
    Function::new("nospace", &[S], |_, a| {
        let s = bytes(&a[0]);
        let kept: String = s.iter().map(|b| char::from(*b)).filter(|c| !is_space(*c)).collect();
        // goutils takes bytes for characters, and gives the text itself if there is no space in it.
        Ok(if kept.chars().count() == s.len() { a[0].clone() } else { kept.into() })
    }),
    Function::new("wrap", &[Int, S], |_, a| wrap(int(&a[0]), bytes(&a[1]), b"", false)),
    Function::new("wrapWith", &[Int, S, S], |_, a| {
        wrap(int(&a[0]), bytes(&a[2]), bytes(&a[1]), true)
    }),
    Function::new("contains", &[S, S], |_, a| {
        Ok(find(bytes(&a[1]), bytes(&a[0])).is_some().into())
    }),
    Function::new("hasPrefix", &[S, S], |_, a| Ok(bytes(&a[1]).starts_with(bytes(&a[0])).into())),
    Function::new("hasSuffix", &[S, S], |_, a| Ok(bytes(&a[1]).ends_with(bytes(&a[0])).into())),
    Function::variadic("quote", &[], Any, |c, a| {
        Ok(joined(c, a, |v| quote(&to_bytes(c.run, v)).into_bytes()))
    }),
    Function::variadic("squote", &[], Any, |c, a| {
        Ok(joined(c, a, |v| [b"'", &printf::text_of(v, c.run)[..], b"'"].concat()))
    }),
    Function::variadic("cat", &[], Any, |c, a| Ok(joined(c, a, |v| printf::text_of(v, c.run)))),
    Function::new("indent", &[Int, S], |c, a| indent(c, b"", a)),
    Function::new("nindent", &[Int, S], |c, a| indent(c, b"\n", a)),
    Function::new("replace", &[S, S, S], |c, a| {
        let (old, new, s) = (bytes(&a[0]), bytes(&a[1]), bytes(&a[2]));
        Ok(Value::string(replace(c, s, old, new)?))
    }),
    Function::new("plural", &[S, S, Int], |_, a| Ok(a[usize::from(int(&a[2]) != 1)].clone())),
    Function::new("toString", &[Any], |c, a| Ok(Value::string(to_bytes(c.run, &a[0])))),
    Function::new("toStrings", &[Any], |c, a| {
        Ok(match &a[0] {
            Value::List(list) if list.kind() == ListType::String => a[0].clone(),
            value => Value::strings(to_strings(c.run, value)),
        })
    }),
    Function::new("join", &[S, Any], |c, a| {
        let parts = to_strings(c.run, &a[1]);
        let total: usize = parts.iter().map(|p| p.len() + bytes(&a[0]).len()).sum();
        c.run.check_size(total)?;
        Ok(Value::string(parts.join(bytes(&a[0]))))
    }),
    Function::new("splitList", &[S, S], |_, a| {
        Ok(Value::strings(split(bytes(&a[1]), bytes(&a[0]), -1)))
    }),
    Function::new("split", &[S, S], |_, a| Ok(numbered(split(bytes(&a[1]), bytes(&a[0]), -1)))),
    Function::new("splitn", &[S, Int, S], |_, a| {
        Ok(numbered(split(bytes(&a[2]), bytes(&a[0]), int(&a[1]))))
    }),
];

pub(super) fn map_chars(value: &Value, map: fn(char) -> char) -> Value {
    text(value).chars().map(map).collect::<String>().into()
}

/// Go's s[from:to], with Go's words when it panics.
fn slice_of(s: &[u8], from: i64, to: i64) -> Returned {
    let len = s.len();
    if to < 0 || to > len as i64 {
        if to < 0 {
            return Err(format!("runtime error: slice bounds out of range [:{to}]").into());
        }
        let words = format!("runtime error: slice bounds out of range [:{to}] with length {len}");
        return Err(words.into());
    }
    if from > to {
        return Err(format!("runtime error: slice bounds out of range [{from}:{to}]").into());
    }
    Ok(Value::string(&s[from as usize..to as usize]))
}

/// goutils.AbbreviateFull
fn abbrev(width: i64, offset: i64, value: &Value) -> Value {
    let s = bytes(value);
    let len = s.len() as i64;
    if width < 4 || len <= width {
        return value.clone();
    }
    let room = width - 3;
    let mut offset = offset.min(len);
    if len - offset < room {
        offset = len - room;
    }
    let cut = |from: i64, to: i64| s[from.max(0) as usize..to.clamp(0, len) as usize].to_vec();
    if offset <= 4 {
        return Value::string([cut(0, room), b"...".to_vec()].concat());
    }
    if width < 7 {
        return "".into();
    }
    if offset + room < len {
        let tail = abbrev(room, 0, &Value::string(cut(offset, len)));
        return Value::string([b"...", bytes(&tail)].concat());
    }
    Value::string([b"...".to_vec(), cut(len - room, len)].concat())
}

fn trim_all(_: &Call<'_>, a: &[Value]) -> Returned {
    let set = text(&a[0]);
    Ok(Value::string(trim(bytes(&a[1]), |c| set.contains(c))))
}

/// strings.TrimFunc
fn trim(text: &[u8], cut: impl Fn(char) -> bool) -> Vec<u8> {
    let units = characters(text);
    let keeps = |unit: &&[u8]| !cut(decode(unit).0);
    let start = units.iter().position(keeps).unwrap_or(units.len());
    let end = units.iter().rposition(keeps).map_or(start, |last| last + 1);
    units[start..end].concat()
}

/// goutils.WrapCustom, which counts bytes.
fn wrap(width: i64, s: &[u8], newline: &[u8], long_words: bool) -> Returned {
    let newline = if newline.is_empty() { b"\n" } else { newline };
    let width = width.max(1) as usize;
    let mut out = Vec::with_capacity(s.len());
    let mut offset = 0;
    while s.len() - offset > width {
        if s[offset] == b' ' {
            offset += 1;
            continue;
        }
        let space = s[offset..offset + width + 1].iter().rposition(|b| *b == b' ');
        let (end, next) = if let Some(space) = space {
            (offset + space, offset + space + 1)
        } else if long_words {
            (offset + width, offset + width)
        } else {
            match s[offset + width..].iter().position(|b| *b == b' ') {
                Some(space) => (offset + width + space, offset + width + space + 1),
                None => break,
            }
        };
        out.extend_from_slice(&s[offset..end]);
        out.extend_from_slice(newline);
        offset = next;
    }
    out.extend_from_slice(&s[offset..]);
    Ok(Value::string(out))
}

/// The texts of all that is not nil, with a space between.
fn joined(c: &Call<'_>, values: &[Value], text: impl Fn(&Value) -> Vec<u8>) -> Value {
    let mut out = Vec::new();
    for (i, value) in values.iter().filter(|v| !matches!(v, Value::Nil)).enumerate() {
        if c.run.check_size(out.len()).is_err() {
            break;
        }
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(&text(value));
    }
    Value::string(out)
}

fn indent(call: &Call<'_>, lead: &[u8], a: &[Value]) -> Returned {
    let count = usize::try_from(int(&a[0])).map_err(|_| "strings: negative Repeat count")?;
    call.run.check_size(count)?;
    let pad = vec![b' '; count];
    let padded = replace(call, bytes(&a[1]), b"\n", &[b"\n", &pad[..]].concat())?;
    Ok(Value::string([lead, &pad, &padded].concat()))
}

pub(super) fn find(s: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    s.windows(part.len()).position(|window| window == part)
}

/// strings.ReplaceAll; an empty `old` matches between all characters.
fn replace(call: &Call<'_>, s: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(s.len());
    if old.is_empty() {
        let units = characters(s);
        call.run.check_size((units.len() + 1).saturating_mul(new.len()))?;
        out.extend_from_slice(new);
        for unit in units {
            out.extend_from_slice(unit);
            out.extend_from_slice(new);
        }
        return Ok(out);
    }
    let mut rest = s;
    while let Some(at) = find(rest, old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
        call.run.check_size(out.len())?;
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// The characters as bytes; a byte that is not UTF-8 is one by itself.
fn characters(s: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    let mut at = 0;
    for chunk in s.utf8_chunks() {
        for c in chunk.valid().chars() {
            units.push(&s[at..at + c.len_utf8()]);
            at += c.len_utf8();
        }
        for _ in chunk.invalid() {
            units.push(&s[at..at + 1]);
            at += 1;
        }
    }
    units
}

/// strings.SplitN; a negative `limit` is none.
pub(super) fn split(s: &[u8], separator: &[u8], limit: i64) -> Vec<Str> {
    if limit == 0 {
        return Vec::new();
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts: Vec<Str> = Vec::new();
    if separator.is_empty() {
        let units = characters(s);
        let single = units.len().min(limit.saturating_sub(1));
        let single = if units.len() <= limit { units.len() } else { single };
        parts.extend(units[..single].iter().map(|u| Str::from(*u)));
        if single < units.len() {
            parts.push(units[single..].concat().into());
        }
        return parts;
    }
    let mut rest = s;
    while parts.len() + 1 < limit
        && let Some(at) = find(rest, separator)
    {
        parts.push(rest[..at].into());
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest.into());
    parts
}

/// `_0`, `_1` …
fn numbered(parts: Vec<Str>) -> Value {
    let entries = parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| (Str::from(format!("_{i}")), Value::String(part)))
        .collect();
    Value::Map(Map::new(MapType::String, entries))
}
