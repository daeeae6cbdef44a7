//! What a path asks for. Pure; a name is only ever looked up, and never becomes a file's.

use crate::digest::Digest;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Path<'a> {
    /// `/v2/`: is this a registry?
    Base,
    Catalog,
    In {
        repository: &'a str,
        wanted: Wanted<'a>,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// By tag or digest.
    Manifest(&'a str),
    Blob(Digest),
    Tags,
    Referrers(Digest),
}

impl<'a> Path<'a> {
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/v2")?;
        if matches!(rest, "" | "/") {
            return Some(Self::Base);
        }
        let rest = rest.strip_prefix('/')?;
        if rest == "_catalog" {
            return Some(Self::Catalog);
        }
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Some(Self::In { repository, wanted: Wanted::Tags });
        }
        let (before, last) = rest.rsplit_once('/')?;
        let (repository, kind) = before.rsplit_once('/')?;
        let wanted = match kind {
            "manifests" => Wanted::Manifest(last),
            "blobs" => Wanted::Blob(last.parse().ok()?),
            "referrers" => Wanted::Referrers(last.parse().ok()?),
            _ => return None,
        };
        Some(Self::In { repository, wanted })
    }
}

/// One parameter of a query, with its escapes undone.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let digest = Digest::of(b"x");
        let within = |repository, wanted| Some(Path::In { repository, wanted });
        let blob = format!("/v2/a/b/blobs/{digest}");
        let referrers = format!("/v2/a/referrers/{digest}");
        assert_eq!(Path::parse("/v2/"), Some(Path::Base));
        assert_eq!(Path::parse("/v2/_catalog"), Some(Path::Catalog));
        assert_eq!(Path::parse("/v2/a/manifests/1.0"), within("a", Wanted::Manifest("1.0")));
        assert_eq!(Path::parse(&blob), within("a/b", Wanted::Blob(digest.clone())));
        assert_eq!(Path::parse(&referrers), within("a", Wanted::Referrers(digest)));
        assert_eq!(Path::parse("/v2/a/tags/list"), within("a", Wanted::Tags));
        for path in ["/", "/v1/", "/v2/a", "/v2/a/blobs/latest", "/v2/a/blobs/../x", "/v2x"] {
            assert_eq!(Path::parse(path), None, "{path}");
        }
    }

    #[test]
    fn parameters() {
        let get = |query, name| parameter(query, name);
        assert_eq!(get("n=2&ns=docker.io%3A443", "ns").as_deref(), Some("docker.io:443"));
        assert_eq!(get("artifactType=a%2Fb+c", "artifactType").as_deref(), Some("a/b c"));
        assert_eq!(get("n=%2", "n"), None);
        assert_eq!(get("", "n"), None);
    }
}
