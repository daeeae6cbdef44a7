//! Go's layouts: a date written as Mon Jan 2 15:04:05 MST 2006.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, Timelike};

use crate::template::quote::quote;

type Moment = DateTime<FixedOffset>;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The elements of a layout; of two that begin alike the longer comes first.
const ELEMENTS: &[&str] = &[
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "__2",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "_2",
    "15",
    "-07:00:00",
    "-070000",
    "-07:00",
    "-0700",
    "-07",
    "Z07:00:00",
    "Z070000",
    "Z07:00",
    "Z0700",
    "Z07",
    "PM",
    "pm",
    "1",
    "2",
    "3",
    "4",
    "5",
];

/// Splits a layout at its first element: text before, element, rest.
fn next(layout: &str) -> (&str, &str, &str) {
    for (i, _) in layout.char_indices() {
        let rest = &layout[i..];
        if let Some(element) = ELEMENTS.iter().find(|e| rest.starts_with(**e)) {
            // Jan is not an element in "January" nor in "Janet"; _2006 is a 2006 after an underscore.
            let after = &rest[element.len()..];
            let lower_follows = after.starts_with(|c: char| c.is_ascii_lowercase());
            if matches!(*element, "Jan" | "Mon") && lower_follows {
                continue;
            }
            if *element == "_2" && rest.starts_with("_2006") {
                continue;
            }
            return (&layout[..i], element, after);
        }
        // Fractions of a second: .000 or ,999 not followed by a digit.
        if rest.starts_with(['.', ',']) {
            let digits = &rest[1..];
            let run = |d: char| digits.len() - digits.trim_start_matches(d).len();
            let len = run('0').max(run('9'));
            let ends = !digits[len..].starts_with(|c: char| c.is_ascii_digit());
            if len > 0 && ends {
                return (&layout[..i], &rest[..=len], &rest[len + 1..]);
            }
        }
    }
    (layout, "", "")
}

/// The abbreviation of a zone that has only an offset.
pub(super) fn zone_name(moment: &Moment) -> &'static str {
    if moment.offset().local_minus_utc() == 0 { "UTC" } else { "" }
}

/// Time.Format
pub(super) fn format(layout: &str, t: &Moment, zone: &str) -> String {
    let mut out = String::new();
    let mut rest = layout;
    loop {
        let (text, element, after) = next(rest);
        out.push_str(text);
        if element.is_empty() {
            return out;
        }
        rest = after;
        let month = MONTHS[t.month0() as usize];
        let day = DAYS[t.weekday().num_days_from_sunday() as usize];
        let hour12 = match t.hour() % 12 {
            0 => 12,
            hour => hour,
        };
        match element {
            "January" => out.push_str(month),
            "Jan" => out.push_str(&month[..3]),
            "Monday" => out.push_str(day),
            "Mon" => out.push_str(&day[..3]),
            "MST" if zone.is_empty() => out.push_str(&offset("-0700", t)),
            "MST" => out.push_str(zone),
            "2006" => out.push_str(&format!("{:04}", t.year())),
            "06" => out.push_str(&format!("{:02}", t.year().rem_euclid(100))),
            "01" => out.push_str(&format!("{:02}", t.month())),
            "1" => out.push_str(&t.month().to_string()),
            "02" => out.push_str(&format!("{:02}", t.day())),
            "_2" => out.push_str(&format!("{:2}", t.day())),
            "2" => out.push_str(&t.day().to_string()),
            "__2" => out.push_str(&format!("{:3}", t.ordinal())),
            "002" => out.push_str(&format!("{:03}", t.ordinal())),
            "15" => out.push_str(&format!("{:02}", t.hour())),
            "03" => out.push_str(&format!("{hour12:02}")),
            "3" => out.push_str(&hour12.to_string()),
            "04" => out.push_str(&format!("{:02}", t.minute())),
            "4" => out.push_str(&t.minute().to_string()),
            "05" => out.push_str(&format!("{:02}", t.second())),
            "5" => out.push_str(&t.second().to_string()),
            "PM" => out.push_str(if t.hour() >= 12 { "PM" } else { "AM" }),
            "pm" => out.push_str(if t.hour() >= 12 { "pm" } else { "am" }),
            element if element.starts_with(['.', ',']) => out.push_str(&fraction(element, t)),
            element => out.push_str(&offset(element, t)),
        }
    }
}

fn fraction(element: &str, t: &Moment) -> String {
    let digits = format!("{:09}", t.nanosecond() % 1_000_000_000);
    let digits = &digits[..(element.len() - 1).min(9)];
    if element.ends_with('0') {
        return format!("{}{digits}", &element[..1]);
    }
    match digits.trim_end_matches('0') {
        "" => String::new(),
        digits => format!("{}{digits}", &element[..1]),
    }
}

fn offset(element: &str, t: &Moment) -> String {
    let seconds = t.offset().fix().local_minus_utc();
    if seconds == 0 && element.starts_with('Z') {
        return "Z".into();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match &element[1..] {
        "07" => format!("{sign}{h:02}"),
        "0700" => format!("{sign}{h:02}{m:02}"),
        "07:00" => format!("{sign}{h:02}:{m:02}"),
        "070000" => format!("{sign}{h:02}{m:02}{s:02}"),
        _ => format!("{sign}{h:02}:{m:02}:{s:02}"),
    }
}

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
    offset: i32,
}

/// time.ParseInLocation with UTC.
pub(super) fn parse(layout: &str, text: &str) -> Result<Moment, String> {
    let wrong = |element: &str, rest: &str| {
        let quoted = |s: &str| quote(s.as_bytes());
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quoted(text),
            quoted(layout),
            quoted(rest),
            quoted(element)
        )
    };
    let out_of_range =
        |what: &str| format!("parsing time {}: {what} out of range", quote(text.as_bytes()));
    let mut parts = Parts::default();
    let (mut pattern, mut rest) = (layout, text);
    loop {
        let (prefix, element, after) = next(pattern);
        rest = rest.strip_prefix(prefix).ok_or_else(|| wrong(prefix, rest))?;
        if element.is_empty() {
            if rest.is_empty() {
                break;
            }
            return Err(format!(
                "parsing time {}: extra text: {}",
                quote(text.as_bytes()),
                quote(rest.as_bytes())
            ));
        }
        pattern = after;
        let tail = read(element, rest, &mut parts).ok_or_else(|| wrong(element, rest))?;
        rest = tail;
        // A fraction may follow the seconds without being in the layout.
        let wants_fraction = next(pattern).0.is_empty() && next(pattern).1.starts_with(['.', ',']);
        if matches!(element, "05" | "5") && !wants_fraction {
            rest = read_fraction(rest, &mut parts).unwrap_or(rest);
        }
    }
    if parts.month.is_some_and(|m| !(1..=12).contains(&m)) {
        return Err(out_of_range("month"));
    }
    build(&parts).ok_or_else(|| out_of_range("day"))
}

fn build(parts: &Parts) -> Option<Moment> {
    let date = match parts.year_day {
        Some(day) => NaiveDate::from_yo_opt(parts.year, day)?,
        None => {
            NaiveDate::from_ymd_opt(parts.year, parts.month.unwrap_or(1), parts.day.unwrap_or(1))?
        }
    };
    let hour = match parts.afternoon {
        Some(true) if parts.hour < 12 => parts.hour + 12,
        Some(false) if parts.hour == 12 => 0,
        _ => parts.hour,
    };
    let local = date.and_hms_nano_opt(hour, parts.minute, parts.second, parts.nanosecond)?;
    local.and_local_timezone(FixedOffset::east_opt(parts.offset)?).single()
}

/// Up to `max` digits, at least `min`.
fn number(text: &str, min: usize, max: usize) -> Option<(u32, &str)> {
    let len = text.bytes().take(max).take_while(u8::is_ascii_digit).count();
    if len < min {
        return None;
    }
    Some((text[..len].parse().ok()?, &text[len..]))
}

fn name<'a>(text: &'a str, names: &[&str], length: Option<usize>) -> Option<(u32, &'a str)> {
    names.iter().enumerate().find_map(|(i, name)| {
        let name = &name[..length.unwrap_or(name.len())];
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (i as u32, &text[name.len()..]))
    })
}

fn read_fraction<'a>(text: &'a str, parts: &mut Parts) -> Option<&'a str> {
    let digits = text.strip_prefix(['.', ','])?;
    let len = digits.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return None;
    }
    let nine = format!("{:0<9}", &digits[..len.min(9)]);
    parts.nanosecond = nine.parse().ok()?;
    Some(&digits[len..])
}

/// Reads one element into `parts`; gives what follows it.
fn read<'a>(element: &str, text: &'a str, parts: &mut Parts) -> Option<&'a str> {
    let (value, tail) = match element {
        "2006" => number(text, 4, 4)?,
        "06" => number(text, 2, 2)?,
        "January" => name(text, &MONTHS, None)?,
        "Jan" => name(text, &MONTHS, Some(3))?,
        "Monday" => name(text, &DAYS, None)?,
        "Mon" => name(text, &DAYS, Some(3))?,
        "01" | "02" | "03" | "04" | "05" => number(text, 2, 2)?,
        "_2" => number(text.strip_prefix(' ').unwrap_or(text), 1, 2)?,
        "002" => number(text, 3, 3)?,
        "__2" => number(text.trim_start_matches(' '), 1, 3)?,
        "1" | "2" | "3" | "4" | "5" | "15" => number(text, 1, 2)?,
        "PM" | "pm" => {
            let head = text.get(..2)?;
            (u32::from(head.eq_ignore_ascii_case("PM")), &text[2..])
        }
        "MST" => {
            let len = text.bytes().take_while(u8::is_ascii_uppercase).count();
            return (3..=5).contains(&len).then(|| &text[len..]);
        }
        element if element.starts_with(['.', ',']) => {
            return read_fraction(text, parts).or_else(|| element.ends_with('9').then_some(text));
        }
        element => return read_offset(element, text, parts),
    };
    match element {
        "2006" => parts.year = value as i32,
        "06" => parts.year = value as i32 + if value >= 69 { 1900 } else { 2000 },
        "January" | "Jan" => parts.month = Some(value + 1),
        "01" | "1" => parts.month = Some(value),
        "02" | "_2" | "2" => parts.day = Some(value),
        "002" | "__2" => parts.year_day = Some(value),
        "15" | "03" | "3" => parts.hour = value,
        "04" | "4" => parts.minute = value,
        "05" | "5" => parts.second = value,
        "PM" | "pm" => parts.afternoon = Some(value == 1),
        _ => {}
    }
    Some(tail)
}

fn read_offset<'a>(element: &str, text: &'a str, parts: &mut Parts) -> Option<&'a str> {
    if element.starts_with('Z') && text.starts_with('Z') {
        parts.offset = 0;
        return Some(&text[1..]);
    }
    let sign = match text.as_bytes().first()? {
        b'-' => -1,
        b'+' => 1,
        _ => return None,
    };
    let (hours, mut tail) = number(&text[1..], 2, 2)?;
    let mut seconds = hours as i32 * 3600;
    let mut unit = 60;
    for _ in 0..(element.matches("00").count()) {
        if element.contains(':') {
            tail = tail.strip_prefix(':')?;
        }
        let (value, rest) = number(tail, 2, 2)?;
        seconds += value as i32 * unit;
        unit /= 60;
        tail = rest;
    }
    parts.offset = sign * seconds;
    Some(tail)
}
