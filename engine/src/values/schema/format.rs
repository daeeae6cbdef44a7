//! `format`, where Helm's validator (santhosh-tekuri/jsonschema v6, `format.go`) has rules of its own.
//!
//! As there, formats count for the drafts 4 to 7, and what is encoded in a text is not looked at.

use jsonschema::ValidationOptions;

use crate::functions::{Pattern, is_url};

/// Adds the formats, and takes the checks of `contentEncoding` and `contentMediaType` away.
pub(super) fn register(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    options
        .with_format("duration", duration)
        .with_format("hostname", hostname)
        .with_format("iri-reference", url_reference)
        .with_format("period", period)
        .with_format("regex", |text: &str| Pattern::new(text.as_bytes()).is_ok())
        .with_format("semver", semantic_version)
        .with_format("uri-reference", url_reference)
        .with_format("uuid", uuid)
        .without_content_encoding_support("base64")
        .without_content_media_type_support("application/json")
}

/// RFC 3339, appendix A: `P3W`, or units in their order, each with a number. `P1D` but not `P`.
fn duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P').filter(|rest| !rest.is_empty()) else { return false };
    if let Some(weeks) = rest.strip_suffix('W') {
        return is_number(weeks);
    }
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return false,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    units(date, "YMD") && units(time, "HMS")
}

fn units(mut text: &str, mut allowed: &str) -> bool {
    while let Some(at) = text.find(|c: char| !c.is_ascii_digit()) {
        let unit = text[at..].chars().next().and_then(|unit| allowed.find(unit));
        let Some(unit) = unit.filter(|_| at > 0) else { return false };
        (text, allowed) = (&text[at + 1..], &allowed[unit + 1..]);
    }
    text.is_empty()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// ISO 8601's interval: two times, or one and a duration.
fn period(text: &str) -> bool {
    let Some((start, end)) = text.split_once('/') else { return false };
    let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).is_ok();
    match (start.starts_with('P'), end.starts_with('P')) {
        (true, _) => duration(start) && time(end),
        (false, true) => time(start) && duration(end),
        (false, false) => time(start) && time(end),
    }
}

/// Labels of letters, digits and inner hyphens; a dot may stand at the end.
fn hostname(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// All three numbers, as the specification has it.
fn semantic_version(text: &str) -> bool {
    let identifiers = |text: &str, numbers_are_plain: bool| {
        text.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !(numbers_are_plain && is_number(part) && has_leading_zero(part))
        })
    };
    let (rest, build) = split_off(text, '+');
    let (core, pre_release) = split_off(rest, '-');
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|number| is_number(number) && !has_leading_zero(number))
        && build.is_none_or(|build| identifiers(build, false))
        && pre_release.is_none_or(|pre_release| identifiers(pre_release, true))
}

fn has_leading_zero(number: &str) -> bool {
    number.len() > 1 && number.starts_with('0')
}

fn split_off(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// What Go's `net/url` reads, without a backslash.
fn url_reference(text: &str) -> bool {
    !text.contains('\\') && is_url(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_helms_validator() {
        type Check = fn(&str) -> bool;
        let cases: [(Check, &[&str], &[&str]); 6] = [
            (
                duration,
                &["P1D", "P3W", "P1Y2M3D", "PT1H", "P1YT2S", "PT1H3S"],
                &["", "P", "1D", "PT", "P1", "PD", "P1Y2W", "P1D1Y", "PT1D", "P1TT1H"],
            ),
            (
                period,
                &["2020-01-01T00:00:00Z/P1D", "P1D/2020-01-01T00:00:00Z"],
                &["P", "P1D/P1D", "2020-01-01T00:00:00Z", "x/P1D"],
            ),
            (hostname, &["a", "a.b.", "xn--x", "a-b.c1"], &["", ".", "-a", "a-", "a_b", "a..b"]),
            (
                uuid,
                &["01234567-89ab-cdef-ABCD-0123456789ab"],
                &["x", "0123456789abcdefABCD0123456789ab", "g1234567-89ab-cdef-ABCD-0123456789ab"],
            ),
            (
                semantic_version,
                &["1.2.3", "1.2.3-rc.1", "1.2.3+01", "0.0.0-0a.b+c-d"],
                &["1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "1.2.3.4"],
            ),
            (url_reference, &["a b", "", "/x", "https://a.test/?q#f"], &["a\\b", "%zz", ":x"]),
        ];
        for (check, good, bad) in cases {
            good.iter().for_each(|text| assert!(check(text), "{text} is one"));
            bad.iter().for_each(|text| assert!(!check(text), "{text} is none"));
        }
    }
}
