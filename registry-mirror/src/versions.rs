//! Tags as chart versions.

use semver::Version;

/// The strict semantic versions among these tags, newest first, each once.
///
/// `_` stands for the `+` that tags cannot hold. Other tags (`latest`, `v1.2.3`, `1.2`) are left
/// out: Helm pushes charts under their exact version only.
pub fn newest_first<T: AsRef<str>>(tags: impl IntoIterator<Item = T>) -> Vec<Version> {
    let version = |tag: T| Version::parse(&tag.as_ref().replace('_', "+")).ok();
    let mut versions: Vec<Version> = tags.into_iter().filter_map(version).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.dedup();
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_strict() {
        let tags =
            ["1.9.0", "1.10.0", "latest", "v2.0.0", "1.10", "1.10.0-rc.1", "1.9.0_b2", "1.9.0"];
        let versions: Vec<_> = newest_first(tags).iter().map(ToString::to_string).collect();
        assert_eq!(versions, ["1.10.0", "1.10.0-rc.1", "1.9.0+b2", "1.9.0"]);
    }
}
