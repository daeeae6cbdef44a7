//! Zones by name, of the IANA database that is built in.

use std::str::FromStr;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, TimeZone, Utc};
use chrono_tz::{OffsetName, Tz};

/// The moment in a zone, and the zone's abbreviation then. The machine's own zone, and one that is not
/// known, is UTC.
pub(super) fn within(at: DateTime<FixedOffset>, zone: &str) -> (DateTime<FixedOffset>, String) {
    // In the database of today these are other names of places; Go's still has them as they were meant.
    let fixed = match zone {
        "EST" => FixedOffset::west_opt(5 * 3600),
        "MST" => FixedOffset::west_opt(7 * 3600),
        "HST" => FixedOffset::west_opt(10 * 3600),
        _ => None,
    };
    if let Some(offset) = fixed {
        return (at.with_timezone(&offset), zone.to_owned());
    }
    let Ok(tz) = Tz::from_str(zone) else {
        return (at.with_timezone(&Utc).fixed_offset(), "UTC".to_owned());
    };
    let local = like(at.to_utc(), tz).with_timezone(&tz);
    let name = local.offset().abbreviation().map(str::to_owned);
    let name = name.unwrap_or_else(|| numbered(local.offset().fix()));
    (at.with_timezone(&local.offset().fix()), name)
}

/// The abbreviation of zones that have no letters.
fn numbered(offset: FixedOffset) -> String {
    let seconds = offset.local_minus_utc();
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    match (minutes / 60, minutes % 60) {
        (hours, 0) => format!("{sign}{hours:02}"),
        (hours, minutes) => format!("{sign}{hours:02}{minutes:02}"),
    }
}

/// The last year whose rules are in the database.
const LAST: i32 = 2099;

/// A moment that the database knows, with the offset of this one. Rules go on for ever: a zone with a summer time has it
/// on the same days in every year that begins with the same day of the week and has as many days.
fn like(at: DateTime<Utc>, tz: Tz) -> DateTime<Utc> {
    if at.year() <= LAST {
        return at;
    }
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day);
    let offset = |month| {
        let noon = day(LAST, month, 1).and_then(|day| day.and_hms_opt(12, 0, 0));
        noon.map(|noon| tz.offset_from_utc_datetime(&noon).fix())
    };
    let is_like = |year: &i32| {
        let [this, that] = [*year, at.year()]
            .map(|year| (day(year, 1, 1).map(|first| first.weekday()), day(year, 2, 29).is_some()));
        this == that
    };
    let year =
        if offset(1) == offset(7) { Some(LAST) } else { (LAST - 27..=LAST).rev().find(is_like) };
    // Only a 29th of February may be missing, in a zone that knows no summer.
    let near =
        year.and_then(|year| at.with_year(year).or_else(|| at.with_day(28)?.with_year(year)));
    near.unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summers_go_on_for_ever() {
        for (at, zone, expected) in [
            ("2288-10-24T00:00:00Z", "Europe/Berlin", "+02:00 CEST"),
            ("2288-11-24T00:00:00Z", "Europe/Berlin", "+01:00 CET"),
            ("2400-02-29T12:00:00Z", "Europe/Berlin", "+01:00 CET"),
            ("2400-02-29T12:00:00Z", "Asia/Tokyo", "+09:00 JST"),
            ("2400-02-29T12:00:00Z", "Australia/Sydney", "+11:00 AEDT"),
            ("2150-03-10T12:00:00Z", "America/New_York", "-04:00 EDT"),
            ("2150-07-10T12:00:00Z", "Africa/Casablanca", "+01:00 +01"),
            ("2024-07-10T12:00:00Z", "Europe/Berlin", "+02:00 CEST"),
        ] {
            let at = DateTime::parse_from_rfc3339(at).expect("a time");
            let (local, name) = within(at, zone);
            assert_eq!(format!("{} {name}", local.offset()), expected, "{at} {zone}");
            assert_eq!(local, at);
        }
    }
}
