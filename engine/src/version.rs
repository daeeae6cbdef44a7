//! Versions and ranges as charts mean them: Masterminds/semver.

pub use crate::functions::semver::{Constraint, Version};

/// Whether Helm takes it for a version.
pub(crate) fn is_version(text: &str) -> bool {
    Version::parse(text).is_ok()
}

/// Whether it is all of semantic versioning 2: three numbers, no `v`.
pub(crate) fn is_strict_version(text: &str) -> bool {
    semver::Version::parse(text).is_ok()
}

/// Whether `version` is in `range`; false if either cannot be read.
pub(crate) fn is_compatible(range: &str, version: &str) -> bool {
    match (Constraint::parse(range), Version::parse(version)) {
        (Ok(range), Ok(version)) => range.matches(&version),
        _ => false,
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
            (">= 1.22.0-0, < 1.30.0", "v1.30.0", false),
            ("^1.2", "1.9.0", true),
            ("~1.2", "1.3.0", false),
            ("1.x", "1.3.0", true),
            ("*", "3.0.0", true),
            ("<1 || >2.0", "2.1.0", true),
            ("nonsense", "1.0.0", false),
        ] {
            assert_eq!(is_compatible(range, version), expected, "{range} {version}");
        }
    }
}
