//! Go's layouts: a date written as Mon Jan 2 15:04:05 MST 2006.

use chrono::{DateTime, Datelike, FixedOffset, Offset, Timelike};

type Moment = DateTime<FixedOffset>;

pub(super) const MONTHS: [&str; 12] = [
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
pub(super) const DAYS: [&str; 7] =
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
pub(super) fn next(layout: &str) -> (&str, &str, &str) {
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

/// Time.Format
pub(super) fn format(layout: &str, t: &Moment, zone: &str) -> String {
    format_later(layout, t, zone, 0)
}

/// As [`format`], of the time so many years later (a multiple of 400).
pub(super) fn format_later(layout: &str, t: &Moment, zone: &str, years: i64) -> String {
    let year = i64::from(t.year()) + years;
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
            "2006" if year < 0 => out.push_str(&format!("-{:04}", year.unsigned_abs())),
            "2006" => out.push_str(&format!("{year:04}")),
            "06" => out.push_str(&format!("{:02}", year.unsigned_abs() % 100)),
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
