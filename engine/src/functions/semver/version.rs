//! Versions and constraints in the grammar of Masterminds/semver, which Sprig and Helm use.

use std::cmp::Ordering;
use std::num::IntErrorKind;
use std::sync::LazyLock;

use regex::Regex;

/// A semantic version; minor and patch may be left out, and a `v` may come first.
#[derive(Clone, Debug)]
pub struct Version {
    pub numbers: [u64; 3],
    pub prerelease: String,
    pub metadata: String,
    /// As it was written.
    pub original: String,
}

const VERSION: &str = r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?";
const OPERATORS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant expression")
}

static LOOSE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?$",
    )
});
static RANGE: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"\s*(?P<low>{VERSION})\s+-\s+(?P<high>{VERSION})\s*")));
// Leftmost-first alternation tries the empty operator second, as in Go; longest first gives the same matches.
static FIND: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(r"(?P<operator>=>|=<|>=|<=|!=|~>|=|>|<|~|\^|)\s*(?P<version>{VERSION})"))
});
static VALID: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"^(\s*({OPERATORS})\s*({VERSION})\s*)((?:\s+|,\s*)({OPERATORS})\s*({VERSION})\s*)*$"
    ))
});

impl Version {
    /// Reads at most 256 bytes.
    pub fn parse(text: &str) -> Result<Version, String> {
        const INVALID: &str = "invalid semantic version";
        if text.len() > 256 {
            return Err("version string is too long (max 256 bytes)".into());
        }
        let parts = LOOSE.captures(text).ok_or(INVALID)?;
        let number = |i: usize| match parts.get(i) {
            None => Ok(0),
            Some(m) => {
                let text = m.as_str().trim_start_matches('.');
                text.parse::<u64>().map_err(|error| {
                    let why = match error.kind() {
                        IntErrorKind::PosOverflow => "value out of range",
                        _ => "invalid syntax",
                    };
                    format!("error parsing version segment: strconv.ParseUint: parsing \"{text}\": {why}")
                })
            }
        };
        let part = |i: usize| parts.get(i).map_or(String::new(), |m| m.as_str().to_owned());
        let prerelease = part(5);
        let bad_number =
            |p: &str| p.len() > 1 && p.starts_with('0') && p.bytes().all(|b| b.is_ascii_digit());
        if prerelease.split('.').any(bad_number) {
            return Err("version segment starts with 0".into());
        }
        Ok(Version {
            numbers: [number(1)?, number(2)?, number(3)?],
            prerelease,
            metadata: part(7),
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

/// Alternatives of conditions that must all hold: `>=1.2, <2 || ^3`.
pub struct Constraint {
    alternatives: Vec<Vec<Condition>>,
}

struct Condition {
    operator: String,
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
        let text = RANGE.replace_all(text, ">= ${low}, <= ${high} ");
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > 32 {
            return Err("too many constraint groups (max 32)".into());
        }
        let alternatives = groups.into_iter().map(|group| {
            if !VALID.is_match(group) {
                return Err(format!("improper constraint: {group:?}"));
            }
            FIND.captures_iter(group).map(|found| condition(&found)).collect()
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

fn condition(found: &regex::Captures<'_>) -> Result<Condition, String> {
    // Groups: 1 operator, 2 version, 3 major, 4 minor, 5 patch, 6 prerelease with its dash.
    let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
    let is_open = |text: &str| matches!(text.trim_start_matches('.'), "" | "x" | "X" | "*");
    let (major, minor, patch, prerelease) = (part(3), part(4), part(5), part(6));
    let mut condition = Condition {
        operator: part(1).to_owned(),
        version: Version {
            numbers: [0; 3],
            prerelease: String::new(),
            metadata: String::new(),
            original: String::new(),
        },
        dirty: true,
        minor_dirty: false,
        patch_dirty: false,
    };
    let text = if is_open(major) {
        format!("0.0.0{prerelease}")
    } else if is_open(minor) {
        condition.minor_dirty = true;
        format!("{major}.0.0{prerelease}")
    } else if is_open(patch) {
        condition.patch_dirty = true;
        format!("{major}{minor}.0{prerelease}")
    } else {
        condition.dirty = false;
        part(2).to_owned()
    };
    condition.version = Version::parse(&text).map_err(|_| "constraint parser error".to_owned())?;
    Ok(condition)
}

impl Condition {
    fn holds(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        let [major, minor, patch] = version.numbers;
        let [our_major, our_minor, our_patch] = self.version.numbers;
        match self.operator.as_str() {
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
