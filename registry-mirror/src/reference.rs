//! The name of something in a registry: `oci://host[:port]/repository[:tag][@digest]`.

use std::fmt;

use crate::digest::Digest;

/// A checked reference. The host keeps its port; a tag never holds `+` (see [`Reference::with_tag`]).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an OCI reference (oci://host[:port]/path/name[:tag][@sha256:…]): {why}")]
pub struct InvalidReference {
    text: String,
    why: &'static str,
}

impl InvalidReference {
    /// The rule that the text breaks.
    pub fn why(&self) -> &'static str {
        self.why
    }
}

/// Limit of the OCI distribution specification's implementations for host and path together.
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_HOST: usize = 255;
/// Limit of the OCI distribution specification.
const LONGEST_TAG: usize = 128;

impl Reference {
    /// Reads a reference, with or without `oci://`. A `+` in the tag becomes `_`, as Helm does it.
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        parse(text).map_err(|why| InvalidReference { text: text.chars().take(300).collect(), why })
    }

    /// The same repository at another tag or version; drops the digest.
    /// A `+` becomes `_`, since tags cannot hold it and chart versions can.
    pub fn with_tag(&self, tag: &str) -> Result<Self, InvalidReference> {
        let tag = check_tag(tag).map_err(|why| {
            let tag: String = tag.chars().take(LONGEST_TAG).collect();
            InvalidReference { text: format!("oci://{}:{tag}", self.repository_path()), why }
        })?;
        Ok(Self { tag: Some(tag), digest: None, ..self.clone() })
    }

    /// The same reference, bound to this digest.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// The repository alone, without tag and digest.
    pub fn repository_only(&self) -> Self {
        Self { tag: None, digest: None, ..self.clone() }
    }

    /// The same tag and digest in another repository, `host[:port]/path`.
    pub fn moved_to(&self, repository: &str) -> Result<Self, InvalidReference> {
        let moved = Self::parse(repository)?;
        if moved.tag.is_some() || moved.digest.is_some() {
            let why = "a repository without tag and digest is wanted here";
            return Err(InvalidReference { text: repository.chars().take(300).collect(), why });
        }
        Ok(Self { tag: self.tag.clone(), digest: self.digest.clone(), ..moved })
    }

    /// Reads the name of an image as container runtimes do: without a host it is one of Docker
    /// Hub, where a name of one word lies below `library/`; with neither tag nor digest it is
    /// `latest`.
    pub fn parse_image(text: &str) -> Result<Self, InvalidReference> {
        let (first, rest) = text.split_once('/').unwrap_or(("", text));
        let has_host = first.contains(['.', ':']) || first == "localhost";
        let full = match (has_host, first) {
            (true, "docker.io" | "index.docker.io") if !rest.contains('/') => {
                format!("docker.io/library/{rest}")
            }
            (true, "index.docker.io") => format!("docker.io/{rest}"),
            (true, _) => text.to_owned(),
            (false, "") => format!("docker.io/library/{text}"),
            (false, _) => format!("docker.io/{text}"),
        };
        let reference = Self::parse(&full)?;
        if reference.tag.is_none() && reference.digest.is_none() {
            return reference.with_tag("latest");
        }
        Ok(reference)
    }

    /// As images are written: without `oci://`.
    pub fn image(&self) -> String {
        let text = self.to_string();
        text.strip_prefix("oci://").unwrap_or(&text).to_owned()
    }

    /// `host[:port]/path`
    pub fn path(&self) -> String {
        self.repository_path()
    }

    /// Host name or address, with the port if one was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Path within the registry, such as `qdrant-charts/qdrant-operator`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Where the API of the registry answers; Docker Hub's is not at its name.
    pub(crate) fn api_host(&self) -> &str {
        if self.host == "docker.io" { "registry-1.docker.io" } else { &self.host }
    }

    fn repository_path(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        Self::parse(text)
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let rest = text.strip_prefix("oci://").unwrap_or(text);
    if rest.contains("://") {
        return Err("the scheme must be oci://");
    }
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => {
            let digest = digest.parse().map_err(|_| "the digest is not sha256:<64 hex digits>")?;
            (rest, Some(digest))
        }
        None => (rest, None),
    };
    let (host, path) = rest.split_once('/').ok_or("a host and a path are needed")?;
    // Only after the last slash can a colon start a tag; before it, it is the host's port.
    let last = path.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match path[last..].find(':') {
        Some(colon) => (&path[..last + colon], Some(check_tag(&path[last + colon + 1..])?)),
        None => (path, None),
    };
    check_host(host)?;
    check_repository(repository)?;
    Ok(Reference { host: host.to_owned(), repository: repository.to_owned(), tag, digest })
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or("the host is not closed by ]")?;
            let known = address.parse::<std::net::Ipv6Addr>().is_ok();
            (
                if known { "ipv6" } else { "" },
                port.strip_prefix(':').or((!port.is_empty()).then_some("")),
            )
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    if name.is_empty() || name.len() > LONGEST_HOST || !name.bytes().all(allowed) {
        return Err("the host is not a DNS name or an address");
    }
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    match port {
        Some(port) if !digits(port) || !matches!(port.parse::<u16>(), Ok(1..)) => {
            Err("the port is not a number from 1 to 65535")
        }
        _ => Ok(()),
    }
}

/// Components of lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
fn check_repository(repository: &str) -> Result<(), &'static str> {
    let alphanumeric = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let component = |component: &str| {
        let ends = component.bytes().next().is_some_and(alphanumeric)
            && component.bytes().last().is_some_and(alphanumeric);
        let mut separators = component.split(|c: char| alphanumeric(c as u8) && c.is_ascii());
        ends && separators
            .all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
    };
    if repository.is_empty() || repository.len() > LONGEST_REPOSITORY {
        return Err("the path must have 1 to 255 characters");
    }
    if !repository.split('/').all(component) {
        return Err("the path may hold lower-case letters, digits and single separators");
    }
    Ok(())
}

/// `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
pub(crate) fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn check_tag(tag: &str) -> Result<String, &'static str> {
    let tag = tag.replace('+', "_");
    if is_tag(&tag) {
        Ok(tag)
    } else {
        Err("a tag has 1 to 128 letters, digits, dots, dashes and underscores")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String, Option<String>, Option<String>) {
        let r = Reference::parse(text).unwrap();
        let digest = r.digest().map(ToString::to_string);
        (r.host, r.repository, r.tag, digest)
    }

    #[test]
    fn parts_of_references() {
        let digest = Digest::of(b"").to_string();
        let some = |s: &str| Some(s.to_owned());
        let of = |h: &str, r: &str, t: Option<String>, d: Option<String>| {
            (h.to_owned(), r.to_owned(), t, d)
        };
        assert_eq!(
            parts("oci://registry.test/qdrant-charts/qdrant-operator:2.1.0"),
            of("registry.test", "qdrant-charts/qdrant-operator", some("2.1.0"), None)
        );
        assert_eq!(parts("localhost:5000/a"), of("localhost:5000", "a", None, None));
        assert_eq!(parts("oci://[::1]:5000/a:b"), of("[::1]:5000", "a", some("b"), None));
        assert_eq!(parts("oci://h/a__b/c--d:1.0.0+x"), of("h", "a__b/c--d", some("1.0.0_x"), None));
        assert_eq!(parts(&format!("h/a@{digest}")), of("h", "a", None, some(&digest)));
        assert_eq!(
            parts(&format!("oci://h:1/a/b:v@{digest}")),
            of("h:1", "a/b", some("v"), some(&digest))
        );
    }

    #[test]
    fn printed_as_read() {
        for text in ["oci://h:5000/a/b:1.0.0", "oci://h/a", "oci://h/a/b-c.d:x"] {
            assert_eq!(Reference::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn names_of_images() {
        let digest = Digest::of(b"");
        for (text, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("qdrant/qdrant:v1.2.3", "docker.io/qdrant/qdrant:v1.2.3"),
            ("docker.io/nginx", "docker.io/library/nginx:latest"),
            ("index.docker.io/a/b:1", "docker.io/a/b:1"),
            ("localhost/a", "localhost/a:latest"),
            ("r.test/a/b:1", "r.test/a/b:1"),
            ("h:5000/a", "h:5000/a:latest"),
        ] {
            assert_eq!(Reference::parse_image(text).unwrap().image(), full);
        }
        let bound = format!("r.test/a@{digest}");
        assert_eq!(Reference::parse_image(&bound).unwrap().image(), bound);
        assert!(Reference::parse_image("").is_err());
        assert!(Reference::parse_image("A B").is_err());
    }

    #[test]
    fn moved_with_tag_and_digest() {
        let bound = Reference::parse("h/a:1").unwrap().with_digest(Digest::of(b""));
        let wanted = format!("oci://m.test:5000/x/a:1@{}", Digest::of(b""));
        assert_eq!(bound.moved_to("m.test:5000/x/a").unwrap().to_string(), wanted);
        assert!(bound.moved_to("m.test/a:2").is_err());
        assert_eq!(bound.repository_only().to_string(), "oci://h/a");
    }

    #[test]
    fn with_tag_drops_the_digest() {
        let bound = Reference::parse("h/a:1").unwrap().with_digest(Digest::of(b""));
        assert_eq!(bound.with_tag("2.0.0+b").unwrap().to_string(), "oci://h/a:2.0.0_b");
        assert!(bound.with_tag("a/b").is_err());
    }

    #[test]
    fn refused() {
        let long = format!("h/{}", "a".repeat(LONGEST_REPOSITORY + 1));
        let long_tag = format!("h/a:{}", "a".repeat(LONGEST_TAG + 1));
        for text in [
            "",
            "h",
            "oci://",
            "oci:///a",
            "h/",
            "https://h/a",
            "h/A",
            "h/a//b",
            "h/../a",
            "h/a..b",
            "h/-a",
            "h/a-",
            "h/a___b",
            "h/a:",
            "h/a:.b",
            "h/a:b c",
            "h:/a",
            "h:0/a",
            "h:65536/a",
            "h:+5/a",
            "u@h/a",
            "h/a@sha256:x",
            "h/a?b",
            "h/ä",
            "[::1/a",
            "[::g]:5/a",
            "[::1]5/a",
            "h h/a",
            &long,
            &long_tag,
        ] {
            let error = Reference::parse(text).expect_err(text);
            assert!(error.to_string().contains("is not an OCI reference"), "{error}");
        }
        assert!(Reference::parse(&long[..long.len() - 1]).is_ok());
        assert!(Reference::parse(&long_tag[..long_tag.len() - 1]).is_ok());
    }
}
