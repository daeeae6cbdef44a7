//! Versions and ranges as Masterminds/semver v3 reads them, which is what charts mean.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

/// A version, read leniently: a leading `v` and missing minor or patch numbers are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    pub(crate) pre: semver::Prerelease,
}

const NUMBERS: &str = r"v?([0-9]+|[xX*])(\.[0-9]+|\.[xX*])?(\.[0-9]+|\.[xX*])?";
const SUFFIX: &str =
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?";

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        static VERSION: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(&format!(r"^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?{SUFFIX}$")).expect("a constant")
        });
        let found = VERSION.captures(text)?;
        let number = |i: usize| match found.get(i) {
            Some(part) => part.as_str().trim_start_matches('.').parse().ok(),
            None => Some(0),
        };
        let pre = found.get(4).map_or("", |part| part.as_str());
        Some(Self {
            major: number(1)?,
            minor: number(2)?,
            patch: number(3)?,
            pre: semver::Prerelease::new(pre).ok()?,
        })
    }

    fn order(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch, &self.pre).cmp(&(
            other.major,
            other.minor,
            other.patch,
            &other.pre,
        ))
    }
}

/// Whether `version` is in `range`; false if either cannot be read.
pub(crate) fn is_compatible(range: &str, version: &str) -> bool {
    let Some(version) = Version::parse(version) else { return false };
    let alternatives: Option<Vec<Vec<Comparison>>> = range.split("||").map(comparisons).collect();
    alternatives.is_some_and(|alternatives| {
        alternatives.iter().any(|all| all.iter().all(|c| c.holds(&version)))
    })
}

/// One comparison, such as `>=1.2.x`.
struct Comparison {
    operator: String,
    version: Version,
    /// Which parts are missing or wild.
    wild: Wild,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wild {
    Nothing,
    Patch,
    Minor,
    Major,
}

fn comparisons(text: &str) -> Option<Vec<Comparison>> {
    static HYPHEN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(r"\s*({NUMBERS}{SUFFIX})\s+-\s+({NUMBERS}{SUFFIX})\s*"))
            .expect("a constant")
    });
    static COMPARISON: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(r"^[\s,]*(=|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*({NUMBERS}){SUFFIX}"))
            .expect("a constant")
    });
    let text = HYPHEN.replace_all(text, " >=${1} <=${7} ");
    let mut rest = text.trim();
    let mut all = Vec::new();
    while !rest.trim_matches([' ', ',', '\t']).is_empty() {
        let found = COMPARISON.captures(rest)?;
        let part = |i: usize| found.get(i).map(|p| p.as_str().trim_start_matches('.'));
        let number = |i: usize| match part(i) {
            None | Some("x" | "X" | "*") => None,
            Some(digits) => Some(digits.parse::<u64>().ok()),
        };
        let (major, minor, patch) = (number(3), number(4), number(5));
        let wild = match (&major, &minor, &patch) {
            (None, _, _) => Wild::Major,
            (_, None, _) => Wild::Minor,
            (_, _, None) => Wild::Patch,
            _ => Wild::Nothing,
        };
        let pre = if wild == Wild::Nothing { part(6).unwrap_or("") } else { "" };
        let zero = |from: Wild, n: Option<Option<u64>>| {
            if wild >= from { Some(0) } else { n.unwrap_or(Some(0)) }
        };
        all.push(Comparison {
            operator: found.get(1).map_or("", |m| m.as_str()).to_owned(),
            version: Version {
                major: zero(Wild::Major, major)?,
                minor: zero(Wild::Minor, minor)?,
                patch: zero(Wild::Patch, patch)?,
                pre: semver::Prerelease::new(pre).ok()?,
            },
            wild,
        });
        rest = &rest[found.get(0)?.end()..];
    }
    if all.is_empty() { None } else { Some(all) }
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let bound = &self.version;
        // Pre-releases are only in ranges that name one.
        if !version.pre.is_empty() && bound.pre.is_empty() && self.operator != "!=" {
            return false;
        }
        let order = version.order(bound);
        let same_major = version.major == bound.major;
        let same_minor = same_major && version.minor == bound.minor;
        let within_wild = match self.wild {
            Wild::Nothing => order == Ordering::Equal,
            Wild::Patch => same_minor,
            Wild::Minor => same_major,
            Wild::Major => true,
        };
        match self.operator.as_str() {
            "" | "=" if self.wild == Wild::Nothing => order == Ordering::Equal,
            "!=" => !within_wild,
            ">" => order == Ordering::Greater && (self.wild == Wild::Nothing || !within_wild),
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" => {
                order != Ordering::Greater || (self.wild != Wild::Nothing && within_wild)
            }
            "^" => self.caret(version, order),
            // "~", "~>", and "" or "=" with wildcards
            _ => self.tilde(version, order),
        }
    }

    fn tilde(&self, version: &Version, order: Ordering) -> bool {
        let bound = &self.version;
        if order == Ordering::Less {
            return false;
        }
        match self.wild {
            Wild::Major => true,
            Wild::Minor => version.major == bound.major,
            _ => version.major == bound.major && version.minor == bound.minor,
        }
    }

    fn caret(&self, version: &Version, order: Ordering) -> bool {
        let bound = &self.version;
        if order == Ordering::Less {
            return false;
        }
        if bound.major > 0 || self.wild >= Wild::Minor {
            return self.wild == Wild::Major || version.major == bound.major;
        }
        if version.major != 0 {
            return false;
        }
        if bound.minor > 0 || self.wild == Wild::Patch {
            return version.minor == bound.minor;
        }
        version.minor == 0 && version.patch == bound.patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_in_masterminds() {
        for (range, version, expected) in [
            (">=1.21.0-0", "v1.36.3", true),
            (">=1.21.0", "v1.36.3-rc.1", false),
            (">= 1.22.0-0 < 1.30.0", "v1.29.9", true),
            (">= 1.22.0-0, < 1.30.0", "v1.30.0", false),
            ("^1.2", "1.9.0", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.0.3", "0.0.4", false),
            ("~1.2", "1.3.0", false),
            ("~1", "1.3.0", true),
            ("1.x", "1.3.0", true),
            ("1.2", "1.2.7", true),
            ("*", "3.0.0", true),
            ("*", "3.0.0-a", false),
            ("1.0 - 2.0", "2.0.5", true),
            ("<1 || >2.0", "2.1.0", true),
            (">2.0", "2.0.1", false),
            ("!=1.2.3", "1.2.4", true),
            ("1.2.3", "1.2.3+build", true),
            ("nonsense", "1.0.0", false),
        ] {
            assert_eq!(is_compatible(range, version), expected, "{range} {version}");
        }
    }
}
