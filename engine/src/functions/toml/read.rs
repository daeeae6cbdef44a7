//! The decoder. Its complaints are those of our TOML library.

use chrono::{FixedOffset, NaiveDate};
use toml::value::{Date, Datetime, Offset, Time as Clock};

use crate::functions::dates::Time;
use crate::template::{List, ListType, Value};

/// The text after its byte order mark, of UTF-16 as well (`parse` of BurntSushi/toml).
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    const MARKS: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"];
    MARKS.iter().find_map(|mark| text.strip_prefix(*mark)).unwrap_or(text)
}

/// The document as a map. Err: what is wrong with it.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(text));
        let line = 1 + before.matches('\n').count();
        format!("toml: line {line}: {}", error.message())
    })?;
    Ok(converted_table(table))
}

fn converted_table(table: toml::Table) -> Value {
    Value::map(table.into_iter().map(|(key, value)| (key, converted(value))))
}

fn converted(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(i) => Value::Int64(i),
        toml::Value::Float(f) => Value::Float(f),
        toml::Value::Boolean(b) => b.into(),
        toml::Value::Datetime(datetime) => time(datetime).map_or(Value::Nil, Value::object),
        toml::Value::Array(items) => {
            Value::List(List::new(ListType::Any, items.into_iter().map(converted).collect()))
        }
        toml::Value::Table(table) => converted_table(table),
    }
}

/// Go's time; one without an offset is in a zone that tells what it is.
fn time(datetime: Datetime) -> Option<Time> {
    let zone = match (&datetime.date, &datetime.time, &datetime.offset) {
        (_, _, Some(Offset::Z)) => "UTC",
        (_, _, Some(Offset::Custom { minutes: 0 })) => "UTC",
        (_, _, Some(_)) => "",
        (Some(_), Some(_), None) => "datetime-local",
        (Some(_), None, None) => "date-local",
        _ => "time-local",
    };
    let date = datetime.date.unwrap_or(Date { year: 0, month: 1, day: 1 });
    let clock =
        datetime.time.unwrap_or(Clock { hour: 0, minute: 0, second: None, nanosecond: None });
    let minutes = match datetime.offset {
        Some(Offset::Custom { minutes }) => i32::from(minutes),
        _ => 0,
    };
    let date = NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())?;
    let local = date.and_hms_nano_opt(
        clock.hour.into(),
        clock.minute.into(),
        clock.second.unwrap_or(0).into(),
        clock.nanosecond.unwrap_or(0),
    )?;
    let at = local.and_local_timezone(FixedOffset::east_opt(minutes * 60)?).single()?;
    Some(Time::new(at, zone))
}
