//! Constraints, in the grammar of Masterminds/semver.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

use super::parts::Parts;
use super::version::Version;
use crate::template::quote::quote;

/// What `\s` is in Go.
const SPACES: &[char] = &['\t', '\n', '\x0c', '\r', ' '];

/// Before those that they begin with.
const OPERATORS: [&str; 12] = ["=>", "=<", ">=", "<=", "!=", "~>", "=", ">", "<", "~", "^", ""];

/// Alternatives of conditions that must all hold: `>=1.2, <2 || ^3`.
pub struct Constraint {
    alternatives: Vec<Vec<Condition>>,
}

struct Condition {
    operator: &'static str,
    version: Version,
    /// A part was left out or is `x`.
    dirty: bool,
    minor_dirty: bool,
    patch_dirty: bool,
}

impl Constraint {
    /// Reads at most 512 bytes.
    pub fn parse(text: &str) -> Result<Constraint, String> {
        if text.len() > 512 {
            return Err("constraint string is too long (max 512 bytes)".into());
        }
        let text = between(text);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > 32 {
            return Err("too many constraint groups (max 32)".into());
        }
        let alternatives = groups.into_iter().map(|group| {
            let written = conditions(group)
                .ok_or_else(|| format!("improper constraint: {}", quote(group.as_bytes())))?;
            written.iter().map(|(operator, parts)| condition(operator, parts)).collect()
        });
        Ok(Constraint { alternatives: alternatives.collect::<Result<_, _>>()? })
    }

    /// Whether one of the alternatives holds. Prereleases are in no range whose alternative names none.
    pub fn matches(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|conditions| {
            let prereleases = conditions.iter().any(|c| !c.version.prerelease.is_empty());
            (version.prerelease.is_empty() || prereleases)
                && conditions.iter().all(|condition| condition.holds(version))
        })
    }
}

/// `1.2 - 2` is `>= 1.2, <= 2`.
fn between(text: &str) -> Cow<'_, str> {
    const VERSION: &str = r"v?[0-9|xX*]+(?:\.[0-9|xX*]+){0,2}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?";
    static RANGE: LazyLock<Regex> = LazyLock::new(|| {
        let space = r"[\t\n\x0c\r ]";
        let pattern = format!("{space}*({VERSION}){space}+-{space}+({VERSION}){space}*");
        Regex::new(&pattern).expect("a constant")
    });
    // Spares most runs the making of the expression.
    match text.split(SPACES).any(|word| word == "-") {
        true => RANGE.replace_all(text, ">= ${1}, <= ${2} "),
        false => text.into(),
    }
}

/// The conditions of an alternative, each an operator and a version; spaces or a comma between them. None: it has other
/// text, or nothing.
fn conditions(group: &str) -> Option<Vec<(&'static str, Parts<'_>)>> {
    let is_number = |byte| matches!(byte, b'0'..=b'9' | b'|' | b'x' | b'X' | b'*');
    let skip = |text: &'_ str| text.len() - text.trim_start_matches(SPACES).len();
    let mut found = Vec::new();
    let mut rest = &group[skip(group)..];
    loop {
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator))?;
        rest = &rest[operator.len()..];
        let (parts, after) = Parts::take(&rest[skip(rest)..], is_number)?;
        found.push((operator, parts));
        let next = &after[skip(after)..];
        rest = match next.strip_prefix(',') {
            Some(next) => &next[skip(next)..],
            None if next.is_empty() => return Some(found),
            None if next.len() < after.len() => next,
            None => return None,
        };
    }
}

fn condition(operator: &'static str, parts: &Parts<'_>) -> Result<Condition, String> {
    let is_open = |number: &str| matches!(number, "" | "x" | "X" | "*");
    let [major, minor, patch] = parts.numbers;
    let dash = if parts.prerelease.is_empty() { "" } else { "-" };
    let prerelease = parts.prerelease;
    let (mut dirty, mut minor_dirty, mut patch_dirty) = (true, false, false);
    let text = if is_open(major) {
        format!("0.0.0{dash}{prerelease}")
    } else if is_open(minor) {
        minor_dirty = true;
        format!("{major}.0.0{dash}{prerelease}")
    } else if is_open(patch) {
        patch_dirty = true;
        format!("{major}.{minor}.0{dash}{prerelease}")
    } else {
        dirty = false;
        parts.whole.to_owned()
    };
    let version = Version::parse(&text).map_err(|_| "constraint parser error".to_owned())?;
    Ok(Condition { operator, version, dirty, minor_dirty, patch_dirty })
}

impl Condition {
    fn holds(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        let [major, minor, patch] = version.numbers;
        let [our_major, our_minor, our_patch] = self.version.numbers;
        match self.operator {
            "" | "=" if !self.dirty => order == Ordering::Equal,
            "" | "=" | "~" | "~>" => {
                if order == Ordering::Less {
                    return false;
                }
                if self.version.numbers == [0; 3] && !self.minor_dirty && !self.patch_dirty {
                    return true;
                }
                major == our_major && (minor == our_minor || self.minor_dirty)
            }
            "!=" if self.dirty => {
                if major != our_major {
                    return true;
                }
                if minor != our_minor && !self.minor_dirty {
                    return true;
                }
                if self.minor_dirty {
                    return false;
                }
                if patch != our_patch && !self.patch_dirty {
                    return true;
                }
                if self.patch_dirty {
                    return version.prerelease != self.version.prerelease;
                }
                order != Ordering::Equal
            }
            "!=" => order != Ordering::Equal,
            ">" if self.dirty => {
                if major != our_major {
                    return major > our_major;
                }
                if self.minor_dirty {
                    return false;
                }
                if self.patch_dirty { minor > our_minor } else { order == Ordering::Greater }
            }
            ">" => order == Ordering::Greater,
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" if self.dirty => {
                major < our_major || major == our_major && (minor <= our_minor || self.minor_dirty)
            }
            "<=" | "=<" => order != Ordering::Greater,
            "^" => {
                if order == Ordering::Less || major != our_major {
                    return false;
                }
                if our_major > 0 || self.minor_dirty {
                    return true;
                }
                if minor != our_minor {
                    return false;
                }
                our_minor > 0 || self.patch_dirty || patch == our_patch
            }
            _ => false,
        }
    }
}
