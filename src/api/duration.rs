//! A duration as Go writes it and Kubernetes stores it: `1h30m`, `500ms`.

use std::{fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The pattern of Flux's duration fields.
pub const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// The longest duration that Go can hold: 2^63 - 1 nanoseconds, about 292 years.
pub const MAX: Duration = Duration::from_nanos(i64::MAX as u64);
/// The longest text that is read, in characters. The schema says so too: an object that the API server takes
/// and that cannot be read would stop the watch of all objects of its kind.
const MAX_TEXT: usize = 256;

/// Text that matches [`PATTERN`], kept as it was written, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration {
    text: String,
    value: Duration,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a duration: write numbers with the units ms, s, m or h, such as 1h30m")]
pub struct InvalidDuration(String);

impl GoDuration {
    /// What the text means; more than [`MAX`] counts as [`MAX`].
    pub fn get(&self) -> Duration {
        self.value
    }
}

impl TryFrom<String> for GoDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        match parse(&text) {
            Some(value) => Ok(Self { text, value }),
            None => Err(InvalidDuration(text.chars().take(100).collect())),
        }
    }
}

impl std::str::FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        text.to_owned().try_into()
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.text
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse(text: &str) -> Option<Duration> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return None;
    }
    let mut rest = text;
    let mut seconds = 0_f64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_lowercase())?);
        let (unit, after) = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)]
            .into_iter()
            .find_map(|(unit, scale)| Some((scale, after.strip_prefix(unit)?)))?;
        seconds += decimal(number)? * unit;
        rest = after;
    }
    Some(Duration::try_from_secs_f64(seconds).map_or(MAX, |d| d.min(MAX)))
}

/// Digits, and perhaps a point and more digits: less than `f64::from_str` takes.
fn decimal(text: &str) -> Option<f64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if digits(whole) && digits(fraction) { text.parse().ok() } else { None }
}

impl JsonSchema for GoDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN, "maxLength": MAX_TEXT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_pattern_allows() {
        for (text, millis) in
            [("5m", 300_000), ("1h30m", 5_400_000), ("1.5s", 1_500), ("500ms", 500), ("0s", 0)]
        {
            let duration: GoDuration = text.parse().expect(text);
            assert_eq!(duration.get(), Duration::from_millis(millis), "{text}");
            assert_eq!(duration.to_string(), text);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "5", "m", "5d", "-5m", "1e3s", ".5s", "5.s", "5 m", "infs", "5us", "5m "] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn ends_at_what_go_can_hold() {
        let long: GoDuration = format!("{}h", "9".repeat(200)).parse().expect("pattern matches");
        assert_eq!(long.get(), MAX);
        assert!(format!("{}h", "9".repeat(256)).parse::<GoDuration>().is_err());
    }

    /// Texts grown from the pattern's own pieces, up to and beyond the schema's length.
    #[test]
    fn whatever_the_schema_accepts_is_read() {
        let schema = GoDuration::json_schema(&mut SchemaGenerator::default());
        let pattern = schema.get("pattern").and_then(|p| p.as_str()).expect("a pattern");
        let pattern = regex::Regex::new(pattern).expect("an expression");
        let longest = schema.get("maxLength").and_then(|l| l.as_u64()).expect("a length") as usize;
        let valid = |text: &str| text.chars().count() <= longest && pattern.is_match(text);
        let pieces =
            ["0", "9", "007", ".", ".5", "ms", "s", "m", "h", "us", "1h", "99999999h", " "];
        let (mut accepted, mut refused) = (0, 0);
        let mut random = 1_u64;
        for length in (1..8).cycle().take(4_000).chain([60, 100, 200]) {
            let text: String = (0..length)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    pieces[(random >> 33) as usize % pieces.len()]
                })
                .collect();
            let allowed = valid(&text);
            assert_eq!(text.parse::<GoDuration>().is_ok(), allowed, "{text}");
            if allowed { accepted += 1 } else { refused += 1 }
        }
        for (length, allowed) in [(255, true), (256, false)] {
            let text = format!("{}h", "9".repeat(length));
            assert_eq!(valid(&text), allowed, "{length}");
            assert_eq!(text.parse::<GoDuration>().is_ok(), allowed, "{length}");
        }
        assert!(accepted > 100 && refused > 100, "{accepted} accepted, {refused} refused");
    }
}
