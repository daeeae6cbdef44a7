//! Sprig: regular expressions, in the syntax of RE2.

use regex::bytes::{NoExpand, Regex, RegexBuilder};

use super::{Call, Function, Kind, Returned, bytes, int, text};
use crate::template::quote::quote;
use crate::template::{List, ListType, Str, Value};

use Kind::{Int, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("regexMatch", &[S, S], |_, a| {
        Ok(compile(&a[0]).is_ok_and(|r| r.is_match(bytes(&a[1]))).into())
    }),
    Function::new("mustRegexMatch", &[S, S], |_, a| {
        Ok(compile(&a[0])?.is_match(bytes(&a[1])).into())
    }),
    Function::new("regexFind", &[S, S], |_, a| panics(find(a))),
    Function::new("mustRegexFind", &[S, S], |_, a| find(a)),
    Function::new("regexFindAll", &[S, S, Int], |_, a| panics(find_all(a))),
    Function::new("mustRegexFindAll", &[S, S, Int], |_, a| find_all(a)),
    Function::new("regexReplaceAll", &[S, S, S], |c, a| panics(replace(c, a, false))),
    Function::new("mustRegexReplaceAll", &[S, S, S], |c, a| replace(c, a, false)),
    Function::new("regexReplaceAllLiteral", &[S, S, S], |c, a| panics(replace(c, a, true))),
    Function::new("mustRegexReplaceAllLiteral", &[S, S, S], |c, a| replace(c, a, true)),
    Function::new("regexSplit", &[S, S, Int], |_, a| panics(split(a))),
    Function::new("mustRegexSplit", &[S, S, Int], |_, a| split(a)),
    Function::new("regexQuoteMeta", &[S], |_, a| {
        let mut out = String::new();
        for c in text(&a[0]).chars() {
            if r"\.+*?()|[]{}^$".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        Ok(out.into())
    }),
];

/// A compiled expression may take this much memory; Go's limit is of the same order.
const MAX_PROGRAM: usize = 4 << 20;

fn compile(pattern: &Value) -> Result<Regex, String> {
    let source = text(pattern);
    let wrong = |what: &str| format!("error parsing regexp: {what}: `{source}`");
    // In Go \z is spelled so too, but classes such as \d and \w are ASCII there.
    let translated = ascii_classes(&source);
    RegexBuilder::new(&translated)
        .size_limit(MAX_PROGRAM)
        .build()
        .map_err(|_| wrong("invalid regular expression"))
}

/// Perl classes are ASCII in RE2, and Unicode in ours.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(p @ ('d' | 'w' | 's' | 'D' | 'W' | 'S')) => {
                    let class = match p.to_ascii_lowercase() {
                        'd' => "0-9",
                        'w' => "0-9A-Za-z_",
                        _ => "\\t\\n\\x0c\\r ",
                    };
                    match (p.is_ascii_uppercase(), in_class) {
                        (false, true) => out.push_str(class),
                        (false, false) => out.push_str(&format!("[{class}]")),
                        (true, _) => out.push_str(&format!("[^{class}]")),
                    }
                }
                Some('b') if !in_class => out.push_str("(?-u:\\b)"),
                Some('Q') => {
                    let rest = chars.as_str();
                    let (literal, tail) = rest.split_once("\\E").unwrap_or((rest, ""));
                    out.push_str(&regex::escape(literal));
                    chars = tail.chars();
                }
                Some(escaped) => {
                    out.push('\\');
                    out.push(escaped);
                }
                None => out.push('\\'),
            },
            '[' if in_class => {
                if chars.as_str().starts_with(':') {
                    out.push('[');
                } else {
                    out.push_str("\\[");
                }
            }
            '[' => {
                in_class = true;
                out.push('[');
                let rest = chars.as_str();
                let negated = rest.starts_with('^');
                let body = if negated { &rest[1..] } else { rest };
                if negated {
                    out.push('^');
                }
                chars = body.chars();
                if let Some(tail) = body.strip_prefix(']') {
                    out.push_str("\\]");
                    chars = tail.chars();
                }
            }
            // The end of [:alpha:], not of the class around it.
            ']' if out.ends_with(':')
                && out.rfind("[:").is_some_and(|i| !out[i..].contains(']')) =>
            {
                out.push(']');
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' | '-' if in_class && out.ends_with(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// regexp.MustCompile panics in other words.
fn panics(result: Returned) -> Returned {
    result.map_err(|cause| {
        let message = cause.to_string();
        match message.rsplit_once(": `") {
            Some((_, source)) => {
                let source = source.trim_end_matches('`');
                format!("regexp: Compile({}): {message}", quote(source.as_bytes())).into()
            }
            None => message.into(),
        }
    })
}

fn find(a: &[Value]) -> Returned {
    let found = compile(&a[0])?.find(bytes(&a[1])).map(|m| Value::string(m.as_bytes()));
    Ok(found.unwrap_or_else(|| "".into()))
}

fn limit(value: &Value) -> usize {
    usize::try_from(int(value)).unwrap_or(usize::MAX)
}

fn find_all(a: &[Value]) -> Returned {
    let regex = compile(&a[0])?;
    let found: Vec<Str> =
        regex.find_iter(bytes(&a[1])).take(limit(&a[2])).map(|m| m.as_bytes().into()).collect();
    if found.is_empty() {
        return Ok(Value::List(List::nil(ListType::String)));
    }
    Ok(Value::strings(found))
}

fn replace(c: &Call<'_>, a: &[Value], literal: bool) -> Returned {
    let regex = compile(&a[0])?;
    let (s, by) = (bytes(&a[1]), bytes(&a[2]));
    c.run.check_size(regex.find_iter(s).count().saturating_mul(by.len()))?;
    let out = if literal { regex.replace_all(s, NoExpand(by)) } else { regex.replace_all(s, by) };
    Ok(Value::string(&*out))
}

/// regexp.Split
fn split(a: &[Value]) -> Returned {
    let regex = compile(&a[0])?;
    let (s, n) = (bytes(&a[1]), int(&a[2]));
    if n == 0 {
        return Ok(Value::List(List::nil(ListType::String)));
    }
    if !regex.as_str().is_empty() && s.is_empty() {
        return Ok(Value::strings([""]));
    }
    let mut out: Vec<Str> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for m in regex.find_iter(s) {
        if n > 0 && out.len() as i64 == n - 1 {
            break;
        }
        end = m.start();
        if m.end() != 0 {
            out.push(s[begin..end].into());
        }
        begin = m.end();
    }
    if end != s.len() {
        out.push(s[begin..].into());
    }
    Ok(Value::strings(out))
}
