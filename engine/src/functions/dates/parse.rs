//! time.ParseInLocation, the location being UTC.

use chrono::{FixedOffset, NaiveDate};

use super::Time;
use super::layout::{DAYS, MONTHS, next};
use crate::template::quote::quote;

/// What has been read so far.
#[derive(Default)]
struct Parts {
    year: i32,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanosecond: u32,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    zone: String,
}

/// Why an element was not read.
enum Wrong {
    Mismatch,
    /// The text goes on behind the number.
    Range(&'static str),
}

use Wrong::{Mismatch, Range};

pub(super) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    let mismatch = |element: &str, rest: &str| {
        let [text, layout, rest, element] =
            [text, layout, rest, element].map(|s| quote(s.as_bytes()));
        format!("parsing time {text} as {layout}: cannot parse {rest} as {element}")
    };
    let failed = |why: &str| format!("parsing time {}: {why}", quote(text.as_bytes()));
    let mut parts = Parts::default();
    let (mut pattern, mut rest) = (layout, text);
    loop {
        let (prefix, element, after) = next(pattern);
        rest = skip(rest, prefix).map_err(|rest| mismatch(prefix, rest))?;
        if element.is_empty() {
            if rest.is_empty() {
                break;
            }
            return Err(failed(&format!("extra text: {}", quote(rest.as_bytes()))));
        }
        pattern = after;
        rest = read(element, rest, pattern, &mut parts).map_err(|wrong| match wrong {
            Mismatch => mismatch(element, rest),
            Range(what) => failed(&format!("{what} out of range")),
        })?;
    }
    build(parts).map_err(failed)
}

/// The text after a part of the layout that means itself; spaces there match any number of spaces, or the end.
fn skip<'a>(text: &'a str, prefix: &str) -> Result<&'a str, &'a str> {
    let (mut text, mut prefix) = (text, prefix);
    while let Some(c) = prefix.chars().next() {
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(text);
            }
            prefix = prefix.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(c).ok_or(text)?;
        prefix = &prefix[c.len_utf8()..];
    }
    Ok(text)
}

fn digit(text: &str, at: usize) -> Option<u32> {
    text.as_bytes().get(at).filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0'))
}

/// One or two digits; two if `fixed`.
fn number(text: &str, fixed: bool) -> Result<(u32, &str), Wrong> {
    match (digit(text, 0), digit(text, 1)) {
        (Some(tens), Some(ones)) => Ok((tens * 10 + ones, &text[2..])),
        (Some(ones), None) if !fixed => Ok((ones, &text[1..])),
        _ => Err(Mismatch),
    }
}

fn within<'a>(
    text: &'a str,
    fixed: bool,
    below: u32,
    what: &'static str,
) -> Result<(u32, &'a str), Wrong> {
    let (value, rest) = number(text, fixed)?;
    if value < below { Ok((value, rest)) } else { Err(Range(what)) }
}

fn name<'a>(text: &'a str, names: &[&str], length: Option<usize>) -> Result<(u32, &'a str), Wrong> {
    let found = names.iter().enumerate().find_map(|(i, name)| {
        let name = &name[..length.unwrap_or(name.len())];
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (i as u32, &text[name.len()..]))
    });
    found.ok_or(Mismatch)
}

/// So many digits after a point or comma, as nanoseconds.
fn nanoseconds(text: &str, len: usize) -> Result<u32, Wrong> {
    let digits = text.get(1..=len).ok_or(Mismatch)?;
    if !text.starts_with(['.', ',']) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Mismatch);
    }
    format!("{:0<9}", &digits[..len.min(9)]).parse().map_err(|_| Mismatch)
}

fn digits_after_point(text: &str) -> usize {
    if !text.starts_with(['.', ',']) {
        return 0;
    }
    text[1..].bytes().take_while(u8::is_ascii_digit).count()
}

/// Reads one element into `parts`; gives what follows it. `pattern` is the rest of the layout.
fn read<'a>(
    element: &str,
    text: &'a str,
    pattern: &str,
    parts: &mut Parts,
) -> Result<&'a str, Wrong> {
    let rest;
    match element {
        "2006" => {
            let digits = text.get(..4).ok_or(Mismatch)?;
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            parts.year = digits.parse().ok().filter(|_| plain).ok_or(Mismatch)?;
            return Ok(&text[4..]);
        }
        "06" => {
            let (year, after) = number(text, true)?;
            parts.year = year as i32 + if year >= 69 { 1900 } else { 2000 };
            return Ok(after);
        }
        "January" | "Jan" => {
            let length = (element == "Jan").then_some(3);
            let (month, after) = name(text, &MONTHS, length)?;
            parts.month = Some(month + 1);
            rest = after;
        }
        "Monday" => return Ok(name(text, &DAYS, None)?.1),
        "Mon" => return Ok(name(text, &DAYS, Some(3))?.1),
        "01" | "1" => {
            let (month, after) = number(text, element == "01")?;
            if !(1..=12).contains(&month) {
                return Err(Range("month"));
            }
            parts.month = Some(month);
            rest = after;
        }
        "02" | "_2" | "2" => {
            let padded =
                if element == "_2" { text.strip_prefix(' ').unwrap_or(text) } else { text };
            let (day, after) = number(padded, element == "02")?;
            parts.day = Some(day);
            rest = after;
        }
        "002" | "__2" => {
            let mut padded = text;
            for _ in 0..2 {
                if element == "__2" {
                    padded = padded.strip_prefix(' ').unwrap_or(padded);
                }
            }
            let len = padded.bytes().take(3).take_while(u8::is_ascii_digit).count();
            if len == 0 || (element == "002" && len < 3) {
                return Err(Mismatch);
            }
            parts.year_day = padded[..len].parse().ok();
            rest = &padded[len..];
        }
        "15" => (parts.hour, rest) = within(text, false, 24, "hour")?,
        "03" | "3" => (parts.hour, rest) = within(text, element == "03", 13, "hour")?,
        "04" | "4" => (parts.minute, rest) = within(text, element == "04", 60, "minute")?,
        "05" | "5" => {
            (parts.second, rest) = within(text, element == "05", 60, "second")?;
            // A fraction may follow the seconds without being in the layout.
            let len = digits_after_point(rest);
            if len > 0 && !next(pattern).1.starts_with(['.', ',']) {
                parts.nanosecond = nanoseconds(rest, len)?;
                return Ok(&rest[1 + len..]);
            }
        }
        "PM" | "pm" => {
            let lower = element == "pm";
            parts.afternoon = match text.get(..2) {
                Some("PM") if !lower => Some(true),
                Some("AM") if !lower => Some(false),
                Some("pm") if lower => Some(true),
                Some("am") if lower => Some(false),
                _ => return Err(Mismatch),
            };
            rest = &text[2..];
        }
        "MST" => {
            if let Some(after) = text.strip_prefix("UTC") {
                parts.utc = true;
                return Ok(after);
            }
            let len = zone(text).ok_or(Mismatch)?;
            parts.zone = text[..len].to_owned();
            rest = &text[len..];
        }
        element if element.starts_with(['.', ',']) => {
            let wanted = element.len() - 1;
            let len = if element.ends_with('0') { wanted } else { digits_after_point(text) };
            if len == 0 {
                return Ok(text);
            }
            parts.nanosecond = nanoseconds(text, len)?;
            rest = &text[1 + len..];
        }
        element => rest = offset(element, text, parts)?,
    }
    Ok(rest)
}

/// `Z`, `+02:00`, in the shape of the element.
fn offset<'a>(element: &str, text: &'a str, parts: &mut Parts) -> Result<&'a str, Wrong> {
    if element.starts_with('Z')
        && let Some(rest) = text.strip_prefix('Z')
    {
        parts.utc = true;
        return Ok(rest);
    }
    let shape = &element[1..];
    let part = text.get(..=shape.len()).ok_or(Mismatch)?;
    let mut seconds = 0;
    let mut numbers = [0; 3];
    let (mut at, mut index) = (1, 0);
    while at < part.len() {
        if shape.as_bytes()[at - 1] == b':' {
            if part.as_bytes()[at] != b':' {
                return Err(Mismatch);
            }
            at += 1;
            continue;
        }
        numbers[index] = number(part.get(at..at + 2).ok_or(Mismatch)?, true)?.0 as i32;
        (at, index) = (at + 2, index + 1);
    }
    if numbers[0] > 24 {
        return Err(Range("time zone offset hour"));
    }
    if numbers[1] > 60 {
        return Err(Range("time zone offset minute"));
    }
    if numbers[2] > 60 {
        return Err(Range("time zone offset second"));
    }
    seconds += (numbers[0] * 60 + numbers[1]) * 60 + numbers[2];
    parts.offset = Some(match part.as_bytes()[0] {
        b'+' => seconds,
        b'-' => -seconds,
        _ => return Err(Mismatch),
    });
    Ok(&text[part.len()..])
}

/// The length of the abbreviation of a zone.
fn zone(text: &str) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_hours(rest));
    }
    if text.starts_with(['+', '-']) {
        return Some(signed_hours(text)).filter(|len| *len > 0);
    }
    let upper = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    match upper {
        3 => Some(3),
        4 if text.as_bytes()[3] == b'T' || text.starts_with("WITA") => Some(4),
        5 if text.as_bytes()[4] == b'T' => Some(5),
        _ => None,
    }
}

/// The length of `+3`, `-11`; 0 if it is none.
fn signed_hours(text: &str) -> usize {
    let Some(digits) = text.strip_prefix(['+', '-']) else { return 0 };
    let len = digits.bytes().take_while(u8::is_ascii_digit).count();
    match digits[..len].parse::<u64>() {
        Ok(hours) if hours <= 23 => 1 + len,
        _ => 0,
    }
}

fn build(parts: Parts) -> Result<Time, &'static str> {
    let date = match parts.year_day {
        Some(day) => {
            let date = NaiveDate::from_yo_opt(parts.year, day).ok_or("day-of-year out of range")?;
            use chrono::Datelike;
            if parts.month.is_some_and(|month| month != date.month()) {
                return Err("day-of-year does not match month");
            }
            if parts.day.is_some_and(|day| day != date.day()) {
                return Err("day-of-year does not match day");
            }
            date
        }
        None => {
            let (month, day) = (parts.month.unwrap_or(1), parts.day.unwrap_or(1));
            NaiveDate::from_ymd_opt(parts.year, month, day).ok_or("day out of range")?
        }
    };
    let hour = match parts.afternoon {
        Some(true) if parts.hour < 12 => parts.hour + 12,
        Some(false) if parts.hour == 12 => 0,
        _ => parts.hour,
    };
    let local = date
        .and_hms_nano_opt(hour, parts.minute, parts.second, parts.nanosecond)
        .ok_or("hour out of range")?;
    let fixed =
        |seconds: i32| FixedOffset::east_opt(seconds).ok_or("time zone offset out of range");
    let utc = fixed(0)?;
    let at = |offset| local.and_local_timezone(offset).single().ok_or("day out of range");
    if parts.utc {
        return Ok(Time::utc(at(utc)?));
    }
    if let Some(seconds) = parts.offset {
        let is_local = seconds == 0 && matches!(parts.zone.as_str(), "" | "UTC");
        let zone = if is_local { "UTC" } else { &parts.zone };
        return Ok(Time::new(at(fixed(seconds)?)?, zone));
    }
    if parts.zone.is_empty() {
        return Ok(Time::utc(at(utc)?));
    }
    // A zone that is not known has no offset, but for GMT+3.
    let hours = parts.zone.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok());
    let offset = fixed(hours.unwrap_or(0) * 3600)?;
    Ok(Time::new(at(utc)?.with_timezone(&offset), &parts.zone))
}
