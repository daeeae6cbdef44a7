//! Sprig: dates, in the layouts of Go. The zone of the machine is taken to be UTC.

mod layout;
mod parse;
mod zone;

use std::any::Any;
use std::rc::Rc;

use chrono::{DateTime, Datelike, FixedOffset, TimeZone, Timelike, Utc};

use super::{Call, Function, Kind, Returned, bytes, duration, text};
use crate::template::quote::quote;
use crate::template::{Method, NilPointer, Object, Value};

use Kind::{Any as Whatever, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("now", &[], |c, _| {
        Ok(Value::object(Time::utc(c.run.environment.now.fixed_offset())))
    }),
    Function::new("ago", &[Whatever], |c, a| {
        let age = far_age(c, &a[0]).unwrap_or_else(|| since(c, moment(c, &a[0])));
        Ok(duration::text(duration::round(age, 1_000_000_000)).into())
    }),
    Function::new("date", &[S, Whatever], |c, a| Ok(format(c, &a[0], &a[1], "Local"))),
    Function::new("dateInZone", &[S, Whatever, S], in_zone),
    Function::new("date_in_zone", &[S, Whatever, S], in_zone),
    Function::new("htmlDate", &[Whatever], |c, a| Ok(format(c, &"2006-01-02".into(), &a[0], ""))),
    Function::new("htmlDateInZone", &[Whatever, S], |c, a| {
        Ok(format(c, &"2006-01-02".into(), &a[0], &text(&a[1])))
    }),
    Function::new("dateModify", &[S, Kind::Time], |_, a| modify(a).or_else(|_| Ok(a[1].clone()))),
    Function::new("date_modify", &[S, Kind::Time], |_, a| modify(a).or_else(|_| Ok(a[1].clone()))),
    Function::new("mustDateModify", &[S, Kind::Time], |_, a| modify(a)),
    Function::new("must_date_modify", &[S, Kind::Time], |_, a| modify(a)),
    Function::new("toDate", &[S, S], |_, a| {
        Ok(Value::object(
            parse::parse(&text(&a[0]), &text(&a[1])).unwrap_or_else(|_| Time::utc(zero())),
        ))
    }),
    Function::new("mustToDate", &[S, S], |_, a| {
        Ok(Value::object(parse::parse(&text(&a[0]), &text(&a[1]))?))
    }),
    Function::new("unixEpoch", &[Kind::Time], |_, a| {
        Ok(as_time(&a[0]).unwrap_or_else(zero).timestamp().to_string().into())
    }),
    Function::new("duration", &[Whatever], |_, a| {
        let seconds: i64 = match &a[0] {
            Value::String(s) => saturating(&s.text()),
            Value::Int64(i) => *i,
            _ => 0,
        };
        Ok(duration::text(seconds.wrapping_mul(1_000_000_000)).into())
    }),
    Function::new("durationRound", &[Whatever], |c, a| {
        let nanoseconds = match &a[0] {
            Value::String(s) => duration::parse(&s.text()).unwrap_or(0),
            Value::Int64(i) => *i,
            other => match as_time(other) {
                Some(t) => since(c, t),
                None => 0,
            },
        };
        Ok(coarse(nanoseconds.unsigned_abs()).into())
    }),
];

/// time.Since, in nanoseconds: what is too far away is as far as can be.
fn since(c: &Call<'_>, time: Moment) -> i64 {
    let age = c.run.environment.now.fixed_offset() - time;
    let limit = if age < chrono::TimeDelta::zero() { i64::MIN } else { i64::MAX };
    age.num_nanoseconds().unwrap_or(limit)
}

/// The age of a second that the library's calendar does not reach: as far as a duration goes. Go counts
/// from the year 1, and wraps around.
fn far_age(c: &Call<'_>, value: &Value) -> Option<i64> {
    const TO_1970: i64 = 62_135_596_800;
    let (Value::Int(second) | Value::Int64(second)) = value else { return None };
    if DateTime::from_timestamp(*second, 0).is_some() {
        return None;
    }
    let is_ahead = second.wrapping_add(TO_1970) > c.run.environment.now.timestamp() + TO_1970;
    Some(if is_ahead { i64::MIN } else { i64::MAX })
}

/// strconv.ParseInt, its error ignored: a number out of range is the nearest. What is no number is 0, unless Go finds it
/// to be too large first: at its twentieth digit.
fn saturating(text: &str) -> i64 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if first < digits.len() && digits[..first].parse::<u64>().is_ok() {
        return 0;
    }
    text.parse().unwrap_or_else(|error: std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow => i64::MAX,
        std::num::IntErrorKind::NegOverflow => i64::MIN,
        _ => 0,
    })
}

/// The largest unit only: `3d`.
fn coarse(nanoseconds: u64) -> String {
    const HOUR: u64 = 3600 * 1_000_000_000;
    let units = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ];
    match units.iter().find(|(unit, _)| nanoseconds > *unit) {
        Some((unit, name)) => format!("{}{name}", nanoseconds / unit),
        None => "0s".into(),
    }
}

type Moment = DateTime<FixedOffset>;

/// Go's time.Time.
pub(super) struct Time {
    pub at: Moment,
    /// The abbreviation of its zone; empty for one that has only an offset.
    zone: Rc<str>,
}

impl Time {
    pub fn new(at: Moment, zone: &str) -> Self {
        Time { at, zone: zone.into() }
    }

    pub fn utc(at: Moment) -> Self {
        Time::new(at, "UTC")
    }

    /// Another time in the same zone.
    fn moved(&self, at: Moment) -> Value {
        Value::object(Time { at, zone: self.zone.clone() })
    }
}

/// Year 1, Go's zero time.
fn zero() -> Moment {
    Utc.with_ymd_and_hms(1, 1, 1, 0, 0, 0).single().unwrap_or_default().fixed_offset()
}

fn as_time(value: &Value) -> Option<Moment> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Time>().map(|t| t.at),
        _ => None,
    }
}

/// 400 years, after which the calendar repeats itself, days of the week included.
const CYCLE: u64 = 146_097 * 86_400;
/// Seconds from 1970 that the library's calendar reaches in every zone.
const NEAR: std::ops::Range<i64> = -(400 * CYCLE as i64)..400 * CYCLE as i64;

/// A second of which the library knows nothing, in whole cycles nearer; and the years by which it was moved. Go counts
/// from a first of March so far back that none is before it, and wraps around.
fn nearer(second: i64) -> Option<(Moment, i64)> {
    const MARCH_OF_YEAR_0: i64 = 62_135_596_800 + 306 * 86_400;
    const CYCLES_BEFORE: u64 = 292_277_022_400 / 400;
    if NEAR.contains(&second) {
        return None;
    }
    let absolute =
        (second.wrapping_add(MARCH_OF_YEAR_0) as u64).wrapping_add(CYCLES_BEFORE * CYCLE);
    let cycles = (absolute / CYCLE) as i64 - CYCLES_BEFORE as i64;
    // The past is before all zones' rules, the future after them.
    let kept = if cycles > 0 { 5 } else { 0 };
    let near = (absolute % CYCLE) as i64 + kept * CYCLE as i64 - MARCH_OF_YEAR_0;
    Some((DateTime::from_timestamp(near, 0)?.fixed_offset(), (cycles - kept) * 400))
}

/// A time or seconds since 1970; anything else is now.
fn moment(c: &Call<'_>, value: &Value) -> Moment {
    let seconds = match value {
        Value::Int(i) | Value::Int64(i) => Some(*i),
        _ => None,
    };
    seconds
        .and_then(|s| DateTime::from_timestamp(s, 0))
        .map(|t| t.fixed_offset())
        .or_else(|| as_time(value))
        .unwrap_or_else(|| c.run.environment.now.fixed_offset())
}

fn in_zone(c: &Call<'_>, a: &[Value]) -> Returned {
    Ok(format(c, &a[0], &a[1], &text(&a[2])))
}

fn format(c: &Call<'_>, layout: &Value, date: &Value, zone: &str) -> Value {
    let far = match date {
        Value::Int(second) | Value::Int64(second) => nearer(*second),
        _ => None,
    };
    let (at, years) = far.unwrap_or_else(|| (moment(c, date), 0));
    let (at, zone) = zone::within(at, zone);
    match std::str::from_utf8(bytes(layout)) {
        Ok(layout) => layout::format_later(layout, &at, &zone, years).into(),
        Err(_) => {
            // Elements are ASCII; every byte is a character on the way, and a byte again.
            let layout: String = bytes(layout).iter().copied().map(char::from).collect();
            let formatted = layout::format_later(&layout, &at, &zone, years);
            let bytes: Vec<u8> = formatted.chars().map(|c| c as u8).collect();
            Value::string(bytes)
        }
    }
}

fn modify(a: &[Value]) -> Returned {
    let by = duration::parse(&text(&a[0]))?;
    let Value::Object(object) = &a[1] else { return Ok(a[1].clone()) };
    let Some(time) = object.as_any().downcast_ref::<Time>() else { return Ok(a[1].clone()) };
    let moved = time.at.checked_add_signed(chrono::Duration::nanoseconds(by));
    moved.map(|at| time.moved(at)).ok_or_else(|| "the date is out of range".into())
}

impl Object for Time {
    fn type_name(&self) -> &str {
        "time.Time"
    }

    fn fields(&self) -> Option<Vec<(&'static str, Value)>> {
        // Seconds are counted from the year 1, and UTC is spelt as no location.
        const YEAR_1: i64 = 62_135_596_800;
        Some(vec![
            ("wall", Value::Uint64(self.at.timestamp_subsec_nanos().into())),
            ("ext", Value::Int64(self.at.timestamp() + YEAR_1)),
            ("loc", Value::object(NilPointer("*time.Location"))),
        ])
    }

    fn method(&self, name: &str) -> Option<Method> {
        Some(Method::new(match name {
            "Format" => &[Kind::String],
            "AddDate" => &[Kind::Int, Kind::Int, Kind::Int],
            "Unix" | "UnixMilli" | "UnixNano" | "Year" | "Day" | "Hour" | "Minute" | "Second"
            | "Nanosecond" | "YearDay" | "IsZero" | "UTC" | "String" => &[],
            _ => return None,
        }))
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let t = &self.at;
        Some(Ok(match (name, arguments) {
            ("Unix", []) => Value::Int64(t.timestamp()),
            ("UnixMilli", []) => Value::Int64(t.timestamp_millis()),
            ("UnixNano", []) => Value::Int64(t.timestamp_nanos_opt().unwrap_or(0)),
            ("Year", []) => Value::Int(t.year().into()),
            ("Day", []) => Value::Int(t.day().into()),
            ("Hour", []) => Value::Int(t.hour().into()),
            ("Minute", []) => Value::Int(t.minute().into()),
            ("Second", []) => Value::Int(t.second().into()),
            ("Nanosecond", []) => Value::Int(t.nanosecond().into()),
            ("YearDay", []) => Value::Int(t.ordinal().into()),
            ("IsZero", []) => Value::Bool(*t == zero()),
            ("UTC", []) => Value::object(Time::utc(t.with_timezone(&Utc).fixed_offset())),
            ("String", []) => self.text().unwrap_or_default().into(),
            ("Format", [Value::String(layout)]) => {
                layout::format(&layout.text(), t, &self.zone).into()
            }
            ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => {
                return Some(add_date(t, *years, *months, *days).map(|at| self.moved(at)));
            }
            _ => return None,
        }))
    }

    fn text(&self) -> Option<String> {
        let layout = "2006-01-02 15:04:05.999999999 -0700 MST";
        Some(layout::format(layout, &self.at, &self.zone))
    }

    fn go_text(&self) -> Option<String> {
        let t = &self.at;
        let (month, day) = (layout::MONTHS[t.month0() as usize], t.day());
        let (hour, minute, second) = (t.hour(), t.minute(), t.second());
        let zone = match &*self.zone {
            "UTC" => "time.UTC".to_owned(),
            zone => format!("time.Location({})", quote(zone.as_bytes())),
        };
        let (year, nanosecond) = (t.year(), t.nanosecond());
        Some(format!(
            "time.Date({year}, time.{month}, {day}, {hour}, {minute}, {second}, {nanosecond}, {zone})"
        ))
    }

    fn json(&self) -> serde_json::Value {
        layout::format("2006-01-02T15:04:05.999999999Z07:00", &self.at, "").into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Time.AddDate: the 31st of a shorter month runs over into the next.
fn add_date(t: &Moment, years: i64, months: i64, days: i64) -> Result<Moment, String> {
    let wrong = || "the date is out of range".to_owned();
    let month0 = i64::from(t.month0()).checked_add(months).ok_or_else(wrong)?;
    let year = i64::from(t.year())
        .checked_add(years)
        .and_then(|y| y.checked_add(month0.div_euclid(12)))
        .and_then(|y| i32::try_from(y).ok())
        .ok_or_else(wrong)?;
    let first = t
        .with_day(1)
        .and_then(|t| t.with_month0(month0.rem_euclid(12) as u32))
        .and_then(|t| t.with_year(year))
        .ok_or_else(wrong)?;
    let shift = i64::from(t.day0()).checked_add(days).ok_or_else(wrong)?;
    first.checked_add_signed(chrono::Duration::try_days(shift).ok_or_else(wrong)?).ok_or_else(wrong)
}
