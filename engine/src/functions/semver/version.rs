//! Versions, in the grammar of Masterminds/semver, which Sprig and Helm use.

use std::cmp::Ordering;
use std::num::{IntErrorKind, ParseIntError};

use super::parts::Parts;

/// A semantic version; minor and patch may be left out, and a `v` may come first.
#[derive(Clone, Debug)]
pub struct Version {
    pub numbers: [u64; 3],
    pub prerelease: String,
    pub metadata: String,
    /// As it was written.
    pub original: String,
}

impl Version {
    /// Reads at most 256 bytes.
    pub fn parse(text: &str) -> Result<Version, String> {
        if text.len() > 256 {
            return Err("version string is too long (max 256 bytes)".into());
        }
        let parts = match Parts::take(text, |byte| byte.is_ascii_digit()) {
            Some((parts, "")) => parts,
            _ => return Err("invalid semantic version".into()),
        };
        let bad_number =
            |p: &str| p.len() > 1 && p.starts_with('0') && p.bytes().all(|b| b.is_ascii_digit());
        if parts.prerelease.split('.').any(bad_number) {
            return Err("version segment starts with 0".into());
        }
        let [major, minor, patch] = parts.numbers;
        Ok(Version {
            numbers: [number(major)?, number(minor)?, number(patch)?],
            prerelease: parts.prerelease.to_owned(),
            metadata: parts.metadata.to_owned(),
            original: text.to_owned(),
        })
    }

    /// Precedence: metadata does not count.
    pub fn compare(&self, other: &Version) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| compare_prerelease(&self.prerelease, &other.prerelease))
    }
}

/// The number of digits, 0 if there are none.
fn number(digits: &str) -> Result<u64, String> {
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().map_err(|error: ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("error parsing version segment: strconv.ParseUint: parsing \"{digits}\": {why}")
    })
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn compare_prerelease(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u64>(), y.parse::<u64>()) {
                (Ok(x), Ok(y)) => x.cmp(&y),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => x.cmp(y),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}
