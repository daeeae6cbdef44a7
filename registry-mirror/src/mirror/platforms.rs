//! Which images of an index are wanted. Pure.

use crate::manifest::{Descriptor, Platform};

/// All platforms, or some: `os/architecture[/variant]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platforms(Vec<Platform>);

/// The text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform such as linux/amd64 or linux/arm/v7")]
pub struct InvalidPlatform(String);

/// Buildkit's attestations name the image that they are about in this annotation.
const ATTESTED: &str = "vnd.docker.reference.digest";

impl Platforms {
    /// The whole index if `texts` is empty.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, InvalidPlatform> {
        let platform = |text: &str| {
            let invalid = || InvalidPlatform(text.chars().take(100).collect());
            let parts: Vec<&str> = text.split('/').collect();
            let word = |part: &&str| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            };
            let (os, architecture, variant) = match parts[..] {
                [os, architecture] => (os, architecture, None),
                [os, architecture, variant] => (os, architecture, Some(variant)),
                _ => return Err(invalid()),
            };
            if !parts.iter().all(word) {
                return Err(invalid());
            }
            Ok(Platform {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
                variant: variant.map(str::to_owned),
                os_version: None,
            })
        };
        texts.iter().map(|text| platform(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The wanted manifests of an index, with the attestations that are about them. What has no
    /// platform is wanted: it is no image.
    pub(super) fn of<'a>(&self, manifests: &'a [Descriptor]) -> Vec<&'a Descriptor> {
        let attested = |manifest: &'a Descriptor| {
            manifest.annotations.as_ref().and_then(|annotations| annotations.get(ATTESTED))
        };
        let images: Vec<&Descriptor> = manifests
            .iter()
            .filter(|manifest| attested(manifest).is_none() && self.has(manifest.platform.as_ref()))
            .collect();
        let wanted = |manifest: &&'a Descriptor| match attested(manifest) {
            Some(digest) => images.iter().any(|image| image.digest.as_str() == digest),
            None => self.has(manifest.platform.as_ref()),
        };
        manifests.iter().filter(wanted).collect()
    }

    fn has(&self, platform: Option<&Platform>) -> bool {
        let Some(platform) = platform else { return true };
        let fits = |wanted: &Platform| {
            wanted.os == platform.os
                && wanted.architecture == platform.architecture
                && (wanted.variant.is_none() || wanted.variant == platform.variant)
        };
        self.is_all() || self.0.iter().any(fits)
    }
}

impl std::fmt::Display for Platforms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn image(platform: &str) -> Descriptor {
        let parsed = Platforms::parse(&[platform]).unwrap();
        let mut image = Descriptor::of("m", platform.as_bytes());
        image.platform = parsed.0.into_iter().next();
        image
    }

    #[test]
    fn chosen_with_their_attestations() {
        let mut attestation = Descriptor::of("m", b"attestation");
        attestation.platform = Platforms::parse(&["unknown/unknown"]).unwrap().0.pop();
        let about = [(ATTESTED.to_owned(), Digest::of(b"linux/arm64").to_string())];
        attestation.annotations = Some(about.into());
        let index =
            [image("linux/amd64"), image("linux/arm64"), image("linux/arm/v7"), attestation];
        let count = |texts: &[&str]| Platforms::parse(texts).unwrap().of(&index).len();
        assert_eq!(count(&[]), 4);
        assert_eq!(count(&["linux/amd64"]), 1);
        assert_eq!(count(&["linux/arm64"]), 2, "with what attests it");
        assert_eq!(count(&["linux/arm"]), 1);
        assert_eq!(count(&["linux/arm/v6"]), 0);
        assert_eq!(count(&["linux/amd64", "linux/arm64"]), 3);
    }

    #[test]
    fn refused() {
        for text in ["", "linux", "linux/", "linux/a/b/c", "linux/a b"] {
            assert!(Platforms::parse(&[text]).is_err(), "{text}");
        }
    }
}
