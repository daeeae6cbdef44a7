//! Zones by name, of the IANA database that is built in.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Offset, Utc};
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
    let local = at.with_timezone(&tz);
    let name = local.offset().abbreviation().unwrap_or_default().to_owned();
    (at.with_timezone(&local.offset().fix()), name)
}
