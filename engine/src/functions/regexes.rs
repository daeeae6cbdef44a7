//! Sprig: regular expressions, in the syntax of RE2.

mod class;
mod expand;
mod syntax;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use regex_automata::util::captures::Captures;
use regex_automata::{Input, meta, util::syntax as engine_syntax};

use self::syntax::Translated;
use super::{Call, Function, Kind, Returned, bytes, int, text};
use crate::template::quote::quote_for_code;
use crate::template::{List, ListType, Lossy, Str, Value, weight};

use Kind::{Int, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("regexMatch", &[S, S], |c, a| Ok(is_match(c, a).unwrap_or(false).into())),
    Function::new("mustRegexMatch", &[S, S], |c, a| Ok(is_match(c, a)?.into())),
    Function::new("regexFind", &[S, S], |c, a| panics(&a[0], find(c, a))),
    Function::new("mustRegexFind", &[S, S], |c, a| Ok(find(c, a)?)),
    Function::new("regexFindAll", &[S, S, Int], |c, a| panics(&a[0], find_all(c, a))),
    Function::new("mustRegexFindAll", &[S, S, Int], |c, a| Ok(find_all(c, a)?)),
    Function::new("regexReplaceAll", &[S, S, S], |c, a| panics(&a[0], replace(c, a, false))),
    Function::new("mustRegexReplaceAll", &[S, S, S], |c, a| Ok(replace(c, a, false)?)),
    Function::new("regexReplaceAllLiteral", &[S, S, S], |c, a| panics(&a[0], replace(c, a, true))),
    Function::new("mustRegexReplaceAllLiteral", &[S, S, S], |c, a| Ok(replace(c, a, true)?)),
    Function::new("regexSplit", &[S, S, Int], |c, a| panics(&a[0], split(c, a))),
    Function::new("mustRegexSplit", &[S, S, Int], |c, a| Ok(split(c, a)?)),
    Function::new("regexQuoteMeta", &[S], |_, a| {
        let mut out = Vec::new();
        for b in bytes(&a[0]) {
            if br"\.+*?()|[]{}^$".contains(b) {
                out.push(b'\\');
            }
            out.push(*b);
        }
        Ok(Value::string(out))
    }),
];

/// A compiled expression may take this many bytes of memory, as in Go (`regexp/syntax`'s `maxSize`).
const MAX_PROGRAM: usize = 128 << 20;

/// So many expressions are kept, and so many bytes of them: charts use the same few again and again.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 64 << 20;

/// What compiling costs: about as long as a step takes.
const BYTES_PER_STEP: u64 = 64;

struct Compiled {
    regex: meta::Regex,
    names: Vec<String>,
}

thread_local! {
    static COMPILED: RefCell<HashMap<Vec<u8>, Rc<Compiled>>> = RefCell::default();
}

fn compile(call: &Call<'_>, pattern: &Value) -> Result<Rc<Compiled>, String> {
    let source = bytes(pattern);
    if let Some(known) = COMPILED.with_borrow(|known| known.get(source).cloned()) {
        return Ok(known);
    }
    call.run.spend(source.len() as u64)?;
    call.run.look_at_the_clock()?;
    let translated = syntax::translate(source)?;
    let built = build(translated, source);
    if let Err(why) = &built {
        // Go would match: "does not match" would be a lie.
        call.run.refuse(why.clone())?;
    }
    let compiled = Rc::new(built?);
    call.run.spend(compiled.regex.memory_usage() as u64 / BYTES_PER_STEP)?;
    COMPILED.with_borrow_mut(|known| {
        let size = |compiled: &Rc<Compiled>| compiled.regex.memory_usage();
        let kept: usize = known.values().map(size).sum();
        if known.len() >= KEPT || kept + size(&compiled) > KEPT_BYTES {
            known.clear();
        }
        known.insert(source.to_vec(), compiled.clone());
    });
    Ok(compiled)
}

/// Err: it is larger than [`MAX_PROGRAM`].
fn build(translated: Translated, source: &[u8]) -> Result<Compiled, String> {
    let regex = meta::Builder::new()
        .configure(meta::Config::new().nfa_size_limit(Some(MAX_PROGRAM)).utf8_empty(true))
        // The pattern is ours: it nests a few groups for each of Go's.
        .syntax(engine_syntax::Config::new().utf8(false).nest_limit(10_000))
        .build(&translated.pattern)
        .map_err(|_| syntax::wrong("expression too large", source))?;
    Ok(Compiled { regex, names: translated.names })
}

/// An expression outside of templates.
pub(crate) struct Pattern(meta::Regex);

impl Pattern {
    /// Err: Go's words for what is wrong with it.
    pub(crate) fn new(source: &[u8]) -> Result<Self, String> {
        Ok(Self(build(syntax::translate(source)?, source)?.regex))
    }

    /// Whether it matches somewhere in the text.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// What regexp.MustCompile says when it panics.
fn panics(pattern: &Value, result: Result<Value, String>) -> Returned {
    result.map_err(|message| {
        if message.starts_with("error parsing regexp: ") {
            return format!("regexp: Compile({}): {message}", quote_for_code(bytes(pattern)))
                .into();
        }
        message.into()
    })
}

/// From this many bytes on the clock is looked at for every match: each may take a walk to the end.
const LONG: usize = 1 << 16;

/// What a match takes: its place, then its text in a list.
const FOUND: usize = size_of::<Range<usize>>() + weight::TEXT;

/// Charges for one walk over a subject. At worst each byte visits each state, of which there is one
/// for about 32 bytes of the expression.
fn charge_walk(call: &Call<'_>, compiled: &Compiled, subject: &Lossy<'_>) -> Result<(), String> {
    let states = compiled.regex.memory_usage() / 32;
    call.run.spend(subject.text().len().saturating_mul(states) as u64 / 1000)
}

/// A search of Go's: what the loops of package regexp see of the subject.
struct Search<'a> {
    compiled: &'a Compiled,
    subject: &'a Lossy<'a>,
    captures: Captures,
}

impl<'a> Search<'a> {
    fn new(compiled: &'a Compiled, subject: &'a Lossy<'a>) -> Self {
        Search { compiled, subject, captures: compiled.regex.create_captures() }
    }

    /// The leftmost match from this place on.
    fn from(&mut self, at: usize) -> Option<Range<usize>> {
        let text = self.subject.text();
        let input = Input::new(text).range(at..);
        let found = self.compiled.regex.search(&input)?;
        Some(found.start()..found.end())
    }

    /// The same, with its groups in `captures`.
    fn groups_from(&mut self, at: usize) -> Option<Range<usize>> {
        let text = self.subject.text();
        let input = Input::new(text).range(at..);
        self.compiled.regex.search_captures(&input, &mut self.captures);
        let found = self.captures.get_match()?;
        Some(found.start()..found.end())
    }

    fn width(&self, at: usize) -> usize {
        self.subject.text()[at..].chars().next().map_or(0, char::len_utf8)
    }

    /// regexp.allMatches: at most `limit` matches, all if it is negative.
    fn all(&mut self, call: &Call<'_>, limit: i64) -> Result<Vec<Range<usize>>, String> {
        let end = self.subject.text().len();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let (mut at, mut previous) = (0, None);
        while found.len() < limit && at <= end {
            call.run.spend(1)?;
            if end > LONG {
                call.run.look_at_the_clock()?;
            }
            call.run.check_memory(found.len() * FOUND)?;
            let Some(m) = self.from(at) else { break };
            let mut accept = true;
            if m.end == at {
                accept = previous != Some(m.start);
                at += self.width(at).max(1);
            } else {
                at = m.end;
            }
            previous = Some(m.end);
            if accept {
                found.push(m);
            }
        }
        Ok(found)
    }
}

fn is_match(c: &Call<'_>, a: &[Value]) -> Result<bool, String> {
    let compiled = compile(c, &a[0])?;
    let subject = Lossy::new(bytes(&a[1]));
    charge_walk(c, &compiled, &subject)?;
    Ok(compiled.regex.is_match(subject.text()))
}

fn find(c: &Call<'_>, a: &[Value]) -> Result<Value, String> {
    let compiled = compile(c, &a[0])?;
    let subject = Lossy::new(bytes(&a[1]));
    charge_walk(c, &compiled, &subject)?;
    let found = Search::new(&compiled, &subject).from(0);
    Ok(found.map_or_else(|| "".into(), |m| Value::string(subject.bytes(m))))
}

fn find_all(c: &Call<'_>, a: &[Value]) -> Result<Value, String> {
    let compiled = compile(c, &a[0])?;
    let subject = Lossy::new(bytes(&a[1]));
    charge_walk(c, &compiled, &subject)?;
    let found = Search::new(&compiled, &subject).all(c, int(&a[2]))?;
    if found.is_empty() {
        return Ok(Value::List(List::nil(ListType::String)));
    }
    Ok(Value::strings(found.into_iter().map(|m| Str::from(subject.bytes(m)))))
}

/// regexp.replaceAll
fn replace(c: &Call<'_>, a: &[Value], literal: bool) -> Result<Value, String> {
    let compiled = compile(c, &a[0])?;
    let subject = Lossy::new(bytes(&a[1]));
    charge_walk(c, &compiled, &subject)?;
    let by = bytes(&a[2]);
    let plain = literal || !by.contains(&b'$');
    let mut search = Search::new(&compiled, &subject);
    let end = subject.text().len();
    let mut out = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while at <= end {
        c.run.spend(1)?;
        if end > LONG {
            c.run.look_at_the_clock()?;
        }
        let Some(m) = (if plain { search.from(at) } else { search.groups_from(at) }) else { break };
        out.extend_from_slice(subject.bytes(copied..m.start));
        if m.end > copied || m.start == 0 {
            if plain {
                out.extend_from_slice(by);
            } else {
                expand::expand(by, &compiled.names, &search.captures, &subject, &mut out);
            }
        }
        c.run.check_size(out.len())?;
        copied = m.end;
        let width = search.width(at);
        at = if at + width > m.end {
            at + width
        } else if at + 1 > m.end {
            at + 1
        } else {
            m.end
        };
    }
    out.extend_from_slice(subject.bytes(copied..end));
    Ok(Value::string(out))
}

/// regexp.Split
fn split(c: &Call<'_>, a: &[Value]) -> Result<Value, String> {
    let compiled = compile(c, &a[0])?;
    let n = int(&a[2]);
    if n == 0 {
        return Ok(Value::List(List::nil(ListType::String)));
    }
    if !text(&a[0]).is_empty() && bytes(&a[1]).is_empty() {
        return Ok(Value::strings([""]));
    }
    let subject = Lossy::new(bytes(&a[1]));
    charge_walk(c, &compiled, &subject)?;
    let mut out: Vec<Str> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for m in Search::new(&compiled, &subject).all(c, n)? {
        if n > 0 && out.len() as i64 >= n - 1 {
            break;
        }
        end = m.start;
        if m.end != 0 {
            out.push(subject.bytes(begin..m.start).into());
        }
        begin = m.end;
    }
    if end != subject.text().len() {
        out.push(subject.bytes(begin..subject.text().len()).into());
    }
    Ok(Value::strings(out))
}
